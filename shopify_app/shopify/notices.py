"""What a store tells the app about itself and about the app, as opposed to its data: bodies of four topics.

``app/uninstalled`` and ``shop/update`` carry the shop as it is; https://shopify.dev/docs/api/webhooks has samples.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec


class NoticeRejected(Exception):
    """A body is not what its topic promises; the message names the field."""


class ShopNotice(msgspec.Struct):
    """``shop/update``: the shop's facts; what a body leaves out is None and unchanged."""

    name: str | None = None
    email: str | None = None
    currency: str | None = None
    iana_timezone: str | None = None
    primary_locale: str | None = None
    plan_display_name: str | None = None


class ScopesNotice(msgspec.Struct):
    """``app/scopes_update``: the access scopes granted before and now."""

    current: list[str]


class BulkNotice(msgspec.Struct):
    """``bulk_operations/finish``: which operation ended; how, only the API says."""

    admin_graphql_api_id: str


Notice = TypeVar("Notice", ShopNotice, ScopesNotice, BulkNotice)


def decode(payload: bytes, kind: type[Notice]) -> Notice:
    """Read a body.

    Raises:
        NoticeRejected: it is not JSON, or a field is missing or of another type.
    """
    try:
        return msgspec.json.decode(payload, type=kind)
    except msgspec.DecodeError as error:
        raise NoticeRejected(str(error)) from error
