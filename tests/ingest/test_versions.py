"""Bodies of the versions 2025-01 to 2026-10, and of no version: what vanished, what was renamed, what cannot be."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Text

from shopify_app.database import db
from shopify_app.ingest import TOPICS, PayloadRejected, WebhookBody
from shopify_app.ingest.batch import Batch
from shopify_app.shopify import payloads, payloads_orders
from shopify_app.shopify.scalars import MAX_ITEMS, Token
from tests.ingest.world import NOW, at, customer, edited, gid, line, money, order, product, refund, shipping

HUGE = 2**53 + 1  # the first whole number that a float cannot hold
CUSTOMER = gid("Customer", 77)


def cart(**changes):
    return {"id": "c1", "token": "c1", "created_at": at(), "updated_at": at(), "line_items": [], **changes}


def checkout(**changes):
    return {"token": "k1", "created_at": at(), "updated_at": at(), "line_items": [], **changes}


def without(body, *names):
    return {name: value for name, value in body.items() if name not in names}


def refusal(topic, body):
    """Return the error with which a body is refused."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(PayloadRejected) as refused:
        TOPICS[topic](Batch(), WebhookBody(9, topic, payload, None, NOW))
    return refused.value


def summary(**changes):
    return {"customerId": CUSTOMER, "numberOfOrders": 1, "occurredAt": at(), **changes}


# ── What versions differ in ────────────────────────────────────────────────────────────────────────────────────────


def test_what_customers_carried_until_2025_01_is_passed_over(world):
    """Tags, consents and totals come in topics of their own since then, and only those are believed."""
    older = customer(
        tags="vip",
        orders_count=3,
        total_spent="30.00",
        last_order_id=1,
        last_order_name="#1001",
        email_marketing_consent={"state": "subscribed"},
        sms_marketing_consent=None,
    )

    world.apply(("customers/update", older), ("orders/create", order(customer=older)))

    row = world.row("customers", shopify_id=77)
    assert (row["tags"], row["orders_count"], row["email_consent"]) == (None, None, None)
    assert world.row("orders", shopify_id=1)["customer_shopify_id"] == 77


@pytest.mark.parametrize("version", ["2025-10", "2026-04"])
def test_a_checkout_is_the_same_one_with_and_without_its_number(world, version):
    world.apply(("checkouts/create", checkout(id=HUGE), 1))

    newer = checkout(updated_at=at(5), **({"id": HUGE} if version == "2025-10" else {}))
    world.apply(("checkouts/update", newer, 5), ("orders/create", order(checkout_token="k1", checkout_id=HUGE)))

    (row,) = world.rows("checkouts")
    assert (row["token"], row["shopify_id"], row["status"]) == ("k1", HUGE, "completed")


@pytest.mark.parametrize("body", [without(cart(), "token"), without(cart(), "id"), cart(id=None), cart(token=None)])
def test_a_cart_is_known_by_its_id_or_by_its_token(world, body):
    world.apply(("carts/create", body, 1), ("orders/create", order(cart_token="c1"), 2))

    assert world.row("carts", shopify_id="c1")["status"] == "completed"


@pytest.mark.parametrize("tags", ["vip, spring", "vip,spring ,", ["vip", "spring"]])
def test_tags_come_as_text_or_as_a_list(world, tags):
    world.apply(("orders/create", order(tags=tags)), ("products/create", product(tags=tags)))
    world.apply(("customer.tags_added", {"customerId": CUSTOMER, "tags": tags}))

    for table in ("orders", "products", "customers"):
        assert world.rows(table)[0]["tags"] == ["vip", "spring"]


def test_no_tags_are_an_empty_list_and_unknown_ones_none(world):
    world.apply(("orders/create", order(tags="")), ("orders/create", order(2, [line(12)], tags=None)))

    assert [row["tags"] for row in world.rows("orders")] == [[], None]


