"""Every sample body of Shopify's documentation, field by field: which column takes what from where in the body.

The samples stay where they are; expected values are looked up in them by path. A column that ingest writes and that
has no entry here fails, and so does a column that nobody told and that is not empty.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from shopify_app.database import db, tenant_work
from shopify_app.ingest import TOPICS, WebhookBody, apply_webhooks, baskets, customers, orders, products, refunds
from shopify_app.ingest.staging import VERSION_COLUMNS, Target
from shopify_app.models import Tenant
from shopify_app.models.carts import Fated
from tests.ingest.world import KEY, NOW

EVENT = datetime(2026, 1, 1, tzinfo=UTC)
# What a row says about itself and its telling, and no body tells.
OURS = frozenset({"tenant_id", "id", "ingested_at"})
# What becomes of a cart or a checkout follows from its moments, which tests of `ingest.abandonment` hold.
FATE = frozenset({"status", *Fated.__annotations__})


@dataclass(frozen=True)
class Mapped:
    """What a table takes: by column, a path into the body (`customer.id`) or a function of (element, body).

    `each` is the path of the list of which every element is a row. `others` are the columns that another message
    tells, with what they hold until it comes; columns named in neither are null.
    """

    target: Target
    columns: Mapping[str, str | Callable[[Any, Any], Any]]
    each: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    def elements(self, body):
        return [body] if self.each is None else found(body, self.each)

    def expected(self, body):
        return [
            {name: told(element, body) if callable(told) else found(element, told) for name, told in self.all.items()}
            for element in self.elements(body)
        ]

    @property
    def all(self):
        return {**self.columns, **{name: always(value) for name, value in self.others.items()}}


def found(body, path):
    """Return what stands at a path; a body that leaves out an optional field says null."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def always(value):
    return lambda _element, _body: value


def root(path):
    return lambda _element, body: found(body, path)


def number(path):
    """The number of a global id."""
    return lambda element, _body: int(found(element, path).rpartition("/")[2])


def words(path):
    """Tags, which webhooks write with commas."""
    return lambda element, _body: [word.strip() for word in found(element, path).split(",")]


def total(path, name):
    """The sum of an amount over a list."""
    return lambda element, _body: sum((Decimal(str(one[name])) for one in found(element, path)), Decimal(0))


def placed(order):
    return "cancelled" if order["cancelled_at"] else "closed" if order["closed_at"] else "open"


VERSION = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "triggered_at": always(EVENT),
    "deleted_at": always(None),
    "backfill_id": always(None),
}
PLACEHOLDER = {"backfill_id": always(0)}

