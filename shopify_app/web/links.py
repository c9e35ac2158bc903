"""Addresses that reach us from outside, and where they may send somebody: only our own pages or Shopify's admin."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from flask import g, request, url_for

from shopify_app.runtime import current
from shopify_app.shopify import domains

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the admin adds to the app's address when it opens it; good once, so never kept in an address.
# https://shopify.dev/docs/apps/build/authentication-authorization
ONCE = frozenset({"appLoadId", "hmac", "id_token", "protocol", "session", "timestamp"})
LAUNCH = ONCE | {"embedded", "host", "locale", "shop"}
RELOAD = "shopify-reload"
# Marks an address that App Bridge has reloaded with a new token, so that a token refused again ends in a message.
BOUNCED = "bounced"
FRAMES = frozenset({"embed", "frame", "iframe", "object"})


def safe_path(text: str | None) -> str | None:
    """Return ``text`` when it is a path of ours, with its query, and None when it could lead anywhere else."""
    if not text or not text.startswith("/") or "\\" in text or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc or text.startswith("//") else text


def path_with_query(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return the path followed by the query, encoded."""
    query = urlencode(list(pairs))
    return f"{path}?{query}" if query else path


def here(*, without: frozenset[str] = LAUNCH, bounced: bool = False) -> str:
    """Return the path and query of this request, less the parameters named."""
    dropped = without | {BOUNCED, RELOAD}
    pairs = [(name, value) for name, value in request.args.items(multi=True) if name not in dropped]
    return path_with_query(request.path, [*pairs, (BOUNCED, "1")] if bounced else pairs)


def bounce() -> str:
    """Return the address of the page on which App Bridge fetches a new session token and comes back here."""
    kept = [(name, value) for name, value in request.args.items() if name in LAUNCH - ONCE and _is_sound(name, value)]
    target = here(without=ONCE, bounced=True)
    return path_with_query(url_for("tenants.bounce"), [*kept, (RELOAD, target)])


def in_admin(store_url: str) -> str:
    """Return the address, inside the store's admin, of what was asked for here."""
    config = current().config
    return domains.admin_app_url(config.shopify_admin_origin, store_url, config.shopify_api_key, here())


def asked_store() -> str | None:
    """Return the store named by ``shop`` in the query, else by ``host``; None when there is none that could be one."""
    if "shop" in request.args:
        return domains.store_url(request.args["shop"])
    return _store_of_host(request.args.get("host", ""))


def is_document() -> bool:
    """Whether the browser is about to show the answer as a page, rather than hand it to a script."""
    destination = request.headers.get("Sec-Fetch-Dest")
    if destination is not None:
        return destination in FRAMES | {"document"}
    return request.method == "GET" and "X-Requested-With" not in request.headers


def is_framed() -> bool:
    """Whether the page is known to be shown in a frame."""
    return request.headers.get("Sec-Fetch-Dest") in FRAMES


def allow_framing(store_url: str | None) -> None:
    """Let Shopify's admin, and the store's own when it is known, show the answer to this request in a frame."""
    config = current().config
    origins = [config.shop_origin(store_url)] if store_url else []
    g.framed_by = tuple(dict.fromkeys(_origin(url) for url in [*origins, config.shopify_admin_origin]))


def _is_sound(name: str, value: str) -> bool:
    """Whether App Bridge may be handed the parameter: it speaks to the page that ``host`` names."""
    if name != "host":
        return True
    store_url = _store_of_host(value)
    return store_url is not None and store_url == asked_store()


def _store_of_host(host: str) -> str | None:
    return domains.store_of_host(host, current().config.shopify_admin_origin)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
