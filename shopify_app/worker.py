"""The worker process: runs jobs one after another, in its own process, for as long as it lives.

A forked child for each job would cost some 20 ms and a new connection to everything. Nothing is lost without one:
all work is rows under leases, so a worker that crashes is restarted and somebody goes on (see docs/decisions).
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.worker import DequeueStrategy

from config import Config, ConfigError
from shopify_app import runtime
from shopify_app.app import create_app
from shopify_app.jobs.queues import NAMES, TICK, JsonJob, begun

if TYPE_CHECKING:
    from rq import Queue
    from rq.executions import Execution
    from rq.job import Job

    from shopify_app.jobs.queues import Queues

log = structlog.get_logger(__name__)

# Redis forgets a worker that died after this many seconds; RQ waits for jobs fifteen seconds less at a time.
WORKER_TTL = 40
MAINTENANCE = 60
RECONNECT = 1.0
# The inbox is read ahead in a thread. At Python's own five milliseconds the other thread, back from one of a batch's
# dozens of statements, would wait longer for its turn than PostgreSQL took to answer.
SWITCH_INTERVAL = 0.0005
# A batch is half a million objects that die with it, and not in cycles: looking through them at Python's own pace
# took a fifth of the time.
COLLECT_AFTER = (200_000, 20, 20)


class SteadyWorker(SimpleWorker):
    """A worker that knows whether it was asked to stop, and takes no commands from Redis."""

    stopping = False

    def handle_warm_shutdown_request(self) -> None:
        """Remember that somebody wants the process to end, once the job at hand is done."""
        self.stopping = True
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]  # RQ leaves it unannotated

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Run a job, which from now on may be queued again."""
        begun(job)
        return super().perform_job(job, queue, execution)

    def subscribe(self) -> None:
        """Listen to nobody: stopping single jobs from afar is not a thing here, and costs a thread and a connection."""

    def unsubscribe(self) -> None:
        """Likewise."""


def main() -> int:
    """Run until told to stop (SIGTERM or SIGINT finishes the job at hand); return the exit status."""
    try:
        config = Config.from_env()
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log before there are settings
        return 2
    # RQ has a handler of its own once it looks for jobs; until then there is nothing to finish.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app = create_app(config)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # a line for each job would drown the others
    with app.app_context():
        work(runtime.current().queues)
    return 0


def work(queues: Queues) -> None:
    """Work until told to stop. A Redis that goes away is waited for."""
    stopping = False
    while not stopping:
        try:
            stopping = _work(queues)
            # RQ ends its loop after any trouble with Redis, having logged it.
            time.sleep(0.0 if stopping else RECONNECT)
        except RedisError as error:
            log.warning("Redis does not answer", error=str(error), again_in=RECONNECT)
            time.sleep(RECONNECT)
        except StopRequested:
            stopping = True


def _work(queues: Queues) -> bool:
    """Work until told to stop, and return True; return False when the connection broke."""
    # Whoever worked before may have died with what it was told, and Redis may have forgotten what was queued.
    queues.enqueue_once(TICK)
    worker = SteadyWorker(
        NAMES,
        connection=queues.worker_redis(),
        serializer=JSONSerializer,
        job_class=JsonJob,
        worker_ttl=WORKER_TTL,
        maintenance_interval=MAINTENANCE,
        log_job_description=False,
    )
    log.info("the worker is ready", queues=NAMES)
    # In turns: with an inbox that is never empty, nothing behind it would ever be done.
    worker.work(logging_level="WARNING", dequeue_strategy=DequeueStrategy.ROUND_ROBIN)
    return worker.stopping


if __name__ == "__main__":
    sys.exit(main())
