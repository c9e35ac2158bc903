"""The queue's names and arguments, and a bell that nobody waits for."""

import importlib
import json
import os
import threading
import time
from dataclasses import dataclass, field

import pytest
import redis
import structlog
from redis.exceptions import ConnectionError as RedisAway
from rq import Queue
from rq.serializers import JSONSerializer

from shopify_app.jobs import queues as module
from shopify_app.jobs.queues import ADVANCE, DRAIN, REFRESH, Bell, JsonJob, Queues, begun

JOBS = {name: value for name, value in vars(module).items() if name.isupper() and str(value).startswith("shopify_app.")}


@pytest.fixture
def queues(redis_url):
    made = Queues(redis_url)
    yield made
    made.redis.close()


def jobs(queues, name):
    return Queue(name, connection=queues.redis, serializer=JSONSerializer, job_class=JsonJob).jobs


def eventually(condition, seconds=5.0):
    ends_at = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends_at:
        time.sleep(0.01)
    assert condition()


def test_job_names_are_a_wire_format():
    assert JOBS == {
        "DRAIN": "shopify_app.jobs.inbox.drain",
        "ABANDON": "shopify_app.jobs.abandonment.sweep",
        "ADVANCE": "shopify_app.jobs.backfill.advance",
        "READ_DETAILS": "shopify_app.jobs.details.read",
        "REFRESH": "shopify_app.jobs.rollups.refresh",
        "SETTLE": "shopify_app.jobs.tenants.settle",
        "RENEW_EXPIRING": "shopify_app.jobs.tokens.renew_expiring",
        "FULFIL": "shopify_app.jobs.privacy.fulfil",
        "CHECK": "shopify_app.jobs.reconcile.check",
        "CHECK_ALL": "shopify_app.jobs.reconcile.check_all",
        "PLAN_CHECK": "shopify_app.jobs.reconcile.plan",
        "RECONCILE": "shopify_app.jobs.subscriptions.reconcile",
        "RECONCILE_ALL": "shopify_app.jobs.subscriptions.reconcile_all",
        "EXPIRE": "shopify_app.jobs.retention.expire",
        "TICK": "shopify_app.jobs.schedule.tick",
    }


@pytest.mark.parametrize("name", sorted(JOBS.values()))
def test_every_job_name_is_a_function(name):
    path, _, function = name.rpartition(".")

    assert callable(getattr(importlib.import_module(path), function))


def test_a_call_is_queued_with_plain_values_in_its_own_queue(queues):
    queues.enqueue(ADVANCE, tenant_id=1, backfill_id=2)

    (job,) = jobs(queues, "backfill")
    assert (job.func_name, job.kwargs) == (ADVANCE, {"tenant_id": 1, "backfill_id": 2})


def test_a_function_is_queued_under_its_dotted_name(queues):
    queues.enqueue(json.dumps, obj=1)

    assert [job.func_name for job in jobs(queues, "default")] == ["json.dumps"]


def test_the_same_call_is_queued_once_until_it_begins(queues):
    assert queues.enqueue_once(REFRESH, tenant_id=1) is True
    assert queues.enqueue_once(REFRESH, tenant_id=1) is False
    assert queues.enqueue_once(REFRESH, tenant_id=2) is True

    (job, _) = jobs(queues, "default")
    begun(job)

    assert queues.enqueue_once(REFRESH, tenant_id=1) is True


def test_a_nudge_without_redis_is_a_line_in_the_log(monkeypatch):
    # A logger that was used before holds on to the processors of that time.
    monkeypatch.setattr(module, "log", structlog.get_logger())
    with structlog.testing.capture_logs() as logged:
        Queues("redis://127.0.0.1:1/0").nudge(DRAIN)

    assert [(line["event"], line["job"]) for line in logged] == [("the clock will have to find this", DRAIN)]


def test_enqueueing_without_redis_says_so_at_once():
    began = time.monotonic()

    with pytest.raises(RedisAway):
        Queues("redis://127.0.0.1:1/0").enqueue(DRAIN)

    assert time.monotonic() - began < 1


@pytest.fixture
def hang():
    """Hangs bells, and takes them down at the end."""
    hung = []

    def make(*args, **kwargs):
        hung.append(Bell(*args, **kwargs))
        return hung[-1]

    yield make
    for bell in hung:
        bell.close()


@dataclass
class Fallible:
    """Queues that fail a few times first."""

    failures: int
    calls: list[float] = field(default_factory=list)
    gate: threading.Event | None = None

    def enqueue_once(self, _function):
        self.calls.append(time.monotonic())
        if self.gate:
            self.gate.wait(5)
        if len(self.calls) <= self.failures:
            raise RedisAway("away")


def test_a_ring_is_passed_on(queues, hang):
    hang(queues).ring()

    eventually(lambda: len(jobs(queues, "inbox")) == 1)


def test_rings_while_one_is_passed_on_become_one(hang):
    listening = Fallible(0, gate=threading.Event())
    bell = hang(listening)
    bell.ring()
    eventually(lambda: len(listening.calls) == 1)

    for _ in range(100):
        bell.ring()
    listening.gate.set()

    eventually(lambda: len(listening.calls) == 2)
    time.sleep(0.1)
    assert len(listening.calls) == 2


def test_rings_right_after_one_become_one_that_is_heard_when_the_bell_has_rested(hang):
    listening = Fallible(0)
    bell = hang(listening, rest=0.5)
    bell.ring()
    eventually(lambda: len(listening.calls) == 1)

    for _ in range(100):
        bell.ring()
    eventually(lambda: len(listening.calls) == 2)

    assert listening.calls[1] - listening.calls[0] >= 0.5
    time.sleep(0.6)
    assert len(listening.calls) == 2


def test_a_bell_that_is_not_heard_is_rung_again_ever_less_often(hang):
    deaf = Fallible(3)

    hang(deaf, first_wait=0.05, longest_wait=0.1).ring()

    eventually(lambda: len(deaf.calls) == 4)
    waits = [later - earlier for earlier, later in zip(deaf.calls, deaf.calls[1:], strict=False)]
    assert waits[0] >= 0.05
    assert waits[1] >= 0.1
    assert waits[2] < 0.3


def test_ringing_never_waits_and_never_fails(hang):
    bell = hang(Queues("redis://127.0.0.1:1/0"))

    began = time.monotonic()
    for _ in range(1000):
        bell.ring()

    assert time.monotonic() - began < 0.5


def test_a_bell_that_was_taken_down_rings_again_when_asked(queues, redis_url, hang):
    bell = hang(queues)
    bell.ring()
    bell.close()
    with redis.Redis.from_url(redis_url) as connection:
        connection.flushdb()

    bell.ring()

    eventually(lambda: len(jobs(queues, "inbox")) == 1)


def test_a_bell_that_never_rang_is_taken_down_too(queues):
    Bell(queues).close()


def test_a_bell_rings_in_a_forked_process_too(queues, redis_url, hang):
    bell = hang(queues)
    bell.ring()
    eventually(lambda: len(jobs(queues, "inbox")) == 1)
    with redis.Redis.from_url(redis_url) as connection:
        connection.flushdb()

    child = os.fork()
    if child == 0:
        bell.ring()
        time.sleep(2)
        os._exit(0)

    eventually(lambda: len(jobs(queues, "inbox")) == 1)
    os.waitpid(child, 0)
