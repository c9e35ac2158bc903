"""The ledger, rule by rule: what is booked, on which day, with exact cents."""

from datetime import date

import pytest

from tests.ingest.world import at, bag, bulk_line, bulk_order, edited, gid, line, order, refund, shipping

DAY = "2026-03-01"


def entry(
    kind, line_type="product", day=DAY, units=0, *, gross="0.00", off="0.00", back="0.00", ship="0.00", tax="0.00"
):
    return (kind, line_type, day, units, gross, off, back, ship, tax)


def test_a_line_and_its_shipping_are_booked_on_the_orders_day(world):
    sold = line(price="20.00", quantity=3, discount="6.00", tax="4.32")

    outcome = world.apply(
        ("orders/create", order(lines=[sold], shipping_lines=[shipping(price="7.00", discounted="4.00", tax="0.32")]))
    )

    assert world.ledger() == [
        entry("order", "product", units=3, gross="60.00", off="6.00", tax="4.32"),
        entry("order", "shipping", ship="4.00", tax="0.32"),
    ]
    assert outcome.days == {date(2026, 3, 1)}


def test_the_day_is_the_shops_and_not_utcs(world):
    world.apply(("orders/create", order(processed_at="2026-03-08T04:30:00Z")))  # 23:30 the evening before, in New York
    world.apply(("orders/create", order(2, [line(12)], processed_at="2026-03-09T03:59:00Z")))  # daylight saving began

    assert [row["day_on"] for row in world.rows("sales", order="happened_at")] == [date(2026, 3, 7), date(2026, 3, 8)]


@pytest.mark.parametrize("changes", [{"test": True}, {"lines": [line(gift_card=True)]}])
def test_test_orders_and_gift_cards_are_no_sales(world, changes):
    outcome = world.apply(("orders/create", order(**changes)))

    assert world.ledger() == []
    assert outcome.days == {date(2026, 3, 1)}


def test_a_deleted_order_leaves_the_ledger_and_marks_its_days(world):
    world.apply(("orders/create", order()))

    outcome = world.apply(("orders/delete", {"id": 1}, 5))

    assert world.ledger() == []
    assert outcome.days == {date(2026, 3, 1)}


def test_an_order_that_moves_to_another_day_marks_both(world):
    world.apply(("orders/create", order()))

    outcome = world.apply(("orders/updated", order(processed_at=at(days=3), updated_at=at(9)), 9))

    assert outcome.days == {date(2026, 3, 1), date(2026, 3, 4)}


def test_a_refund_is_a_return_on_its_own_day(world):
    sold = line(price="20.00", quantity=3, discount="6.00", tax="4.32")
    back = refund(lines=[(11, 2, "36.00", "2.88")], shipping="4.00", shipping_tax="0.32", days=2)

    world.apply(
        ("orders/create", order(lines=[sold], shipping_lines=[shipping(price="4.00", tax="0.32")], refunds=[back]))
    )

    assert world.ledger()[2:] == [
        entry("refund", "product", "2026-03-03", -2, back="36.00", tax="-2.88"),
        entry("refund", "shipping", "2026-03-03", ship="-4.00", tax="-0.32"),
    ]


def test_a_refunded_gift_card_is_no_return(world):
    lines = [line(11, gift_card=True), line(12)]

    world.apply(
        (
            "orders/create",
            order(lines=lines, refunds=[refund(lines=[(11, 1, "10.00", "0.00"), (12, 1, "10.00", "0.00")])]),
        )
    )

    assert [row["order_line_shopify_id"] for row in world.rows("sales") if row["kind"] == "refund"] == [12]


def test_the_same_refund_from_both_topics_is_booked_once(world):
    back = refund(lines=[(11, 1, "10.00", "0.00")])

    world.apply(("orders/create", order(refunds=[back])), ("refunds/create", back))

    assert [entry[0] for entry in world.ledger()] == ["order", "refund"]


def test_an_edit_without_amounts_takes_the_lines_share(world):
    lines = [line(11, price="10.00", quantity=3, discount="1.00", tax="2.00"), line(12, price="8.00", tax="0.64")]

    world.apply(
        ("orders/create", order(lines=lines)), ("orders/edited", edited(added=[(12, 1)], removed=[(11, 1)], days=1))
    )

    assert world.ledger() == [
        entry("edit", "product", "2026-03-02", -1, back="9.67", tax="-0.67"),
        entry("edit", "product", "2026-03-02", 1, gross="8.00", tax="0.64"),
        entry("order", "product", units=3, gross="30.00", off="1.00", tax="2.00"),
    ]


