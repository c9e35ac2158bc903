"""The figures, held against sums done by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from devstore import lifecycle, reports, totals
from devstore.model import LineItem, Order, ShippingLine, Transaction

NOON = datetime(2026, 3, 10, 16, tzinfo=UTC)  # noon in New York
ON = date(2026, 3, 10)
NUMBERS = iter(range(10**9, 2 * 10**9))


def next_id():
    return next(NUMBERS)


@pytest.fixture
def empty(store):
    """The store without its generated orders."""
    for order_id in list(store.orders):
        store.remove("order", order_id)
    return store


def line(price="100.00", quantity=2, discount="20.00", tax="18.00", **changes):
    fields = {
        "id": next_id(),
        "product_id": 1,
        "variant_id": 1,
        "title": "Tent",
        "variant_title": None,
        "sku": None,
        "vendor": None,
        "gift_card": False,
        "taxable": True,
        "grams": 1,
        "quantity": quantity,
        "current_quantity": quantity,
        "price": Decimal(price),
        "discount": Decimal(discount),
        "tax": Decimal(tax),
    }
    return LineItem(**{**fields, **changes})


def place(store, *lines, at=NOON, paid=True, **changes):
    """Place an order of `lines` (one by default) with 10.00 of shipping, 4.00 off it, and 0.60 tax on it."""
    charge = ShippingLine(
        id=next_id(), title="Standard", price=Decimal("10.00"), discount=Decimal("4.00"), tax=Decimal("0.60")
    )
    fields = {
        "id": next_id(),
        "number": 1,
        "created_at": at,
        "processed_at": at,
        "updated_at": at,
        "cancelled_at": None,
        "cancel_reason": None,
        "closed_at": None,
        "test": False,
        "email": None,
        "phone": None,
        "customer_id": None,
        "currency": "USD",
        "presentment_currency": "USD",
        "presentment_rate": Decimal(1),
        "financial_status": "paid" if paid else "pending",
        "fulfillment_status": None,
        "source_name": "web",
        "landing_site": None,
        "referring_site": None,
        "discount_code": None,
        "tags": [],
        "note": None,
        "cart_token": None,
        "checkout_token": None,
        "token": "t",
        "address": None,
        "lines": list(lines) or [line()],
        "shipping_lines": [charge],
        "transactions": [],
        "refunds": [],
        "edits": [],
    }
    order = Order(**{**fields, **changes})
    if paid:
        amount = totals.ordered(order).total
        sale = {"kind": "sale", "status": "success", "gateway": "bogus", "amount": amount, "created_at": at}
        order.transactions.append(Transaction(id=next_id(), **sale))
    store.put("order", order.id, order)
    return order


def figures(store, start=ON, end=ON):
    report = reports.overview(store, start, end)
    names = ("gross_sales", "discounts", "returns", "net_sales", "shipping", "taxes", "total_sales", "orders")
    return tuple(report[name] for name in names)


def test_an_order_is_a_sale_on_its_day(empty):
    place(empty)

    assert figures(empty) == ("200.00", "20.00", "0.00", "180.00", "6.00", "18.60", "204.60", 1)


def test_a_refund_is_a_return_on_its_own_day(empty):
    order = place(empty)
    later = NOON + timedelta(days=3)
    lifecycle.refund(order, {order.lines[0].id: 1}, shipping=True, at=later, next_id=next_id)

    assert figures(empty) == ("200.00", "20.00", "0.00", "180.00", "6.00", "18.60", "204.60", 1)
    assert figures(empty, later.date(), later.date()) == (
        *("0.00", "0.00", "90.00", "-90.00", "-6.00", "-9.60", "-105.60", 0),
    )


def test_an_edit_books_additions_and_removals_on_its_day(empty):
    order = place(empty)
    later = NOON + timedelta(days=1)
    added = line("30.00", 1, "0.00", "3.00", product_id=2)
    lifecycle.edit(order, [added], {order.lines[0].id: 1}, later, next_id)

    assert figures(empty) == ("200.00", "20.00", "0.00", "180.00", "6.00", "18.60", "204.60", 1)
    assert figures(empty, later.date(), later.date()) == (
        *("30.00", "0.00", "90.00", "-60.00", "0.00", "-6.00", "-66.00", 0),
    )


def test_average_order_value_ignores_edits_and_keeps_six_places(empty):
    order = place(empty)
    lifecycle.edit(order, [line("30.00", 1, "0.00", "3.00")], {}, NOON, next_id)
    place(empty, line("10.00", 1, "0.00", "0.00"))
    place(empty, line("10.00", 1, "0.00", "0.00"))

    assert reports.overview(empty, ON, ON)["aov"] == "66.666667"


def test_gift_cards_book_nothing_not_even_when_refunded(empty):
    card = line("50.00", 1, "0.00", "0.00", gift_card=True, product_id=9)
    order = place(empty, line(), card)
    before = figures(empty)
    lifecycle.refund(order, {card.id: 1}, shipping=False, at=NOON, next_id=next_id)

    assert before == ("200.00", "20.00", "0.00", "180.00", "6.00", "18.60", "204.60", 1)
    assert figures(empty) == before


def test_test_orders_and_deleted_orders_are_out(empty):
    place(empty, test=True)
    empty.remove("order", place(empty).id)

    assert figures(empty) == ("0.00", "0.00", "0.00", "0.00", "0.00", "0.00", "0.00", 0)


@pytest.mark.parametrize("reverse", [True, False], ids=["with a booked reversal", "without one"])
def test_a_cancelled_unpaid_order_is_reversed_on_the_day_of_cancelling(empty, reverse):
    order = place(empty, paid=False)
    later = NOON + timedelta(days=2)
    lifecycle.cancel(order, reverse=reverse, at=later, next_id=next_id)

    assert figures(empty) == ("200.00", "20.00", "0.00", "180.00", "6.00", "18.60", "204.60", 1)
    assert figures(empty, later.date(), later.date()) == (
        *("0.00", "0.00", "180.00", "-180.00", "-6.00", "-18.60", "-204.60", 0),
    )


def test_what_an_edit_removed_is_not_reversed_twice(empty):
    order = place(empty, paid=False)
    lifecycle.edit(order, [], {order.lines[0].id: 1}, NOON + timedelta(days=1), next_id)
    lifecycle.cancel(order, reverse=False, at=NOON + timedelta(days=2), next_id=next_id)

    assert figures(empty, ON, ON + timedelta(days=2))[3:7] == ("0.00", "0.00", "0.00", "0.00")


def test_a_paid_cancelled_order_that_was_not_refunded_stays_a_sale(empty):
    order = place(empty)
    lifecycle.cancel(order, reverse=False, at=NOON, next_id=next_id)

    assert figures(empty) == ("200.00", "20.00", "0.00", "180.00", "6.00", "18.60", "204.60", 1)


def test_days_are_the_shops_own_and_none_is_skipped(empty):
    place(empty, at=datetime(2026, 3, 11, 3, 30, tzinfo=UTC))  # 23:30 on the 10th in New York

    report = reports.overview(empty, ON - timedelta(days=1), ON + timedelta(days=1))

    assert [(day["day"], day["orders"], day["net_sales"]) for day in report["sales_by_day"]] == [
        ("2026-03-09", 0, "0.00"),
        ("2026-03-10", 1, "180.00"),
        ("2026-03-11", 0, "0.00"),
    ]
    assert report["sales_by_day"][1]["total_sales"] == "204.60"


def test_an_empty_range_is_refused(empty):
    with pytest.raises(ValueError, match="before it starts"):
        reports.overview(empty, ON, ON - timedelta(days=1))


def test_a_returning_customer_may_have_ordered_outside_the_range(empty):
    ann, bob, cat = list(empty.customers)[:3]
    place(empty, customer_id=ann, at=NOON - timedelta(days=300))
    place(empty, customer_id=ann)
    place(empty, customer_id=bob)
    place(empty, customer_id=bob, test=True)
    place(empty, customer_id=cat, at=NOON - timedelta(days=300))
    place(empty)

    assert reports.overview(empty, ON, ON)["returning_customer_rate"] == "0.500000"
    assert reports.overview(empty, ON + timedelta(days=1), ON + timedelta(days=1))["returning_customer_rate"] == (
        "0.000000"
    )


def test_top_customers_count_returns_of_earlier_orders_and_tie_by_id(empty):
    ann, bob, cat = sorted(empty.customers)[:3]
    place(empty, customer_id=bob)
    place(empty, customer_id=ann)
    early = place(empty, customer_id=cat, at=NOON - timedelta(days=30))
    lifecycle.refund(early, {early.lines[0].id: 1}, shipping=True, at=NOON, next_id=next_id)
    place(empty)

    top = reports.overview(empty, ON, ON)["top_customers"]

    assert [(one["id"], one["orders"], one["net_sales"]) for one in top] == [
        (ann, 1, "180.00"),
        (bob, 1, "180.00"),
        (cat, 0, "-90.00"),
    ]
    assert top[0]["name"].startswith(empty.customers[ann].first_name)


def test_top_products_count_units_first_ordered_and_leave_out_deleted_ones(empty):
    first, second = sorted(empty.products)[:2]
    order = place(empty, line(product_id=first), line("500.00", 1, product_id=None))
    lifecycle.edit(order, [line("70.00", 3, "0.00", "0.00", product_id=second)], {}, NOON, next_id)
    lifecycle.refund(order, {order.lines[0].id: 1}, shipping=False, at=NOON, next_id=next_id)

    top = reports.overview(empty, ON, ON)["top_products"]

    assert [(one["product_id"], one["units"], one["net_sales"]) for one in top] == [
        (second, 0, "210.00"),
        (first, 2, "90.00"),
    ]
    assert top[1]["title"] == empty.products[first].title


def test_five_at_most_are_listed(store):
    report = reports.overview(store, date(2024, 1, 1), date(2026, 12, 31))

    assert len(report["top_customers"]) == len(report["top_products"]) == 5


def test_over_all_time_total_sales_is_what_all_orders_still_come_to(stores):
    for store in stores:
        report = reports.overview(store, date(2024, 1, 1), date(2026, 12, 31))

        left = sum(worth(order) for order in store.orders.values() if not order.test)

        assert Decimal(report["total_sales"]) == left
        days = report["sales_by_day"]
        assert sum(Decimal(day["total_sales"]) for day in days) == left
        assert sum(Decimal(day["net_sales"]) for day in days) == Decimal(report["net_sales"])
        assert sum(day["orders"] for day in days) == report["orders"]


def worth(order):
    """What an order comes to now, gift cards aside; nothing when it was cancelled and never paid."""
    if order.cancelled_at and order.financial_status in {"voided", "pending", "authorized"}:
        return Decimal(0)
    cards = sum(totals.portion(one, one.current_quantity).value for one in order.lines if one.gift_card)
    return totals.current(order).total - cards
