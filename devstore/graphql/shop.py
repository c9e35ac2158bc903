"""The shop itself and the app's installation in it, as GraphQL shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from devstore import installs
from devstore.graphql.context import Context, Fields
from devstore.graphql.scalars import gid
from devstore.oauth import describe
from devstore.signing import store_name

if TYPE_CHECKING:
    from devstore.model import Shop


def _offset_minutes(shop: Shop) -> int:
    """Return how far the shop's clock is ahead of UTC right now."""
    offset = datetime.now(UTC).astimezone(ZoneInfo(shop.timezone)).utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


def _offset(shop: Shop, _context: Context) -> str:
    """Return the same as ``-0500``."""
    minutes = _offset_minutes(shop)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"


def _currencies(shop: Shop, context: Context) -> list[str]:
    """Return the shop's currency and those its orders were presented in."""
    seen = {order.presentment_currency for order in list(context.store.orders.values())}
    return sorted({shop.currency, *seen})


def _launch_url(_installation: object, context: Context) -> str:
    """Return the page of the admin that frames the app."""
    options = context.devstore.options
    return f"{options.origin}/store/{store_name(context.store.shop.domain)}/apps/{options.app.client_id}"


SHOP: Fields = {
    "contactEmail": lambda shop, _context: shop.email,
    "createdAt": lambda shop, _context: shop.created_at,
    "currencyCode": lambda shop, _context: shop.currency,
    "email": lambda shop, _context: shop.email,
    "enabledPresentmentCurrencies": _currencies,
    "ianaTimezone": lambda shop, _context: shop.timezone,
    "id": lambda shop, _context: gid("Shop", shop.id),
    "myshopifyDomain": lambda shop, _context: shop.domain,
    "name": lambda shop, _context: shop.name,
    "plan": lambda shop, _context: shop,
    "primaryDomain": lambda shop, _context: shop,
    "shopOwnerName": lambda shop, _context: shop.owner_name,
    "taxesIncluded": lambda shop, _context: shop.taxes_included,
    "timezoneOffset": _offset,
    "timezoneOffsetMinutes": lambda shop, _context: _offset_minutes(shop),
    "updatedAt": lambda shop, _context: shop.updated_at,
    "url": lambda shop, _context: f"https://{shop.domain}",
}
PLAN: Fields = {
    "partnerDevelopment": lambda _shop, _context: False,
    "publicDisplayName": lambda shop, _context: shop.plan,
    "shopifyPlus": lambda shop, _context: shop.plan == "Plus",
}
DOMAIN: Fields = {
    "host": lambda shop, _context: shop.domain,
    "id": lambda shop, _context: gid("Domain", shop.id),
    "sslEnabled": lambda _shop, _context: True,
    "url": lambda shop, _context: f"https://{shop.domain}",
}
INSTALLATION: Fields = {
    "accessScopes": lambda installation, _context: sorted(installs.expand(installation.scopes)),
    "app": lambda _installation, context: context.devstore.options.app,
    "id": lambda installation, _context: gid("AppInstallation", installation.id),
    "launchUrl": _launch_url,
}
APP: Fields = {
    "apiKey": lambda app, _context: app.client_id,
    "embedded": lambda _app, _context: True,
    "handle": lambda app, _context: app.name.lower().replace(" ", "-"),
    "id": lambda _app, context: gid("App", context.installation.id),
    "title": lambda app, _context: app.name,
}
ACCESS_SCOPE: Fields = {
    "description": lambda scope, _context: describe(scope),
    "handle": lambda scope, _context: scope,
}
