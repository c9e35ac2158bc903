"""Headers of a signed delivery are not signed: whatever they say, the body is kept, or the refusal names the header."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from shopify_app.database import directory
from shopify_app.models import Delivery, PrivacyRequest, Tenant
from shopify_app.shopify.signatures import webhook_hmac
from tests.conftest import SETTINGS

SHOP = "aurora.myshopify.com"
BODY = b'{"id": 1}'
REDACT = b'{"shop_id": 1, "shop_domain": "aurora.myshopify.com"}'


@pytest.fixture(autouse=True)
def tenant_id(app):
    with app.app_context(), directory() as session:
        tenant = Tenant(store_url=SHOP, name="Aurora", installed_at=datetime(2026, 1, 1, tzinfo=UTC))
        session.add(tenant)
        session.flush()
        return tenant.id


@pytest.fixture
def post(client):
    def send(body=BODY, *, to="orders", **changes):
        given = {
            "Topic": "orders/create",
            "Shop-Domain": SHOP,
            "Webhook-Id": "w-1",
            "Hmac-Sha256": webhook_hmac(body, SETTINGS["SHOPIFY_API_SECRET"]),
        } | {name.replace("_", "-"): value for name, value in changes.items()}
        return client.post(
            f"/webhooks/{to}", data=body, headers={f"X-Shopify-{name}": one for name, one in given.items()}
        )

    return send


@pytest.fixture
def rows(app):
    def read(model=Delivery):
        with app.app_context(), directory() as session:
            found = list(session.scalars(select(model).order_by(model.id)))
            session.expunge_all()
            return found

    return read


@pytest.mark.parametrize("given", ["x" * 256, "x" * 7_000, "\x01", "\x7f", "\xa0", "a\tb"])
@pytest.mark.parametrize("name", ["Webhook_Id", "Event_Id", "API_Version"])
def test_an_id_that_is_none_is_passed_over(post, rows, name, given):
    assert post(**{name: given}).status_code == 200

    (row,) = rows()
    assert bytes(row.payload) == BODY
    assert given not in {row.webhook_id, row.event_id, row.api_version}


def test_an_id_outside_ascii_is_an_id(post, rows):
    assert post(Webhook_Id="caf\xe9").status_code == 200
    assert rows()[0].webhook_id == "caf\xe9"


@pytest.mark.parametrize(
    "given",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59-23:59",
        "1000-01-01",
        "2026-01-01T00:00:00, 2026-01-01T00:00:00",
    ],
)
def test_a_time_that_no_column_holds_costs_no_delivery(post, rows, given):
    assert post(Triggered_At=given).status_code == 200
    assert [(bytes(row.payload), row.triggered_at) for row in rows()] == [(BODY, None)]


def test_an_offset_that_postgresql_cannot_read_is_reckoned_in(post, rows):
    assert post(Triggered_At="2026-01-02T00:00:00+00:00:30").status_code == 200
    assert post(Triggered_At="2026-01-02T00:00:00+23:59", Webhook_Id="w-2").status_code == 200

    assert [row.triggered_at for row in rows()] == [
        datetime(2026, 1, 1, 23, 59, 30, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 1, tzinfo=UTC),
    ]


@pytest.mark.parametrize(("name", "given"), [("Topic", "x" * 300), ("Topic", "\x01"), ("Shop_Domain", "x" * 300)])
def test_a_topic_or_a_shop_that_is_none_is_refused_by_name(post, rows, name, given):
    answer = post(**{name: given})

    assert answer.status_code == 400
    assert f"X-Shopify-{name.replace('_', '-')}" in answer.text
    assert rows() == []


@pytest.mark.parametrize("depth", [1_000, 1_000_000])
def test_a_body_nested_too_deep_to_read_is_kept_in_quarantine(post, rows, depth):
    body = b'{"id": 1, "deep": ' + b"[" * depth + b"]" * depth + b"}"

    assert post(body).status_code == 200
    assert [(row.tenant_id, bytes(row.payload)) for row in rows()] == [(None, body)]


def test_a_compliance_request_nested_too_deep_is_kept_in_quarantine(post, rows):
    body = b'{"shop_id": ' + b"[" * 10_000

    assert post(body, to="compliance", Topic="shop/redact").status_code == 200
    assert [(row.tenant_id, bytes(row.payload)) for row in rows()] == [(None, body)]
    assert rows(PrivacyRequest) == []


def test_a_compliance_request_under_another_deliverys_id_is_taken_down_all_the_same(post, rows):
    assert post(Webhook_Id="w-1").status_code == 200
    assert post(b"{", to="compliance", Topic="shop/redact", Webhook_Id="w-2").status_code == 200

    for webhook_id in ("w-1", "w-2", "w-2"):
        assert post(REDACT, to="compliance", Topic="shop/redact", Webhook_Id=webhook_id).status_code == 200

    assert len(rows(PrivacyRequest)) == 2
    assert [bytes(row.payload) for row in rows()] == [BODY, b"{", REDACT, REDACT]
