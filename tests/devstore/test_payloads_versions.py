"""Bodies as the API versions from 2024-01 to 2026-10 write them, held against captured ones where there are any."""

import copy
import json

import pytest

from devstore import payloads
from devstore.payloads_versions import in_version

HISTORY = {"orders_count", "total_spent", "last_order_id", "last_order_name"}
CONSENTS = {"tags", "email_marketing_consent", "sms_marketing_consent"}


@pytest.fixture
def customer(act):
    return act("create_customer", tags=["b", "a"], phone="+15035550100", email_consent="subscribed")


@pytest.fixture
def checkout(act, store, customer):
    product = next(one for one in store.products.values() if not one.gift_card)
    return act("start_checkout", lines=[{"variant_id": product.variants[0].id}], customer_id=customer.id)


@pytest.fixture
def order(act, checkout):
    return act("finish_checkout", token=checkout.token)


@pytest.fixture
def body(store, order):
    return payloads.order_body(store, order)


def captured(reference, name):
    return json.loads((reference / "payloads" / f"real-{name}.json").read_text())


@pytest.mark.parametrize("version", ["2026-10", "2026-04", "2025-01", "2024-10"])
def test_the_body_itself_stays_as_it_is(store, body, version):
    before = copy.deepcopy(body)

    in_version(store, "orders/create", body, version)

    assert body == before


def test_an_order_of_2026_10_names_the_selling_plan_of_its_lines(store, body):
    newest, older = (in_version(store, "orders/create", body, version) for version in ("2026-10", "2026-07"))

    assert [line["selling_plan_id"] for line in newest["line_items"]] == [None] * len(body["line_items"])
    assert older == body


def test_an_order_before_2026_04_names_its_checkout(store, body, checkout):
    old = in_version(store, "orders/paid", body, "2026-01")

    assert old == {**body, "checkout_id": checkout.id}


def test_an_order_without_a_known_checkout_names_none(act, store):
    order = act("place_order")

    assert in_version(store, "orders/create", payloads.order_body(store, order), "2025-10")["checkout_id"] is None


def test_an_orders_customer_before_2025_01_has_tags_and_consents(store, body, reference):
    added = in_version(store, "orders/create", body, "2024-10")["customer"].keys() - body["customer"].keys()

    assert added == CONSENTS
    assert captured(reference, "2024-01__orders_1")["customer"].keys() >= CONSENTS


def test_a_guests_order_has_no_customer_in_any_version(act, store):
    order = act("place_order")
    body = payloads.order_body(store, order)

    assert {in_version(store, "orders/create", body, version)["customer"] for version in ("2024-01", "2026-10")} == {
        None
    }


def test_a_customer_before_2025_01_tells_tags_consents_orders_and_spend(store, order, customer):
    body = payloads.customer_body(store, customer)

    old = in_version(store, "customers/update", body, "2024-10")

    assert old.keys() - body.keys() == HISTORY | CONSENTS
    assert (old["tags"], old["orders_count"], old["last_order_name"]) == ("a, b", 1, f"#{order.number}")
    assert (old["last_order_id"], old["total_spent"]) == (order.id, payloads.order_body(store, order)["total_price"])
    assert old["email_marketing_consent"]["state"] == "subscribed"
    assert old["sms_marketing_consent"]["consent_collected_from"] == "other"
    assert in_version(store, "customers/update", body, "2025-01") == body


def test_a_customer_without_orders_or_a_number_tells_none(act, store):
    customer = act("create_customer")

    old = in_version(store, "customers/create", payloads.customer_body(store, customer), "2024-10")

    assert (old["orders_count"], old["last_order_id"], old["last_order_name"]) == (0, None, None)
    assert (old["total_spent"], old["sms_marketing_consent"], old["tags"]) == ("0.00", None, "")


def test_a_checkout_before_2026_04_has_its_number(store, checkout, reference):
    body = payloads.checkout_body(store, checkout)

    old = in_version(store, "checkouts/create", body, "2026-01")

    assert old == {"id": checkout.id, **body}
    assert "id" in captured(reference, "2025-04__checkouts_1")
    assert in_version(store, "checkouts/create", body, "2026-04") == body


def test_a_checkouts_customer_before_2025_01_has_a_history(store, checkout, reference):
    old = in_version(store, "checkouts/update", payloads.checkout_body(store, checkout), "2024-10")

    assert old["customer"].keys() >= HISTORY | CONSENTS
    assert captured(reference, "2024-04__checkouts_2")["customer"].keys() >= HISTORY | {"tags"}


def test_a_cart_line_has_no_parent_before_2026(act, store, reference):
    product = next(one for one in store.products.values() if not one.gift_card)
    cart = act("fill_cart", lines=[{"variant_id": product.variants[0].id}])
    body = payloads.cart_body(store, cart)

    old = in_version(store, "carts/create", body, "2025-10")

    assert old["line_items"][0].keys() == captured(reference, "2025-04__carts_1")["line_items"][0].keys()
    assert in_version(store, "carts/create", body, "2026-01") == body


@pytest.mark.parametrize(
    "topic", ["orders/delete", "orders/edited", "customers/delete", "products/update", "carts/update"]
)
def test_what_every_version_writes_alike_is_left_alone(store, topic):
    assert in_version(store, topic, {"id": 1}, "2024-10") == {"id": 1}
