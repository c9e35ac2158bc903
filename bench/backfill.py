"""Loading a history: lines a second, what a line costs, and whether either changes with how many there are.

`python bench/backfill.py [--quick] [--huge] [--json FILE]`. An export of orders with three lines each comes over HTTP
from a process of its own. The worker of the Procfile loads it, ledger and totals included, into a PostgreSQL with safe
settings; beside it, in the same turns, two bare scripts load it (`bare_load.py`). A bar on a ratio is held to the
median turn's. `--huge` adds ten million lines.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
import psycopg

from bench import history
from bench.bars import Bars
from bench.stand import ROOT, SETTINGS, stand
from shopify_app.crypto import Vault
from supervisor.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.stand import Stand
    from supervisor.processes import Process

    Connection = psycopg.Connection[Any]

READY = "the worker is ready"
STILL = timedelta(minutes=5).total_seconds()  # without a further line it is given up
TEMPLATE = "app"
TOKENS = """
    INSERT INTO offline_tokens (tenant_id, access_token, access_expires_at, scopes, obtained_at)
    SELECT id, %s, now() + interval '1 day', ARRAY['read_orders', 'read_all_orders'], now() FROM tenants
"""
BEGIN = """
    WITH begun AS (
        INSERT INTO backfills (tenant_id, run_id, resource, state, operation_id, started_at)
        VALUES (%s, gen_random_uuid(), 'orders', 'loading', 'gid://shopify/BulkOperation/' || %s, now())
        RETURNING tenant_id, id
    ), claimed AS (
        INSERT INTO claims (kind, tenant_id, subject, due_at) SELECT 'backfill', tenant_id, id, now() FROM begun
    ) SELECT id FROM begun
"""
LOADING = "SELECT count(*) FROM backfills WHERE state = 'loading'"
TAKEN = "SELECT count(*) FROM claims WHERE kind = 'backfill' AND lease IS NOT NULL"
READ = "SELECT coalesce(sum(objects_read), 0) FROM backfills"
DIRTY = "SELECT EXISTS (SELECT FROM dirty_days)"
HELD = """
    SELECT (SELECT count(*) FROM orders WHERE tenant_id = %(tenant)s), sum(quantity), sum(gross) * 100,
           sum(discounts) * 100, sum(shipping) * 100, sum(taxes) * 100
    FROM sales WHERE tenant_id = %(tenant)s
"""
RATE_SHARE, MANY_SHARE, MOST_RSS, RSS_GROWTH, RATE_GROWTH, TOGETHER = 0.6, 1.2, 250.0, 1.15, 0.9, 1.1


@dataclass(frozen=True)
class Sizes:
    """How many lines, and how often the smaller number is loaded by each."""

    small: int
    large: int
    turns: int


FULL = Sizes(200_000, 2_000_000, 5)
QUICK = Sizes(100_000, 400_000, 3)
HUGE = 10_000_000


@dataclass(frozen=True)
class Load:
    """What a load took: lines, seconds, processor seconds of Python and of PostgreSQL, and the most memory, in MB."""

    lines: int
    seconds: float
    python: float
    postgres: float
    peak: float

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.lines / self.seconds

    @property
    def cost(self) -> float:
        """Processor time of both, microseconds a line."""
        return (self.python + self.postgres) * 1e6 / self.lines

    def show(self, name: str) -> Load:
        """Print it as a row of the table."""
        print(
            f"{name:<44} {self.lines:>10,} {self.rate:>9,.0f} {self.python * 1e6 / self.lines:>8.1f}"
            f" {self.postgres * 1e6 / self.lines:>8.1f} {self.peak:>6.0f}",
            flush=True,
        )
        return self


@dataclass
class Bench:
    """The stand, where its files come from, and what they hold."""

    here: Stand
    port: int
    files: Path
    held: dict[int, history.Sums] = field(default_factory=dict)
    databases: int = 0

    def file(self, lines: int) -> str:
        """Return the address of a file of that many lines, written now if there is none yet."""
        if lines not in self.held:
            self.held[lines] = history.write(self.files / str(lines), lines)
        return f"http://{LOOPBACK}:{self.port}/{lines}"

    def database(self, template: str) -> str:
        """Make another database like the template, and drop the last one."""
        with self.here.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS loaded_{self.databases} WITH (FORCE)".encode())
            self.databases += 1
            connection.execute(f"CREATE DATABASE loaded_{self.databases} TEMPLATE {template}".encode())
            connection.execute("CHECKPOINT")
        return f"loaded_{self.databases}"

    def processor(self) -> float:
        """Return the processor seconds of all of PostgreSQL's processes so far, those that have ended included."""
        with self.here.connect("postgres") as connection:
            postmaster = psutil.Process(connection.info.backend_pid).parent()
        used = postmaster.cpu_times() if postmaster else None
        if postmaster is None or used is None:
            raise SystemExit("PostgreSQL is gone")
        total = float(used.user + used.system + used.children_user + used.children_system)
        return total + sum(map(_processor, postmaster.children(recursive=True)))


