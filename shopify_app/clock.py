"""The clock process: queues the jobs of the schedule at their times. Two of them do no harm."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import RedisError
from rq_scheduler import Scheduler

from config import Config, ConfigError
from shopify_app import runtime
from shopify_app.app import create_app
from shopify_app.jobs.queues import DEFAULT, JOB_TIMEOUT, JsonJob
from shopify_app.jobs.schedule import SCHEDULE, Entry

if TYPE_CHECKING:
    from redis import Redis

    from shopify_app.jobs.queues import Queues

log = structlog.get_logger(__name__)

INTERVAL = 2  # seconds between two looks at the schedule
RECONNECT = 1.0


class Clock(Scheduler):  # type: ignore[misc]  # rq-scheduler ships no types
    """rq-scheduler, kept from piling up a job nobody runs and from forgetting its schedule when Redis does."""

    job_class = JsonJob

    def __init__(self, connection: Redis) -> None:
        super().__init__(DEFAULT, interval=INTERVAL, connection=connection)
        self.stopping = False

    def set_up(self) -> None:
        """Schedule what the table says under fixed ids, and nothing else."""
        ids = {entry.id for entry in SCHEDULE}
        for raw in self.connection.zrange(self.scheduled_jobs_key, 0, -1):
            if raw.decode() not in ids:
                self.cancel(raw.decode())
        for entry in SCHEDULE:
            self._put(entry)

    def register_birth(self) -> None:
        """Register also where a Redis that was away still knows this very clock, which the parent takes for another."""
        self.connection.delete(self.key)
        super().register_birth()

    def heartbeat(self) -> None:
        """Put back what Redis lost: it keeps the schedule in memory only, and this runs at every look."""
        super().heartbeat()
        for entry in SCHEDULE:
            if entry.id not in self or not self.job_class.exists(entry.id, self.connection):
                self._put(entry)

    def enqueue_job(self, job: JsonJob) -> None:
        """Queue a job that is due, unless it still waits to be run: nobody needs it twice."""
        if self.get_queue_for_job(job).get_job_position(job) is None:
            super().enqueue_job(job)

    def _put(self, entry: Entry) -> None:
        self.schedule(
            # rq-scheduler's times are UTC without saying so.
            datetime.now(UTC).replace(tzinfo=None),
            entry.job,
            interval=entry.seconds,
            id=entry.id,
            description=entry.job,
            timeout=JOB_TIMEOUT,
        )

    def _install_signal_handlers(self) -> None:
        """Leave at once: the parent's handler asks Redis first, which may be what is away."""

        def stop(_signal: int, _frame: Any) -> None:  # noqa: ANN401 - a frame, unused
            self.stopping = True
            raise SystemExit(0)

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)


def main() -> int:
    """Run until told to stop (SIGTERM or SIGINT); return the exit status."""
    try:
        config = Config.from_env()
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log before there are settings
        return 2
    os.environ["TZ"] = "UTC"
    time.tzset()
    with create_app(config).app_context():
        run(runtime.current().queues)
    return 0


def run(queues: Queues) -> None:
    """Keep the schedule until told to stop. A Redis that goes away is waited for."""
    clock = Clock(queues.worker_redis())
    while not clock.stopping:
        try:
            clock.set_up()
            log.info("the clock is set", jobs=[entry.id for entry in SCHEDULE])
            clock.run()
        except RedisError as error:
            log.warning("Redis does not answer", error=str(error), again_in=RECONNECT)
            time.sleep(RECONNECT)


if __name__ == "__main__":
    sys.exit(main())
