"""Webhook bodies as msgspec structs: every field may be null or missing, unknown fields are passed over.

Shapes follow the samples of Shopify's webhook reference for 2026-04 and stay readable for bodies back to 2024-01.
Amounts are kept as text, times are decoded; only an entity's own id is required. What decodes can be kept: a value
that no column holds is refused here, by its path. Orders are in ``payloads_orders``.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from shopify_app.shopify.scalars import (
    MAX_ITEMS,
    Amount,
    Count,
    Dated,
    Gid,
    Instant,
    OutOfRange,
    Quantity,
    Share,
    ShopifyId,
    Stock,
    Token,
    check_price,
)

MAX_UNITS = 2**31 - 1  # what a column of units holds


class Money(msgspec.Struct):
    """An amount with its currency."""

    amount: Share | None = None
    currency_code: str | None = None


class MoneyBag(msgspec.Struct):
    """One amount in the shop's currency and in the customer's."""

    shop_money: Money | None = None
    presentment_money: Money | None = None


class Address(msgspec.Struct):
    """The parts of a postal address the app keeps."""

    city: str | None = None
    country_code: str | None = None
    province_code: str | None = None


# A checkout without an address has been seen to carry an empty list.
MaybeAddress = Address | list[Any] | None


class CustomerRef(msgspec.Struct):
    """The customer inside another entity."""

    id: ShopifyId | None = None


class Customer(Dated):
    """customers/create, update, enable, disable. Since 2025-01 without tags, consents, counts and totals."""

    id: ShopifyId
    created_at: Instant | None = None
    updated_at: Instant | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    state: str | None = None
    default_address: MaybeAddress = None


class Consent(msgspec.Struct):
    """A marketing consent."""

    state: str | None = None
    consent_updated_at: Instant | None = None


class EmailConsent(msgspec.Struct):
    """customers_email_marketing_consent/update."""

    customer_id: ShopifyId
    email_marketing_consent: Consent | None = None


class SmsConsent(msgspec.Struct):
    """customers_marketing_consent/update."""

    id: ShopifyId
    sms_marketing_consent: Consent | None = None


class CustomerTags(Dated, rename="camel"):
    """customer.tags_added and customer.tags_removed."""

    customer_id: Gid
    tags: list[str] | str | None = None
    occurred_at: Instant | None = None


class AmountSpent(msgspec.Struct):
    """The amount of a purchasing summary."""

    amount: Amount | None = None


class PurchasingSummary(Dated, rename="camel"):
    """customers/purchasing_summary."""

    customer_id: Gid
    number_of_orders: Count | None = None
    amount_spent: AmountSpent | None = None
    occurred_at: Instant | None = None


class CustomerMerge(msgspec.Struct):
    """customers/merge. ``status`` is that of the merge job: only ``completed`` has merged anything."""

    admin_graphql_api_customer_kept_id: Gid
    admin_graphql_api_customer_deleted_id: Gid | None = None
    status: str | None = None


class Deleted(msgspec.Struct):
    """customers/delete, products/delete and orders/delete."""

    id: ShopifyId


class Variant(Dated):
    """A variant inside a product."""

    id: ShopifyId | None = None
    title: str | None = None
    sku: str | None = None
    barcode: str | None = None
    price: Amount | None = None
    compare_at_price: Amount | None = None
    position: Count | None = None
    inventory_quantity: Stock | None = None
    updated_at: Instant | None = None


class VariantGid(msgspec.Struct):
    """A variant named by a product that has more than it shows."""

    admin_graphql_api_id: Gid | None = None


class Product(Dated):
    """products/create and update: the first hundred variants in full, all of them in ``variant_gids``."""

    id: ShopifyId
    created_at: Instant | None = None
    updated_at: Instant | None = None
    published_at: Instant | None = None
    title: str | None = None
    handle: str | None = None
    vendor: str | None = None
    product_type: str | None = None
    status: str | None = None
    tags: list[str] | str | None = None
    variants: list[Variant | None] | None = None
    variant_gids: list[VariantGid | None] | None = None


class BasketLine(msgspec.Struct):
    """A line of a cart or a checkout. A checkout's line has no id."""

    id: ShopifyId | None = None
    product_id: ShopifyId | None = None
    variant_id: ShopifyId | None = None
    title: str | None = None
    sku: str | None = None
    quantity: Quantity | None = None
    price: Share | None = None
    line_price: Share | None = None
    price_set: MoneyBag | None = None

    def __post_init__(self) -> None:
        check_price(self.price, self.quantity)


BasketLines = Annotated[list[BasketLine | None], Meta(max_length=MAX_ITEMS)] | None


class Cart(Dated):
    """carts/create and update. A cart's id is its token, and a body may call it either."""

    id: Token | None = None
    token: Token | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    line_items: BasketLines = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.id = self.id or self.token
        if self.id is None:
            raise OutOfRange("id", "Expected `str`, as there is no `token` either")
        if sum(abs(line.quantity or 0) for line in self.line_items or () if line) > MAX_UNITS:
            raise OutOfRange("line_items", f"Expected at most {MAX_UNITS} units")


class Checkout(Dated):
    """checkouts/create and update. Since 2026-04 without a numeric id."""

    token: Token
    id: ShopifyId | None = None
    cart_token: Token | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    completed_at: Instant | None = None
    closed_at: Instant | None = None
    email: str | None = None
    phone: str | None = None
    customer: CustomerRef | None = None
    currency: str | None = None
    total_price: Amount | None = None
    subtotal_price: Amount | None = None
    abandoned_checkout_url: str | None = None
    line_items: BasketLines = None


class DeletedCheckout(msgspec.Struct):
    """checkouts/delete: its sample carries an id and the cart's token, and no token of its own."""

    id: ShopifyId | None = None
    token: Token | None = None


def shop_amount(bag: MoneyBag | None, plain: Share | None = None) -> Share | None:
    """Return the amount in the shop's currency: the bag's, or ``plain`` where the bag has none."""
    money = bag.shop_money if bag else None
    return money.amount if money and money.amount is not None else plain


def tag_list(tags: list[str] | str | None) -> list[str] | None:
    """Return tags as a list; the webhooks write them as one string with commas, GraphQL as a list.

    PostgreSQL's text has no NUL: the character that stands for one that cannot be shown takes its place.
    """
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",") if tag.strip()]
    return tags and [tag.replace("\0", "\N{REPLACEMENT CHARACTER}") for tag in tags]