def test_every_id_above_what_a_float_holds_is_kept_to_the_last_digit(world):
    last = 2**63 - 1
    whole = order(
        last,
        [line(HUGE, product_id=HUGE + 2, variant_id=HUGE + 4)],
        customer={"id": HUGE + 6},
        shipping_lines=[shipping(HUGE + 8)],
        refunds=[refund(HUGE + 10, last, [(HUGE, 1, "10.00", "0.00")])],
    )
    world.apply(
        ("orders/create", whole),
        ("orders/edited", edited(HUGE + 12, last, added=[(HUGE, 1)])),
        ("customers/purchasing_summary", summary(customerId=gid("Customer", HUGE + 6))),
        ("products/create", product(HUGE + 2, variants=[{"id": HUGE + 4, "price": "1"}])),
        ("checkouts/create", checkout(id=HUGE + 14, line_items=[{"product_id": HUGE + 2, "quantity": 1}])),
    )

    kept = {table: world.rows(table)[0] for table in ("orders", "order_lines", "refunds", "refund_lines", "sales")}
    assert (kept["orders"]["shopify_id"], kept["orders"]["customer_shopify_id"]) == (last, HUGE + 6)
    assert (kept["order_lines"]["shopify_id"], kept["order_lines"]["product_shopify_id"]) == (HUGE, HUGE + 2)
    assert (kept["refunds"]["shopify_id"], kept["refund_lines"]["order_line_shopify_id"]) == (HUGE + 10, HUGE)
    assert kept["sales"]["customer_shopify_id"] == HUGE + 6
    assert world.rows("order_shipping_lines")[0]["shopify_id"] == HUGE + 8
    assert world.rows("order_edits")[0]["shopify_id"] == HUGE + 12
    assert [row["shopify_id"] for row in world.rows("customers")] == [HUGE + 6]
    assert [row["shopify_id"] for row in world.rows("product_variants")] == [HUGE + 4]
    assert world.rows("checkouts")[0]["line_items"][0]["product_id"] == HUGE + 2