CUSTOMER = Mapped(
    customers.FROM_WEBHOOK,
    {
        **VERSION,
        "shopify_id": "id",
        "name": lambda body, _: f"{body['first_name']} {body['last_name']}",
        "first_name": "first_name",
        "last_name": "last_name",
        "email": "email",
        "phone": "phone",
        "state": "state",
        "country_code": "default_address.country_code",
        "province_code": "default_address.province_code",
        "city": "default_address.city",
    },
)
EMAIL_CONSENT = Mapped(
    customers.EMAIL_CONSENTS,
    {
        **PLACEHOLDER,
        "shopify_id": "customer_id",
        "email_consent": "email_marketing_consent.state",
        "email_consent_at": always(EVENT),
    },
)
SMS_CONSENT = Mapped(
    customers.SMS_CONSENTS,
    {
        **PLACEHOLDER,
        "shopify_id": "id",
        "sms_consent": "sms_marketing_consent.state",
        "sms_consent_at": always(EVENT),
    },
)
PURCHASES = Mapped(
    customers.PURCHASES,
    {
        **PLACEHOLDER,
        "shopify_id": number("customerId"),
        "purchases_at": "occurredAt",
        "orders_count": "numberOfOrders",
        "amount_spent": "amountSpent.amount",
    },
)
# Tags and merges are written by statements of their own, so their targets are named here.
TAGS = Target("customers", ("shopify_id",), ("backfill_id", "tags"))
TAGS_ADDED = Mapped(TAGS, {**PLACEHOLDER, "shopify_id": number("customerId"), "tags": "tags"})
TAGS_REMOVED = Mapped(TAGS, {**PLACEHOLDER, "shopify_id": number("customerId"), "tags": always(None)})
# The sample's merge has failed: the customer who would have been kept is known, and nothing else.
MERGE = Mapped(
    Target("customers", ("shopify_id",), ("backfill_id", "merged_into")),
    {**PLACEHOLDER, "shopify_id": number("admin_graphql_api_customer_kept_id"), "merged_into": always(None)},
)
PRODUCT = Mapped(
    products.FROM_WEBHOOK,
    {
        **VERSION,
        "shopify_id": "id",
        "title": "title",
        "handle": "handle",
        "vendor": "vendor",
        "product_type": "product_type",
        "status": "status",
        "tags": words("tags"),
        "published_at": "published_at",
    },
    others={"price": Decimal("19.99")},  # the cheapest variant's
)
VARIANT = Mapped(
    products.VARIANTS,
    {
        "shopify_id": "id",
        "product_shopify_id": "product_id",
        "title": "title",
        "sku": "sku",
        "barcode": "barcode",
        "price": "price",
        "compare_at_price": "compare_at_price",
        "position": "position",
        "inventory_quantity": "inventory_quantity",
        "updated_at": "updated_at",
    },
    each="variants",
)
ORDER = Mapped(
    orders.FROM_WEBHOOK,
    {
        **VERSION,
        "shopify_id": "id",
        "name": "name",
        "status": lambda body, _: placed(body),
        "financial_status": "financial_status",
        "fulfillment_status": "fulfillment_status",
        "customer_shopify_id": "customer.id",
        "email": "email",
        "phone": "phone",
        "country_code": "shipping_address.country_code",
        "source_name": "source_name",
        "tags": words("tags"),
        "discount_codes": "discount_codes",
        "currency": "currency",
        "total_price": "total_price",
        "subtotal_price": "subtotal_price",
        "total_discounts": "total_discounts",
        "total_tax": "total_tax",
        "total_shipping": total("shipping_lines", "discounted_price"),
        "current_total_price": "current_total_price",
        "presentment_currency": "presentment_currency",
        "presentment_total_price": "total_price_set.presentment_money.amount",
        "taxes_included": "taxes_included",
        "test": "test",
        "cart_token": "cart_token",
        "checkout_token": "checkout_token",
        "cancel_reason": "cancel_reason",
        "processed_at": "processed_at",
        "cancelled_at": "cancelled_at",
        "closed_at": "closed_at",
    },
    others={"edited": False},
)
ORDER_LINE = Mapped(
    orders.LINES,
    {
        "shopify_id": "id",
        "order_shopify_id": root("id"),
        "product_shopify_id": "product_id",
        "variant_shopify_id": "variant_id",
        "title": "title",
        "variant_title": "variant_title",
        "sku": "sku",
        "vendor": "vendor",
        "quantity": "quantity",
        "current_quantity": "current_quantity",
        "price": "price",
        "discount": total("discount_allocations", "amount"),
        "tax": total("tax_lines", "price"),
        "gift_card": "gift_card",
    },
    each="line_items",
)
SHIPPING_LINE = Mapped(
    orders.SHIPPING_LINES,
    {
        "shopify_id": "id",
        "order_shopify_id": root("id"),
        "title": "title",
        "price": "price",
        "discount": lambda line, _: Decimal(line["price"]) - Decimal(line["discounted_price"]),
        "tax": total("tax_lines", "price"),
    },
    each="shipping_lines",
)
EDIT = Mapped(
    refunds.EDITS,
    {
        "shopify_id": "order_edit.id",
        "order_shopify_id": "order_edit.order_id",
        "happened_at": "order_edit.committed_at",
    },
)
AMOUNTS_LATER = MappingProxyType({"gross": always(None), "discount": always(None), "tax": always(None)})
EDIT_ADDED = Mapped(
    refunds.EDIT_LINES,
    {
        **AMOUNTS_LATER,
        "edit_shopify_id": root("order_edit.id"),
        "order_line_shopify_id": "id",
        "delta": "delta",
    },
    each="order_edit.line_items.additions",
)
EDIT_REMOVED = Mapped(
    refunds.EDIT_LINES,
    {
        **AMOUNTS_LATER,
        "edit_shopify_id": root("order_edit.id"),
        "order_line_shopify_id": "id",
        "delta": lambda line, _: -line["delta"],
    },
    each="order_edit.line_items.removals",
)
REFUND = Mapped(
    refunds.REFUNDS,
    {
        "shopify_id": "id",
        "order_shopify_id": "order_id",
        "created_at": "created_at",
        "processed_at": "processed_at",
        "amount": lambda body, _: sum(
            Decimal(one["amount"])
            for one in body["transactions"]
            if (one["kind"], one["status"]) == ("refund", "success")
        ),
        "shipping": always(Decimal(0)),
        "shipping_tax": always(Decimal(0)),
        "lines_read_at": always(NOW),
    },
)
REFUND_LINE = Mapped(
    refunds.LINES,
    {
        "refund_shopify_id": root("id"),
        "position": lambda line, body: body["refund_line_items"].index(line),
        "shopify_id": "id",
        "order_line_shopify_id": "line_item_id",
        "quantity": "quantity",
        "restock_type": "restock_type",
        "subtotal": "subtotal_set.shop_money.amount",
        "tax": "total_tax_set.shop_money.amount",
    },
    each="refund_line_items",
)


