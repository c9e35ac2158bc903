"""Order details: read from Shopify for the orders that ask, tried again while that may help."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from shopify_app import claims
from shopify_app.database import operations, tenant_work
from shopify_app.jobs import details as module
from shopify_app.jobs.details import read
from shopify_app.models import Claim, Refund
from shopify_app.shopify.errors import NotAccepted, Throttled

NOW = datetime.now(UTC)


def gid(number):
    return f"gid://shopify/Order/{number}"


def node(number):
    return {
        "id": gid(number),
        "refunds": [
            {
                "id": f"gid://shopify/Refund/{100 + number}",
                "createdAt": "2026-02-01T00:00:00Z",
                "processedAt": "2026-02-01T00:00:00Z",
                "totalRefundedSet": {"shopMoney": {"amount": "5.00"}},
                "refundLineItems": {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []},
                "refundShippingLines": {"nodes": []},
            }
        ],
        "edited": False,
    }


@pytest.fixture
def asked(tenant_id):
    with operations() as session:
        claims.put_all(session, claims.ORDER_DETAILS, tenant_id, range(1, 8), due_at=NOW)


def refunds(tenant_id):
    with tenant_work(tenant_id) as session:
        return sorted(session.scalars(select(Refund.shopify_id)))


def left():
    with operations() as session:
        return session.execute(select(Claim.subject, Claim.due_at, Claim.attempts, Claim.error)).all()


def test_every_order_that_asks_is_read_once(tenant_id, asked, shopify):
    shopify.details = {gid(number): node(number) for number in range(1, 7)}

    read(tenant_id=tenant_id)

    assert refunds(tenant_id) == [101, 102, 103, 104, 105, 106]
    assert sorted(shopify.detailed) == [gid(number) for number in range(1, 8)]
    assert left() == []


def test_a_long_list_is_read_in_slices(tenant_id, asked, shopify, work_off, monkeypatch):
    monkeypatch.setattr(module, "SLICE", 0.0)

    read(tenant_id=tenant_id)
    assert len(shopify.detailed) == module.AT_ONCE
    work_off()

    assert len(shopify.detailed) == 7


def test_another_tenants_orders_are_left_to_it(tenant_ids, asked, shopify):
    read(tenant_id=tenant_ids[1])

    assert shopify.detailed == []


def test_a_refusal_is_waited_out_ever_longer(tenant_id, asked, monkeypatch):
    def throttled(*_args):
        raise Throttled("used up", retry_after=3.0)

    monkeypatch.setattr(module, "order_details", throttled)
    waits = []
    for _ in range(3):
        read(tenant_id=tenant_id)
        first = min(left(), key=lambda row: row.subject)
        waits.append(round((first.due_at - datetime.now(UTC)).total_seconds()))
        with operations() as session:
            session.execute(update(Claim).where(Claim.subject > module.AT_ONCE).values(due_at=NOW + timedelta(days=1)))
            session.execute(update(Claim).where(Claim.subject <= module.AT_ONCE).values(due_at=NOW))

    assert waits == [pytest.approx(10, abs=2), pytest.approx(20, abs=2), pytest.approx(40, abs=2)]


def test_what_is_refused_again_and_again_is_given_up(tenant_id, asked, monkeypatch):
    def refused(*_args):
        raise NotAccepted("Shopify answered 400")

    monkeypatch.setattr(module, "order_details", refused)
    for _ in range(7 * module.MOST_ATTEMPTS):
        read(tenant_id=tenant_id)
        with operations() as session:
            session.execute(update(Claim).values(due_at=NOW))

    assert left() == []
    assert refunds(tenant_id) == []


def test_orders_taken_over_by_somebody_else_are_not_written(tenant_id, asked, monkeypatch):
    def slow(*_args):
        with operations() as session:
            session.execute(update(Claim).values(leased_until=NOW))
            claims.take(session, (claims.ORDER_DETAILS,), 10, NOW, timedelta(minutes=1))
        return [node(1)]

    monkeypatch.setattr(module, "order_details", slow)

    read(tenant_id=tenant_id)

    assert refunds(tenant_id) == []
    assert len(left()) == 7
