"""From the bell to the rows: no ring, death or race leaves a delivery waiting longer than the clock takes to look."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from shopify_app import claims, inbox, jobs
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import inbox as module
from shopify_app.jobs.inbox import drain
from shopify_app.jobs.queues import DRAIN, INBOX, NAMES, TICK, JsonJob, begun
from shopify_app.jobs.schedule import SCHEDULE, tick
from shopify_app.jobs.turns import DIED, LEASE
from shopify_app.models import Claim, Delivery, Product
from shopify_app.runtime import current
from shopify_app.worker import SteadyWorker

ROOT = Path(__file__).resolve().parent.parent.parent
BIRCH = "birch.myshopify.com"
STAMP = "2026-11-01T10:00:00Z"
CURSE = "curse"

# The real worker, but that leases are short, and that it dies where a delivery says so.
WORKER = f"""
import os, sys, time
from datetime import timedelta
from shopify_app import ingest, worker
from shopify_app.jobs import turns

lease, batch, wait = float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
turns.LEASE, turns.RENEW_EVERY, turns.BATCH = timedelta(seconds=lease), lease / 3, batch
apply = ingest.apply_batch

def fatal(session, tenant, batch, *rest, **options):
    if any(b"{CURSE}" in delivery.payload for delivery in batch.deliveries):
        os._exit(9)
    outcome = apply(session, tenant, batch, *rest, **options)
    if wait:
        session.flush()
        print("in the middle", flush=True)
        time.sleep(wait)
    return outcome