# ── the ways to load ──


def bare(bench: Bench, lines: int, way: str) -> Load:
    """Load a file with a bare script, into a database that holds nothing."""
    url = bench.file(lines)
    address = bench.here.connect(bench.database("template1")).info
    before = bench.processor()
    command = [sys.executable, str(ROOT / "bench" / "bare_load.py"), way, url]
    dsn = psycopg.conninfo.make_conninfo(address.dsn, password=address.password)
    result = json.loads(subprocess.run(command, env={**os.environ, "DSN": dsn}, check=True, capture_output=True).stdout)
    used = bench.processor() - before
    return Load(result["lines"], result["seconds"], result["cpu"], used, result["peak_kb"] / 1024)


def ours(bench: Bench, lines: int, database: str, *, stores: int = 1) -> Load:
    """Load the file for each store with as many workers, and check what is held then."""
    bench.file(lines)
    with bench.here.connect(database) as connection:
        bench.here.empty_redis()
        tenants = [tenant for (tenant,) in connection.execute("SELECT id FROM tenants ORDER BY id").fetchall()][:stores]
        connection.execute("UPDATE backfills SET state = 'done', objects_read = 0")
        connection.execute("DELETE FROM claims")
        for tenant in tenants:
            connection.execute(BEGIN, [tenant, str(lines)])
        load = _worked(bench, database, connection, lines * stores)
        for tenant in tenants:
            _check(connection, tenant, bench.held[lines])
    return load


def _worked(bench: Bench, database: str, connection: Connection, lines: int) -> Load:
    """Run a worker for each backfill until none loads, and then until the totals are made.

    Seconds are those from its being taken to its last line; processor time is that of the totals too.
    """
    with contextlib.ExitStack() as held:
        count = _asked(connection, LOADING)
        workers = [held.enter_context(bench.here.running("worker", database)) for _ in range(count)]
        for worker in workers:
            _until(functools.partial(_is_ready, worker), worker)
        _until(lambda: _asked(connection, TAKEN) == count, workers[0])
        began, before = time.perf_counter(), bench.processor()
        first = [psutil.Process(worker.pid) for worker in workers]
        python = sum(map(_processor, first))
        _until(lambda: not _asked(connection, LOADING), workers[0], lambda: _asked(connection, READ))
        seconds = time.perf_counter() - began
        _until(lambda: not _asked(connection, DIRTY), workers[0])
        peak = max(_peak(worker) for worker in workers)
        return Load(lines, seconds, sum(map(_processor, first)) - python, bench.processor() - before, peak)


def _until(condition: Callable[[], bool], process: Process, moves: Callable[[], Any] = lambda: None) -> None:
    """Wait for something; give up when the process has ended or nothing has moved for long."""
    moved, ends_at = moves(), time.monotonic() + STILL
    while not condition():
        now = moves()
        if now != moved:
            moved, ends_at = now, time.monotonic() + STILL
        if process.exit_code is not None or time.monotonic() > ends_at:
            raise SystemExit(f"{process.name} did not get there:\n{process.log.read_text()[-3000:]}")
        time.sleep(0.05)


def _check(connection: Connection, tenant: int, sums: history.Sums) -> None:
    """Compare what a store holds with what its file does."""
    (held,) = connection.execute(HELD, {"tenant": tenant}).fetchall()
    if tuple(map(int, held)) != tuple(sums):
        raise SystemExit(f"store {tenant} holds {held} and should hold {sums}")


def _asked(connection: Connection, question: str) -> Any:  # noqa: ANN401 - whatever is asked for
    ((value,),) = connection.execute(question.encode()).fetchall()
    return value