def test_refunded_shipping_is_the_same_from_either_place(world):
    older = {"order_adjustments": [{"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "-0.40"}]}
    newer = {"refund_shipping_lines": [{"subtotal_amount_set": money("5.00"), "tax_amount_set": money("0.40")}]}

    world.apply(
        ("refunds/create", without(refund(31), "refund_shipping_lines") | older),
        ("refunds/create", refund(32) | newer),
    )

    rows = world.rows("refunds")
    assert [(row["shipping"], row["shipping_tax"]) for row in rows] == [(Decimal(5), Decimal("0.4"))] * 2


def test_a_refund_inside_an_order_needs_no_order_of_its_own(world):
    of_order = without(refund(lines=[(11, 1, "10.00", "0.00")]), "order_id")

    world.apply(("orders/create", order(refunds=[of_order, None])))

    assert [row["order_shopify_id"] for row in world.rows("refunds")] == [1]


def test_an_address_that_is_an_empty_list_is_none(world):
    world.apply(
        ("customers/update", customer(default_address=[])),
        ("orders/create", order(shipping_address=[], billing_address={"country_code": "CA"})),
    )

    assert world.rows("customers")[0]["country_code"] is None
    assert world.rows("orders")[0]["country_code"] == "CA"


def test_fields_that_no_version_has_yet_are_passed_over(world):
    unknown = {"selling_plan_id": 1, "new_in_2027": {"deep": [[{"id": None}]]}, "": 1}
    lines = [line(**unknown)]

    world.apply(
        ("orders/create", order(lines=lines, **unknown)),
        ("customers/update", customer(**unknown)),
        ("products/create", product(**unknown)),
        ("carts/create", cart(**unknown)),
        ("checkouts/create", checkout(**unknown)),
        ("refunds/create", refund() | unknown),
        ("customers/purchasing_summary", summary(**unknown)),
    )

    for table in ("orders", "order_lines", "customers", "products", "carts", "checkouts", "refunds"):
        assert len(world.rows(table)) == 1, table


# What a body cannot do without, by topic; everything else may be null or missing.
NEEDED = {
    **{topic: {"id"} for topic in TOPICS},
    "refunds/create": {"id", "order_id"},
    "checkouts/create": {"token"},
    "checkouts/update": {"token"},
    "checkouts/delete": set(),
    "customers/merge": {"admin_graphql_api_customer_kept_id"},
    "customers/purchasing_summary": {"customerId"},
    "customers_email_marketing_consent/update": {"customer_id"},
    "customer.tags_added": {"customerId"},
    "customer.tags_removed": {"customerId"},
    "orders/edited": {"order_edit"},
}
IDS = {
    "id": 5,
    "order_id": 5,
    "token": "k",
    "customer_id": 5,
    "customerId": gid("Customer", 5),
    "admin_graphql_api_customer_kept_id": gid("Customer", 5),
    "order_edit": {"id": 5, "order_id": 5},
}
FULL = {
    "customers": customer(),
    "products": product(),
    "orders": order(refunds=[refund()], shipping_lines=[shipping()]),
    "refunds": refund(),
    "carts": cart(),
    "checkouts": checkout(),
    "customer": {"customerId": CUSTOMER, "tags": ["a"], "occurredAt": at()},
    "customers_email_marketing_consent": {"customer_id": 77, "email_marketing_consent": {"state": "subscribed"}},
    "customers_marketing_consent": {"id": 77, "sms_marketing_consent": {"state": "subscribed"}},
}


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_a_body_of_nulls_is_taken_where_it_names_what_it_is_about(world, topic):
    family = topic.partition("/")[0].partition(".")[0]
    needed = {name: IDS[name] for name in NEEDED[topic]}
    if family == "carts":
        needed = {"id": "c"}

    world.apply((topic, dict.fromkeys(FULL[family]) | needed), (topic, needed))

    assert not any(row["gross"] for row in world.rows("sales"))


@pytest.mark.parametrize("topic", sorted(topic for topic in TOPICS if NEEDED[topic]))
def test_a_body_without_what_it_is_about_is_refused_by_that_name(topic):
    for name in NEEDED[topic]:
        body = {other: IDS[other] for other in NEEDED[topic] - {name}}

        assert name in str(refusal(topic, body))
        assert name in str(refusal(topic, {**body, name: None}))


# ── What cannot be ─────────────────────────────────────────────────────────────────────────────────────────────────

NINES = "9" * 19
KEPT = "admin_graphql_api_customer_kept_id"
BEFORE_ALL = "0001-01-01T00:00:00Z"
DEEP = b"[" * 100_000 + b"]" * 100_000
IMPOSSIBLE = [
    ("orders/create", order(2**63), "$.id"),
    ("orders/create", order(-1), "$.id"),
    ("orders/create", b'{"id": 1e400}', "$.id"),
    ("orders/create", b'{"id": 1.5}', "$.id"),
    ("orders/create", order(lines=[line(2**63)]), "$.line_items[0].id"),
    ("orders/create", order(lines=[line(quantity=2**31)]), "$.line_items[0].quantity"),
    ("orders/create", order(lines=[line(price="9" * 14, quantity=10**6)]), "$.line_items[0].price"),
    ("orders/create", order(lines=[line(price=NINES)]), "$.line_items[0].price"),
    ("orders/create", order(lines=[line(tax="1e999999")]), "$.line_items[0].tax_lines[0].price"),
    ("orders/create", order(lines=[line()] * (MAX_ITEMS + 1)), "$.line_items"),
    ("orders/create", order(total_price=NINES), "$.total_price"),
    ("orders/create", order(total_price="NaN"), "$.total_price"),
    ("orders/create", order(total_price="Infinity"), "$.total_price"),
    ("orders/create", b'{"id": 1, "total_price": 1e999999}', "$.total_price"),
    ("orders/create", b'{"id": 1, "total_price": NaN}', "$"),
    ("orders/create", order(processed_at="0001-01-01T00:00:00+14:00"), "$.processed_at"),
    ("orders/create", order(closed_at="9999-12-31T23:59:59-12:00"), "$.closed_at"),
    ("orders/create", order(updated_at="2026-03-01T12:00:00+23:59"), "$.updated_at"),
    ("orders/create", order(updated_at="2026-03-01T12:00:00"), "$.updated_at"),
    ("orders/create", order(updated_at="2026-02-30T12:00:00Z"), "$.updated_at"),
    ("orders/create", order(cart_token="x" * 3_000), "$.cart_token"),
    ("orders/create", order(checkout_token="x\0"), "$.checkout_token"),
    ("orders/create", order(refunds=[refund(), refund() | {"created_at": BEFORE_ALL}]), "$.refunds[1].created_at"),
    ("orders/create", b'{"id": 1, "email": "\\ud800"}', "$"),
    ("orders/create", b'{"id": 1, "note": ' + DEEP + b"}", "$"),
    ("orders/create", b'{"id": 1, "shipping_address": ' + DEEP + b"}", "$"),
    ("orders/edited", edited(added=[(11, 2**31)]), "$.order_edit.line_items.additions[0].delta"),
    (
        "orders/edited",
        {"order_edit": {**edited()["order_edit"], "committed_at": BEFORE_ALL}},
        "$.order_edit.committed_at",
    ),
    ("orders/delete", {"id": 2**63}, "$.id"),
    ("refunds/create", refund(lines=[(11, 10**9, "1", "0")]), "$.refund_line_items[0].quantity"),
    ("refunds/create", refund(paid="1e5"), "$.transactions[0].amount"),
    ("products/create", product(variants=[{"id": 1, "inventory_quantity": 2**63}]), "$.variants[0].inventory_quantity"),
    ("products/create", product(variants=[{"id": 1, "position": 2**31}]), "$.variants[0].position"),
    ("products/create", product(variants=[{"id": 1, "updated_at": BEFORE_ALL}]), "$.variants[0].updated_at"),
    (
        "products/create",
        product(variant_gids=[{"admin_graphql_api_id": gid("ProductVariant", "9" * 5_000)}]),
        "$.variant_gids[0].admin_graphql_api_id",
    ),
    ("customer.tags_added", {"customerId": gid("Customer", NINES), "tags": []}, "$.customerId"),
    ("customer.tags_added", {"customerId": gid("Customer", "1?a=/b"), "tags": []}, "$.customerId"),
    ("customer.tags_added", {"customerId": CUSTOMER, "occurredAt": BEFORE_ALL}, "$.occurredAt"),
    (
        "customers/merge",
        {"admin_graphql_api_customer_kept_id": gid("Customer", NINES)},
        "$.admin_graphql_api_customer_kept_id",
    ),
    ("customers/purchasing_summary", summary(numberOfOrders=2**31), "$.numberOfOrders"),
    ("customers/purchasing_summary", summary(amountSpent={"amount": NINES}), "$.amountSpent.amount"),
    ("carts/create", cart(id="x" * 3_000), "$.id"),
    ("carts/create", cart(id="x\0"), "$.id"),
    ("carts/create", cart(id="", token=None), "$.id"),
    ("carts/create", cart(line_items=[{"quantity": 10**8}] * 22), "$.line_items"),
    ("carts/create", cart(line_items=[{"quantity": 10**8, "price": "9999999.99"}]), "$.line_items[0].price"),
    ("checkouts/create", checkout(token=""), "$.token"),
    ("checkouts/create", checkout(token="x" * 3_000), "$.token"),
    ("checkouts/delete", {"token": "x\0"}, "$.token"),
]


@pytest.mark.parametrize(("topic", "body", "pointer"), IMPOSSIBLE)
def test_a_value_that_no_column_holds_is_refused_by_its_path(topic, body, pointer):
    refused = refusal(topic, body)

    assert (refused.delivery_id, refused.pointer) == (9, pointer)
    assert refused.reason


def test_what_is_large_and_can_be_is_kept(world):
    most = "9" * 14 + ".9999"
    world.apply(
        ("orders/create", order(lines=[line(price=most)], total_price="9" * 18, processed_at="1800-01-01T00:00:00Z")),
        ("products/create", product(variants=[{"id": 1, "price": "9" * 18, "inventory_quantity": -(2**63)}])),
        ("checkouts/create", checkout(token="x" * 500, total_price=0.1)),
        ("customers/update", customer(created_at="2199-12-31T23:59:59-12:00")),
    )

    assert world.rows("orders")[0]["total_price"] == Decimal("9" * 18)
    assert world.rows("sales")[0]["gross"] == Decimal(most)
    assert world.rows("products")[0]["price"] == Decimal("9" * 18)
    assert world.rows("checkouts")[0]["total_price"] == Decimal("0.1")
    assert world.rows("customers")[0]["created_at"] == datetime(2200, 1, 1, 11, 59, 59, tzinfo=UTC)


def test_nul_in_text_becomes_the_character_for_what_cannot_be_shown(world):
    body = b'{"id": 1, "updated_at": "2026-03-01T12:00:00Z", "name": "a\\u0000b", "tags": "x\\u0000, y",'
    world.apply(("orders/create", body + b'"discount_codes": [{"code": "c\\u0000"}]}'))
    world.apply(("customer.tags_added", {"customerId": CUSTOMER, "tags": ["v\0"], "occurredAt": at()}))

    row = world.rows("orders")[0]
    assert (row["name"], row["tags"], row["discount_codes"]) == ("a\ufffdb", ["x\ufffd", "y"], ["c\ufffd"])
    assert world.rows("customers")[0]["tags"] == ["v\ufffd"]


def test_a_line_given_away_with_a_tax_that_the_price_includes_is_booked(world):
    """Without the discount nothing is left for the tax to be a part of: that share is not divided by."""
    world.apply(("orders/create", order(lines=[line(discount="10.00", tax="0.50")], taxes_included=True)))

    assert [(row["gross"], row["taxes"]) for row in world.rows("sales")] == [(Decimal(10), Decimal("0.5"))]


def test_every_text_that_an_index_holds_is_bounded_where_it_is_read():
    """PostgreSQL refuses an index entry over 2,704 bytes, as trouble of its own and not of the row."""
    bounded = {
        ("carts", "shopify_id"): payloads.Cart.__annotations__["id"],
        ("checkouts", "token"): payloads.Checkout.__annotations__["token"],
        ("checkouts", "cart_token"): payloads.Checkout.__annotations__["cart_token"],
        ("orders", "cart_token"): payloads_orders.Order.__annotations__["cart_token"],
        ("orders", "checkout_token"): payloads_orders.Order.__annotations__["checkout_token"],
    }
    told = {"customers", "products", "product_variants", "orders", "order_lines", "refunds", "carts", "checkouts"}
    indexed = {
        (table.name, column.name)
        for table in db.metadata.sorted_tables
        if table.name in told
        for index in (*table.indexes, table.primary_key)
        for column in index.columns
        if isinstance(column.type, Text)
    }

    assert indexed - {("carts", "status"), ("checkouts", "status")} <= set(bounded)
    assert all(annotation.startswith("Token") for annotation in bounded.values())
    assert Token.__metadata__[0].max_length * 4 < 2_704


NO_BODIES = (b"", b"{", b"[]", b"null", b"1", b'"text"', b"\xff", b'{"id"', b"[" * 100_000)


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_what_is_no_body_at_all_is_refused_whatever_its_topic(topic):
    for payload in NO_BODIES:
        assert refusal(topic, payload).pointer == "$"
