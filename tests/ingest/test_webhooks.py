"""Webhooks into tables: what is kept, what is not overwritten, what is refused."""

import itertools
import json

import pytest

from shopify_app.ingest import TOPICS, PayloadRejected
from tests.ingest.world import NOW, at, customer, edited, line, order, product, refund, shipping


def cart(name="c1", **changes):
    return {
        "id": name,
        "token": name,
        "created_at": at(),
        "updated_at": at(),
        "line_items": [{"id": 1, "quantity": 2, "price": "4.00", "line_price": "7.50", "title": "Mug"}],
        **changes,
    }


def checkout(name="k1", **changes):
    return {
        "token": name,
        "cart_token": "c1",
        "created_at": at(),
        "updated_at": at(),
        "email": "ada@example.com",
        "currency": "USD",
        "total_price": "12.00",
        "line_items": [{"quantity": 1, "price": "12.00", "title": "Mug"}],
        **changes,
    }


def test_a_customer_is_kept_with_its_own_fields(world):
    world.apply(("customers/create", customer()))

    row = world.row("customers", shopify_id=77)
    assert (row["name"], row["email"], row["country_code"], row["city"]) == (
        "Ada Lovelace",
        "ada@example.com",
        "GB",
        "London",
    )
    assert (row["tags"], row["orders_count"], row["backfill_id"]) == (None, None, None)


def test_every_delivery_twice_changes_nothing(world):
    deliveries = [
        ("customers/create", customer(), 1),
        ("products/create", product(), 1),
        ("orders/create", order(shipping_lines=[shipping()], refunds=[refund(lines=[(11, 1, "10.00", "0.00")])]), 1),
        ("orders/edited", edited(added=[(11, 1)]), 2),
        ("carts/create", cart(), 1),
        ("checkouts/create", checkout(), 1),
        ("customer.tags_added", {"customerId": "gid://shopify/Customer/77", "tags": ["vip"], "occurredAt": at()}),
    ]
    world.apply(*deliveries)
    before = world.everything()

    outcome = world.apply(*deliveries, now=NOW.replace(hour=13))
    for delivery in deliveries:
        world.apply(delivery, now=NOW.replace(hour=14))

    assert world.everything() == before
    assert (outcome.rows_written, outcome.days) == (0, frozenset())


def test_the_same_body_in_a_later_delivery_changes_nothing(world):
    world.apply(("orders/create", order(), 1), ("customers/create", customer(), 1))
    before = world.everything()

    world.apply(("orders/paid", order(), 2), ("customers/update", customer(), 2))

    assert world.everything() == before


def test_any_order_of_arrival_ends_in_the_same_rows(world):
    deliveries = [
        ("orders/create", order(email="first@example.com"), 1),
        ("orders/updated", order(email="second@example.com", updated_at=at(5)), 5),
        (
            "orders/updated",
            order(lines=[line(quantity=3)], updated_at=at(5), refunds=[refund(lines=[(11, 1, "10.00", "0.00")])]),
            6,
        ),
        ("refunds/create", refund(lines=[(11, 1, "10.00", "0.00")]), 6),
    ]

    for number, arrived in enumerate(itertools.permutations(deliveries)):
        for delivery in arrived:
            world.apply(_renumbered(delivery, number))

    ends = [_of_order(world, number) for number in range(24)]
    assert all(end == ends[0] for end in ends)
    assert ends[0][0] == ("ada@example.com", 3)


def _renumbered(delivery, number):
    """Return the delivery for another order, so that one database holds all arrivals."""
    topic, body, minutes = delivery
    shift = (number + 1) * 1_000_000
    moved = json.loads(json.dumps(body), object_hook=lambda found: _moved(found, shift))
    return topic, moved, minutes


def _moved(found, shift):
    keys = {"id", "order_id", "line_item_id"}
    return {key: value + shift if key in keys and isinstance(value, int) else value for key, value in found.items()}


def _of_order(world, number):
    order_id = (number + 1) * 1_000_000 + 1
    kept = world.row("orders", shopify_id=order_id)
    lines = [row for row in world.rows("order_lines") if row["order_shopify_id"] == order_id]
    sales = [row for row in world.rows("sales") if row["order_shopify_id"] == order_id]
    return (
        (kept["email"], lines[0]["quantity"]),
        sorted((row["kind"], row["quantity"], row["gross"], row["returns"]) for row in sales),
    )