def _processor(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system)


def _is_ready(worker: Process) -> bool:
    return READY in worker.log.read_text()


def _peak(worker: Process) -> float:
    """Return the most memory a process has had, in MB."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


# ── what is measured ──


def compare(bench: Bench, sizes: Sizes, bars: Bars) -> Load:
    """Load the smaller file in turns: two bare scripts, ours, and ours again; return ours of the median turn."""
    turns: list[dict[str, Load]] = []
    for _ in range(sizes.turns):
        turn = {
            "bare: decode, COPY, upsert": bare(bench, sizes.small, "copy"),
            "bare: executemany": bare(bench, sizes.small, "executemany"),
        }
        database = bench.database(TEMPLATE)
        turn["Storelens"] = ours(bench, sizes.small, database)
        turn["Storelens, the same file again"] = ours(bench, sizes.small, database)
        turns.append(turn)
    for name in turns[0]:
        _median([turn[name] for turn in turns]).show(name)
    copied, many, first, again = ([turn[name] for turn in turns] for name in turns[0])
    bars.least("lines/s, as a share of the bare script's", _ratio(first, copied), RATE_SHARE)
    bars.least("lines/s, as a multiple of executemany's", _ratio(first, many), MANY_SHARE)
    bars.least("lines/s of an unchanged file, as a multiple of the first time's", _ratio(again, first), 1.0)
    return _median(first)


def grow(bench: Bench, sizes: Sizes, bars: Bars, small: Load, *, huge: bool) -> None:
    """Load larger files, and compare memory and rate with the smaller one's."""
    large = ours(bench, sizes.large, bench.database(TEMPLATE)).show("Storelens")
    bars.most(f"peak memory at {sizes.large:,} lines, as a multiple", large.peak / small.peak, RSS_GROWTH)
    bars.most(f"peak memory at {sizes.large:,} lines, MB", large.peak, MOST_RSS)
    largest = ours(bench, HUGE, bench.database(TEMPLATE)).show("Storelens") if huge else large
    share = largest.rate / small.rate
    bars.least(f"lines/s at {largest.lines:,} lines, as a share of that at {small.lines:,}", share, RATE_GROWTH)


def together(bench: Bench, sizes: Sizes, bars: Bars, small: Load) -> None:
    """Load the smaller file into two stores at once, with two workers."""
    pair = ours(bench, sizes.small, bench.database(TEMPLATE), stores=2).show("Storelens, two stores, two workers")
    bars.most("processor time a line of two stores at once, as a multiple of one's", pair.cost / small.cost, TOGETHER)


def _median(loads: list[Load]) -> Load:
    return sorted(loads, key=lambda load: load.rate)[len(loads) // 2]


def _ratio(these: list[Load], those: list[Load]) -> float:
    """Return the median turn's ratio of rates."""
    return statistics.median(one.rate / other.rate for one, other in zip(these, those, strict=True))


def measure(here: Stand, files: Path, bars: Bars, arguments: argparse.Namespace) -> None:
    """Measure everything."""
    sizes = QUICK if arguments.quick else FULL
    bench = Bench(here, here.storage(files), files)
    here.app_database(TEMPLATE, stores=2)
    with here.connect(TEMPLATE) as connection:
        connection.execute(TOKENS, [Vault([SETTINGS["TOKEN_KEYS"]]).encrypt("a token")])
    print(f"{'':<44} {'lines':>10} {'lines/s':>9} {'Python':>8} {'Postgres':>8} {'MB':>6}    (µs of processor a line)")
    small = compare(bench, sizes, bars)
    grow(bench, sizes, bars, small, huge=arguments.huge)
    together(bench, sizes, bars, small)


def main() -> int:
    """Measure, print the table, and return 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller files, and fewer turns")
    parser.add_argument("--huge", action="store_true", help=f"{HUGE:,} lines too, seven gigabytes of them")
    parser.add_argument("--json", type=Path, help="write the bars to this file")
    arguments = parser.parse_args()
    bars = Bars()
    with tempfile.TemporaryDirectory(prefix="storelens-bench-", dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user where this runs as root
        (directory / "files").mkdir()
        with stand(directory) as here:
            measure(here, directory / "files", bars, arguments)
    return bars.end(arguments.json)


if __name__ == "__main__":
    sys.exit(main())
