"""The tick: work nobody rang for is found, and nothing is queued twice."""

from datetime import UTC, datetime, timedelta

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from shopify_app import claims
from shopify_app.database import operations
from shopify_app.jobs import queues as names
from shopify_app.jobs.queues import JsonJob, begun
from shopify_app.jobs.schedule import SCHEDULE, WORK, tick
from shopify_app.runtime import current

NOW = datetime.now(UTC)


def queued():
    found = []
    for name in names.NAMES:
        queue = Queue(name, connection=current().queues.redis, serializer=JSONSerializer, job_class=JsonJob)
        found += [(job.func_name, job.kwargs) for job in queue.jobs]
    return found


def put(kind, subject=0, due_at=NOW):
    with operations() as session:
        claims.put(session, kind, 1, subject, due_at=due_at)


def test_nothing_due_queues_nothing(app_context):
    tick()

    assert queued() == []


def test_a_waiting_delivery_rings(tenant_id, deliver):
    deliver("products/create", {"id": 1})

    tick()

    assert queued() == [(names.DRAIN, {})]


@pytest.mark.parametrize(
    ("kind", "subject", "call"),
    [
        (claims.BACKFILL, 7, (names.ADVANCE, {"tenant_id": 1, "backfill_id": 7})),
        (claims.PRIVACY, 3, (names.FULFIL, {"tenant_id": 1, "request_id": 3})),
        (claims.ORDER_DETAILS, 9, (names.READ_DETAILS, {"tenant_id": 1})),
        (claims.ROLLUPS, 0, (names.REFRESH, {"tenant_id": 1})),
        (claims.SETTLE, 0, (names.SETTLE, {"tenant_id": 1})),
        (claims.ABANDONMENT, 0, (names.ABANDON, {"tenant_id": 1})),
    ],
)
def test_every_kind_of_claim_has_its_job(app_context, kind, subject, call):
    put(kind, subject)

    tick()

    assert queued() == [call]
    assert kind in WORK


def test_work_that_waits_or_is_being_done_is_left_alone(app_context):
    put(claims.ROLLUPS, due_at=NOW + timedelta(hours=1))
    put(claims.BACKFILL, 7)
    with operations() as session:
        claims.take(session, (claims.BACKFILL,), 1, datetime.now(UTC), timedelta(minutes=1))

    tick()

    assert queued() == []


def test_ticks_do_not_pile_up_and_a_job_that_began_may_be_queued_again(app_context):
    put(claims.BACKFILL, 7)
    tick()
    tick()
    assert len(queued()) == 1

    queue = Queue(names.BACKFILL, connection=current().queues.redis, serializer=JSONSerializer, job_class=JsonJob)
    begun(queue.jobs[0])
    tick()

    assert len(queued()) == 2


def test_many_orders_of_a_tenant_are_one_job(app_context):
    for order_id in range(5):
        put(claims.ORDER_DETAILS, order_id)

    tick()

    assert len(queued()) == 1


def test_the_schedule_has_one_id_for_each_job():
    assert len({entry.id for entry in SCHEDULE}) == len({entry.job for entry in SCHEDULE}) == len(SCHEDULE)