def test_a_late_update_does_not_undo_a_deletion(world):
    world.apply(("orders/create", order(), 1), ("customers/create", customer(), 1), ("products/create", product(), 1))
    world.apply(
        ("orders/delete", {"id": 1}, 3), ("customers/delete", {"id": 77}, 3), ("products/delete", {"id": 511}, 3)
    )
    world.apply(
        ("orders/updated", order(updated_at=at(60)), 60),
        ("customers/update", customer(updated_at=at(60)), 60),
        ("products/update", product(updated_at=at(60)), 60),
    )

    for table in ("orders", "customers", "products"):
        assert world.rows(table)[0]["deleted_at"] is not None
    assert world.rows("sales") == []


def test_a_deletion_that_comes_first_wins(world):
    world.apply(("orders/delete", {"id": 1}, 3))
    world.apply(("orders/create", order(), 1))

    row = world.row("orders", shopify_id=1)
    assert row["deleted_at"] is not None
    assert row["name"] is None


def test_a_deletion_and_an_update_of_one_batch_end_deleted(world):
    world.apply(("orders/delete", {"id": 1}, 3), ("orders/updated", order(updated_at=at(9)), 9))

    assert world.row("orders", shopify_id=1)["deleted_at"] is not None
    assert world.rows("sales") == []


def test_a_customer_update_keeps_what_it_does_not_tell(world):
    who = "gid://shopify/Customer/77"
    consent = {"customer_id": 77, "email_marketing_consent": {"state": "subscribed"}}
    summary = {"customerId": who, "numberOfOrders": 3, "amountSpent": {"amount": "9.50"}, "occurredAt": at(2)}
    world.apply(
        ("customer.tags_added", {"customerId": who, "tags": ["vip", "b2b"], "occurredAt": at(1)}),
        ("customers_email_marketing_consent/update", consent, 2),
        ("customers_marketing_consent/update", {"id": 77, "sms_marketing_consent": {"state": "unsubscribed"}}, 2),
        ("customers/purchasing_summary", summary, 2),
    )

    world.apply(("customers/update", customer(updated_at=at(9)), 9))

    row = world.row("customers", shopify_id=77)
    assert (row["name"], row["tags"], row["email_consent"], row["sms_consent"]) == (
        "Ada Lovelace",
        ["vip", "b2b"],
        "subscribed",
        "unsubscribed",
    )
    assert (row["orders_count"], str(row["amount_spent"])) == (3, "9.5000")


def test_an_older_part_does_not_undo_a_newer_one(world):
    who = "gid://shopify/Customer/77"
    for orders, minutes in ((5, 9), (4, 8)):
        summary = {"customerId": who, "numberOfOrders": orders, "occurredAt": at(minutes)}
        world.apply(("customers/purchasing_summary", summary))

    assert world.row("customers", shopify_id=77)["orders_count"] == 5


def test_tags_are_added_and_removed_in_the_order_of_their_events(world):
    who = {"customerId": "gid://shopify/Customer/77"}

    world.apply(
        ("customer.tags_removed", {**who, "tags": ["a"], "occurredAt": at(2)}),
        ("customer.tags_added", {**who, "tags": ["a", "b"], "occurredAt": at(1)}),
    )
    world.apply(("customer.tags_added", {**who, "tags": "b, c", "occurredAt": at(3)}))

    assert world.row("customers", shopify_id=77)["tags"] == ["b", "c"]


def test_a_completed_merge_moves_the_orders(world):
    world.apply(("orders/create", order(customer={"id": 2})), ("customers/create", customer(2)))
    merge = {
        "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/1",
        "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/2",
        "status": "completed",
    }

    world.apply(("customers/merge", merge))
    world.apply(("orders/create", order(2, [line(12)], customer={"id": 2}), 1))

    assert world.row("customers", shopify_id=2)["merged_into"] == 1
    assert {row["customer_shopify_id"] for row in world.rows("orders")} == {1}
    assert {row["customer_shopify_id"] for row in world.rows("sales")} == {1}


def test_a_failed_merge_moves_nothing(world):
    world.apply(("customers/create", customer(2)))
    merge = {
        "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/1",
        "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/2",
        "status": "failed",
    }

    world.apply(("customers/merge", merge))

    assert world.row("customers", shopify_id=2)["deleted_at"] is None
    assert world.row("customers", shopify_id=1)["updated_at"] is None


def test_a_product_costs_what_its_cheapest_variant_costs(world):
    world.apply(("products/create", product()))

    row = world.row("products", shopify_id=511)
    assert (str(row["price"]), row["tags"]) == ("89.5000", ["outdoor", "new"])
    assert len(world.rows("product_variants")) == 2