def test_units_added_to_a_line_are_no_part_of_the_order_as_placed(world):
    sold = line(price="10.00", quantity=3, discount="3.00", tax="2.10")

    world.apply(("orders/create", order(lines=[sold])), ("orders/edited", edited(added=[(11, 2)], days=1)))

    assert world.ledger() == [
        entry("edit", "product", "2026-03-02", 2, gross="20.00", off="2.00", tax="1.40"),
        entry("order", "product", units=1, gross="10.00", off="1.00", tax="0.70"),
    ]


def agreement(kind, number, happened_at, sales):
    """Return an edge of agreements of (line id, units, gross, discount, tax), signed as Shopify signs."""
    nodes = [
        {
            "actionType": "RETURN" if units < 0 else "ORDER",
            "lineType": "PRODUCT",
            "quantity": units,
            "totalAmount": bag(str(gross - discount + tax)),
            "totalDiscountAmountBeforeTaxes": bag(str(discount)),
            "totalTaxAmount": bag(str(tax)),
            "lineItem": {"id": gid("LineItem", line_id)},
        }
        for line_id, units, gross, discount, tax in sales
    ]
    shipping_sale = {"actionType": "ORDER", "lineType": "SHIPPING", "quantity": None}
    amounts = {"totalAmount": bag("5.00"), "totalDiscountAmountBeforeTaxes": bag("0"), "totalTaxAmount": bag("0")}
    node = {
        "__typename": kind,
        "id": gid(kind, number),
        "happenedAt": happened_at,
        "sales": {"nodes": [*nodes, {**shipping_sale, **amounts}]},
    }
    return {"cursor": str(number), "node": node}


def details(order_id=1, refunds=(), agreements=()):
    return {"id": gid("Order", order_id), "refunds": list(refunds), "agreements": {"edges": list(agreements)}}


def test_details_replace_an_edits_shares_by_its_amounts(world):
    lines = [
        line(11, price="10.00", quantity=3, discount="1.00", tax="2.00"),
        line(12, price="8.00", quantity=2, tax="1.00"),
    ]
    world.apply(
        ("orders/create", order(lines=lines)), ("orders/edited", edited(added=[(12, 1)], removed=[(11, 1)], days=1))
    )
    told = [
        agreement("OrderAgreement", 900, at(), [(11, 3, 30, 1, 2)]),
        agreement("OrderEditAgreement", 901, at(30, days=1), [(12, 1, 8, 0, 1), (11, -1, -10, -1, -2)]),
    ]

    outcome = world.details(details(agreements=told))

    assert world.ledger() == [
        entry("edit", "product", "2026-03-02", -1, back="9.00", tax="-2.00"),
        entry("edit", "product", "2026-03-02", 1, gross="8.00", tax="1.00"),
        entry("order", "product", units=1, gross="8.00"),
        entry("order", "product", units=3, gross="30.00", off="1.00", tax="2.00"),
    ]
    assert date(2026, 3, 2) in outcome.days


def test_an_edit_that_was_read_under_its_agreements_number_is_not_booked_twice(world):
    world.apply(("orders/create", order(lines=[line(11), line(12)])))
    told = agreement("OrderEditAgreement", 901, at(30), [(12, 1, 10, 0, 0)])
    world.details(details(agreements=[told]))
    before = world.everything()

    outcome = world.apply(("orders/edited", edited(added=[(12, 1)])))

    assert [row["shopify_id"] for row in world.rows("order_edits")] == [901]
    assert world.rows("sales") == [row for row in world.rows("sales") if repr(row) in before["sales"]]
    assert outcome.details_wanted == {1}


def test_details_read_again_change_nothing(world):
    world.apply(("orders/create", order(lines=[line(11), line(12)])))
    told = details(agreements=[agreement("OrderEditAgreement", 901, at(30), [(12, 1, 10, 0, 0)])])
    world.details(told)
    before = world.everything()

    outcome = world.details(told)

    assert world.everything() == before
    assert outcome.days == frozenset()


def test_details_fill_the_lines_of_a_refund_a_bulk_result_only_named(world):
    header = {"id": gid("Refund", 31), "createdAt": "2026-03-03T12:00:00Z", "totalRefundedSet": bag("14.40")}
    world.bulk("orders", bulk_order(refunds=[header]), bulk_line(price="10.00"))
    assert [sale[0] for sale in world.ledger()] == ["order"]
    read = {
        **header,
        "refundLineItems": {
            "nodes": [
                {
                    "id": None,
                    "quantity": 1,
                    "restockType": "RETURN",
                    "lineItem": {"id": gid("LineItem", 11)},
                    "subtotalSet": bag("10.00"),
                    "totalTaxSet": bag("0.00"),
                }
            ]
        },
        "refundShippingLines": {"nodes": [{"subtotalAmountSet": bag("4.00"), "taxAmountSet": bag("0.40")}]},
    }

    world.details(details(refunds=[read]), None)

    assert world.ledger()[1:] == [
        entry("refund", "product", "2026-03-03", -1, back="10.00"),
        entry("refund", "shipping", "2026-03-03", ship="-4.00", tax="-0.40"),
    ]
    assert world.rows("refunds")[0]["lines_read_at"] is not None


