"""Bulk lines: children far from their parents, webhooks in between, backfills repeated."""

import pytest

from shopify_app.ingest import PayloadRejected
from tests.ingest.world import at, bag, bulk_line, bulk_order, customer, edited, gid, line, order, product, refund

T1 = "2026-03-01T12:00:00Z"


def bulk_customer(number=77, **changes):
    return {
        "id": gid("Customer", number),
        "firstName": "Ada",
        "lastName": "Lovelace",
        "createdAt": T1,
        "updatedAt": T1,
        "state": "ENABLED",
        "tags": ["vip"],
        "locale": "en",
        "numberOfOrders": "3",
        "amountSpent": {"amount": "30.50"},
        "defaultEmailAddress": {"emailAddress": "ada@example.com", "marketingState": "SUBSCRIBED"},
        "defaultPhoneNumber": {"phoneNumber": "+441", "smsMarketingConsent": {"state": "PENDING"}},
        "defaultAddress": {"city": "London", "countryCodeV2": "GB", "provinceCode": None},
        **changes,
    }


def bulk_product(number=511, **changes):
    return {
        "id": gid("Product", number),
        "title": "Tent",
        "status": "ACTIVE",
        "tags": ["outdoor"],
        "createdAt": T1,
        "updatedAt": T1,
        "priceRangeV2": {"minVariantPrice": {"amount": "89.50"}},
        **changes,
    }


def bulk_variant(number=5111, product_id=511, price="89.50"):
    return {"id": gid("ProductVariant", number), "title": "S", "price": price, "__parentId": gid("Product", product_id)}


def bulk_checkout(number=9, **changes):
    return {
        "id": gid("AbandonedCheckout", number),
        "abandonedCheckoutUrl": f"https://alpha.example/12/checkouts/ac/token{number}/recover?key=1",
        "createdAt": T1,
        "updatedAt": T1,
        "completedAt": None,
        "customer": {"id": gid("Customer", 77)},
        "totalPriceSet": bag("12.00"),
        "subtotalPriceSet": bag("10.00"),
        **changes,
    }


def bulk_checkout_line(number=1, checkout_id=9, quantity=1):
    return {
        "id": gid("AbandonedCheckoutLineItem", number),
        "title": "Mug",
        "quantity": quantity,
        "product": None,
        "originalUnitPriceSet": bag("5.00"),
        "discountedTotalPriceSet": bag("5.00"),
        "__parentId": gid("AbandonedCheckout", checkout_id),
    }


def test_a_customer_line_fills_every_column(world):
    world.bulk("customers", bulk_customer())

    row = world.row("customers", shopify_id=77)
    kept = {name: row[name] for name in ("name", "email", "state", "locale", "country_code", "tags", "orders_count")}
    assert kept == {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "state": "enabled",
        "locale": "en",
        "country_code": "GB",
        "tags": ["vip"],
        "orders_count": 3,
    }
    assert (row["email_consent"], row["sms_consent"], str(row["amount_spent"]), row["backfill_id"]) == (
        "subscribed",
        "pending",
        "30.5000",
        7,
    )


def test_nobody_having_been_asked_is_called_what_webhooks_call_it(world):
    never = {"phoneNumber": "+441", "smsMarketingConsent": {"state": "NEVER_SUBSCRIBED"}}

    world.bulk("customers", bulk_customer(defaultPhoneNumber=never))

    assert world.row("customers", shopify_id=77)["sms_consent"] == "not_subscribed"


def test_a_part_told_after_the_snapshot_stays(world):
    summary = {"customerId": gid("Customer", 77), "numberOfOrders": 4, "occurredAt": at(5)}
    tags = {"customerId": gid("Customer", 77), "tags": ["late"], "occurredAt": at(5)}
    world.apply(("customers/purchasing_summary", summary))

    world.bulk("customers", bulk_customer())
    world.apply(
        ("customer.tags_added", tags), ("customer.tags_added", {**tags, "tags": ["early"], "occurredAt": at(-5)})
    )

    row = world.row("customers", shopify_id=77)
    assert (row["name"], row["orders_count"], row["tags"]) == ("Ada Lovelace", 4, ["vip", "late"])


def test_a_webhook_of_the_same_second_wins_over_the_line_in_either_order(world):
    world.apply(("customers/update", customer(1, email="webhook@example.com"), 1))
    world.bulk("customers", bulk_customer(1), bulk_customer(2))
    world.apply(("customers/update", customer(2, email="webhook@example.com"), 1))

    assert [row["email"] for row in world.rows("customers", order="shopify_id")] == ["webhook@example.com"] * 2


