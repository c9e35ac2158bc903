"""What a store holds: plain records, in the store's own terms, from which every wire format is made.

Amounts are ``Decimal`` in the store's currency (``shop_money``); an order that was presented in another
currency carries ``presentment_currency`` and ``presentment_rate`` (presentment = shop × rate, rounded to
the presentment currency's minor unit). Times are timezone-aware UTC datetimes with whole seconds.
``id`` is Shopify's numeric id; ids are unique over all kinds of one store and all stores of one devstore.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec


class Address(msgspec.Struct, kw_only=True):
    """A postal address of a made-up person."""

    first_name: str
    last_name: str
    address1: str
    city: str
    province: str | None
    province_code: str | None
    country: str
    country_code: str
    zip: str
    phone: str | None = None


class Shop(msgspec.Struct, kw_only=True):
    """The store itself. ``domain`` is its ``….myshopify.com`` host name and its key everywhere."""

    id: int
    domain: str
    name: str
    email: str
    owner_name: str
    currency: str
    timezone: str  # IANA
    country_code: str
    locale: str
    plan: str  # publicDisplayName: Basic, Grow, Advanced, Plus
    created_at: datetime
    updated_at: datetime
    taxes_included: bool = False
    tax_rate: Decimal = Decimal("0.0825")


class Customer(msgspec.Struct, kw_only=True):
    """A customer. Counts and spend are derived from orders, never stored."""

    id: int
    created_at: datetime
    updated_at: datetime
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    state: str  # enabled | disabled | invited | declined
    verified_email: bool
    locale: str
    tags: list[str]
    note: str | None
    address: Address | None
    email_consent: str  # subscribed | not_subscribed | unsubscribed
    sms_consent: str
    email_consent_at: datetime | None = None
    sms_consent_at: datetime | None = None


class Variant(msgspec.Struct, kw_only=True):
    """One variant of a product."""

    id: int
    inventory_item_id: int
    title: str
    sku: str | None
    barcode: str | None
    price: Decimal
    compare_at_price: Decimal | None
    position: int
    option1: str
    grams: int
    inventory_quantity: int
    created_at: datetime
    updated_at: datetime


class Product(msgspec.Struct, kw_only=True):
    """A product with at least one variant."""

    id: int
    title: str
    handle: str
    vendor: str
    product_type: str
    status: str  # active | archived | draft
    tags: list[str]
    body_html: str
    gift_card: bool
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    variants: list[Variant]


class LineItem(msgspec.Struct, kw_only=True):
    """One line of an order.

    ``quantity`` is what was ever ordered on the line: edits that add raise it, removals and refunds do not
    lower it. ``current_quantity`` is what is left after removals and refunds. ``discount`` and ``tax`` are
    for the whole ``quantity`` (the discount includes the line's share of order-level discounts); with
    prices that include taxes, ``tax`` is contained in the price.
    """

    id: int
    product_id: int | None
    variant_id: int | None
    title: str
    variant_title: str | None
    sku: str | None
    vendor: str | None
    gift_card: bool
    taxable: bool
    grams: int
    quantity: int
    current_quantity: int
    price: Decimal
    discount: Decimal
    tax: Decimal
    shipped: int = 0  # units that left the store, whatever came back since


class ShippingLine(msgspec.Struct, kw_only=True):
    """A shipping charge: ``price`` before and ``discount`` off it, with its tax."""

    id: int
    title: str
    price: Decimal
    discount: Decimal
    tax: Decimal


class RefundLine(msgspec.Struct, kw_only=True):
    """Units returned of one order line; ``subtotal`` is after discounts and before tax."""

    id: int
    line_item_id: int
    quantity: int
    restock_type: str  # no_restock | cancel | return
    subtotal: Decimal
    tax: Decimal


class Transaction(msgspec.Struct, kw_only=True):
    """Money that moved."""

    id: int
    kind: str  # sale | refund | authorization | void
    status: str  # success | failure | pending
    gateway: str
    amount: Decimal
    created_at: datetime


class Refund(msgspec.Struct, kw_only=True):
    """A refund (or the reversal that cancelling an unpaid order books: then without transactions)."""

    id: int
    created_at: datetime
    processed_at: datetime
    note: str | None
    restock: bool
    lines: list[RefundLine]
    shipping: Decimal  # refunded shipping, before tax
    shipping_tax: Decimal
    transactions: list[Transaction]

    @property
    def amount(self) -> Decimal:
        """What was paid back: the refund's successful transactions."""
        return sum(
            (t.amount for t in self.transactions if t.kind == "refund" and t.status == "success"),
            Decimal(0),
        )


class EditChange(msgspec.Struct, kw_only=True):
    """One line's change in an edit: ``delta`` units were added (positive) or removed (negative).

    Amounts are those of the units that changed: ``gross`` = price × |delta|, with their share of the line's
    discount and tax. All non-negative.
    """

    line_item_id: int
    delta: int
    gross: Decimal
    discount: Decimal
    tax: Decimal


class OrderEdit(msgspec.Struct, kw_only=True):
    """An edit committed after the order was placed."""

    id: int
    created_at: datetime
    note: str
    changes: list[EditChange]


class Order(msgspec.Struct, kw_only=True):
    """An order with everything that happened to it."""

    id: int
    number: int  # 1001, 1002, …; name is #1001
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None
    cancel_reason: str | None
    closed_at: datetime | None
    test: bool
    email: str | None
    phone: str | None
    customer_id: int | None
    currency: str
    presentment_currency: str
    presentment_rate: Decimal
    financial_status: str  # pending authorized paid partially_paid partially_refunded refunded voided
    fulfillment_status: str | None  # None (unfulfilled) partial fulfilled
    source_name: str  # web pos shopify_draft_order …
    landing_site: str | None
    referring_site: str | None
    discount_code: str | None
    tags: list[str]
    note: str | None
    cart_token: str | None
    checkout_token: str | None
    token: str
    address: Address | None
    lines: list[LineItem]
    shipping_lines: list[ShippingLine]
    transactions: list[Transaction]
    refunds: list[Refund]
    edits: list[OrderEdit]


class CartLine(msgspec.Struct, kw_only=True):
    """A line of a cart or a checkout."""

    id: int
    variant_id: int
    product_id: int
    title: str
    variant_title: str | None
    sku: str | None
    vendor: str | None
    quantity: int
    price: Decimal
    discount: Decimal
    tax: Decimal
    grams: int


class Cart(msgspec.Struct, kw_only=True):
    """An online-store cart; it has a token and no customer."""

    token: str
    created_at: datetime
    updated_at: datetime
    note: str | None
    lines: list[CartLine]


class Checkout(msgspec.Struct, kw_only=True):
    """A checkout: contact information was given. ``id`` is the abandoned checkout's numeric id in GraphQL."""

    id: int
    token: str
    cart_token: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    closed_at: datetime | None
    email: str | None
    phone: str | None
    customer_id: int | None
    discount_code: str | None
    shipping: Decimal
    address: Address | None
    presentment_currency: str
    presentment_rate: Decimal
    lines: list[CartLine]
