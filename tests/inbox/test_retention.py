"""Letting go of settled deliveries when their time is over, and of nothing else."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from shopify_app import inbox
from shopify_app.database import directory, operations
from shopify_app.jobs import retention
from shopify_app.models import AppliedEvent, Delivery, PrivacyRequest, Tenant

NOW = datetime.now(UTC)
OLD, YOUNG = NOW - timedelta(days=31), NOW - timedelta(days=29)

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def tenant_ids():
    with directory() as session:
        made = [Tenant(store_url=f"{name}.myshopify.com", name=name, installed_at=OLD) for name in ("alder", "birch")]
        session.add_all(made)
        session.flush()
        return [tenant.id for tenant in made]


def put(webhook_id, tenant_id, *, received_at=OLD, **columns):
    row = {
        "shop_domain": "alder.myshopify.com",
        "topic": "orders/create",
        "payload": b"{}",
        "webhook_id": webhook_id,
        "tenant_id": tenant_id,
        "received_at": received_at,
        **columns,
    }
    with directory() as session:
        session.execute(insert(Delivery).values(row))


def left():
    with directory() as session:
        return list(session.scalars(select(Delivery.webhook_id).order_by(Delivery.id)))


def test_settled_deliveries_go_when_they_are_as_old_as_the_setting_says(tenant_ids):
    for tenant_id in tenant_ids:
        put(f"old of {tenant_id}", tenant_id, processed_at=OLD)
    put("young", tenant_ids[0], received_at=YOUNG, processed_at=YOUNG)

    retention.expire()

    assert left() == ["young"]


def test_what_waits_and_what_is_dead_stays_however_old_it_is(tenant_ids):
    put("waiting", tenant_ids[0])
    put("failing", tenant_ids[0], error="no", attempts=3, retry_at=NOW)
    put("dead", tenant_ids[1], dead_at=OLD, error="no", attempts=8)

    retention.expire()

    assert left() == ["waiting", "failing", "dead"]


def test_the_quarantine_is_emptied_in_time(tenant_ids):
    put("old", None)
    put("young", None, received_at=YOUNG)

    retention.expire()

    assert left() == ["young"]


def test_the_body_of_a_request_that_is_not_done_stays(tenant_ids):
    for webhook_id, done_at in (("open", None), ("done", NOW)):
        put(webhook_id, tenant_ids[0], processed_at=OLD)
        request = {"topic": "customers/redact", "webhook_id": webhook_id, "received_at": OLD, "due_at": NOW}
        with directory() as session:
            session.add(PrivacyRequest(shop_domain="alder.myshopify.com", completed_at=done_at, **request))

    retention.expire()

    assert left() == ["open"]


def test_slices_go_on_past_what_stays_and_end_where_the_young_ones_begin(tenant_ids):
    for number in range(3):
        put(f"waiting {number}", tenant_ids[0])
    put("old", tenant_ids[0], processed_at=OLD)
    for number in range(4):
        put(f"young {number}", tenant_ids[0], received_at=YOUNG, processed_at=YOUNG)

    slices, after, more = [], 0, True
    while more:
        with operations() as session:
            done = inbox.expire(session, before=NOW - timedelta(days=30), after=after, limit=2)
        slices.append(done.deleted)
        after, more = done.last_id, done.more

    assert slices == [0, 1, 0]
    assert len(left()) == 7


def test_an_empty_inbox_has_nothing_to_let_go_of():
    with operations() as session:
        assert inbox.expire(session, before=NOW, after=7, limit=2) == inbox.Expired(deleted=0, last_id=7, more=False)


def test_what_there_was_no_time_for_is_asked_for_again(tenant_ids, monkeypatch, redis_url):
    put("old", tenant_ids[0], processed_at=OLD)
    monkeypatch.setattr(retention, "SLICE", 0.0)
    asked = []
    monkeypatch.setattr("shopify_app.jobs.queues.Queues.nudge", lambda _self, job: asked.append(job))

    retention.expire()

    assert (left(), asked) == (["old"], [retention.EXPIRE])


def test_events_are_forgotten_after_a_week_for_every_tenant(tenant_ids):
    today = NOW.date()
    days = (today - timedelta(days=8), today - timedelta(days=7), today)
    with directory() as session:
        for tenant_id in tenant_ids:
            for number, day in enumerate(days):
                session.add(AppliedEvent(tenant_id=tenant_id, digest=uuid.UUID(int=number), inbox_id=1, seen_on=day))

    retention.expire()

    with directory() as session:
        kept = session.execute(select(AppliedEvent.tenant_id, AppliedEvent.seen_on)).all()
    assert sorted(kept) == sorted((tenant_id, day) for tenant_id in tenant_ids for day in days[1:])


def test_one_tenants_events_are_forgotten_without_anothers(tenant_ids):
    with directory() as session:
        for tenant_id in tenant_ids:
            session.add(AppliedEvent(tenant_id=tenant_id, digest=uuid.uuid4(), inbox_id=1, seen_on=date(2026, 1, 1)))

    with operations() as session:
        inbox.forget_events(session, tenant_ids[0], NOW.date())

    with directory() as session:
        assert list(session.scalars(select(AppliedEvent.tenant_id))) == [tenant_ids[1]]
