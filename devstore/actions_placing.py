"""How an order comes to be: from lines, at random, or out of a checkout."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from devstore import payloads, pricing, totals
from devstore.actions_customers import create_customer, tell_history
from devstore.actions_desk import Desk, Wanted, refuse
from devstore.model import Order, Transaction

if TYPE_CHECKING:
    from devstore.model import Checkout, Customer, ShippingLine

RANDOM_LINES = 3


def place_order(
    desk: Desk,
    *,
    lines: list[Wanted] | None = None,
    customer_id: int | Literal["new"] | None = None,
    discount_code: str | None = None,
    paid: bool = True,
    test: bool = False,
    source_name: str = "web",
    from_checkout_token: str | None = None,
) -> Order:
    """Place an order, by default of some random products; ``customer_id`` may be "new".

    With ``from_checkout_token`` it takes lines, customer and code from the checkout, and carries its tokens.
    """
    checkout = desk.checkout(from_checkout_token) if from_checkout_token else None
    code = checkout.discount_code if checkout else discount_code
    if code is not None and code not in pricing.CODES:
        refuse(f"there is no discount code {code}")
    picks = [] if checkout else desk.picks(lines) if lines else _random_picks(desk)
    if lines is not None and not lines and not checkout:
        refuse("an order needs a line")
    customer = _who(desk, checkout.customer_id if checkout else customer_id)
    order = _blank(desk, customer, source_name, code)
    if checkout:
        _take_over(desk, order, checkout)
    else:
        _fill(desk, order, picks)
    order.test = test
    _settle(desk, order, paid=paid)
    _keep_placed(desk, order, customer)
    return order


def _random_picks(desk: Desk) -> list[pricing.Pick]:
    goods = [
        product
        for product in desk.store.products.values()
        if product.status == "active" and not product.gift_card and product.variants
    ]
    if not goods:
        refuse("the store has no active product to order")
    count = min(1 + secrets.randbelow(RANDOM_LINES), len(goods))
    chosen = secrets.SystemRandom().sample(goods, count)
    return [pricing.Pick(product, secrets.choice(product.variants), 1 + secrets.randbelow(2)) for product in chosen]


def _who(desk: Desk, customer_id: int | Literal["new"] | None) -> Customer | None:
    if customer_id is None:
        return None
    return create_customer(desk) if customer_id == "new" else desk.customer(customer_id)


def _blank(desk: Desk, customer: Customer | None, source_name: str, code: str | None) -> Order:
    store, at = desk.store, desk.store.now()
    return Order(
        id=store.next_id(),
        number=store.next_order_number(),
        created_at=at,
        processed_at=at,
        updated_at=at,
        cancelled_at=None,
        cancel_reason=None,
        closed_at=None,
        test=False,
        email=customer.email if customer else None,
        phone=customer.phone if customer else None,
        customer_id=customer.id if customer else None,
        currency=store.shop.currency,
        presentment_currency=store.shop.currency,
        presentment_rate=Decimal(1),
        financial_status="pending",
        fulfillment_status=None,
        source_name=source_name,
        landing_site="/" if source_name == "web" else None,
        referring_site=None,
        discount_code=code,
        tags=[],
        note=None,
        cart_token=None,
        checkout_token=secrets.token_hex(16) if source_name == "web" else None,
        token=secrets.token_hex(16),
        address=customer.address if customer else None,
        lines=[],
        shipping_lines=[],
        transactions=[],
        refunds=[],
        edits=[],
    )


def _fill(desk: Desk, order: Order, picks: list[pricing.Pick]) -> None:
    code = pricing.CODES[order.discount_code] if order.discount_code else None
    rate, next_id = desk.store.shop.tax_rate, desk.store.next_id
    order.lines = pricing.price_lines(picks, code, rate, next_id)
    if order.source_name != "pos":
        order.shipping_lines = pricing.shipping(order.lines, code, rate, next_id)


def _take_over(desk: Desk, order: Order, checkout: Checkout) -> None:
    """Carry a checkout's contents over at the prices it showed."""
    order.checkout_token, order.cart_token = checkout.token, checkout.cart_token
    order.email, order.phone = checkout.email, checkout.phone
    order.address = checkout.address
    order.presentment_currency, order.presentment_rate = checkout.presentment_currency, checkout.presentment_rate
    order.lines = [pricing.ordered_line(line, desk.store.products, desk.store.next_id) for line in checkout.lines]
    order.shipping_lines = _charges(desk, checkout)


def _charges(desk: Desk, checkout: Checkout) -> list[ShippingLine]:
    return [pricing.flat_shipping(checkout.shipping, desk.store.shop.tax_rate, desk.store.next_id)]


def _settle(desk: Desk, order: Order, *, paid: bool) -> None:
    if not paid:
        return
    order.financial_status = "paid"
    order.transactions.append(
        Transaction(
            id=desk.store.next_id(),
            kind="sale",
            status="success",
            gateway="bogus" if order.test else "shopify_payments",
            amount=totals.ordered(order).total,
            created_at=order.processed_at,
        )
    )


def _keep_placed(desk: Desk, order: Order, customer: Customer | None) -> None:
    store = desk.store
    store.put("order", order.id, order)
    body = payloads.order_body(store, order)
    desk.tell("orders/create", body)
    if order.financial_status == "paid":
        desk.tell("orders/paid", body)
    if customer is not None:
        tell_history(desk, customer, "customers/update")