def test_a_variant_that_is_gone_is_dropped_and_one_that_is_only_named_is_kept(world):
    world.apply(("products/create", product(), 1))
    gids = [{"admin_graphql_api_id": f"gid://shopify/ProductVariant/{number}"} for number in (5111, 5119)]
    with_more = product(updated_at=at(5), variants=[product()["variants"][0]], variant_gids=gids)
    world.apply(
        ("products/update", product(updated_at=at(4), variants=[{"id": 5119, "price": "1.00"}], variant_gids=gids), 4)
    )

    world.apply(("products/update", with_more, 5))

    assert [row["shopify_id"] for row in world.rows("product_variants")] == [5111, 5119]
    assert str(world.row("products", shopify_id=511)["price"]) == "1.0000"


def test_a_stale_product_leaves_newer_variants_alone(world):
    world.apply(("products/update", product(updated_at=at(9)), 9))

    outcome = world.apply(("products/update", product(variants=[]), 1))

    assert len(world.rows("product_variants")) == 2
    assert outcome.stale == 1


def test_an_order_replaces_its_lines(world):
    world.apply(("orders/create", order(lines=[line(11), line(12)], shipping_lines=[shipping(91), shipping(92)]), 1))

    world.apply(
        ("orders/updated", order(lines=[line(12, quantity=4)], updated_at=at(5), shipping_lines=[shipping(92)]), 5)
    )

    assert [(row["shopify_id"], row["quantity"]) for row in world.rows("order_lines")] == [(12, 4)]
    assert [row["shopify_id"] for row in world.rows("order_shipping_lines")] == [92]


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, "open"), ({"closed_at": at(9)}, "closed"), ({"closed_at": at(9), "cancelled_at": at(9)}, "cancelled")],
)
def test_an_orders_status_follows_its_times(world, changes, status):
    world.apply(("orders/create", order(**changes)))

    assert world.row("orders", shopify_id=1)["status"] == status


def test_a_draft_orders_discount_outside_the_allocations_counts(world):
    world.apply(("orders/create", order(lines=[line(total_discount="3.00")])))

    assert str(world.rows("order_lines")[0]["discount"]) == "3.0000"


def test_a_carts_total_is_its_lines_and_an_order_completes_it(world):
    world.apply(("carts/create", cart()), ("checkouts/create", checkout()))
    row = world.row("carts", shopify_id="c1")
    assert (row["status"], row["units"], str(row["total_price"])) == ("checked_out", 2, "7.5000")

    world.apply(("orders/create", order(cart_token="c1", checkout_token="k1")))

    assert world.row("carts", shopify_id="c1")["status"] == "completed"
    assert world.row("checkouts", token="k1")["status"] == "completed"
    assert world.row("checkouts", token="k1")["ordered_at"] is not None


def test_an_order_that_comes_before_its_checkout_completes_it_too(world):
    world.apply(("orders/create", order(cart_token="c1", checkout_token="k1")))

    world.apply(("carts/create", cart()), ("checkouts/create", checkout()))

    assert world.row("carts", shopify_id="c1")["status"] == "completed"
    assert world.row("checkouts", token="k1")["status"] == "completed"


def test_a_later_update_does_not_reopen_a_completed_checkout(world):
    world.apply(("checkouts/create", checkout(completed_at=at(3)), 3))

    world.apply(("checkouts/update", checkout(updated_at=at(5)), 5))

    assert world.row("checkouts", token="k1")["status"] == "completed"


def test_a_checkout_is_deleted_by_token_or_by_number_and_an_unknown_one_is_nothing(world):
    world.apply(("checkouts/create", checkout("k1")), ("checkouts/create", checkout("k2", id=9)))

    world.apply(
        ("checkouts/delete", {"token": "k1"}), ("checkouts/delete", {"id": 9}), ("checkouts/delete", {"id": 10})
    )

    assert all(row["deleted_at"] for row in world.rows("checkouts"))
    assert len(world.rows("checkouts")) == 2


def test_a_refund_may_come_before_its_order(world):
    world.apply(("refunds/create", refund(lines=[(11, 1, "10.00", "0.80")])))
    assert world.rows("sales") == []

    world.apply(("orders/create", order(lines=[line(tax="0.80")])))

    assert [entry[0] for entry in world.ledger()] == ["order", "refund"]


