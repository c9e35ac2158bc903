"""Webhook bodies of orders, edits and refunds, as lenient as those of ``payloads``."""

from __future__ import annotations

import msgspec

from shopify_app.shopify.payloads import CustomerRef, MaybeAddress, MoneyBag
from shopify_app.shopify.scalars import Amount, Count, Instant, ShopifyId


class Priced(msgspec.Struct):
    """A tax line."""

    price: Amount | None = None


class Allocation(msgspec.Struct):
    """A line's share of a discount."""

    amount: Amount | None = None


class Line(msgspec.Struct):
    """A line of an order. What codes and automatic discounts take off is in the allocations alone."""

    id: ShopifyId | None = None
    product_id: ShopifyId | None = None
    variant_id: ShopifyId | None = None
    title: str | None = None
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    quantity: Count | None = None
    current_quantity: Count | None = None
    price: Amount | None = None
    total_discount: Amount | None = None
    gift_card: bool | None = None
    tax_lines: list[Priced | None] | None = None
    discount_allocations: list[Allocation | None] | None = None


class ShippingLine(msgspec.Struct):
    """A shipping charge of an order."""

    id: ShopifyId | None = None
    title: str | None = None
    price: Amount | None = None
    discounted_price: Amount | None = None
    tax_lines: list[Priced | None] | None = None
    discount_allocations: list[Allocation | None] | None = None


class RefundedLine(msgspec.Struct):
    """A line of a refund."""

    id: ShopifyId | None = None
    line_item_id: ShopifyId | None = None
    quantity: Count | None = None
    restock_type: str | None = None
    subtotal: Amount | None = None
    total_tax: Amount | None = None
    subtotal_set: MoneyBag | None = None
    total_tax_set: MoneyBag | None = None


class RefundedShipping(msgspec.Struct):
    """Refunded shipping."""

    subtotal_amount_set: MoneyBag | None = None
    tax_amount_set: MoneyBag | None = None


class Adjustment(msgspec.Struct):
    """An order adjustment; until 2024-07 refunded shipping was one of the kind ``shipping_refund``, negative."""

    kind: str | None = None
    amount: Amount | None = None
    tax_amount: Amount | None = None


class Transaction(msgspec.Struct):
    """Money that moved."""

    kind: str | None = None
    status: str | None = None
    amount: Amount | None = None


class Refund(msgspec.Struct):
    """refunds/create, and an order's ``refunds``."""

    id: ShopifyId
    order_id: ShopifyId
    created_at: Instant | None = None
    processed_at: Instant | None = None
    refund_line_items: list[RefundedLine | None] | None = None
    refund_shipping_lines: list[RefundedShipping | None] | None = None
    order_adjustments: list[Adjustment | None] | None = None
    transactions: list[Transaction | None] | None = None


class DiscountCode(msgspec.Struct):
    """A code used on an order."""

    code: str | None = None


class Order(msgspec.Struct):
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
    discount_codes: list[DiscountCode | None] | None = None
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
    cart_token: str | None = None
    checkout_token: str | None = None
    cancel_reason: str | None = None
    line_items: list[Line | None] | None = None
    shipping_lines: list[ShippingLine | None] | None = None
    refunds: list[Refund | None] | None = None


class EditedLine(msgspec.Struct):
    """Units added to or removed from a line by an edit; ``delta`` is positive either way."""

    id: ShopifyId | None = None
    delta: Count | None = None


class EditedLines(msgspec.Struct):
    """What an edit did to the lines."""

    additions: list[EditedLine | None] | None = None
    removals: list[EditedLine | None] | None = None


class Edit(msgspec.Struct):
    """An edit of an order."""

    id: ShopifyId
    order_id: ShopifyId
    created_at: Instant | None = None
    committed_at: Instant | None = None
    line_items: EditedLines | None = None


class OrderEdited(msgspec.Struct):
    """orders/edited."""

    order_edit: Edit
