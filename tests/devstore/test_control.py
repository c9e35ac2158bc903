"""The addresses under /_dev."""

import json
from datetime import UTC, datetime

import pytest
from flask import Flask

from devstore import control, export, reports, totals
from devstore.delivery import Deliveries
from devstore.graphql.checkouts import is_listed
from devstore.state import Devstore

SHOP = "aurora-outfitters.myshopify.com"


@pytest.fixture
def client(options, stores):
    app = Flask(__name__)
    deliveries = Deliveries(stores, options)
    app.extensions["devstore"] = Devstore(options, stores, deliveries)
    app.register_blueprint(control.blueprint)
    yield app.test_client()
    deliveries.close()


def test_the_report_is_that_of_its_days(client, store):
    answer = client.get(f"/_dev/stores/{SHOP}/report.json?from=2026-01-01&to=2026-03-31")

    days = datetime(2026, 1, 1, tzinfo=UTC).date(), datetime(2026, 3, 31, tzinfo=UTC).date()
    assert answer.status_code == 200
    assert answer.json == reports.overview(store, *days)


def test_the_report_is_of_today_by_default(client, store):
    report = client.get(f"/_dev/stores/{SHOP}/report.json").json

    assert report["start_on"] == report["end_on"]
    assert len(report["sales_by_day"]) == 1


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/_dev/stores/nobody.myshopify.com/counts.json", 404, "there is no store nobody.myshopify.com"),
        (f"/_dev/stores/{SHOP}/report.json?from=soon", 400, "from is not a date: soon"),
        (f"/_dev/stores/{SHOP}/report.json?from=2026-01-02&to=2026-01-01", 400, "to (2026-01-01) is before from"),
    ],
)
def test_what_cannot_be_answered_says_why(client, path, status, error):
    answer = client.get(path)

    assert answer.status_code == status
    assert answer.json["error"].startswith(error)


def test_counts_are_those_of_the_records(client, store):
    orders = store.orders.values()

    assert client.get(f"/_dev/stores/{SHOP}/counts.json").json == {
        "customers": 40,
        "products": 8,
        "variants": sum(len(product.variants) for product in store.products.values()),
        "orders": 120,
        "line_items": sum(len(order.lines) for order in orders),
        "refunds": sum(len(order.refunds) for order in orders),
        "refund_lines": sum(len(refund.lines) for order in orders for refund in order.refunds),
        "checkouts": len(store.checkouts),
        "abandoned_checkouts": sum(is_listed(checkout) for checkout in store.checkouts.values()),
        "carts": len(store.carts),
    }


def test_the_export_has_money_to_the_cent(client, store):
    summary = client.get(f"/_dev/stores/{SHOP}/export.json").json

    orders = store.orders.values()
    assert (summary["shop"], summary["currency"], summary["counts"]["orders"]) == (SHOP, "USD", 120)
    assert summary["totals"] == {
        "orders_total_price": str(sum(totals.ordered(order).total for order in orders)),
        "line_items_gross": str(sum(line.price * line.quantity for order in orders for line in order.lines)),
        "refunds_total": str(sum(refund.amount for order in orders for refund in order.refunds)),
    }


def test_the_full_export_has_every_record_on_a_line(client, store):
    answer = client.get(f"/_dev/stores/{SHOP}/export.json?full=1")

    records = [json.loads(line) for line in answer.text.splitlines()]
    counts = export.counts(store)
    for kind in ("customer", "product", "order", "cart", "checkout"):
        assert sum(one["kind"] == kind for one in records) == counts[f"{kind}s"]
    assert records[0]["record"]["domain"] == SHOP
    assert answer.mimetype == "application/x-ndjson"


def test_an_action_answers_with_the_record_it_touched(client, store):
    answer = client.post(f"/_dev/stores/{SHOP}/actions/create_customer", json={"first_name": "Ada"})

    assert answer.status_code == 200
    assert store.customers[answer.json["id"]].first_name == answer.json["first_name"] == "Ada"


def test_an_action_needs_no_body(client, store):
    answer = client.post(f"/_dev/stores/{SHOP}/actions/place_order")

    assert answer.json["id"] in store.orders


@pytest.mark.parametrize(
    ("action", "data", "status", "error"),
    [
        ("delete_order", b'{"order_id": 1}', 422, "there is no order 1"),
        ("delete_order", b"{}", 422, "Object missing required field `order_id`"),
        ("delete_order", b"[]", 422, "Expected `object`, got `array`"),
        ("delete_order", b"{", 400, "the body is not JSON"),
        ("burn_down", b"{}", 404, "there is no action burn_down"),
    ],
)
def test_an_action_that_cannot_be_done_says_why(client, action, data, status, error):
    answer = client.post(f"/_dev/stores/{SHOP}/actions/{action}", data=data)

    assert answer.status_code == status
    assert answer.json["error"].startswith(error)


def test_the_delivery_log_is_listed(client):
    assert client.get(f"/_dev/stores/{SHOP}/deliveries.json").json == {"deliveries": []}