def test_refunded_shipping_is_read_from_adjustments_of_older_versions(world):
    older = refund() | {
        "order_adjustments": [{"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "-0.40"}],
        "refund_shipping_lines": None,
    }

    world.apply(("refunds/create", older))

    row = world.rows("refunds")[0]
    assert (str(row["shipping"]), str(row["shipping_tax"])) == ("5.0000", "0.4000")


def test_an_edit_asks_for_its_details_and_waits_for_its_order(world):
    outcome = world.apply(("orders/edited", edited(added=[(12, 1)], removed=[(11, 1)])))

    assert outcome.details_wanted == {1}
    assert world.row("orders", shopify_id=1)["edited"]
    assert {(row["order_line_shopify_id"], row["delta"]) for row in world.rows("order_edit_lines")} == {
        (11, -1),
        (12, 1),
    }


def test_the_other_store_and_the_stranger_see_nothing(world):
    world.apply(("orders/create", order()), ("customers/create", customer()), tenant=world.beta)
    before = world.everything(world.beta)

    world.apply(("orders/create", order(email="other@example.com", updated_at=at(99))), ("orders/delete", {"id": 1}, 9))

    assert world.everything(world.beta) == before
    assert not any(world.everything(world.stranger).values())


def test_text_that_copy_would_misread_is_kept_as_it_came(world):
    name = 'tab\there\\n, "quoted", line\nbreak, \\N, {brace}, ünïcode 🎒'

    world.apply(("products/create", product(title=name, tags=["a,b", 'c"d', "back\\slash", "{}"])))
    world.apply(("carts/create", cart(line_items=[{"title": name + "\0", "quantity": 1, "price": "1"}])))

    row = world.row("products", shopify_id=511)
    assert (row["title"], row["tags"]) == (name, ["a,b", 'c"d', "back\\slash", "{}"])
    assert world.rows("carts")[0]["line_items"][0]["title"] == name + "\N{REPLACEMENT CHARACTER}"


def test_an_id_above_what_javascript_can_count_is_exact(world):
    world.apply(("orders/create", order(2**53 + 1)))

    assert world.rows("orders")[0]["shopify_id"] == 2**53 + 1


@pytest.mark.parametrize(
    ("topic", "body", "pointer"),
    [
        ("orders/create", order(lines=[line(price="example string")]), "$.line_items[0].price"),
        ("orders/create", order(updated_at="yesterday"), "$.updated_at"),
        ("orders/create", order(updated_at="2026-13-01T00:00:00Z"), "$.updated_at"),
        ("orders/create", order(id="1"), "$.id"),
        ("orders/create", order(id=None), "$.id"),
        ("orders/create", order(total_price="1e400"), "$.total_price"),
        ("orders/create", {}, "$"),
        ("orders/create", [], "$"),
        ("orders/create", b"{", "$"),
        ("orders/create", b"\xff", "$"),
        ("refunds/create", refund() | {"order_id": None}, "$.order_id"),
        ("customer.tags_added", {"customerId": "Ada"}, "$.customerId"),
        ("shop/update", {}, "$"),
    ],
)
def test_what_cannot_be_mapped_is_refused_by_name_and_leaves_nothing(world, topic, body, pointer):
    with pytest.raises(PayloadRejected) as refused:
        world.apply(("customers/create", customer()), (topic, body))

    assert (refused.value.delivery_id, refused.value.pointer) == (2, pointer)
    assert refused.value.reason
    assert world.rows("customers") == []


def test_fields_that_are_null_or_missing_are_no_reason_to_refuse(world):
    nulled = dict.fromkeys(order()) | {"id": 1}
    deep = order(2, [None, dict.fromkeys(line()), {"id": 12}], refunds=[None], shipping_lines=[{"id": 5}, None])

    world.apply(
        ("orders/create", nulled), ("orders/create", deep), ("products/create", {"id": 5, "variants": [None, {}]})
    )
    world.apply(("customers/create", {"id": 9}), ("carts/create", {"id": "c"}), ("checkouts/create", {"token": "k"}))

    assert [row["shopify_id"] for row in world.rows("orders")] == [1, 2]
    assert [row["shopify_id"] for row in world.rows("order_lines")] == [12]
    assert world.rows("carts")[0]["total_price"] == 0


def test_every_topic_of_the_six_resources_has_a_reader():
    from shopify_app.shopify.topics import TOPICS as REGISTERED  # noqa: PLC0415 the name is ingest's elsewhere

    resources = {"customers", "products", "orders", "carts", "checkouts", "refunds"}
    assert {name for name, topic in REGISTERED.items() if topic.resource in resources} == set(TOPICS)