def kept_lines(body, _):
    names = ("product_id", "variant_id", "title", "sku", "quantity", "price", "line_price")
    return [{name: line.get(name) for name in names} for line in body["line_items"]]


CART = Mapped(
    baskets.CARTS,
    {
        **VERSION,
        "shopify_id": "id",
        "currency": lambda body, _: body["line_items"][0]["price_set"]["shop_money"]["currency_code"],
        "units": total("line_items", "quantity"),
        "total_price": total("line_items", "line_price"),
        "line_items": kept_lines,
    },
)
CHECKOUT = Mapped(
    baskets.CHECKOUTS,
    {
        **VERSION,
        "token": "token",
        "shopify_id": "id",
        "completed_at": "completed_at",
        "customer_shopify_id": "customer.id",
        "total_price": "total_price",
        "subtotal_price": "subtotal_price",
        "abandoned_checkout_url": "abandoned_checkout_url",
        "cart_token": "cart_token",
        "email": "email",
        "phone": "phone",
        "currency": "currency",
        "closed_at": "closed_at",
        "line_items": kept_lines,
    },
)


def deleted(table):
    columns = {name: always(None) for name in VERSION_COLUMNS}
    told = {**columns, "deleted_at": always(EVENT), "shopify_id": "id"}
    return Mapped(Target(table, ("shopify_id",), (), versioned=True), told, others=UNTOLD.get(table, {}))


UNTOLD = {"orders": {"test": False, "edited": False}}
WHOLE_ORDER = (ORDER, ORDER_LINE, SHIPPING_LINE)
MAPPED = MappingProxyType(
    {
        **dict.fromkeys(
            ("customers/create", "customers/update", "customers/enable", "customers/disable"), (CUSTOMER,)
        ),
        "customers/delete": (deleted("customers"),),
        "customers/merge": (MERGE,),
        "customers/purchasing_summary": (PURCHASES,),
        "customers_email_marketing_consent/update": (EMAIL_CONSENT,),
        "customers_marketing_consent/update": (SMS_CONSENT,),
        "customer.tags_added": (TAGS_ADDED,),
        "customer.tags_removed": (TAGS_REMOVED,),
        **dict.fromkeys(("products/create", "products/update"), (PRODUCT, VARIANT)),
        "products/delete": (deleted("products"),),
        **dict.fromkeys(
            (
                "orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled",
                "orders/partially_fulfilled",
            ),
            WHOLE_ORDER,
        ),
        "orders/edited": (EDIT, EDIT_ADDED, EDIT_REMOVED),
        "orders/delete": (deleted("orders"),),
        "refunds/create": (REFUND, REFUND_LINE),
        **dict.fromkeys(("carts/create", "carts/update"), (CART,)),
        **dict.fromkeys(("checkouts/create", "checkouts/update"), (CHECKOUT,)),
    }
)  # fmt: skip
# Its sample names a checkout only by the number that 2026-04 took away; a test of its own holds what follows.
APART = frozenset({"checkouts/delete"})
# A placeholder stands for an order that an edit named before it came.
BESIDES = MappingProxyType({"orders/edited": {"orders"}})


def sample(reference, topic):
    path = reference / "payloads" / f"docs-2026-04__{topic.replace('/', '_')}.json"
    return json.loads(path.read_bytes())


def apply(world, topic, body):
    with tenant_work(world.alpha) as session:
        bodies = [WebhookBody(1, topic, json.dumps(body).encode(), EVENT, NOW)]
        return apply_webhooks(session, session.get_one(Tenant, world.alpha), bodies, NOW, KEY)


def alike(kept, told):
    """Whether a column holds what a body tells: amounts to four places, times as moments."""
    if isinstance(kept, datetime):
        return kept == (datetime.fromisoformat(told) if isinstance(told, str) else told)
    if isinstance(kept, Decimal):
        return told is not None and kept == Decimal(str(told)).quantize(Decimal("0.0001"))
    return kept == told


