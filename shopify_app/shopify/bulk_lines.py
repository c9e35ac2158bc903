"""Lines of bulk results, as msgspec structs.

They answer the documents of ``exports``. Amounts and times stay text: PostgreSQL reads them, and decoding a line
costs less than half. Lines of a connection's children carry ``__parentId`` and may follow their parent at any
distance; what kind of object a line is, its global id says.
"""

from __future__ import annotations

import functools
import re
from types import GenericAlias
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from shopify_app.shopify.scalars import Amount, Count, Gid

Shape = TypeVar("Shape", bound=msgspec.Struct)

Time = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(Z|[+-][0-9]{2}:[0-9]{2})\Z")]
_KIND = re.compile(rb'"id":\s*"gid:\\?/\\?/shopify\\?/([A-Za-z]+)\\?/')


def kind_of(line: bytes) -> str | None:
    """Return the type named by a line's first global id, such as ``Order``; None where there is none.

    The documents of ``exports`` select ``id`` first, so the first one is the line's own.
    """
    found = _KIND.search(line)
    return found[1].decode() if found else None


class Money(msgspec.Struct):
    """An amount."""

    amount: Amount | None = None


class Bag(msgspec.Struct, rename="camel"):
    """An amount in the shop's currency, and in the customer's where it was asked for."""

    shop_money: Money | None = None
    presentment_money: Money | None = None


class Ref(msgspec.Struct):
    """Another object, by its global id."""

    id: Gid


class Address(msgspec.Struct, rename="camel"):
    """The parts of a postal address the app keeps."""

    city: str | None = None
    country_code_v2: str | None = msgspec.field(default=None, name="countryCodeV2")
    province_code: str | None = None


class Email(msgspec.Struct, rename="camel"):
    """A customer's email address and its consent."""

    email_address: str | None = None
    marketing_state: str | None = None


class SmsConsent(msgspec.Struct):
    """The consent to marketing by SMS."""

    state: str | None = None


class Phone(msgspec.Struct, rename="camel"):
    """A customer's phone number and its consent."""

    phone_number: str | None = None
    sms_marketing_consent: SmsConsent | None = None


class Customer(msgspec.Struct, rename="camel"):
    """A line of the customers export."""

    id: Gid
    first_name: str | None = None
    last_name: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    state: str | None = None
    tags: list[str] | None = None
    locale: str | None = None
    number_of_orders: str | int | None = None
    amount_spent: Money | None = None
    default_email_address: Email | None = None
    default_phone_number: Phone | None = None
    default_address: Address | None = None


class PriceRange(msgspec.Struct, rename="camel"):
    """The span of a product's variant prices."""

    min_variant_price: Money | None = None


class Product(msgspec.Struct, rename="camel"):
    """A line of the products export: a product."""

    id: Gid
    title: str | None = None
    handle: str | None = None
    status: str | None = None
    product_type: str | None = None
    vendor: str | None = None
    tags: list[str] | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    published_at: Time | None = None
    price_range_v2: PriceRange | None = msgspec.field(default=None, name="priceRangeV2")


class Variant(msgspec.Struct, rename="camel"):
    """A line of the products export: a variant."""

    id: Gid
    parent_id: Gid = msgspec.field(name="__parentId")
    title: str | None = None
    sku: str | None = None
    barcode: str | None = None
    price: Amount | None = None
    compare_at_price: Amount | None = None
    position: Count | None = None
    inventory_quantity: int | None = None
    updated_at: Time | None = None


class RefundHeader(msgspec.Struct, rename="camel"):
    """A refund without its lines, which a bulk query may not ask for inside a list."""

    id: Gid
    created_at: Time | None = None
    processed_at: Time | None = None
    total_refunded_set: Bag | None = None


class Order(msgspec.Struct, rename="camel"):
    """A line of the orders export: an order."""

    id: Gid
    name: str | None = None
    created_at: Time | None = None
    processed_at: Time | None = None
    updated_at: Time | None = None
    cancelled_at: Time | None = None
    closed_at: Time | None = None
    cancel_reason: str | None = None
    test: bool | None = None
    edited: bool | None = None
    taxes_included: bool | None = None
    email: str | None = None
    phone: str | None = None
    currency_code: str | None = None
    presentment_currency_code: str | None = None
    display_financial_status: str | None = None
    display_fulfillment_status: str | None = None
    source_name: str | None = None
    cart_token: str | None = None
    checkout_token: str | None = None
    tags: list[str] | None = None
    discount_codes: list[str] | None = None
    customer: Ref | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    total_price_set: Bag | None = None
    current_total_price_set: Bag | None = None
    subtotal_price_set: Bag | None = None
    total_discounts_set: Bag | None = None
    total_tax_set: Bag | None = None
    current_shipping_price_set: Bag | None = None
    total_refunded_shipping_set: Bag | None = None
    refunds: list[RefundHeader] | None = None


class Allocation(msgspec.Struct, rename="camel"):
    """A line's share of a discount."""

    allocated_amount_set: Bag | None = None


class TaxLine(msgspec.Struct, rename="camel"):
    """A tax on a line."""

    price_set: Bag | None = None


class Line(msgspec.Struct, rename="camel"):
    """A line of the orders export: a line of an order."""

    id: Gid
    parent_id: Gid = msgspec.field(name="__parentId")
    title: str | None = None
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    quantity: Count | None = None
    current_quantity: Count | None = None
    is_gift_card: bool | None = None
    product: Ref | None = None
    variant: Ref | None = None
    original_unit_price_set: Bag | None = None
    discount_allocations: list[Allocation] | None = None
    tax_lines: list[TaxLine] | None = None


class Checkout(msgspec.Struct, rename="camel"):
    """A line of the abandoned checkouts export: a checkout."""

    id: Gid
    abandoned_checkout_url: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    completed_at: Time | None = None
    customer: Ref | None = None
    total_price_set: Bag | None = None
    subtotal_price_set: Bag | None = None


class CheckoutLine(msgspec.Struct, rename="camel"):
    """A line of the abandoned checkouts export: a line of a checkout."""

    id: Gid
    parent_id: Gid = msgspec.field(name="__parentId")
    title: str | None = None
    sku: str | None = None
    quantity: Count | None = None
    product: Ref | None = None
    variant: Ref | None = None
    original_unit_price_set: Bag | None = None
    discounted_total_price_set: Bag | None = None


def shop_amount(bag: Bag | None) -> Amount | None:
    """Return the amount in the shop's currency."""
    return bag.shop_money.amount if bag and bag.shop_money else None


@functools.cache
def plain(shape: type[Shape]) -> type[Shape]:
    """Return a twin of a shape that matches no patterns, and takes amounts as text alone.

    Decoding into it costs a third. Whoever does so looks at the texts himself, many at once.
    """
    hints = get_type_hints(shape)
    fields = msgspec.structs.fields(shape)
    twin = msgspec.defstruct(
        f"Plain{shape.__name__}",
        [(one.name, _plain(hints[one.name]), msgspec.field() if one.required else one.default) for one in fields],
        rename={one.name: one.encode_name for one in fields},
        kw_only=True,
        gc=False,
    )
    return cast("type[Shape]", twin)


def _plain(hint: Any) -> Any:  # noqa: ANN401 - any annotation
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return plain(hint)
    parts = get_args(hint)
    if get_origin(hint) is list:
        return GenericAlias(list, _plain(parts[0]))
    if parts:
        return Union[tuple(_plain(part) for part in parts if str not in parts or part not in {int, float})]  # noqa: UP007
    return hint