def test_the_same_lines_again_change_nothing(world):
    lines = (
        bulk_order(refunds=[{"id": gid("Refund", 31), "createdAt": T1, "totalRefundedSet": bag("1.00")}]),
        bulk_line(),
    )
    world.bulk("orders", *lines)
    before = world.everything()

    outcome = world.bulk("orders", *lines)

    assert world.everything() == before
    assert outcome.rows_written == 0


def test_a_later_backfill_writes_what_an_earlier_one_left_out_and_nothing_else(world):
    world.bulk("orders", bulk_order(1), bulk_order(2), bulk_line(21, 2))
    before = world.rows("orders")

    outcome = world.bulk("orders", bulk_order(1), bulk_order(2), bulk_line(11, 1), bulk_line(21, 2), backfill_id=8)

    assert world.rows("orders") == before
    assert [(row["shopify_id"], row["order_shopify_id"]) for row in world.rows("order_lines")] == [(11, 1), (21, 2)]
    assert outcome.rows_written == 1


def test_children_find_their_parent_in_a_later_batch(world):
    world.bulk("orders", bulk_order(1), bulk_order(2), bulk_line(21, 2))

    outcome = world.bulk("orders", bulk_line(11, 1))

    assert [(row["shopify_id"], row["order_shopify_id"]) for row in world.rows("order_lines")] == [(11, 1), (21, 2)]
    assert len(world.rows("sales")) == 2
    assert outcome.days


def test_children_of_an_order_that_a_webhook_wrote_since_are_left_out(world):
    world.bulk("orders", bulk_order())
    world.apply(("orders/updated", order(lines=[line(11, quantity=5)], updated_at=at(9)), 9))

    world.bulk("orders", bulk_line(11), bulk_line(12))

    assert [(row["shopify_id"], row["quantity"]) for row in world.rows("order_lines")] == [(11, 5)]


def test_children_of_an_order_that_was_deleted_since_are_left_out(world):
    world.bulk("orders", bulk_order())
    world.apply(("orders/delete", {"id": 1}, 9))

    world.bulk("orders", bulk_order(), bulk_line(11), backfill_id=8)

    assert world.rows("order_lines") == world.rows("sales") == []


def test_children_of_new_and_of_known_orders_may_come_in_any_mixture(world):
    world.bulk("orders", bulk_order(1), bulk_order(2))
    world.apply(("orders/updated", order(2, lines=[line(21, quantity=5)], updated_at=at(9)), 9))

    outcome = world.bulk("orders", bulk_order(3), *(bulk_line(10 * number + 2, number) for number in (1, 2, 3, 4)))

    assert [row["shopify_id"] for row in world.rows("order_lines", order="shopify_id")] == [12, 21, 32]
    assert outcome.rows_written == 3
    assert sorted({row["order_shopify_id"] for row in world.rows("sales")}) == [1, 2, 3]


def test_an_order_that_an_edit_was_told_of_first_is_no_new_one(world):
    world.apply(("orders/edited", edited(41, 1, removed=[(11, 1)])))

    world.bulk("orders", bulk_order(), bulk_line(11, quantity=2))

    assert world.row("orders", shopify_id=1)["edited"] is True
    assert sorted(row["kind"] for row in world.rows("sales")) == ["edit", "order"]


def test_children_without_a_parent_are_left_out(world):
    world.bulk("orders", bulk_line(11, 99))

    assert world.rows("order_lines") == []


def test_an_older_line_leaves_a_newer_order_alone(world):
    world.apply(("orders/updated", order(updated_at=at(9), name="#new"), 9))

    outcome = world.bulk("orders", bulk_order(), bulk_line(12))

    assert world.row("orders", shopify_id=1)["name"] == "#new"
    assert outcome.stale == 1


def test_an_entity_twice_in_one_batch_is_kept_in_its_newest_version(world):
    world.bulk("orders", bulk_order(name="new", updatedAt="2026-03-02T00:00:00Z"), bulk_order(name="old"))

    assert world.row("orders", shopify_id=1)["name"] == "new"


def test_refunded_and_edited_orders_ask_for_their_details(world):
    header = {"id": gid("Refund", 31), "createdAt": T1, "totalRefundedSet": bag("5.00")}

    outcome = world.bulk("orders", bulk_order(1, refunds=[header]), bulk_order(2, edited=True), bulk_order(3))

    assert outcome.details_wanted == {1, 2}
    assert world.row("refunds", shopify_id=31)["lines_read_at"] is None


