"""The queue as the rest of the app sees it: names of jobs, three queues, and a bell that never keeps a request waiting.

Redis holds nothing that PostgreSQL does not know better. A lost job is found again by the clock (see ``schedule``),
which is why no job is retried by the queue and why arguments are plain values, serialized as JSON.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rq.worker import BaseWorker

log = structlog.get_logger(__name__)

# A job's dotted name is a wire format: what is queued during a deployment is run by the version that comes after it.
DRAIN = "shopify_app.jobs.inbox.drain"
ADVANCE = "shopify_app.jobs.backfill.advance"
READ_DETAILS = "shopify_app.jobs.details.read"
REFRESH = "shopify_app.jobs.rollups.refresh"
ABANDON = "shopify_app.jobs.abandonment.sweep"
SETTLE = "shopify_app.jobs.tenants.settle"
RENEW_EXPIRING = "shopify_app.jobs.tokens.renew_expiring"
RECONCILE = "shopify_app.jobs.subscriptions.reconcile"
RECONCILE_ALL = "shopify_app.jobs.subscriptions.reconcile_all"
CHECK = "shopify_app.jobs.reconcile.check"
CHECK_ALL = "shopify_app.jobs.reconcile.check_all"
PLAN_CHECK = "shopify_app.jobs.reconcile.plan"
FULFIL = "shopify_app.jobs.privacy.fulfil"
EXPIRE = "shopify_app.jobs.retention.expire"
TICK = "shopify_app.jobs.schedule.tick"

# In the order a worker looks at them, beginning after the one it last found something in: a webhook waits for no more
# than a slice of a backfill, and a backfill for no more than a slice of the inbox.
INBOX, DEFAULT, BACKFILL = "inbox", "default", "backfill"
NAMES = (INBOX, DEFAULT, BACKFILL)
QUEUE_OF = {
    DRAIN: INBOX,
    ADVANCE: BACKFILL,
    READ_DETAILS: BACKFILL,
    RECONCILE: BACKFILL,
    CHECK: BACKFILL,
    EXPIRE: BACKFILL,
}

JOB_TIMEOUT = 180  # seconds; jobs divide their work into slices far shorter than that
KEEP_FAILED = 24 * 60 * 60
ONCE_FOR = 5  # seconds within which the same call is queued once
ONCE = "storelens:once:"


class JsonJob(Job):
    """A job whose data is JSON, also where its maker offers no choice of a serializer (rq-scheduler)."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: object = None) -> None:  # noqa: A002 - RQ's name
        super().__init__(id, connection, serializer or JSONSerializer)


@dataclass(frozen=True, kw_only=True)
class Length:
    """A queue and how many calls wait in it; ``oldest_at`` is when the one whose turn is next was queued."""

    name: str
    waiting: int
    oldest_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Busy:
    """A worker process. ``job`` is what it is at, by its dotted name without our package's, and None while it waits."""

    name: str
    host: str
    pid: int | None
    begun_at: datetime | None
    seen_at: datetime | None
    done: int
    failed: int
    job: str | None
    tenant_id: int | None


