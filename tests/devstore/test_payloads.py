"""Webhook bodies against the key structure of Shopify's own samples (API 2026-04), and their amounts against sums."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from devstore import payloads, totals
from devstore.payloads_wire import Purse, amount_text, zulu

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

# Values the sample has and ours leaves null, with the reason.
NO_COMPANY = "made-up people work nowhere"
NO_ADDRESS = "the shop has no street address"
EXCUSED = {
    "order": {
        ".billing_address.company is null": NO_COMPANY,
        ".shipping_address.company is null": NO_COMPANY,
        ".cancel_reason is null": "the sample's order is cancelled, ours is not",
        ".cancelled_at is null": "the sample's order is cancelled, ours is not",
    },
    "refund": {
        ".note is null": "refunds carry no note",
        ".transactions[].message is null": "payments carry no message",
        ".user_id is null": "refunds are made by nobody in particular",
    },
    "customer": {".note is null": "new customers carry no note"},
    "checkout": {
        ".billing_address.company is null": NO_COMPANY,
        ".shipping_address.company is null": NO_COMPANY,
        ".line_items[].destination_location_id is null": "there are no locations",
        ".line_items[].origin_location_id is null": "there are no locations",
    },
    "shop": {
        **dict.fromkeys((".address1 is null", ".city is null", ".zip is null", ".phone is null"), NO_ADDRESS),
        **dict.fromkeys((".province is null", ".province_code is null"), NO_ADDRESS),
    },
}
# Lists whose sample and ours hold different things on purpose, so that their elements are not compared.
APART = {".errors": "the sample is of a merge that failed"}


def kind(value):
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def differences(sample, ours, path=""):
    """Yield every path at which the structures differ; what either side leaves null or empty has none."""
    if sample is None or sample in ([], {}) or path in APART:
        return
    if ours is None:
        yield f"{path} is null"
    elif kind(sample) != kind(ours):
        yield f"{path} is {kind(ours)}, not {kind(sample)}"
    elif isinstance(sample, dict):
        for name in sorted(sample.keys() ^ ours.keys()):
            yield f"{path}.{name} is {'missing' if name in sample else 'not in the sample'}"
        for name in sorted(sample.keys() & ours.keys()):
            yield from differences(sample[name], ours[name], f"{path}.{name}")
    elif isinstance(sample, list):
        for element in ours:
            yield from differences(sample[0], element, f"{path}[]")


def as_sent(body):
    """Return a body as its receiver reads it."""
    return json.loads(msgspec.json.Encoder(decimal_format="number").encode(body))


@pytest.fixture
def customer(act, store):
    made = act("create_customer", phone="+15035550100", email_consent="subscribed", tags=["vip"])
    made.address = next(one.address for one in store.customers.values() if one.address)
    store.put("customer", made.id, made)
    return made


@pytest.fixture
def order(act, store, customer):
    """An order with everything: a code, shipping, tax, another currency, and a refund with shipping."""
    product = next(one for one in store.products.values() if not one.gift_card)
    product.variants[0].price, product.variants[0].grams = Decimal("12.00"), 100
    lines = [{"variant_id": product.variants[0].id, "quantity": 3}]
    placed = act("place_order", lines=lines, customer_id=customer.id, discount_code="WELCOME10")
    placed.presentment_currency, placed.presentment_rate = "JPY", Decimal("151.4")
    placed.tags = ["gift", "rush"]
    units = [{"line_item_id": placed.lines[0].id, "quantity": 1}]
    return act("refund_order", order_id=placed.id, lines=units, shipping=True)


@pytest.fixture
def checkout(act, store, customer):
    product = next(one for one in store.products.values() if not one.gift_card)
    lines = [{"variant_id": product.variants[0].id, "quantity": 2}]
    cart = act("fill_cart", lines=lines)
    return act("start_checkout", cart_token=cart.token, customer_id=customer.id)


@pytest.fixture
def bodies(act, store, order, customer, checkout):
    """Our body for each sample: (name of the sample, body, excuses)."""
    product = next(one for one in store.products.values() if len(one.variants) > 1)
    for variant in product.variants:
        variant.compare_at_price = variant.price + 5
    edited = act(
        "edit_order",
        order_id=order.id,
        add=[{"variant_id": product.variants[0].id}],
        remove=[{"line_item_id": order.lines[0].id, "quantity": 1}],
    )
    cart = store.carts[checkout.cart_token]
    order_body, customer_body = payloads.order_body(store, order), payloads.customer_body(store, customer)
    orders = ("create", "updated", "paid", "cancelled", "fulfilled", "partially_fulfilled")
    return {
        **{f"orders_{topic}": (order_body, "order") for topic in orders},
        "orders_edited": (payloads.order_edited_body(store, order, edited.edits[0]), None),
        "orders_delete": (payloads.deleted_body(order.id), None),
        "refunds_create": (payloads.refund_body(store, order, order.refunds[0]), "refund"),
        **{f"customers_{topic}": (customer_body, "customer") for topic in ("create", "update", "enable", "disable")},
        "customers_delete": (payloads.customer_deleted_body(customer.id), None),
        "customers_merge": (payloads.customer_merge_body(customer.id, 1, 2), None),
        "customers_purchasing_summary": (payloads.purchasing_summary_body(store, customer, AT), None),
        "customers_email_marketing_consent_update": (payloads.email_consent_body(store, customer), None),
        "customers_marketing_consent_update": (payloads.sms_consent_body(store, customer), None),
        "customer.tags_added": (payloads.customer_tags_body(customer.id, ["vip"], AT), None),
        "customer.tags_removed": (payloads.customer_tags_body(customer.id, ["vip"], AT), None),
        **{f"products_{topic}": (payloads.product_body(store, product), None) for topic in ("create", "update")},
        "products_delete": (payloads.deleted_body(product.id), None),
        **{f"carts_{topic}": (payloads.cart_body(store, cart), None) for topic in ("create", "update")},
        **{
            f"checkouts_{topic}": (payloads.checkout_body(store, checkout), "checkout")
            for topic in ("create", "update")
        },
        "checkouts_delete": (payloads.checkout_deleted_body(store, checkout), None),
        "shop_update": (payloads.shop_body(store), "shop"),
        "app_uninstalled": (payloads.shop_body(store), "shop"),
        "app_scopes_update": (payloads.scopes_update_body(store, ["read_orders"], ["read_products"], AT), None),
        "bulk_operations_finish": (payloads.bulk_finish_body(store, "gid://shopify/BulkOperation/1", AT, AT), None),
        "customers_data_request": (payloads.customer_data_request_body(store, customer), None),
        "customers_redact": (payloads.customer_redact_body(store, customer), None),
        "shop_redact": (payloads.shop_redact_body(store), None),
    }


# Topics of the samples that an app of customers, orders, products and baskets does not subscribe to.
NOT_SENT = {"inventory_levels_connect", "inventory_levels_disconnect", "inventory_levels_update"}
NOT_SENT |= {"order_transactions_create", "variants_in_stock", "variants_out_of_stock"}


def test_every_body_has_the_keys_and_types_of_its_sample(reference, bodies):
    found = {}
    for name, (body, excuse) in bodies.items():
        sample = json.loads((reference / "payloads" / f"docs-2026-04__{name}.json").read_text())
        # Symmetric, so that an excuse nobody needs any more is found as well.
        found[name] = set(differences(sample, as_sent(body))) ^ EXCUSED.get(excuse, {}).keys()

    assert {name: differing for name, differing in found.items() if differing} == {}


def test_every_sample_has_its_body(reference, bodies):
    samples = {path.stem.removeprefix("docs-2026-04__") for path in (reference / "payloads").glob("docs-2026-04__*")}

    assert samples - NOT_SENT == set(bodies)


def test_the_comparison_sees_a_missing_a_strange_and_a_mistyped_key():
    sample = {"a": 1, "b": [{"c": "x"}], "d": True, "e": None}

    found = set(differences(sample, {"a": "1", "b": [{"c": None, "x": 1}], "e": 5}))

    assert found == {".a is str, not number", ".b[].c is null", ".b[].x is not in the sample", ".d is missing"}


def test_what_refunded_shipping_looks_like_since_2024_10(store, order):
    body = as_sent(payloads.refund_body(store, order, order.refunds[0]))

    (shipping,) = body["refund_shipping_lines"]
    assert body["order_adjustments"] == []
    assert shipping["shipping_line_id"] == order.shipping_lines[0].id
    assert shipping["subtotal_amount_set"]["shop_money"]["amount"] == "6.90"
    assert shipping["tax_amount_set"]["shop_money"]["amount"] == "0.57"


def test_an_orders_amounts_are_those_of_its_lines(store, order):
    body = as_sent(payloads.order_body(store, order))

    # 3 x 12.00, 10 % off, 8.25 % tax on lines (2.67) and on shipping (0.57); one of three refunded, with shipping
    expected = {
        "total_line_items_price": "36.00",
        "total_discounts": "3.60",
        "subtotal_price": "32.40",
        "total_tax": "3.24",
        "total_price": "42.54",
        "current_subtotal_price": "21.60",
        "current_total_tax": "1.78",
        "current_total_price": "23.38",
        "current_total_discounts": "2.40",
        "total_outstanding": "0.00",
    }
    assert {name: body[name] for name in expected} == expected
    (line,) = body["line_items"]
    assert (line["quantity"], line["current_quantity"]) == (3, 2)
    assert [one["amount"] for one in line["discount_allocations"]] == ["3.60"]
    assert body["discount_codes"] == [{"code": "WELCOME10", "amount": "3.60", "type": "fixed_amount"}]
    assert body["tags"] == "gift, rush"


def test_money_bags_carry_presentment_money_in_its_own_decimals(store, order):
    body = as_sent(payloads.order_body(store, order))

    assert body["total_price_set"] == {
        "shop_money": {"amount": "42.54", "currency_code": "USD"},
        "presentment_money": {"amount": "6441", "currency_code": "JPY"},
    }


def test_money_refunded_is_the_sum_of_successful_refund_transactions(store, order):
    body = as_sent(payloads.refund_body(store, order, order.refunds[0]))

    paid = [Decimal(one["amount"]) for one in body["transactions"]]
    (line,) = body["refund_line_items"]
    assert sum(paid) == Decimal("19.16") == totals.refunded(order)
    assert (line["subtotal"], line["total_tax"]) == (10.8, 0.89)


def test_times_carry_the_shops_offset_and_carts_utc(store, order, checkout):
    body = payloads.order_body(store, order)
    cart = payloads.cart_body(store, store.carts[checkout.cart_token])

    assert datetime.fromisoformat(body["created_at"]) == order.created_at
    assert body["created_at"][-6:] in {"-05:00", "-04:00"}
    assert cart["updated_at"].endswith(".000Z")


def test_a_guests_order_has_no_customer_and_a_deleted_product_no_id(store):
    guest = next(one for one in store.orders.values() if one.customer_id is None)
    guest.lines[0].product_id = guest.lines[0].variant_id = None

    body = payloads.order_body(store, guest)

    assert body["customer"] is None
    assert (body["line_items"][0]["product_id"], body["line_items"][0]["product_exists"]) == (None, False)


def test_a_checkout_leaves_out_whom_it_does_not_know(act, store):
    product = next(one for one in store.products.values() if not one.gift_card)
    lines = [{"variant_id": product.variants[0].id}]
    unknown = act("start_checkout", lines=lines, email="somebody@example.com")

    body = payloads.checkout_body(store, unknown)

    assert not {"customer", "billing_address", "shipping_address"} & set(body)


def test_a_product_with_many_variants_sends_a_hundred_in_full_and_all_gids(store):
    product = next(iter(store.products.values()))
    product.variants = product.variants[:1] * 130

    body = payloads.product_body(store, product)

    assert (len(body["variants"]), len(body["variant_gids"])) == (100, 130)


def test_spend_is_what_was_paid_less_what_was_paid_back(store, order, customer):
    body = payloads.purchasing_summary_body(store, customer, AT)

    assert body["numberOfOrders"] == 1
    assert body["amountSpent"] == {"amount": "23.38", "currencyCode": "USD"}
    assert body["lastOrderId"] == f"gid://shopify/Order/{order.id}"
    assert body["occurredAt"] == "2026-01-02T03:04:05.000Z"


def test_a_customer_without_orders_has_no_last_one(act, store):
    fresh = act("create_customer")

    assert payloads.purchasing_summary_body(store, fresh, AT)["lastOrderId"] is None


def test_a_failed_bulk_operation_says_so(store):
    body = payloads.bulk_finish_body(store, "gid://shopify/BulkOperation/1", AT, AT, error_code="TIMEOUT")

    assert (body["status"], body["error_code"]) == ("failed", "timeout")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("1.005", "USD", "1.01"), ("150.5", "JPY", "151"), ("1", "KWD", "1.000"), ("0", "EUR", "0.00")],
)
def test_amounts_have_the_currencys_decimals(amount, currency, text):
    assert amount_text(Decimal(amount), currency) == text


def test_presentment_money_is_rounded_after_conversion():
    assert Purse("USD", "EUR", Decimal("0.9217")).shown(Decimal("10.00")) == "9.22"


def test_utc_times_have_milliseconds():
    assert zulu(AT) == "2026-01-02T03:04:05.000Z"
