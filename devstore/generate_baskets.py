"""Carts and checkouts: the ones that led to recent orders, and the ones that led nowhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from devstore import pricing, totals
from devstore.model import Cart, Checkout, Customer, LineItem, Order

if TYPE_CHECKING:
    from devstore.generate_orders import Market

KEPT_DAYS = 90  # completed checkouts older than this are no longer kept
OPEN_DAYS = 60
CART_DAYS = 30


def completed_checkout(market: Market, order: Order) -> Checkout | None:
    """Return the checkout a recent web order came from; one in ten was left and taken up again hours later."""
    if order.checkout_token is None or order.processed_at < market.end - timedelta(days=KEPT_DAYS):
        return None
    late = market.chance(0.1)
    before = timedelta(hours=market.random.randint(2, 40)) if late else timedelta(minutes=market.random.randint(2, 15))
    return Checkout(
        id=market.next_id(),
        token=order.checkout_token,
        cart_token=order.cart_token,
        created_at=order.processed_at - before,
        updated_at=order.processed_at,
        completed_at=order.processed_at,
        closed_at=None,
        email=order.email,
        phone=order.phone,
        customer_id=order.customer_id,
        discount_code=order.discount_code,
        shipping=totals.ordered(order).shipping,
        address=order.address,
        presentment_currency=order.presentment_currency,
        presentment_rate=order.presentment_rate,
        # An edit may have added lines that were never in the checkout.
        lines=pricing.cart_lines(_as_placed(order)),
    )


def _as_placed(order: Order) -> list[LineItem]:
    added = {change.line_item_id for edit in order.edits for change in edit.changes if change.delta > 0}
    return [line for line in order.lines if line.id not in added]


def open_checkouts(market: Market, customers: list[Customer], count: int) -> tuple[list[Checkout], list[Cart]]:
    """Return ``count`` checkouts that were left, each with the cart it came from."""
    checkouts = [_open_checkout(market, customers) for _ in range(count)]
    checkouts = [checkout for checkout in checkouts if checkout.lines]
    carts = [
        Cart(
            token=checkout.cart_token,
            created_at=checkout.created_at - timedelta(minutes=9),
            updated_at=checkout.created_at,
            note=None,
            lines=checkout.lines,
        )
        for checkout in checkouts
        if checkout.cart_token is not None
    ]
    return checkouts, carts


def _open_checkout(market: Market, customers: list[Customer]) -> Checkout:
    random = market.random
    at = _before_end(market, OPEN_DAYS)
    known = random.choice(customers) if market.chance(0.6) else None
    lines = market.lines(at)
    currency, rate = market.currency()
    return Checkout(
        id=market.next_id(),
        token=market.token(),
        cart_token=market.token(),
        created_at=at,
        updated_at=min(at + timedelta(minutes=random.randint(0, 20)), market.end),
        completed_at=None,
        closed_at=None,
        email=(known.email if known else None) or f"visitor{random.randrange(10**6)}@example.com",
        phone=known.phone if known else None,
        customer_id=known.id if known else None,
        discount_code=None,
        shipping=totals.total(
            [line.price - line.discount for line in pricing.shipping(lines, None, market.shop.tax_rate, market.next_id)]
        ),
        address=known.address if known else None,
        presentment_currency=currency,
        presentment_rate=rate,
        lines=pricing.cart_lines(lines),
    )


def loose_carts(market: Market, count: int) -> list[Cart]:
    """Return ``count`` carts that never saw a checkout."""
    carts = []
    for _ in range(count):
        at = _before_end(market, CART_DAYS)
        carts.append(
            Cart(
                token=market.token(),
                created_at=at,
                updated_at=min(at + timedelta(minutes=market.random.randint(0, 90)), market.end),
                note=None,
                lines=pricing.cart_lines(market.lines(at)),
            )
        )
    return [cart for cart in carts if cart.lines]


def _before_end(market: Market, days: int) -> datetime:
    return market.end - timedelta(seconds=market.random.randrange(60, days * 86_400))
