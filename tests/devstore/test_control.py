"""The addresses under /_dev."""

import json
from datetime import UTC, datetime

import pytest
from flask import Flask

from devstore import control, export, installs, reports, totals
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


@pytest.fixture
def subscribed(client):
    """A subscription to orders/create, made through the control address; nobody listens there."""
    wanted = {"topic": "orders/create", "uri": "http://127.0.0.1:1/webhooks/orders", "name": "second"}
    return client.post(f"/_dev/stores/{SHOP}/subscriptions", json=wanted).json


def logged(client):
    return client.get(f"/_dev/stores/{SHOP}/deliveries.json").json["deliveries"]


def test_faults_are_set_read_and_cleared(client):
    path = f"/_dev/stores/{SHOP}/faults"
    set_to = client.post(path, json={"drop": 1, "delay": [0.5, 2], "seed": 7}).json
    read = client.get(path).json
    cleared = client.delete(path)

    assert set_to == read
    assert (read["drop"], read["delay"], read["seed"], read["duplicate"]) == (1.0, [0.5, 2.0], 7, 1)
    assert (cleared.status_code, cleared.data) == (204, b"")
    assert client.get(path).json["drop"] == 0.0


def test_faults_replace_those_before_and_no_body_clears_them(client):
    path = f"/_dev/stores/{SHOP}/faults"
    client.post(path, json={"drop": 1})

    assert client.post(path, json={"duplicate": 2}).json["drop"] == 0.0
    assert client.post(path).json["duplicate"] == 1


def test_a_dropped_webhook_is_in_the_log_and_can_be_sent_after_all(client, subscribed):
    client.post(f"/_dev/stores/{SHOP}/faults", json={"drop": 1})
    client.post(f"/_dev/stores/{SHOP}/actions/place_order")
    (dropped,) = logged(client)

    answer = client.post(f"/_dev/stores/{SHOP}/redeliver", json={"topic": "orders/create"})

    assert dropped["state"] == "dropped"
    assert [(one["id"], one["copy"]) for one in answer.json["deliveries"]] == [(dropped["id"], 2)]
    assert client.post(f"/_dev/stores/{SHOP}/redeliver", json={"since": "2100-01-01T00:00:00Z"}).json == {
        "deliveries": []
    }


def test_what_is_held_is_let_go(client, subscribed):
    client.post(f"/_dev/stores/{SHOP}/faults", json={"burst": 600})
    client.post(f"/_dev/stores/{SHOP}/actions/place_order")

    assert client.post(f"/_dev/stores/{SHOP}/release").json == {"released": 1}


def test_a_topic_can_be_subscribed_to_twice(client, subscribed, store):
    again = {"topic": "orders/create", "uri": subscribed["uri"], "configured": True, "api_version": "2025-01"}
    client.post(f"/_dev/stores/{SHOP}/subscriptions", json=again)

    first, second = installs.subscriptions(store)
    assert (first.id, first.name, first.configured) == (subscribed["id"], "second", False)
    assert (second.api_version, second.configured) == ("2025-01", True)


@pytest.mark.parametrize(
    ("path", "data", "status", "error"),
    [
        ("faults", b'{"drop": 2}', 422, "Expected `float` <= 1.0 - at `$.drop`"),
        ("faults", b'{"explode": 1}', 422, "Object contains unknown field `explode`"),
        ("faults", b"{", 400, "the body is not JSON"),
        ("redeliver", b'{"since": "soon"}', 422, "Invalid RFC3339 encoded datetime"),
        ("redeliver", b'{"since": "2026-01-01T00:00:00"}', 422, "Expected `datetime` with a timezone"),
        ("subscriptions", b'{"topic": "orders/eaten", "uri": "http://x"}', 422, "there is no topic orders/eaten"),
        ("subscriptions", b'{"topic": "orders/create"}', 422, "Object missing required field `uri`"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(client, path, data, status, error):
    answer = client.post(f"/_dev/stores/{SHOP}/{path}", data=data)

    assert answer.status_code == status
    assert answer.json["error"].startswith(error)
