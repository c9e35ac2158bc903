"""The store's facts, as the Admin API tells them."""

import graphql
import pytest

from shopify_app.shopify import errors
from shopify_app.shopify.shop import SHOP, fetch_shop, legacy_id
from tests.shopify.scripted import Reply


def answer(**changes):
    shop = {
        "id": "gid://shopify/Shop/548380009",
        "name": "Some Shop",
        "myshopifyDomain": "some-shop.myshopify.com",
        "email": "owner@example.com",
        "currencyCode": "EUR",
        "ianaTimezone": "Europe/Berlin",
        "plan": {"publicDisplayName": "Basic"},
    }
    installation = {"accessScopes": [{"handle": "read_orders"}, {"handle": "read_products"}]}
    return Reply({"data": {"currentAppInstallation": installation, "shop": shop | changes}})


def test_facts_are_read(server, admin):
    server.replies = [answer()]

    facts = fetch_shop(admin)

    assert (facts.store_url, facts.shopify_id, facts.name) == ("some-shop.myshopify.com", 548380009, "Some Shop")
    assert (facts.email, facts.currency, facts.time_zone) == ("owner@example.com", "EUR", "Europe/Berlin")
    assert facts.plan == "Basic"
    assert facts.scopes == {"read_orders", "read_products"}


def test_store_with_an_address_that_is_none_is_refused(server, admin):
    server.replies = [answer(myshopifyDomain="evil.example")]

    with pytest.raises(errors.Unavailable, match=r"evil\.example"):
        fetch_shop(admin)


def test_document_is_valid_against_shopifys_schema(schema):
    assert graphql.validate(schema, graphql.parse(SHOP)) == []


@pytest.mark.parametrize("gid", ["gid://shopify/Shop/9007199254740993", "gid://shopify/Cart/9007199254740993?key=x"])
def test_number_of_a_global_id_is_exact(gid):
    assert legacy_id(gid) == 9007199254740993