ingest.apply_batch = fatal
sys.exit(worker.main())
"""


def product(number, title="A shirt"):
    return {"id": number, "title": title, "created_at": STAMP, "updated_at": STAMP, "variants": []}


@pytest.fixture
def work(environ):
    """Starts workers that die where they are told to, and leaves none behind."""
    started = []

    def run(*, lease=1.0, batch=500, wait=0.0, module=None):
        command = ["-m", f"shopify_app.{module}"] if module else ["-c", WORKER, str(lease), str(batch), str(wait)]
        made = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(made)
        return made

    yield run
    for made in started:
        made.kill()
        made.communicate()


@pytest.fixture
def queue(app_context):
    """The queue that the bell rings for."""
    return Queue(INBOX, connection=current().queues.redis, serializer=JSONSerializer, job_class=JsonJob)


def titles(tenant_id):
    with tenant_work(tenant_id) as session:
        return dict(session.execute(select(Product.shopify_id, Product.title)).all())


def outcomes():
    with directory() as session:
        found = session.execute(select(Delivery.outcome, func.count()).group_by(Delivery.outcome))
        return {outcome: count for outcome, count in found}  # noqa: C416 - a result has keys(), so dict() misreads it


def turns():
    with operations() as session:
        found = session.execute(select(Claim.tenant_id, Claim.attempts).where(Claim.kind == claims.TURN))
        return {tenant_id: attempts for tenant_id, attempts in found}  # noqa: C416 - likewise


def eventually(condition, seconds=60.0):
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} seconds")


def work_off_queue():
    """Do what is queued, as one worker would, and nothing that the clock would find."""
    with current().queues.worker_redis() as connection:
        worker = SteadyWorker(NAMES, connection=connection, serializer=JSONSerializer, job_class=JsonJob)
        worker.work(burst=True, logging_level="WARNING")


def test_a_bell_rung_while_a_drain_ends_is_heard(tenant_id, deliver, queue, monkeypatch):
    let_go = module.claims.let_go

    def late(*args):
        monkeypatch.setattr(module.claims, "let_go", let_go)
        deliver("products/create", product(2))  # the drain has looked for the last time
        current().queues.nudge(DRAIN)
        let_go(*args)

    deliver("products/create", product(1))
    current().queues.nudge(DRAIN)
    monkeypatch.setattr(module.claims, "let_go", late)

    work_off_queue()

    assert sorted(titles(tenant_id)) == [1, 2]


def test_what_another_worker_rang_for_while_the_turn_was_taken_waits_for_no_more_than_a_tick(
    tenant_id, deliver, monkeypatch
):
    let_go = module.claims.let_go

    def late(*args):
        monkeypatch.setattr(module.claims, "let_go", let_go)
        deliver("products/create", product(2))
        with monkeypatch.context() as other:
            other.setattr(jobs.turns, "HOLDER", uuid.uuid4())
            drain()  # another worker's, which finds the turn taken
        let_go(*args)

    deliver("products/create", product(1))
    monkeypatch.setattr(module.claims, "let_go", late)
    drain()
    assert sorted(titles(tenant_id)) == [1]

    tick()
    work_off_queue()

    assert sorted(titles(tenant_id)) == [1, 2]
    (ticking,) = (entry.seconds for entry in SCHEDULE if entry.job == TICK)
    assert ticking <= 5


def test_a_hundred_rings_are_a_few_jobs(app_context, queue):
    for _ in range(100):
        current().bell.ring()
        time.sleep(0.002)

    eventually(lambda: queue.count > 0)
    assert queue.count == 1


def test_rings_of_many_processes_are_one_job_until_it_begins(app_context, queue):
    bells = [type(current().bell)(current().queues) for _ in range(4)]
    for bell in bells:
        bell.ring()
    eventually(lambda: queue.count > 0)
    for bell in bells:
        bell.close()
    assert queue.count == 1

    begun(queue.jobs[0])
    current().bell.ring()

    eventually(lambda: queue.count == 2)


def test_a_ring_while_redis_is_away_is_heard_when_it_is_back(app_context, redis_server, queue):
    redis_server.stop()
    try:
        current().bell.ring()
        threading.Event().wait(0.5)  # tried, and not heard
    finally:
        redis_server.start()

    eventually(lambda: queue.count == 1)


def test_a_worker_looks_for_what_waits_as_it_starts(tenant_id, deliver, work, redis_url):
    for number in range(1, 4):
        deliver("products/create", product(number))

    work(module="worker")  # nobody rings, and there is no clock

    eventually(lambda: sorted(titles(tenant_id)) == [1, 2, 3])
    eventually(lambda: turns() == {})


def test_a_drain_killed_in_the_middle_is_taken_over_when_its_lease_runs_out(tenant_ids, deliver, work):
    for number in range(1, 21):
        deliver("products/create", product(number))
        deliver("products/create", product(number), shop=BIRCH)
    dying = work(lease=2.0, wait=60.0)
    assert "in the middle\n" in dying.stdout  # reads on until it says so

    dying.send_signal(signal.SIGKILL)
    dying.wait()
    assert turns() == dict.fromkeys(tenant_ids, 1)
    assert [len(titles(tenant_id)) for tenant_id in tenant_ids] == [0, 0]
    began = time.monotonic()
    work(lease=2.0)
    work(module="clock")

    eventually(lambda: outcomes() == {"applied": 40}, 30)
    took = time.monotonic() - began
    assert [sorted(titles(tenant_id)) for tenant_id in tenant_ids] == [list(range(1, 21))] * 2
    assert took < 2.0 + 5 + 15  # the lease, the clock's tick, and two processes that start on a busy machine
    eventually(lambda: turns() == {})


def test_a_dead_workers_turns_are_kept_from_others_for_fifteen_seconds_and_no_longer(tenant_id, deliver):
    deliver("products/create", product(1))
    died_at = datetime.now(UTC)
    with operations() as session:
        dead, alive, lease = uuid.uuid4(), uuid.uuid4(), LEASE
        claims.seize(session, claims.TURN, [tenant_id], dead, now=died_at, lease_for=lease)
        almost, over = died_at + timedelta(seconds=14), died_at + timedelta(seconds=15)
        soon = claims.seize(session, claims.TURN, [tenant_id], alive, now=almost, lease_for=lease)
        then = claims.seize(session, claims.TURN, [tenant_id], alive, now=over, lease_for=lease)

    assert (soon, then) == ({}, {tenant_id: 2})


def test_a_delivery_that_kills_its_worker_each_time_ends_set_aside_alone(tenant_id, deliver, work):
    for number in range(1, 31):
        deliver("products/create", product(number, CURSE if number == 11 else "A shirt"))
    deaths = 0

    while not set_aside():
        tick()
        assert deaths < 8
        if died(work(lease=0.3, batch=8)):
            deaths += 1

    eventually(lambda: outcomes() == {"applied": 29, None: 1})
    assert deaths == 3  # in a turn of eight, and twice in a turn of one: then nobody else can have been it
    assert set_aside() == [(CURSE, DIED, 1)]
    assert sorted(titles(tenant_id)) == [number for number in range(1, 31) if number != 11]


def died(worker):
    """Wait until a worker has died of what it was given, or has set it aside."""
    while worker.poll() is None:
        if set_aside():
            return False
        time.sleep(0.05)
    time.sleep(0.3)  # its lease
    return True


def set_aside():
    with directory() as session:
        failed = session.scalars(select(Delivery).where(Delivery.error.is_not(None)))
        return [(json.loads(row.payload)["title"], row.error, row.attempts) for row in failed]


def test_a_worker_whose_database_died_takes_up_its_turns_at_once_and_suspects_nobody(tenant_id, deliver, monkeypatch):
    def broken(*_args, **_options):
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    deliver("products/create", product(1))
    with monkeypatch.context() as patch:
        patch.setattr(module.ingest, "apply_batch", broken)
        patch.setattr(module.claims, "let_go", broken)
        with pytest.raises(OperationalError):
            drain()
    assert turns() == {tenant_id: 1}
    attempts = []
    finish = inbox.finish
    monkeypatch.setattr(module.inbox, "finish", lambda *args: attempts.append(turns()[tenant_id]) or finish(*args))

    drain()

    assert titles(tenant_id) == {1: "A shirt"}
    assert (attempts, turns()) == ([1], {})


def test_deaths_that_were_nobodys_fault_are_forgotten_once_what_was_in_hand_went_well(tenant_id, deliver, monkeypatch):
    monkeypatch.setattr(jobs.turns, "BATCH", 64)
    for number in range(1, 101):
        deliver("products/create", product(number))
    for _ in range(2):
        with operations() as session:
            past = datetime.now(UTC) - timedelta(minutes=1)
            claims.seize(session, claims.TURN, [tenant_id], uuid.uuid4(), now=past, lease_for=timedelta(0))
    held = []
    finish = inbox.finish

    def watched(session, tenant, ids, now):
        held.append((len(ids), turns()[tenant_id]))
        return finish(session, tenant, ids, now)

    monkeypatch.setattr(module.inbox, "finish", watched)
    drain()

    assert [size for size, _ in held][:3] == [1, 1, 1]
    assert held[0][1] == 3
    assert (max(size for size, _ in held), held[-1][1]) == (64, 1)
    assert len(titles(tenant_id)) == 100


def test_a_lease_is_renewed_while_turns_go_on(tenant_ids, deliver, monkeypatch):
    monkeypatch.setattr(jobs.turns, "BATCH", 1)
    monkeypatch.setattr(jobs.turns, "RENEW_EVERY", 0.0)
    renewed = []
    extend = claims.extend
    monkeypatch.setattr(module.claims, "extend", lambda *args, **kwargs: renewed.append(1) or extend(*args, **kwargs))
    for number in range(3):
        deliver("products/create", product(number))

    drain()

    assert len(renewed) >= 3
