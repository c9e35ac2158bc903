"""Commands run as from a terminal, and stores for them."""

from datetime import UTC, datetime

import pytest

from shopify_app import tenants
from shopify_app.database import directory
from shopify_app.runtime import current
from shopify_app.shopify.oauth import TokenGrant
from shopify_app.shopify.shop import ShopFacts

SCOPES = frozenset({"read_orders", "read_products"})


@pytest.fixture
def run(app):
    """Runs a command and returns its result."""
    runner = app.test_cli_runner()

    def command(*arguments):
        return runner.invoke(args=arguments)

    return command


@pytest.fixture
def install(app):
    """Makes stores that have installed the app."""

    def make(name="alder", **grant):
        facts = ShopFacts(
            store_url=f"{name}.myshopify.com",
            shopify_id=1,
            name=name.title(),
            email=f"owner@{name}.example",
            currency="USD",
            time_zone="UTC",
            plan=None,
            scopes=SCOPES,
        )
        known = {"access_token": "shpat_1", "expires_in": 3600, "refresh_token": "shprt_1"}
        given = TokenGrant(scopes=SCOPES, **(known | grant))
        with app.app_context(), directory() as session:
            return tenants.install(session, facts=facts, grant=given, vault=current().vault, now=datetime.now(UTC)).id

    return make
