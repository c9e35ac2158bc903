"""Shopify's three compliance topics: bodies that name the shop they are about, and the customer where there is one.

https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""

from __future__ import annotations

import msgspec

from shopify_app.shopify.domains import store_url
from shopify_app.shopify.scalars import Plain, ShopifyId, present

DATA_REQUEST, CUSTOMER_REDACT, SHOP_REDACT = "customers/data_request", "customers/redact", "shop/redact"


class ComplianceRejected(Exception):
    """A body is not what its topic promises, or is about another shop; the message quotes nothing of it."""


class Person(msgspec.Struct, frozen=True):
    """The customer a request is about; any part may be missing."""

    id: ShopifyId | None = None
    email: Plain | None = None
    phone: Plain | None = None


class Numbered(msgspec.Struct, frozen=True):
    """Shopify's own number of a data request."""

    id: ShopifyId


class DataRequest(msgspec.Struct, frozen=True):
    """``customers/data_request``: somebody wants to know what is held of them."""

    shop_id: ShopifyId
    shop_domain: str
    customer: Person
    data_request: Numbered
    orders_requested: list[ShopifyId | None] | None = None

    @property
    def orders(self) -> tuple[int, ...]:
        """The orders Shopify names."""
        return tuple(present(self.orders_requested))


class CustomerRedact(msgspec.Struct, frozen=True):
    """``customers/redact``: somebody is to be erased."""

    shop_id: ShopifyId
    shop_domain: str
    customer: Person
    orders_to_redact: list[ShopifyId | None] | None

    @property
    def orders(self) -> tuple[int, ...]:
        """The orders Shopify names."""
        return tuple(present(self.orders_to_redact))


class ShopRedact(msgspec.Struct, frozen=True):
    """``shop/redact``: everything of the shop is to be erased. A body that names a customer is of another topic."""

    shop_id: ShopifyId
    shop_domain: str
    customer: msgspec.UnsetType = msgspec.UNSET


Request = DataRequest | CustomerRedact | ShopRedact
SHAPES: dict[str, type[DataRequest | CustomerRedact | ShopRedact]] = {
    DATA_REQUEST: DataRequest,
    CUSTOMER_REDACT: CustomerRedact,
    SHOP_REDACT: ShopRedact,
}


def decode(topic: str, payload: bytes, shop_domain: str) -> Request:
    """Read a body of one of ``SHAPES`` that was sent in the name of ``shop_domain``.

    The signature covers the body and nothing else, so only the body can say which shop it is about.

    Raises:
        ComplianceRejected: the body is not the topic's, or names another shop.
    """
    try:
        request: Request = msgspec.json.decode(payload, type=SHAPES[topic])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        path = str(error).partition(" - at `")[2].rstrip("`") or "$"
        raise ComplianceRejected(f"the body is not one of {topic}, at {path}") from error
    if store_url(request.shop_domain) != shop_domain:
        raise ComplianceRejected("the body names another shop than the delivery")
    return request