def test_a_refunds_header_leaves_lines_that_are_known(world):
    world.apply(("refunds/create", refund(lines=[(11, 1, "10.00", "0.00")], shipping="2.00")))
    header = {"id": gid("Refund", 31), "createdAt": at(60), "totalRefundedSet": bag("10.00")}

    world.bulk("orders", bulk_order(refunds=[header | {"createdAt": "2026-03-01T13:00:00Z"}]))

    row = world.row("refunds", shopify_id=31)
    assert (str(row["shipping"]), row["lines_read_at"] is None) == ("2.0000", False)
    assert len(world.rows("refund_lines")) == 1


def test_fulfillment_and_payment_are_said_as_webhooks_say_them(world):
    states = ("UNFULFILLED", "PARTIALLY_FULFILLED", "FULFILLED", "FULFILLMENT_NOT_REQUIRED")

    world.bulk(
        "orders", *(bulk_order(number, displayFulfillmentStatus=state) for number, state in enumerate(states, 1))
    )

    kept = [row["fulfillment_status"] for row in world.rows("orders", order="shopify_id")]
    assert kept == [None, "partial", "fulfilled", "not_required"]
    assert {row["financial_status"] for row in world.rows("orders")} == {"paid"}


def test_a_product_line_brings_its_price_and_its_variants_replace_the_held_ones(world):
    world.apply(("products/create", product(updated_at=at(-60)), 1))

    world.bulk("products", bulk_product())
    world.bulk("products", bulk_variant())

    assert str(world.row("products", shopify_id=511)["price"]) == "89.5000"
    assert [row["shopify_id"] for row in world.rows("product_variants")] == [5111]


def test_a_checkout_goes_by_the_token_in_its_address(world):
    addresses = ["https://a.example/1/checkouts/plain?key=1", "https://a.example/checkouts/cn/modern/recover", ""]
    lines = [bulk_checkout(number, abandonedCheckoutUrl=address) for number, address in enumerate(addresses, 1)]

    world.bulk("checkouts", *lines)

    assert [(row["shopify_id"], row["token"]) for row in world.rows("checkouts", order="shopify_id")] == [
        (1, "plain"),
        (2, "modern"),
        (3, "checkout-3"),
    ]


def test_a_checkouts_number_joins_what_the_webhook_knew(world):
    body = {"token": "token9", "email": "ada@example.com", "created_at": T1, "updated_at": "2026-03-01T11:00:00Z"}
    world.apply(("checkouts/create", body, 1))

    world.bulk("checkouts", bulk_checkout())

    row = world.row("checkouts", token="token9")
    assert (row["shopify_id"], row["email"], str(row["total_price"])) == (9, "ada@example.com", "12.0000")


def test_a_checkouts_lines_are_added_once_however_often_they_come(world):
    world.bulk("checkouts", bulk_checkout(), bulk_checkout_line(1))
    world.bulk("checkouts", bulk_checkout_line(2))

    world.bulk("checkouts", bulk_checkout_line(2, quantity=4))

    kept = world.row("checkouts", token="token9")["line_items"]
    assert [(item["id"].rpartition("/")[2], item["quantity"]) for item in kept] == [("1", 1), ("2", 4)]


@pytest.mark.parametrize(
    ("resource", "bad", "pointer"),
    [
        ("orders", bulk_order(totalPriceSet={"shopMoney": {"amount": "ten"}}), "$.totalPriceSet.shopMoney.amount"),
        ("orders", bulk_customer(), "$.id"),
        ("orders", {"name": "#1"}, "$.id"),
        ("customers", bulk_customer(updatedAt="now"), "$.updatedAt"),
        ("orders", bulk_line(__parentId=None), "$.__parentId"),
    ],
)
def test_a_line_that_cannot_be_mapped_is_refused_by_name(world, resource, bad, pointer):
    with pytest.raises(PayloadRejected) as refused:
        world.bulk(resource, bad)

    assert (refused.value.delivery_id, refused.value.pointer) == (None, pointer)


def test_one_stores_backfill_touches_no_other(world):
    world.bulk("orders", bulk_order(), bulk_line(), tenant=world.beta)
    before = world.everything(world.beta)

    world.bulk("orders", bulk_order(name="#other"), bulk_line(quantity=9))

    assert world.everything(world.beta) == before
    assert not any(world.everything(world.stranger).values())
