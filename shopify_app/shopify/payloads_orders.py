"""Webhook bodies of orders, edits and refunds, as lenient as those of ``payloads``."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from shopify_app.shopify.payloads import CustomerRef, MaybeAddress, MoneyBag
from shopify_app.shopify.scalars import (
    MAX_ITEMS,
    Amount,
    Dated,
    Instant,
    Quantity,
    Share,
    ShopifyId,
    Token,
    check_price,
)

Item = TypeVar("Item")
Some = Annotated[list[Item | None], Meta(max_length=MAX_ITEMS)] | None


class Priced(msgspec.Struct):
    """A tax line."""

    price: Share | None = None


class Allocation(msgspec.Struct):
    """A line's share of a discount."""

    amount: Share | None = None


class Line(msgspec.Struct):
    """A line of an order. What codes and automatic discounts take off is in the allocations alone."""

    id: ShopifyId | None = None
    product_id: ShopifyId | None = None
    variant_id: ShopifyId | None = None
    title: str | None = None
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    quantity: Quantity | None = None
    current_quantity: Quantity | None = None
    price: Share | None = None
    total_discount: Share | None = None
    gift_card: bool | None = None
    tax_lines: Some[Priced] = None
    discount_allocations: Some[Allocation] = None

    def __post_init__(self) -> None:
        check_price(self.price, self.quantity)


class ShippingLine(msgspec.Struct):
    """A shipping charge of an order."""

    id: ShopifyId | None = None
    title: str | None = None
    price: Share | None = None
    discounted_price: Share | None = None
    tax_lines: Some[Priced] = None
    discount_allocations: Some[Allocation] = None


class RefundedLine(msgspec.Struct):
    """A line of a refund."""

    id: ShopifyId | None = None
    line_item_id: ShopifyId | None = None
    quantity: Quantity | None = None
    restock_type: str | None = None
    subtotal: Share | None = None
    total_tax: Share | None = None
    subtotal_set: MoneyBag | None = None
    total_tax_set: MoneyBag | None = None


class RefundedShipping(msgspec.Struct):
    """Refunded shipping."""

    subtotal_amount_set: MoneyBag | None = None
    tax_amount_set: MoneyBag | None = None


class Adjustment(msgspec.Struct):
    """An order adjustment; until 2024-07 refunded shipping was one of the kind ``shipping_refund``, negative."""

    kind: str | None = None
    amount: Share | None = None
    tax_amount: Share | None = None


class Transaction(msgspec.Struct):
    """Money that moved."""

    kind: str | None = None
    status: str | None = None
    amount: Share | None = None


class Refund(Dated):
    """refunds/create, and an order's ``refunds``, where the order's own id stands in for a missing one."""

    id: ShopifyId
    order_id: ShopifyId | None = None
    created_at: Instant | None = None
    processed_at: Instant | None = None
    refund_line_items: Some[RefundedLine] = None
    refund_shipping_lines: Some[RefundedShipping] = None
    order_adjustments: Some[Adjustment] = None
    transactions: Some[Transaction] = None


class RefundCreated(Refund, kw_only=True):
    """refunds/create: nothing but the body says whose refund it is."""

    order_id: ShopifyId


class DiscountCode(msgspec.Struct):
    """A code used on an order."""

    code: str | None = None


class Order(Dated):
    """orders/create, updated, paid, cancelled, fulfilled and partially_fulfilled."""

    id: ShopifyId
    created_at: Instant | None = None
    updated_at: Instant | None = None
    processed_at: Instant | None = None
    cancelled_at: Instant | None = None
    closed_at: Instant | None = None
    name: str | None = None
    financial_status: str | None = None
    fulfillment_status: str | None = None
    customer: CustomerRef | None = None
    email: str | None = None
    phone: str | None = None
    shipping_address: MaybeAddress = None
    billing_address: MaybeAddress = None
    source_name: str | None = None
    tags: list[str] | str | None = None
    discount_codes: Some[DiscountCode] = None
    currency: str | None = None
    total_price: Amount | None = None
    subtotal_price: Amount | None = None
    total_discounts: Amount | None = None
    total_tax: Amount | None = None
    current_total_price: Amount | None = None
    presentment_currency: str | None = None
    total_price_set: MoneyBag | None = None
    taxes_included: bool | None = None
    test: bool | None = None
    cart_token: Token | None = None
    checkout_token: Token | None = None
    cancel_reason: str | None = None
    line_items: Some[Line] = None
    shipping_lines: Some[ShippingLine] = None
    refunds: Some[Refund] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for refund in self.refunds or ():
            if refund is not None and refund.order_id is None:
                refund.order_id = self.id


class EditedLine(msgspec.Struct):
    """Units added to or removed from a line by an edit; ``delta`` is positive either way."""

    id: ShopifyId | None = None
    delta: Quantity | None = None


class EditedLines(msgspec.Struct):
    """What an edit did to the lines."""

    additions: Some[EditedLine] = None
    removals: Some[EditedLine] = None


class Edit(Dated):
    """An edit of an order."""

    id: ShopifyId
    order_id: ShopifyId
    created_at: Instant | None = None
    committed_at: Instant | None = None
    line_items: EditedLines | None = None


class OrderEdited(msgspec.Struct):
    """orders/edited."""

    order_edit: Edit
