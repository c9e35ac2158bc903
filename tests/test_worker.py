"""The worker and the clock as processes: what starts them, what stops them, and what they survive."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from shopify_app.clock import Clock
from shopify_app.jobs import queues as names
from shopify_app.jobs.queues import NAMES, JsonJob, Queues
from shopify_app.jobs.schedule import SCHEDULE
from shopify_app.worker import SteadyWorker, work

ROOT = Path(__file__).resolve().parent.parent


def start(module, environ):
    return subprocess.Popen(
        [sys.executable, "-m", f"shopify_app.{module}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def process(environ):
    """Starts worker and clock processes, and leaves none behind."""
    started = []

    def run(module, **changes):
        made = start(module, {**environ, **changes})
        started.append(made)
        return made

    yield run
    for made in started:
        if made.poll() is None:
            made.kill()
        made.communicate()


@pytest.fixture
def connection(redis_url):
    with redis.Redis.from_url(redis_url) as made:
        yield made


@pytest.fixture
def queues(redis_url):
    made = Queues(redis_url)
    yield made
    made.redis.close()


def eventually(condition, seconds=60.0):
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} seconds")


def is_ready(connection, count=1):
    return lambda: Worker.count(connection) == count


def jobs(connection, name):
    return Queue(name, connection=connection, serializer=JSONSerializer, job_class=JsonJob).jobs


@pytest.mark.parametrize("module", ["worker", "clock"])
def test_a_missing_setting_stops_the_start_with_one_sentence(process, module):
    started = process(module, REDIS_URL="")

    said, _ = started.communicate(timeout=60)

    assert started.returncode == 2
    assert said == "REDIS_URL is not set; every setting is described in docs/settings.md.\n"


@pytest.mark.parametrize("module", ["worker", "clock"])
def test_a_process_that_is_asked_to_stop_stops(process, connection, module):
    started = process(module)
    eventually(is_ready(connection) if module == "worker" else lambda: connection.zcard(Clock.scheduled_jobs_key) > 0)

    started.send_signal(signal.SIGTERM)

    assert started.wait(30) == 0


def test_a_worker_finishes_the_job_at_hand_before_it_stops(process, connection):
    started = process("worker")
    eventually(is_ready(connection))
    queue = Queue("default", connection=connection, serializer=JSONSerializer, job_class=JsonJob)
    job = queue.enqueue_call("time.sleep", args=(1.5,), result_ttl=60)
    eventually(lambda: job.get_status() == "started")

    started.send_signal(signal.SIGTERM)

    assert started.wait(30) == 0
    assert job.get_status() == "finished"


def test_a_worker_looks_at_the_inbox_first_and_at_backfills_last():
    assert NAMES == ("inbox", "default", "backfill")


def test_a_job_that_begins_may_be_queued_again(queues, connection):
    assert queues.enqueue_once("time.sleep") is True
    assert queues.enqueue_once("time.sleep") is False

    SteadyWorker(NAMES, connection=connection, serializer=JSONSerializer, job_class=JsonJob).work(burst=True)

    assert queues.enqueue_once("time.sleep") is True


def test_a_worker_goes_on_when_redis_comes_back(process, redis_server, connection):
    started = process("worker")
    eventually(is_ready(connection))

    redis_server.stop()
    time.sleep(1.5)
    redis_server.start()
    eventually(is_ready(connection))
    job = Queue("default", connection=connection, serializer=JSONSerializer, job_class=JsonJob).enqueue_call(
        "time.sleep", args=(0,), result_ttl=60
    )

    eventually(lambda: job.get_status() == "finished")
    assert started.poll() is None


def test_work_waits_for_a_redis_that_is_not_there_yet(monkeypatch):
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("shopify_app.worker.time.sleep", wait)

    with pytest.raises(KeyboardInterrupt):
        work(Queues("redis://127.0.0.1:1/0"))

    assert waits == [1.0, 1.0, 1.0]


def test_the_clock_queues_its_jobs_once_while_nobody_runs_them(connection):
    clock = Clock(connection)
    clock.set_up()

    for _ in range(3):
        for job in clock.get_jobs():
            clock.enqueue_job(job)

    assert sorted(job.id for job in jobs(connection, "default")) == sorted(entry.id for entry in SCHEDULE)


def test_a_job_whose_time_has_come_is_queued_and_planned_anew(connection):
    clock = Clock(connection)
    clock.set_up()
    (tick,) = (job for job in clock.get_jobs() if job.id == "tick")

    clock.enqueue_job(tick)

    assert [job.func_name for job in jobs(connection, "default")] == [names.TICK]
    assert "tick" in clock


def test_two_clocks_plan_each_job_once(connection):
    Clock(connection).set_up()
    Clock(connection).set_up()

    assert connection.zcard(Clock.scheduled_jobs_key) == len(SCHEDULE)


def test_a_clock_that_a_returning_redis_still_knows_registers_again(connection):
    clock = Clock(connection)
    clock.register_birth()

    clock.register_birth()

    assert connection.exists(clock.key)


def test_a_job_that_left_the_schedule_is_forgotten(connection):
    connection.zadd(Clock.scheduled_jobs_key, {"of-an-older-version": 0})

    Clock(connection).set_up()

    planned = {raw.decode() for raw in connection.zrange(Clock.scheduled_jobs_key, 0, -1)}
    assert planned == {entry.id for entry in SCHEDULE}


def test_a_schedule_that_redis_lost_is_put_back(connection):
    clock = Clock(connection)
    clock.set_up()
    connection.flushdb()

    clock.heartbeat()

    assert connection.zcard(Clock.scheduled_jobs_key) == len(SCHEDULE)
    assert all(JsonJob.exists(entry.id, connection) for entry in SCHEDULE)


def test_a_planned_job_survives_its_own_failures(connection):
    clock = Clock(connection)
    clock.set_up()

    for _ in range(2):
        for job in clock.get_jobs():
            clock.enqueue_job(job)
        # Without an application around it, every job of the schedule fails.
        SteadyWorker(NAMES, connection=connection, serializer=JSONSerializer, job_class=JsonJob).work(burst=True)
        clock.heartbeat()

    assert connection.zcard(Clock.scheduled_jobs_key) == len(SCHEDULE)
    assert all(JsonJob.exists(entry.id, connection) for entry in SCHEDULE)
