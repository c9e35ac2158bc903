"""Webhooks: how many are accepted and applied a second, how long each takes, and whether applying keeps up.

`python bench/webhooks.py [--quick] [--json FILE] [--part accept|apply|sustained] [--command "web command"]`. Servers
have safe settings, and everything runs on this machine, the sender of the webhooks included. What is compared is
measured in turns of a second or two, so that whatever else the machine does falls on all alike; a figure is the median
turn's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import load, orders
from bench.bars import Bars
from bench.stand import stand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from bench.stand import Stand
    from supervisor.processes import Process

    Connection = psycopg.Connection[Any]

READY = "the worker is ready"
GIVE_UP = 300.0  # seconds
WAITING = "SELECT EXISTS (SELECT FROM inbox WHERE processed_at IS NULL AND tenant_id IS NOT NULL)"
DIRTY = "SELECT EXISTS (SELECT FROM dirty_days)"
FAILED = "SELECT count(*) FROM inbox WHERE error IS NOT NULL"
# Processed deliveries of yesterday, as many as a busy month leaves behind; each body has one kilobyte.
FILL = """
    INSERT INTO inbox (tenant_id, shop_domain, topic, webhook_id, event_id, triggered_at, api_version, payload,
                       received_at, processed_at, outcome)
    SELECT (SELECT min(id) FROM tenants), %s, 'orders/create', gen_random_uuid()::text, gen_random_uuid()::text,
           now(), '2026-10', convert_to(rpad('{"id":' || number || ',"note":"', 1022, 'n') || '"}', 'UTF8'),
           now() - interval '1 day', now() - interval '1 day', 'applied'
    FROM generate_series(1, %s) number
