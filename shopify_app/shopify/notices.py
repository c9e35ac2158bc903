"""What a store tells the app about itself and about the app, as opposed to its data: bodies of four topics.

``app/uninstalled`` and ``shop/update`` carry the shop as it is; https://shopify.dev/docs/api/webhooks has samples.
A webhook's signature covers the body alone, so a notice is acted on only when its body itself names the shop.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from shopify_app.shopify.domains import store_url
from shopify_app.shopify.scalars import Gid, Instant, Plain, ShopifyId, number_of


class NoticeRejected(Exception):
    """A body is not what its topic promises; the message names the field."""


class NotThisShop(NoticeRejected):
    """A body does not name the shop it was delivered for, so it proves nothing about it."""

    def __init__(self) -> None:
        super().__init__("the signed body does not name this shop: see $.myshopify_domain, $.id or $.shop_id")


class ShopNotice(msgspec.Struct):
    """``shop/update`` and ``app/uninstalled``: the shop's facts; what a body leaves out is None and unchanged."""

    id: ShopifyId | None = None
    myshopify_domain: str | None = None
    name: Plain | None = None
    email: Plain | None = None
    currency: Plain | None = None
    iana_timezone: str | None = None
    primary_locale: Plain | None = None
    plan_display_name: Plain | None = None
    updated_at: Instant | None = None


class ScopesNotice(msgspec.Struct):
    """``app/scopes_update``: the access scopes granted before and now."""

    shop_id: Gid
    current: list[Plain]


class BulkNotice(msgspec.Struct):
    """``bulk_operations/finish``: which operation ended; how, only the API says."""

    admin_graphql_api_id: Plain


class _Object(msgspec.Struct):
    """Any object: what it holds is passed over, which is still checked to be JSON."""


_OBJECT = msgspec.json.Decoder(_Object)
Notice = TypeVar("Notice", ShopNotice, ScopesNotice, BulkNotice)


def decode(payload: bytes, kind: type[Notice]) -> Notice:
    """Read a body.

    Raises:
        NoticeRejected: it is not JSON, or a field is missing or of another type.
    """
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoticeRejected(str(error)) from error


def is_object(payload: bytes) -> bool:
    """Return whether a body is a JSON object, as every webhook of Shopify's is.

    Whoever opens the app can read an ID token, and a launch address with its HMAC; both are signed with the secret
    that signs webhooks, and can be posted as a body with a good signature. Neither is a JSON object.
    """
    try:
        _OBJECT.decode(payload)
        payload.isascii() or payload.decode()  # what is passed over may be no UTF-8
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def names_shop(notice: ShopNotice | ScopesNotice, *, domain: str, shopify_id: int | None) -> bool:
    """Return whether the body names this shop: by its address, or, where it tells none, by Shopify's number of it."""
    if isinstance(notice, ScopesNotice):
        return number_of(notice.shop_id) == shopify_id
    if notice.myshopify_domain is not None:
        return store_url(notice.myshopify_domain) == domain
    return notice.id is not None and notice.id == shopify_id
