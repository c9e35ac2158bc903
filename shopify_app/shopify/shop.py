"""What the Admin API says of the store itself, and of what it granted the app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shopify_app.shopify import domains
from shopify_app.shopify.errors import Unavailable

if TYPE_CHECKING:
    from shopify_app.shopify.client import AdminClient

SHOP = """
query Shop {
  currentAppInstallation { accessScopes { handle } }
  shop { id name myshopifyDomain email currencyCode ianaTimezone plan { publicDisplayName } }
}
"""


@dataclass(frozen=True, kw_only=True)
class ShopFacts:
    """A store, as Shopify describes it. ``currency`` is ISO 4217, ``time_zone`` an IANA name.

    Shopify tells a shop's own language only to apps with ``read_locales``, which this one does not need.
    """

    store_url: str
    shopify_id: int
    name: str
    email: str | None
    currency: str
    time_zone: str
    plan: str | None
    scopes: frozenset[str]


def fetch_shop(client: AdminClient) -> ShopFacts:
    """Ask the store for its facts and for the access scopes it has granted.

    Raises:
        ShopifyError: no usable answer; see ``retryable``.
    """
    data = client.execute(SHOP)
    shop: dict[str, Any] = data["shop"]
    store_url = domains.store_url(shop["myshopifyDomain"])
    if store_url is None:
        raise Unavailable(f"Shopify named a store {shop['myshopifyDomain']!r}, which is not a store's address.")
    return ShopFacts(
        store_url=store_url,
        shopify_id=legacy_id(shop["id"]),
        name=shop["name"],
        email=shop["email"] or None,
        currency=shop["currencyCode"],
        time_zone=shop["ianaTimezone"],
        plan=(shop["plan"] or {}).get("publicDisplayName"),
        scopes=frozenset(scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]),
    )


def legacy_id(gid: str) -> int:
    """Return the number at the end of a global id such as ``gid://shopify/Shop/1``."""
    return int(gid.rpartition("/")[2].partition("?")[0])