"""
COPY = "COPY inbox (tenant_id, shop_domain, topic, webhook_id, event_id, triggered_at, api_version, payload) FROM STDIN"
# How long the deliveries of a span of time waited to be applied, in seconds.
LAG = """
    SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99])
           WITHIN GROUP (ORDER BY extract(epoch FROM processed_at - received_at))
    FROM inbox WHERE received_at >= %s AND received_at < %s
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured. ``tenants`` pairs a number of tenants with the deliveries spread over them."""

    full: int
    turns: int
    seconds: float
    tenants: tuple[tuple[int, int], ...]
    sustained: float


FULL = Sizes(2_000_000, 15, 2.0, ((1, 30_000), (50, 30_000), (1_000, 30_000)), 60.0)
QUICK = Sizes(100_000, 5, 1.0, ((1, 5_000), (50, 5_000), (1_000, 5_000)), 10.0)
TENANT_BARS = {1: 3_000.0, 1_000: 1_500.0}  # applied a second
ACCEPT_SHARE, ACCEPT_P99, FULL_SHARE, SUSTAINED = 0.85, 1.3, 0.9, 1_000.0


# ── accept ──


def accept(here: Stand, sizes: Sizes, bars: Bars, command: str | None) -> None:
    """Measure accepting on a fresh and on a full database, in turns with the bare view."""
    here.app_database("fresh")
    here.app_database("full")
    here.bare_database("bare")
    with here.connect("full") as connection:
        connection.execute(FILL, [load.shop(0), sizes.full])
        connection.execute("VACUUM ANALYZE inbox")
        connection.execute("CHECKPOINT")
    ports = {
        "bare view": here.bare_web("bare", command),
        "fresh": here.web("fresh", command),
        "full": here.web("full", command),
    }
    print(f"\naccepting, 8 KB orders/create; full: {sizes.full:,} processed deliveries")
    print(f"{'connections':>12} {'':<10} {'accepted/s':>11} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
    for connections in (1, 16, 64):
        medians = _turns(here, sizes, ports, connections)
        for name, figures in medians.items():
            times = " ".join(f"{figures[key]:8.1f}" for key in ("p50", "p95", "p99"))
            print(f"{connections:12} {name:<10} {figures['rate']:11,.0f} {times}", flush=True)
        if connections == 16:  # noqa: PLR2004 - what the bars are about
            _accept_bars(bars, medians)


def _turns(here: Stand, sizes: Sizes, ports: dict[str, int], connections: int) -> dict[str, dict[str, float]]:
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ports}
    for port in ports.values():
        here.load(port, connections=connections, seconds=1)
    for turn in range(sizes.turns):
        for name in _rotated(list(ports), turn):
            results[name].append(here.load(ports[name], connections=connections, seconds=sizes.seconds))
    refused = {status for turns in results.values() for result in turns for status in result["statuses"]} - {"200"}
    if refused:
        raise SystemExit(f"some were answered {sorted(refused)}")
    figures = ("rate", "p50", "p95", "p99")
    return {
        name: {figure: statistics.median(result[figure] for result in turns) for figure in figures}
        for name, turns in results.items()
    }


def _rotated(names: list[str], turn: int) -> list[str]:
    """Return the names beginning with another one each turn, so that none always comes after the same."""
    first = turn % len(names)
    return names[first:] + names[:first]


def _accept_bars(bars: Bars, medians: dict[str, dict[str, float]]) -> None:
    bare, fresh, full = medians["bare view"], medians["fresh"], medians["full"]
    bars.least(
        "accepted/s at 16 connections, as a share of the bare view's", fresh["rate"] / bare["rate"], ACCEPT_SHARE
    )
    bars.most("p99 at 16 connections, as a multiple of the bare view's", fresh["p99"] / bare["p99"], ACCEPT_P99)
    bars.least("accepted/s on a full database, as a share of a fresh one's", full["rate"] / fresh["rate"], FULL_SHARE)


# ── apply ──


def apply(here: Stand, sizes: Sizes, bars: Bars, _command: str | None) -> None:
    """Measure one worker emptying an inbox."""
    print("\napplying, one worker, orders of four lines; until the inbox is empty and no day is dirty")
    for tenants, deliveries in sizes.tenants:
        rate, failed = _applied(here, tenants, deliveries)
        print(f"{tenants:6,} tenants {deliveries:8,} deliveries {rate:9,.0f}/s {failed:4} failed", flush=True)
        if target := TENANT_BARS.get(tenants):
            bars.least(f"applied/s, spread over {tenants:,} tenants", 0.0 if failed else rate, target)


def _applied(here: Stand, tenants: int, deliveries: int) -> tuple[float, int]:
    database = f"apply_{tenants}"
    here.app_database(database, stores=tenants)
    here.empty_redis()
    with here.connect(database) as connection:
        _seed(connection, orders.Form(here.form.read_text()), deliveries)
        with here.running("worker", database) as worker:
            began = _when(lambda: READY in worker.log.read_text(), worker)
            ended = _when(lambda: _idle(connection), worker)
        return deliveries / (ended - began), _asked(connection, FAILED)


def _seed(connection: Connection, form: orders.Form, deliveries: int) -> None:
    """Put deliveries into the inbox, the stores in turn."""
    stores = connection.execute("SELECT id, store_url FROM tenants ORDER BY id").fetchall()
    with connection.cursor().copy(COPY) as copy:
        for number in range(deliveries):
            tenant_id, shop = stores[number % len(stores)]
            ids = (str(uuid.uuid4()), str(uuid.uuid4()), "2026-11-20T12:00:00Z", "2026-10")
            copy.write_row((tenant_id, shop, "orders/create", *ids, form.fill(number)))
    connection.execute("VACUUM ANALYZE inbox")
    connection.execute("CHECKPOINT")


def _idle(connection: Connection) -> bool:
    return not any(_asked(connection, question) for question in (WAITING, DIRTY))


def _asked(connection: Connection, question: str, *values: object) -> Any:  # noqa: ANN401 - whatever is asked for
    """Return the one value a question is answered with."""
    ((value,),) = connection.execute(question.encode(), values).fetchall()
    return value


def _when(condition: Callable[[], bool], process: Process) -> float:
    """Return the moment at which a condition came true."""
    ends_at = time.perf_counter() + GIVE_UP
    while not condition():
        if process.exit_code is not None or time.perf_counter() > ends_at:
            raise SystemExit(f"{process.name} did not get there:\n{process.log.read_text()[-2000:]}")
        time.sleep(0.02)
    return time.perf_counter()


# ── both together ──


def sustained(here: Stand, sizes: Sizes, bars: Bars, command: str | None) -> None:
    """Offer a thousand webhooks a second while a worker applies them, and see whether it keeps up."""
    here.app_database("sustained", stores=50)
    here.empty_redis()
    port = here.web("sustained", command)
    print(f"\naccepting and applying together, {SUSTAINED:,.0f}/s offered for {sizes.sustained:g} s, 50 tenants")
    with here.connect("sustained") as connection, here.running("worker", "sustained") as worker:
        _when(lambda: READY in worker.log.read_text(), worker)
        here.load(port, connections=16, seconds=3, rate=SUSTAINED / 4, stores=50)
        began = _asked(connection, "SELECT now()")
        sent = here.load(port, connections=16, seconds=sizes.sustained, rate=SUSTAINED, stores=50, first=10_000_000)
        ended = _asked(connection, "SELECT now()")
        drained = time.perf_counter()
        drained = _when(lambda: _idle(connection), worker) - drained
        third = (ended - began) / 3
        lags = [_asked(connection, LAG, since, since + third) for since in (began, ended - third)]
    print(f"accepted {sent['rate']:,.0f}/s; p50 {sent['p50']:.1f} p95 {sent['p95']:.1f} p99 {sent['p99']:.1f} ms")
    for name, lag in zip(("first third", "last third"), lags, strict=True):
        print(f"lag until applied, {name}: " + ", ".join(f"{seconds:.2f} s" for seconds in lag) + " (p50, p95, p99)")
    print(f"inbox empty and totals made {drained:.1f} s after the last one")
    bars.least("accepted/s while they are applied", sent["rate"], SUSTAINED * 0.99)
    # A lag that grows by a hundredth of the time is a worker that is a hundredth too slow; half a second is noise.
    growth = max(0.0, lags[1][0] - lags[0][0])
    bars.most(
        "growth of the median lag from the first third to the last, seconds",
        growth,
        sizes.sustained * 2 / 3 / 100 + 0.5,
    )


PARTS = {"accept": accept, "apply": apply, "sustained": sustained}


def _parts(only: str | None) -> Iterator[Callable[[Stand, Sizes, Bars, str | None], None]]:
    yield from (part for name, part in PARTS.items() if only in {None, name})


def main() -> int:
    """Measure, print the tables, and return 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns, and a smaller full database")
    parser.add_argument("--json", type=Path, help="write the bars to this file")
    parser.add_argument("--part", choices=PARTS, help="one part only")
    parser.add_argument("--command", help="a web command to use in place of the Procfile's, for both views")
    arguments = parser.parse_args()
    bars = Bars()
    for part in _parts(arguments.part):
        with tempfile.TemporaryDirectory(prefix="storelens-bench-", dir="/var/tmp") as name:
            directory = Path(name)
            directory.chmod(0o755)  # PostgreSQL runs as another user where this runs as root
            with stand(directory) as here:
                part(here, QUICK if arguments.quick else FULL, bars, arguments.command)
    return bars.end(arguments.json)


if __name__ == "__main__":
    sys.exit(main())
