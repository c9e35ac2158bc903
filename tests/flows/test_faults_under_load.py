"""Every process is killed again and again while Shopify keeps sending: what was acknowledged is applied, once."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from supervisor.demo import DATABASE, Demo, demo_environment
from supervisor.ports import free_port
from supervisor.settings import DemoOptions
from tests.conftest import SMALL_STORE
from tests.flows.sender import SHOPS, Delivery, Kit, deliveries, kits, moved
from tests.flows.story import wait_until

pytestmark = [pytest.mark.long, pytest.mark.alone]

ROOT = Path(__file__).resolve().parent.parent.parent
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
SECONDS = float(os.environ.get("FAULTS_SECONDS") or 275)
RATE = 200.0  # deliveries begun in a second; a slow machine with two cores has time left
CALM = 15.0  # seconds of sending after the last kill
BETWEEN = (1.5, 6.0)  # seconds from a recovery to the next kill
AWAY = (0.1, 2.0)  # seconds until something killed is started again
PATIENCE = 90.0  # seconds for the rest to be applied
RECOVERY = 60.0  # seconds; the lease of a dead worker and the clock's tick are twenty of them
PROCESSES = ("web", "worker", "clock")
KINDS = (*PROCESSES, "postgres", "backend", "redis")


@dataclasses.dataclass(frozen=True)
class Kill:
    """What was killed, and when: the time of day in seconds."""

    kind: str
    at: float


@dataclasses.dataclass(frozen=True)
class Story:
    """What happened: `sent` is every delivery that was begun, by its webhook id."""

    sent: dict[str, Delivery]
    acknowledged: frozenset[str]
    answers: Counter[str]
    kills: list[Kill]
    ended_by_themselves: Counter[str]


@pytest.fixture(scope="module")
def forms() -> list[Kit]:
    """The forms that the sender fills too."""
    return kits()


@pytest.fixture
def durable_stack(make_directory: Callable[[], Path]) -> Iterator[Demo]:
    """The whole demo on a PostgreSQL that waits for the disk."""
    options = DemoOptions(
        data=make_directory(),
        app_port=free_port(),
        devstore_port=free_port(),
        devstore_arguments=SMALL_STORE,
        durable=True,
        environ={"PATH": os.environ["PATH"]},
    )
    with demo_environment(options) as demo:
        yield demo


def test_what_was_acknowledged_is_applied_exactly_once_whatever_dies(durable_stack: Demo, forms: list[Kit]) -> None:
    print(f"\nseed {SEED}, {SECONDS:g} seconds, {RATE:g} deliveries a second")  # noqa: T201 - to play it again
    install(durable_stack)

    story = play(durable_stack, forms)
    waited = wait_until_applied(durable_stack, len(story.acknowledged))

    kept = inbox(durable_stack)
    recoveries = recovered(story.kills, kept)
    tell(story, kept, recoveries, waited)
    assert set(story.answers) <= {"200", "503", "no answer"}
    assert story.acknowledged == set(story.sent)
    assert_each_is_kept_and_applied_once(story, kept)
    for shop in SHOPS:
        assert_rows_are_what_was_sent(durable_stack, shop, forms, story)
    assert set(recoveries) == set(KINDS)
    assert max(itertools.chain.from_iterable(recoveries.values())) < RECOVERY


def play(stack: Demo, forms: list[Kit]) -> Story:
    """Send, and kill meanwhile."""
    command = [sys.executable, str(ROOT / "tests/flows/sender.py"), "--port", str(stack.options.app_port)]
    command += ["--seed", str(SEED), "--seconds", str(SECONDS), "--rate", str(RATE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **stack.environ}) as sender:
        try:
            kills, ended = kill_at_random(stack, Random(SEED), time.monotonic() + SECONDS - CALM)
            said = json.loads(sender.communicate(timeout=SECONDS)[0])
        finally:
            sender.kill()
    begun = {one.webhook_id: one for one in itertools.islice(deliveries(SEED, forms), len(said["started"]))}
    return Story(begun, frozenset(said["acknowledged"]), Counter(said["answers"]), kills, ended)


def kill_at_random(stack: Demo, chance: Random, until: float) -> tuple[list[Kill], Counter[str]]:
    """Kill one after the other, each as often; return the kills, and what ended without being killed."""
    kills, ended = [], Counter()
    while time.monotonic() < until:
        for kind in chance.sample(KINDS, len(KINDS)):
            time.sleep(chance.uniform(*BETWEEN))
            for name in PROCESSES:
                if stack.processes[name].exit_code is not None:
                    ended[name] += 1
                    stack.restart(name)
            kills.append(Kill(kind, time.time()))
            kill_and_restart(stack, kind, chance.uniform(*AWAY))
            if time.monotonic() > until:
                break
    return kills, ended


def kill_and_restart(stack: Demo, kind: str, away: float) -> None:
    """Kill, and start again what does not start by itself."""
    if kind == "backend":
        wait_until("a backend", stack.kill_postgres_backend)  # it may still recover from the last time
    elif kind == "postgres":
        stack.kill_postgres()
        time.sleep(away)
        stack.start_postgres()
    elif kind == "redis":
        stack.kill_redis()
        time.sleep(away)
        stack.start_redis()
    else:
        stack.kill(kind)
        time.sleep(away)
        stack.restart(kind)


def install(stack: Demo) -> None:
    """Make the stores known, as an install does."""
    with connect(stack) as connection:
        for shop in SHOPS:
            connection.execute(
                "INSERT INTO tenants (store_url, name, time_zone, currency, installed_at)"
                " VALUES (%s, %s, 'America/New_York', 'USD', now())",
                [shop, shop.partition(".")[0]],
            )


def connect(stack: Demo) -> psycopg.Connection[Any]:
    """Open a connection of the superuser, whom row-level security does not bind."""
    assert stack.postgres is not None
    url = make_url(stack.postgres.url).set(database=DATABASE)
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def ask(stack: Demo, query: str, *values: object) -> list[tuple[Any, ...]]:
    with connect(stack) as connection:
        return connection.execute(query, values).fetchall()


def wait_until_applied(stack: Demo, count: int) -> float:
    """Wait until so many are applied and all totals are refreshed; return the seconds that took."""
    began = time.monotonic()
    left: tuple[Any, ...] = ()
    while time.monotonic() - began < PATIENCE:
        ((*left,),) = ask(
            stack,
            """SELECT (SELECT count(*) FROM inbox WHERE processed_at IS NOT NULL),
                      (SELECT count(*) FROM inbox WHERE processed_at IS NULL), (SELECT count(*) FROM dirty_days)""",
        )
        if left[0] >= count and left[1:] == [0, 0]:
            return time.monotonic() - began
        time.sleep(0.5)
    pytest.fail(f"of {count} acknowledged, {left[0]} are applied and {left[1]} wait; {left[2]} days are dirty")


@dataclasses.dataclass(frozen=True)
class Row:
    """A delivery as it is kept; times of day in seconds."""

    shop: str
    webhook_id: str
    outcome: str | None
    dead: bool
    error: str | None
    failures: int
    received_at: float
    processed_at: float


def inbox(stack: Demo) -> list[Row]:
    """Return all deliveries in the order they came."""
    found = ask(
        stack,
        """SELECT shop_domain, webhook_id, outcome, dead_at IS NOT NULL, error, attempts,
                  extract(epoch FROM received_at)::float8, extract(epoch FROM processed_at)::float8
           FROM inbox ORDER BY received_at""",
    )
    return [Row(*row) for row in found]


def recovered(kills: list[Kill], kept: list[Row]) -> dict[str, list[float]]:
    """Return, by kind, the seconds from each kill until a delivery that came after it was applied."""
    came = [row.received_at for row in kept]
    soonest = list(itertools.accumulate((row.processed_at for row in reversed(kept)), min))[::-1]
    took = defaultdict(list)
    for kill in kills:
        took[kill.kind].append(soonest[bisect.bisect(came, kill.at)] - kill.at)
    return dict(took)


def tell(story: Story, kept: list[Row], recoveries: dict[str, list[float]], waited: float) -> None:
    """Print what happened."""
    applied = sum(row.outcome == "applied" for row in kept)
    lines = [
        f"sent {len(story.sent)} deliveries in {sum(story.answers.values())} attempts {dict(story.answers)}",
        f"acknowledged {len(story.acknowledged)}, applied {applied}, the last of them {waited:.1f} s after the end",
        f"set aside for a while {sum(row.failures > 0 for row in kept)}",
        f"longest from arrival to row {max(row.processed_at - row.received_at for row in kept):.1f} s",
        f"ended by themselves: {dict(story.ended_by_themselves) or 'none'}",
    ]
    for kind in KINDS:
        took = recoveries.get(kind, [0.0])
        lines.append(f"{kind:<9} killed {len(took):>2} times, longest recovery {max(took):5.1f} s")
    print("\n".join(lines))  # noqa: T201 - what was seen


def assert_each_is_kept_and_applied_once(story: Story, kept: list[Row]) -> None:
    times = Counter((row.shop, row.webhook_id) for row in kept)
    assert set(times.values()) == {1}
    assert set(times) == {(one.shop, one.webhook_id) for one in story.sent.values()}
    assert {(row.outcome, row.dead, row.error) for row in kept} == {("applied", False, None)}


def assert_rows_are_what_was_sent(stack: Demo, shop: str, forms: list[Kit], story: Story) -> None:
    """Compare orders, lines, refunds, customers and products, the ledger and the totals of a store."""
    sent = whole_copies(shop, forms, story)
    orders = {moved(kit.order_id, copy): kit for copy, kit in sent}
    assert orders, shop
    (tenant_id,) = ask(stack, "SELECT id FROM tenants WHERE store_url = %s", shop)[0]
    held = ask(
        stack,
        """SELECT shopify_id, total_price, financial_status, extract(epoch FROM updated_at)::float8
           FROM orders WHERE tenant_id = %s""",
        tenant_id,
    )
    told = {row[0]: (row[1], row[2], row[3]) for row in held}
    assert len(held) == len(told)
    wanted = {number: (kit.total_price, kit.financial_status, kit.updated_at) for number, kit in orders.items()}
    assert {number: told.get(number) for number in wanted} == wanted
    begun = {one.copy for one in story.sent.values() if one.shop == shop}
    assert set(told) <= {moved(forms[copy % len(forms)].order_id, copy) for copy in begun}
    numbers = list(orders)
    assert ask(
        stack,
        "SELECT count(*) FROM order_lines WHERE tenant_id = %s AND order_shopify_id = ANY (%s)",
        tenant_id,
        numbers,
    ) == [(sum(kit.lines for kit in orders.values()),)]
    refunds = {moved(number, copy): amount for copy, kit in sent for number, amount in kit.refunds}
    query = "SELECT shopify_id, amount FROM refunds WHERE tenant_id = %s AND order_shopify_id = ANY (%s)"
    assert dict(ask(stack, query, tenant_id, numbers)) == refunds
    assert_people_and_goods(stack, tenant_id, sent)
    assert_ledger(stack, tenant_id, orders)


def whole_copies(shop: str, forms: list[Kit], story: Story) -> list[tuple[int, Kit]]:
    """Return the orders of a store that were sent with everything that belongs to them; the end cut others short."""
    counted = Counter(one.copy for one in story.sent.values() if one.shop == shop)
    found = [(copy, forms[copy % len(forms)]) for copy in sorted(counted)]
    return [(copy, kit) for copy, kit in found if counted[copy] == len(kit.deliveries)]


def assert_people_and_goods(stack: Demo, tenant_id: int, sent: list[tuple[int, Kit]]) -> None:
    for table, number_of in (("customers", "customer_id"), ("products", "product_id")):
        held = {row[0] for row in ask(stack, f"SELECT shopify_id FROM {table} WHERE tenant_id = %s", tenant_id)}  # noqa: S608 - one of two words
        assert {moved(getattr(kit, number_of), copy) for copy, kit in sent} <= held


def assert_ledger(stack: Demo, tenant_id: int, orders: dict[int, Kit]) -> None:
    """Compare the bookings order by order, and the totals of all days with the bookings."""
    amounts = "sum(gross), sum(discounts), sum(returns), sum(shipping), sum(taxes)"
    nothing = (Decimal(0),) * 5
    query = f"SELECT order_shopify_id, {amounts} FROM sales WHERE tenant_id = %s GROUP BY 1"  # noqa: S608 - constants
    booked = {row[0]: row[1:] for row in ask(stack, query, tenant_id)}
    assert {number: booked.get(number, nothing) for number in orders} == {
        number: kit.booked for number, kit in orders.items()
    }
    totals = ask(stack, f"SELECT {amounts} FROM day_totals WHERE tenant_id = %s", tenant_id)  # noqa: S608 - constants
    assert totals == ask(stack, f"SELECT {amounts} FROM sales WHERE tenant_id = %s", tenant_id)  # noqa: S608 - constants
    placed = ask(stack, "SELECT count(*) FROM orders WHERE tenant_id = %s AND processed_at IS NOT NULL", tenant_id)
    assert ask(stack, "SELECT sum(orders) FROM day_totals WHERE tenant_id = %s", tenant_id) == placed
