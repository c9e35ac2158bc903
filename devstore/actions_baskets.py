"""What a shopper does before there is an order: carts and checkouts."""

from __future__ import annotations

import secrets
from decimal import Decimal

from devstore import payloads, pricing, totals
from devstore.actions_desk import Desk, Wanted, refuse
from devstore.actions_placing import place_order
from devstore.model import Cart, CartLine, Checkout, Order


def fill_cart(desk: Desk, *, lines: list[Wanted], token: str | None = None) -> Cart:
    """Put lines into a cart, a new one without ``token``; they replace what was in it, and none empties it."""
    at = desk.store.now()
    known = desk.cart(token) if token else None
    cart = known or Cart(token=secrets.token_hex(16), created_at=at, updated_at=at, note=None, lines=[])
    cart.lines = _lines(desk, lines, None)
    cart.updated_at = at
    desk.store.put("cart", cart.token, cart)
    desk.tell("carts/update" if known else "carts/create", payloads.cart_body(desk.store, cart))
    return cart


def start_checkout(
    desk: Desk,
    *,
    cart_token: str | None = None,
    lines: list[Wanted] | None = None,
    email: str | None = None,
    customer_id: int | None = None,
    discount_code: str | None = None,
) -> Checkout:
    """Start a checkout of a cart or of lines; refuses an empty one, and one without contact information."""
    cart = desk.cart(cart_token) if cart_token else None
    customer = desk.customer(customer_id) if customer_id else None
    contact = email or (customer.email if customer else None)
    if contact is None:
        refuse("a checkout needs an email address or a customer who has one")
    _check_code(discount_code)
    kept = _rediscounted(desk, cart, lines or [], discount_code)
    if not kept:
        refuse("a checkout needs a line")
    at = desk.store.now()
    checkout = Checkout(
        id=desk.store.next_id(),
        token=secrets.token_hex(16),
        cart_token=cart.token if cart else None,
        created_at=at,
        updated_at=at,
        completed_at=None,
        closed_at=None,
        email=contact,
        phone=customer.phone if customer else None,
        customer_id=customer.id if customer else None,
        discount_code=discount_code,
        shipping=_shipping(kept, discount_code),
        address=customer.address if customer else None,
        presentment_currency=desk.store.shop.currency,
        presentment_rate=Decimal(1),
        lines=kept,
    )
    desk.store.put("checkout", checkout.token, checkout)
    desk.tell("checkouts/create", payloads.checkout_body(desk.store, checkout))
    return checkout


def update_checkout(
    desk: Desk,
    *,
    token: str,
    lines: list[Wanted] | None = None,
    email: str | None = None,
    discount_code: str | None = None,
) -> Checkout:
    """Change what is given; lines replace what was in it. Refuses a completed checkout and what start_checkout does."""
    checkout = desk.checkout(token)
    if checkout.completed_at is not None:
        refuse(f"checkout {token} is completed")
    code = discount_code or checkout.discount_code
    _check_code(code)
    kept = checkout.lines
    if lines is not None or discount_code is not None:
        kept = _lines(desk, _wanted(checkout.lines) if lines is None else lines, code)
    if not kept:
        refuse("a checkout needs a line")
    checkout.lines = kept
    checkout.email = email or checkout.email
    checkout.discount_code = code
    checkout.shipping = _shipping(checkout.lines, code)
    checkout.updated_at = desk.store.now()
    desk.store.put("checkout", token, checkout)
    desk.tell("checkouts/update", payloads.checkout_body(desk.store, checkout))
    return checkout


def finish_checkout(desk: Desk, *, token: str) -> Order:
    """Complete a checkout: place its order, close it, and let its cart go. Refuses a completed one."""
    checkout = desk.checkout(token)
    if checkout.completed_at is not None:
        refuse(f"checkout {token} is completed")
    order = place_order(desk, from_checkout_token=token)
    checkout.completed_at = checkout.updated_at = order.processed_at
    desk.store.put("checkout", token, checkout)
    if checkout.cart_token in desk.store.carts:
        desk.store.remove("cart", checkout.cart_token)
    desk.tell("checkouts/update", payloads.checkout_body(desk.store, checkout))
    return order


def delete_checkout(desk: Desk, *, token: str) -> Checkout:
    """Delete a checkout."""
    checkout = desk.checkout(token)
    desk.store.remove("checkout", token)
    desk.tell("checkouts/delete", payloads.checkout_deleted_body(desk.store, checkout))
    return checkout


def _check_code(code: str | None) -> None:
    if code is not None and code not in pricing.CODES:
        refuse(f"there is no discount code {code}")


def _lines(desk: Desk, wanted: list[Wanted], code: str | None) -> list[CartLine]:
    rule = pricing.CODES[code] if code else None
    priced = pricing.price_lines(desk.picks(wanted), rule, desk.store.shop.tax_rate, desk.store.next_id)
    return pricing.cart_lines(priced)


def _rediscounted(desk: Desk, cart: Cart | None, wanted: list[Wanted], code: str | None) -> list[CartLine]:
    """Return a checkout's lines; a cart's are priced again where a code now applies to them."""
    if cart is None:
        return _lines(desk, wanted, code)
    if code is None:
        return cart.lines
    return _lines(desk, _wanted(cart.lines), code)


def _wanted(lines: list[CartLine]) -> list[Wanted]:
    return [Wanted(variant_id=line.variant_id, quantity=line.quantity) for line in lines]


def _shipping(lines: list[CartLine], code: str | None) -> Decimal:
    value = totals.total([line.price * line.quantity - line.discount for line in lines])
    free = code is not None and pricing.CODES[code].free_shipping
    return totals.ZERO if free or value >= pricing.FREE_SHIPPING_FROM else pricing.STANDARD