class Queues:
    """The three queues. Nothing is connected before it is used."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url

    @cached_property
    def redis(self) -> Redis:
        """The connection requests and jobs enqueue through: it gives up within a second rather than hold them up."""
        return Redis.from_url(
            self._redis_url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )

    def worker_redis(self) -> Redis:
        """Return a connection for a worker or the clock, which wait on it for as long as it takes."""
        return Redis.from_url(self._redis_url, socket_connect_timeout=2.0)

    def enqueue(self, function: str | Callable[..., object], **kwargs: int | str) -> None:
        """Queue a call of a job by its dotted name; ``kwargs`` are ids and plain values.

        Raises:
            RedisError: Redis does not answer.
        """
        name = _name(function)
        self._queue(name).enqueue_call(
            name, kwargs=kwargs, timeout=JOB_TIMEOUT, result_ttl=0, failure_ttl=KEEP_FAILED, description=name
        )

    def enqueue_once(self, function: str | Callable[..., object], **kwargs: int | str) -> bool:
        """Queue a call unless the same one was queued a moment ago and has not begun; return whether it was.

        Raises:
            RedisError: Redis does not answer.
        """
        name = _name(function)
        key = _once_key(name, kwargs)
        if not self.redis.set(key, "1", nx=True, ex=ONCE_FOR):
            return False
        self._queue(name).enqueue_call(
            name,
            kwargs=kwargs,
            timeout=JOB_TIMEOUT,
            result_ttl=0,
            failure_ttl=KEEP_FAILED,
            description=name,
            meta={"once": key},
        )
        return True

    def nudge(self, function: str | Callable[..., object], **kwargs: int | str) -> None:
        """Queue a call for work that is also a claim: without Redis it only begins later, when the clock finds it."""
        try:
            self.enqueue_once(function, **kwargs)
        except RedisError as error:
            log.warning("the clock will have to find this", job=_name(function), error=str(error), **kwargs)

    def lengths(self) -> tuple[Length, ...]:
        """Return how much waits in each queue, in the order a worker looks at them.

        Raises:
            RedisError: Redis does not answer.
        """
        return tuple(self._length(Queue(name, connection=self.redis, serializer=JSONSerializer)) for name in NAMES)

    def workers(self) -> tuple[Busy, ...]:
        """Return the worker processes that Redis knows of, longest running first, and what each is at.

        Raises:
            RedisError: Redis does not answer.
        """
        found = SimpleWorker.all(connection=self.redis, job_class=JsonJob, serializer=JSONSerializer)
        return tuple(sorted(map(_busy, found), key=lambda one: (str(one.begun_at), one.name)))

    def anything_waits(self) -> bool:
        """Whether webhooks or another history wait for a worker; no, where Redis does not answer.

        What the clock queues every other second does not count: it would cut every slice short.
        """
        try:
            return any(Queue(name, connection=self.redis).count for name in (INBOX, BACKFILL))
        except RedisError:
            return False

    def _queue(self, name: str) -> Queue:
        return Queue(QUEUE_OF.get(name, DEFAULT), connection=self.redis, serializer=JSONSerializer)

    def _length(self, queue: Queue) -> Length:
        next_job = next(iter(queue.get_job_ids(0, 1)), None)
        oldest = None if next_job is None else _fetched(next_job, self.redis)
        return Length(name=queue.name, waiting=queue.count, oldest_at=oldest.enqueued_at if oldest else None)


def _busy(worker: BaseWorker) -> Busy:
    number = worker.get_current_job_id()
    job = _fetched(number, worker.connection) if number else None
    return Busy(
        name=worker.name,
        host=worker.hostname or "",
        pid=worker.pid,
        begun_at=worker.birth_date,
        seen_at=worker.last_heartbeat,
        done=worker.successful_job_count,
        failed=worker.failed_job_count,
        job=str(job.func_name).removeprefix("shopify_app.jobs.") if job else None,
        tenant_id=job.kwargs.get("tenant_id") if job else None,
    )


def _fetched(number: str, connection: Redis) -> Job | None:
    """Return a job, or None when it ended meanwhile."""
    try:
        return JsonJob.fetch(number, connection=connection, serializer=JSONSerializer)
    except NoSuchJobError:
        return None


def begun(job: Job) -> None:
    """Forget that a call is queued, as it begins: what is asked for from here on must be queued anew."""
    if key := job.meta.get("once"):
        job.connection.delete(key)


class Bell:
    """Tells the workers that the inbox has something for them, from a thread of its own.

    Rings that come while one is being passed on, or within ``rest`` seconds after it, become one: passing one on takes
    a good part of the time that keeping a webhook takes. A Redis that is down is tried again, ever less often;
    no ring is needed for a delivery to be applied in the end, since the clock looks too.
    """

    def __init__(
        self, queues: Queues, *, first_wait: float = 0.2, longest_wait: float = 5.0, rest: float = 0.1
    ) -> None:
        self._queues = queues
        self._rest = rest
        self._waits = (first_wait, longest_wait)
        self._rope: _Rope | None = None

    def ring(self) -> None:
        """Ring; returns at once, and never raises."""
        rope = self._rope
        if rope is None or rope.pid != os.getpid():
            rope = self._start()
        rope.pulled.set()

    def close(self) -> None:
        """End the bell's thread, whether or not its last ring was heard; a later ring starts another."""
        rope, self._rope = self._rope, None
        if rope is not None and rope.pid == os.getpid():
            rope.cut.set()
            rope.pulled.set()
            rope.thread.join()

    def _start(self) -> _Rope:
        # Threads do not survive a fork, so each process starts its own. There is no lock, which a fork could copy
        # while held: two threads that get here together start two bells, and each bell hears its own rope.
        rope = self._rope = _Rope()
        rope.thread = threading.Thread(target=self._pass_on, args=(rope,), name="bell", daemon=True)
        rope.thread.start()
        return rope

    def _pass_on(self, rope: _Rope) -> None:
        while not rope.cut.is_set():
            rope.pulled.wait()
            rope.pulled.clear()
            self._until_heard(rope)
            rope.cut.wait(self._rest)

    def _until_heard(self, rope: _Rope) -> None:
        wait, longest = self._waits
        while not (rope.cut.is_set() or self._heard(again_in=wait)):
            rope.cut.wait(wait)
            wait = min(wait * 2, longest)

    def _heard(self, *, again_in: float) -> bool:
        try:
            self._queues.enqueue_once(DRAIN)
        except RedisError as error:
            log.warning("the bell was not heard", error=str(error), again_in=again_in)
            return False
        return True


class _Rope:
    """What joins a process to its bell: pulled by requests, cut at the end. ``thread`` waits at the other end."""

    thread: threading.Thread

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.pulled = threading.Event()
        self.cut = threading.Event()


def _name(function: str | Callable[..., object]) -> str:
    return function if isinstance(function, str) else f"{function.__module__}.{function.__qualname__}"


def _once_key(name: str, kwargs: dict[str, int | str]) -> str:
    return ONCE + name + "".join(f":{key}={value}" for key, value in sorted(kwargs.items()))
