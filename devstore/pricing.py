"""From a basket to priced lines: discounts by code, tax, shipping. Prices exclude tax."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from devstore.model import CartLine, LineItem, Product, ShippingLine, Variant
from devstore.totals import ZERO, allocate, cents, total

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FREE_SHIPPING_FROM = Decimal(100)
HEAVY_GRAMS = 5000
STANDARD = Decimal("6.90")
EXPRESS = Decimal("14.90")


@dataclass(frozen=True)
class Code:
    """A discount code: ``percent`` off the order's lines, or the shipping for nothing."""

    percent: int
    free_shipping: bool = False


CODES = {
    "WELCOME10": Code(percent=10),
    "SPRING15": Code(percent=15),
    "TRAIL20": Code(percent=20),
    "FREESHIP": Code(percent=0, free_shipping=True),
}


@dataclass
class Pick:
    """So many of one variant, with a percentage off the line itself."""

    product: Product
    variant: Variant
    quantity: int
    percent_off: int = 0
    product_gone: bool = False


def price_lines(
    picks: Sequence[Pick], code: Code | None, tax_rate: Decimal, next_id: Callable[[], int]
) -> list[LineItem]:
    """Return order lines; the code's discount is split over the lines by largest remainder. Gift cards take no part."""
    gross = [pick.variant.price * pick.quantity for pick in picks]
    own = [
        ZERO if pick.product.gift_card else cents(amount * pick.percent_off / 100)
        for pick, amount in zip(picks, gross, strict=True)
    ]
    bases = [
        ZERO if pick.product.gift_card else amount - off for pick, amount, off in zip(picks, gross, own, strict=True)
    ]
    shared = allocate(cents(total(bases) * (code.percent if code else 0) / 100), bases)
    return [
        _line(pick, off + share, cents((base - share) * tax_rate), next_id)
        for pick, off, share, base in zip(picks, own, shared, bases, strict=True)
    ]


def _line(pick: Pick, discount: Decimal, tax: Decimal, next_id: Callable[[], int]) -> LineItem:
    product, variant = pick.product, pick.variant
    return LineItem(
        id=next_id(),
        product_id=None if pick.product_gone else product.id,
        variant_id=None if pick.product_gone else variant.id,
        title=product.title,
        variant_title=variant.title,
        sku=variant.sku,
        vendor=product.vendor,
        gift_card=product.gift_card,
        taxable=not product.gift_card,
        grams=variant.grams,
        quantity=pick.quantity,
        current_quantity=pick.quantity,
        price=variant.price,
        discount=discount,
        tax=tax,
    )


def shipping(
    lines: Sequence[LineItem], code: Code | None, tax_rate: Decimal, next_id: Callable[[], int]
) -> list[ShippingLine]:
    """Return the shipping charge: none for gift cards alone, discounted to nothing on large orders or by code."""
    goods = [line for line in lines if not line.gift_card]
    if not goods:
        return []
    value = total([line.price * line.quantity - line.discount for line in goods])
    heavy = sum(line.grams * line.quantity for line in goods) > HEAVY_GRAMS
    price = EXPRESS if heavy else STANDARD
    free = value >= FREE_SHIPPING_FROM or (code is not None and code.free_shipping)
    discount = price if free else ZERO
    return [
        ShippingLine(
            id=next_id(),
            title="Express" if heavy else "Standard",
            price=price,
            discount=discount,
            tax=cents((price - discount) * tax_rate),
        )
    ]


def cart_lines(lines: Sequence[LineItem]) -> list[CartLine]:
    """Return the same lines as a cart or checkout holds them; lines of deleted products are left out."""
    return [
        CartLine(
            id=line.id,
            variant_id=line.variant_id,
            product_id=line.product_id,
            title=line.title,
            variant_title=line.variant_title,
            sku=line.sku,
            vendor=line.vendor,
            quantity=line.quantity,
            price=line.price,
            discount=line.discount,
            tax=line.tax,
            grams=line.grams,
        )
        for line in lines
        if line.variant_id is not None and line.product_id is not None
    ]


def ordered_line(line: CartLine, products: Mapping[int, Product], next_id: Callable[[], int]) -> LineItem:
    """Return a checkout's line as an order's, at the checkout's amounts; gift cards are known by their product."""
    product = products.get(line.product_id)
    gift_card = product is not None and product.gift_card
    return LineItem(
        id=next_id(),
        product_id=line.product_id if product else None,
        variant_id=line.variant_id if product else None,
        title=line.title,
        variant_title=line.variant_title,
        sku=line.sku,
        vendor=line.vendor,
        gift_card=gift_card,
        taxable=not gift_card,
        grams=line.grams,
        quantity=line.quantity,
        current_quantity=line.quantity,
        price=line.price,
        discount=line.discount,
        tax=line.tax,
    )


def flat_shipping(amount: Decimal, tax_rate: Decimal, next_id: Callable[[], int]) -> ShippingLine:
    """Return one shipping charge of ``amount`` before tax."""
    return ShippingLine(id=next_id(), title="Standard", price=amount, discount=ZERO, tax=cents(amount * tax_rate))
