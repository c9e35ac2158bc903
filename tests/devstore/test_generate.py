"""The generated store: reproducible, and as varied as a real one."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import pytest

from devstore import generate_people as people
from devstore import generate_words as words
from devstore import totals
from devstore.generate import Plan, generate

END = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNPAID = {"pending", "authorized", "voided"}


def plan(**changes):
    sizes = {"customers": 400, "products": 40, "orders": 2000}
    fields = {"domain": "a.myshopify.com", "seed": 1, "start": END - timedelta(days=730), "end": END, "abroad": False}
    return Plan(**{**fields, **sizes, **changes})


def made(**changes):
    return generate(plan(**changes), count(1).__next__)


@pytest.fixture(scope="module")
def shop():
    return made()


def test_the_same_plan_gives_the_same_store():
    small = {"customers": 20, "products": 5, "orders": 60}

    assert made(**small) == made(**small)
    assert made(**small) != made(**small, seed=2)


@pytest.mark.parametrize(
    "sizes",
    [
        {"customers": 1, "products": 1, "orders": 1},
        {"customers": 3, "products": 700, "orders": 50},
        {"customers": 60, "products": 2, "orders": 20},
    ],
)
def test_any_size_gives_exactly_what_was_asked_for(sizes):
    shop = made(**sizes)

    assert {name: len(getattr(shop, name)) for name in sizes} == sizes
    assert len({product.title for product in shop.products}) == sizes["products"]


def test_ids_tokens_and_order_numbers_are_unique(shop):
    ids = [record.id for kind in (shop.customers, shop.products, shop.orders, shop.checkouts) for record in kind]
    ids += [line.id for order in shop.orders for line in (*order.lines, *order.transactions, *order.refunds)]

    assert len(set(ids)) == len(ids)
    assert len({cart.token for cart in shop.carts}) == len(shop.carts)
    assert [order.number for order in shop.orders] == list(range(1001, 3001))


def test_orders_are_in_the_order_they_were_placed(shop):
    times = [order.processed_at for order in shop.orders]

    assert times == sorted(times)


def test_nothing_happens_after_the_end_or_before_its_order(shop):
    for order in shop.orders:
        moments = [event.created_at for event in (*order.refunds, *order.edits, *order.transactions)]
        moments += [order.updated_at, order.cancelled_at or order.updated_at, order.closed_at or order.updated_at]
        assert order.created_at <= min(moments)
        assert max(moments) <= END + timedelta(minutes=5)
        assert order.updated_at >= max(moments)


def test_every_kind_of_order_occurs(shop):
    orders = shop.orders
    cancelled = [order for order in orders if order.cancelled_at]
    refunds = [refund for order in orders for refund in order.refunds]

    assert {order.financial_status for order in orders} == {
        *("paid", "pending", "authorized", "voided", "refunded", "partially_refunded", "partially_paid"),
    }
    assert {order.fulfillment_status for order in orders} == {None, "fulfilled", "partial"}
    assert {order.source_name for order in orders} == {"web", "pos", "shopify_draft_order"}
    assert any(order.financial_status == "paid" for order in cancelled)
    assert any(order.financial_status == "voided" and not order.refunds for order in cancelled)
    assert any(order.financial_status == "voided" and order.refunds for order in cancelled)
    assert any(refund.shipping for refund in refunds)
    assert any(refund.lines and not refund.shipping for refund in refunds)
    assert any(refund.shipping and not refund.lines for refund in refunds)
    deltas = [change.delta for order in orders for edit in order.edits for change in edit.changes]
    assert min(deltas) < 0 < max(deltas)


def test_the_rare_things_are_there_in_their_proportion(shop):
    orders, lines = shop.orders, [line for order in shop.orders for line in order.lines]

    assert 0.003 < sum(order.test for order in orders) / len(orders) < 0.025
    assert 0.05 < sum(order.presentment_currency != "USD" for order in orders) / len(orders) < 0.11
    assert 0.05 < sum(order.customer_id is None for order in orders) / len(orders) < 0.2
    assert 0.08 < sum(order.discount_code is not None for order in orders) / len(orders) < 0.18
    assert any(line.gift_card for line in lines)
    assert any(line.product_id is None and not line.gift_card for line in lines)
    assert {len(product.variants) for product in shop.products} <= set(range(1, 7))


def test_the_week_has_its_seasons(shop):
    weekdays = Counter(order.processed_at.weekday() for order in shop.orders)

    assert weekdays[5] + weekdays[6] > 1.3 * (weekdays[0] + weekdays[1])


def test_money_adds_up_in_every_order(shop):
    for order in shop.orders:
        placed, left = totals.ordered(order), totals.current(order)
        assert placed.total == placed.subtotal + placed.shipping + placed.tax
        assert all(line.discount <= line.price * line.quantity for line in order.lines)
        assert totals.refunded(order) <= totals.captured(order)
        removed = sum(change.delta < 0 for edit in order.edits for change in edit.changes)
        if order.financial_status in {"paid", "refunded", "partially_refunded"} and not removed:
            assert totals.captured(order) == placed.total
            assert totals.outstanding(order) == 0
        if order.financial_status in UNPAID:
            assert totals.captured(order) == 0
        assert left.total >= 0


def test_a_voided_refund_reverses_everything_and_pays_nothing(shop):
    voided = [order for order in shop.orders if order.financial_status == "voided" and order.refunds]

    for order in voided:
        (refund,) = order.refunds
        assert {line.restock_type for line in refund.lines} == {"cancel"}
        assert refund.transactions == []
        assert totals.current(order).total == 0


def test_customers_exist_before_their_orders(shop):
    customers = {customer.id: customer for customer in shop.customers}

    for order in shop.orders:
        if order.customer_id:
            customer = customers[order.customer_id]
            assert customer.created_at <= order.created_at
            assert customer.updated_at >= order.updated_at


def test_checkouts_are_open_or_belong_to_their_order(shop):
    orders = {order.checkout_token: order for order in shop.orders if order.checkout_token}
    completed = [checkout for checkout in shop.checkouts if checkout.completed_at]
    left = [checkout for checkout in shop.checkouts if not checkout.completed_at]

    assert completed
    assert left
    for checkout in completed:
        order = orders[checkout.token]
        assert (checkout.cart_token, checkout.completed_at) == (order.cart_token, order.processed_at)
    assert not {checkout.token for checkout in left} & set(orders)
    assert {checkout.cart_token for checkout in left} <= {cart.token for cart in shop.carts}


def buyers(number):
    start = END - timedelta(days=730)
    return people.make_buyers(Random(1), number, (start, END), words.AMERICAN, count(1).__next__)


def test_alpha_is_fitted_to_the_purchases_asked_for():
    drawn = buyers(500)

    alpha = people.fit_alpha(drawn, 2000, END)

    assert 1980 <= sum(len(one.purchases(alpha, END)) for one in drawn) <= 2000


def test_purchases_start_with_the_arrival_and_stay_in_the_period():
    for one in buyers(200):
        times = one.purchases(7.0, END)
        assert times[0] == one.arrives_at
        assert times == sorted(times)
        assert times[-1] <= END


def test_dropping_out_follows_the_beta_distribution():
    drawn = buyers(4000)

    # P(a repeat buyer drops out after the first repeat) is the mean of beta(a, b)
    once = sum(len(one.gaps) == 1 for one in drawn) / len(drawn)

    assert abs(once - people.BETA_A / (people.BETA_A + people.BETA_B)) < 0.02


def test_rates_follow_the_gamma_distribution():
    drawn = buyers(4000)

    # With rate gamma(r, 1), P(first gap > t) = (1 / (1 + t)) ** r
    late = sum(one.gaps[0] > 3 for one in drawn) / len(drawn)

    assert abs(late - (1 / 4) ** people.SHAPE_R) < 0.03