def differences(row, expected):
    """Return the columns that do not hold what they should; one that no entry names has to be empty."""
    names = set(row) - OURS - (FATE - set(expected) if set(row) >= FATE else set())
    return {name: (row[name], expected.get(name)) for name in names if not alike(row[name], expected.get(name))}


def test_every_topic_that_ingest_takes_has_its_columns_listed():
    assert set(MAPPED) | APART == set(TOPICS)


@pytest.mark.parametrize("topic", sorted(MAPPED))
def test_every_column_that_is_written_has_an_entry(topic):
    for mapped in MAPPED[topic]:
        columns = set(db.metadata.tables[mapped.target.table].columns.keys())
        assert set(mapped.target.all_columns) <= set(mapped.all) <= columns, mapped.target.table


@pytest.mark.parametrize("topic", sorted(MAPPED))
def test_every_field_of_a_sample_is_in_its_column(world, reference, topic):
    body = sample(reference, topic)

    apply(world, topic, body)

    by_table = {}
    for mapped in MAPPED[topic]:
        by_table.setdefault(mapped.target.table, []).extend(
            (mapped.target.key, expected) for expected in mapped.expected(body)
        )
    for table, told in by_table.items():
        kept = world.rows(table)
        assert len(kept) == len(told) > 0, table
        for key, expected in told:
            (row,) = (row for row in kept if all(row[name] == expected[name] for name in key))
            assert differences(row, expected) == {}, (table, [row[name] for name in key])
    filled = {table for table in tenant_tables() if world.rows(table)}
    assert filled - set(by_table) - BESIDES.get(topic, set()) <= {"dirty_days"}
    assert not any(world.everything(world.beta).values())


def tenant_tables():
    return [table.name for table in db.metadata.sorted_tables if table.info.get("table_class") == "tenant"]


@pytest.mark.parametrize("topic", ["customer.tags_added", "customer.tags_removed"])
def test_tags_of_a_sample_are_added_to_and_taken_from_those_held(world, reference, topic):
    body = sample(reference, topic)
    held = {**body, "tags": ["held", body["tags"][0]], "occurredAt": "2001-01-01T00:00:00.000Z"}
    apply(world, "customer.tags_added", held)

    apply(world, topic, body)

    expected = ["held", *body["tags"]] if topic.endswith("added") else ["held"]
    assert world.rows("customers")[0]["tags"] == expected


def test_a_merge_that_completed_gives_the_deleted_customer_s_place_to_the_kept_one(world, reference):
    body = {**sample(reference, "customers/merge"), "status": "completed"}

    apply(world, "customers/merge", body)

    kept, gone = (
        int(body[f"admin_graphql_api_customer_{which}_id"].rpartition("/")[2]) for which in ("kept", "deleted")
    )
    assert world.row("customers", shopify_id=kept)["deleted_at"] is None
    row = world.row("customers", shopify_id=gone)
    assert (row["merged_into"], row["deleted_at"]) == (kept, NOW)


def test_a_sample_of_a_deleted_checkout_buries_the_one_of_its_number(world, reference):
    body = sample(reference, "checkouts/delete")
    apply(world, "checkouts/update", {**sample(reference, "checkouts/update"), "id": body["id"]})

    apply(world, "checkouts/delete", body)

    assert world.row("checkouts", shopify_id=body["id"])["deleted_at"] == EVENT


def test_an_order_s_sample_that_counts_is_in_the_ledger(world, reference):
    body = {**sample(reference, "orders/create"), "test": False, "cancelled_at": None}

    outcome = apply(world, "orders/create", body)

    sold = {row["order_line_shopify_id"]: row for row in world.rows("sales") if row["line_type"] == "product"}
    assert {number: (row["quantity"], row["gross"]) for number, row in sold.items()} == {
        line["id"]: (line["quantity"], Decimal(line["price"]) * line["quantity"]) for line in body["line_items"]
    }
    assert outcome.days == {date(2021, 12, 31)}


def test_amounts_written_as_text_are_added_up_to_the_last_place(world, reference):
    body = sample(reference, "orders/create")
    body["line_items"][0]["tax_lines"] = [{"price": "0.1"}, {"price": "0.2"}, {"price": "99999999999999.0001"}]

    apply(world, "orders/create", body)

    line = world.row("order_lines", shopify_id=body["line_items"][0]["id"])
    assert line["tax"] == Decimal("99999999999999.3001")
