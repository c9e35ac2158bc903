"""A store's address: what is one, and the pages of Shopify's admin that follow from it."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

from shopify.utils.shop_url import sanitize_shop_domain

SUFFIX = ".myshopify.com"
BASE64 = re.compile(r"[0-9A-Za-z+/]+={0,2}")
HOST = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com")


@lru_cache(maxsize=4096)  # asked for each webhook, of a few stores
def store_url(text: str | None) -> str | None:
    """Return the store's host in lower case (``some-shop.myshopify.com``), or None when the text is not one.

    The whole text must be the host: no scheme, port, path or white space, and no bare store name, so that what was
    checked is what is used.
    """
    host = (text or "").lower()
    if HOST.fullmatch(host) is None or sanitize_shop_domain(host) != host:
        return None
    return host


def store_name(store_url: str) -> str:
    """Return the store's handle: ``some-shop`` of ``some-shop.myshopify.com``."""
    return store_url.removesuffix(SUFFIX)


def store_of_host(host: str, admin_origin: str) -> str | None:
    """Return the store that a launch's ``host`` names, or None when it names no page of Shopify's admin.

    It is base64, the padding often left out, of ``admin.shopify.com/store/some-shop`` or of
    ``some-shop.myshopify.com/admin``.
    """
    if BASE64.fullmatch(host) is None:
        return None
    try:
        page = base64.b64decode(host.rstrip("=") + "=" * (-len(host.rstrip("=")) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    in_admin = page.removeprefix(f"{urlsplit(admin_origin).netloc}/store/")
    return store_url(in_admin + SUFFIX if in_admin != page else page.removesuffix("/admin"))


def admin_app_url(admin_origin: str, store_url: str, api_key: str, path: str = "") -> str:
    """Return where Shopify's admin shows the app in its frame; ``path`` is a path (and query) of the app."""
    page = path.lstrip("/")
    suffix = f"/{quote(page, safe='/?&=%-._~+:,')}" if page else ""
    return f"{admin_origin}/store/{quote(store_name(store_url))}/apps/{quote(api_key, safe='')}{suffix}"