@pytest.mark.parametrize("status", ["voided", "pending", "authorized", "expired"])
def test_an_order_cancelled_unpaid_is_reversed_on_the_day_of_cancelling(world, status):
    sold = order(
        lines=[line(price="20.00", quantity=2, discount="4.00", tax="2.88")], shipping_lines=[shipping(tax="0.40")]
    )

    world.apply(("orders/cancelled", {**sold, "financial_status": status, "cancelled_at": at(days=3)}))

    assert world.ledger()[:2] == [
        entry("cancellation", "product", "2026-03-04", -2, back="36.00", tax="-2.88"),
        entry("cancellation", "shipping", "2026-03-04", ship="-5.00", tax="-0.40"),
    ]
    totals = world.totals()
    assert totals["gross"] - totals["discounts"] - totals["returns"] == 0
    assert (totals["shipping"], totals["taxes"]) == (0, 0)


def test_a_cancellation_reverses_only_what_refunds_and_edits_left(world):
    lines = [line(11, price="10.00", quantity=3), line(12, price="7.00")]
    cancelled = order(
        lines=lines,
        financial_status="voided",
        cancelled_at=at(days=3),
        refunds=[refund(lines=[(12, 1, "7.00", "0.00")], days=3)],
        shipping_lines=[shipping()],
    )

    world.apply(("orders/edited", edited(removed=[(11, 1)], days=1)), ("orders/cancelled", cancelled))

    assert [sale for sale in world.ledger() if sale[0] == "cancellation"] == [
        entry("cancellation", "product", "2026-03-04", -2, back="20.00"),
        entry("cancellation", "shipping", "2026-03-04", ship="-5.00"),
    ]


def test_a_cancellation_that_shopify_booked_as_a_refund_is_not_reversed_again(world):
    back = refund(lines=[(11, 1, "10.00", "0.00")], shipping="5.00", days=3, paid="0.00")
    cancelled = order(financial_status="voided", cancelled_at=at(days=3), shipping_lines=[shipping()], refunds=[back])

    world.apply(("orders/cancelled", cancelled))

    assert [sale[0] for sale in world.ledger()] == ["order", "order", "refund", "refund"]


def test_a_paid_order_that_was_cancelled_without_a_refund_stays_a_sale(world):
    world.apply(("orders/cancelled", order(cancelled_at=at(days=3))))

    assert [sale[0] for sale in world.ledger()] == ["order"]


def test_prices_that_include_taxes_are_booked_without_them(world):
    sold = line(price="59.50", quantity=2, discount="11.90", tax="17.10")
    back = refund(lines=[(11, 1, "53.55", "8.55")], shipping="5.95", shipping_tax="0.95", days=1)

    world.apply(
        (
            "orders/create",
            order(
                lines=[sold, line(12, price="5.00", discount="5.00")],
                taxes_included=True,
                shipping_lines=[shipping(price="5.95", tax="0.95")],
                refunds=[back],
            ),
        )
    )

    assert world.ledger() == [
        entry("order", "product", units=1, gross="5.00", off="5.00"),
        entry("order", "product", units=2, gross="100.00", off="10.00", tax="17.10"),
        entry("order", "shipping", ship="5.00", tax="0.95"),
        entry("refund", "product", "2026-03-02", -1, back="45.00", tax="-8.55"),
        entry("refund", "shipping", "2026-03-02", ship="-5.00", tax="-0.95"),
    ]


def test_a_bulk_result_and_a_webhook_of_the_same_order_are_booked_alike(world):
    lines = [
        bulk_line(
            quantity=2,
            discountAllocations=[{"allocatedAmountSet": bag("1.50")}, {"allocatedAmountSet": bag("0.50")}],
            taxLines=[{"priceSet": bag("1.44")}],
        ),
        bulk_line(12, price="3.10"),
    ]
    totals = {
        "currentShippingPriceSet": bag("3.00"),
        "totalRefundedShippingSet": bag("2.00"),
        "totalTaxSet": bag("1.84"),
    }
    webhook = order(
        2,
        [line(21, quantity=2, discount="2.00", tax="1.44"), line(22, price="3.10")],
        shipping_lines=[shipping(tax="0.40")],
    )

    world.bulk("orders", bulk_order(**totals), *lines)
    from_bulk = world.ledger()
    world.apply(("orders/delete", {"id": 1}, 9), ("orders/create", webhook))

    assert world.ledger() == from_bulk
    assert from_bulk[2] == entry("order", "shipping", ship="5.00", tax="0.40")
