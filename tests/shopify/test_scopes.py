"""Scopes: writing implies reading, as ShopifyAPI defines it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shopify import ApiAccess

from shopify_app.shopify import scopes

names = st.sampled_from(
    [f"{verb}_{noun}" for verb in ("read", "write") for noun in ("orders", "products", "customers")]
)


@pytest.mark.parametrize(
    ("granted", "wanted", "lacking"),
    [
        ({"read_orders"}, {"read_orders"}, set()),
        ({"write_orders"}, {"read_orders"}, set()),
        ({"read_orders"}, {"write_orders"}, {"write_orders"}),
        (set(), {"read_orders", "read_products"}, {"read_orders", "read_products"}),
        ({"read_orders"}, set(), set()),
        ({"customer_read_orders"}, {"customer_read_orders", "read_orders"}, {"read_orders"}),
        ({"read_orders"}, {"customer_read_orders"}, {"customer_read_orders"}),
    ],
)
def test_missing_scopes_are_those_neither_held_nor_implied(granted, wanted, lacking):
    assert scopes.missing(granted, wanted) == lacking


@settings(max_examples=200, deadline=None)
@given(granted=st.sets(names), wanted=st.sets(names))
def test_nothing_is_missing_exactly_when_shopifys_library_says_covered(granted, wanted):
    covered = ApiAccess(sorted(granted)).covers(ApiAccess(sorted(wanted)))

    assert (not scopes.missing(granted, wanted)) == covered


@pytest.mark.parametrize(
    "text", ["read_orders,write_products", "read_orders, write_products ", "write_products read_orders"]
)
def test_scope_text_is_read_with_commas_or_spaces(text):
    assert scopes.parse(text) == {"read_orders", "write_products"}


@pytest.mark.parametrize("text", [None, "", " , "])
def test_empty_scope_text_holds_no_scope(text):
    assert scopes.parse(text) == frozenset()
