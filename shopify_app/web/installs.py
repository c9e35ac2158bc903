"""Installing: a grant becomes a tenant, whose claim for what has to follow is handed to the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shopify_app import registrations, tenants
from shopify_app.database import directory
from shopify_app.jobs.queues import SETTLE
from shopify_app.runtime import current
from shopify_app.shopify.client import AdminClient
from shopify_app.shopify.shop import fetch_shop

if TYPE_CHECKING:
    from datetime import datetime

    from shopify_app.shopify.oauth import TokenGrant


def by_id_token(store_url: str, id_token: str, now: datetime) -> int:
    """Install the store whose admin shows the app, and return the tenant's id (Shopify's managed installation).

    Raises:
        ExchangeRefused: Shopify wants a newer ID token.
        ShopifyError: Shopify did not answer, or would not say what store this is.
    """
    return by_grant(store_url, current().oauth.exchange_id_token(store_url, id_token), now)


def by_code(store_url: str, code: str, redirect_uri: str, now: datetime) -> int:
    """Install the store whose owner has just consented, and return the tenant's id (authorization code grant).

    Raises:
        ExchangeRefused: the code was used before or is none of Shopify's.
        ShopifyError: Shopify did not answer, or would not say what store this is.
    """
    return by_grant(store_url, current().oauth.exchange_code(store_url, code, redirect_uri), now)


def by_grant(store_url: str, grant: TokenGrant, now: datetime) -> int:
    """Record the store and its token in one transaction, then have its webhooks and history seen to."""
    runtime = current()
    client = AdminClient(
        runtime.config.shop_origin(store_url),
        runtime.config.shopify_api_version,
        grant.access_token,
        runtime.http,
        traffic=runtime.traffic,
    )
    facts = fetch_shop(client)
    with directory() as session:
        tenant_id = tenants.install(session, facts=facts, grant=grant, vault=runtime.vault, now=now).id
        registrations.supersede(session, facts.store_url, now)
    runtime.queues.nudge(SETTLE, tenant_id=tenant_id)
    return tenant_id
