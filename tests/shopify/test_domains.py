"""Store addresses: only whole, plain hosts pass, as Shopify's library sees them too."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shopify.utils.shop_url import sanitize_shop_domain

from shopify_app.shopify import domains


@pytest.mark.parametrize("text", ["some-shop.myshopify.com", "Some-Shop.MyShopify.com", "a1.myshopify.com"])
def test_store_address_is_returned_in_lower_case(text):
    assert domains.store_url(text) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "some-shop",
        "some-shop.myshopify.com\n",
        " some-shop.myshopify.com",
        "https://some-shop.myshopify.com",
        "some-shop.myshopify.com/admin",
        "some-shop.myshopify.com:443",
        "some-shop.myshopify.com.evil.example",
        "evil.example/some-shop.myshopify.com",
        "user@some-shop.myshopify.com",
        "some.shop.myshopify.com",
        "-shop.myshopify.com",
        "some_shop.myshopify.com",
        "ſome-shop.myshopify.com",
        "some-shop.myshopify.comm",
        "some-shopxmyshopify.com",
        ".myshopify.com",
        "a" * 64 + ".myshopify.com",
    ],
)
def test_anything_but_a_whole_store_address_is_refused(text):
    assert domains.store_url(text) is None


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=30) | st.from_regex(r"[a-z0-9-]{1,6}(\.myshopify\.com)?[\n/@:]?", fullmatch=True))
def test_what_passes_is_what_shopifys_library_makes_of_it(text):
    found = domains.store_url(text)

    assert found is None or found == sanitize_shop_domain(text) == text.lower()


def test_store_name_is_the_first_label():
    assert domains.store_name("some-shop.myshopify.com") == "some-shop"


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("", ""),
        ("/", ""),
        ("/settings", "/settings"),
        ("/?range=last_7_days&compare=none", "/?range=last_7_days&compare=none"),
        ("//evil.example/x", "/evil.example/x"),
        ("/a b\r\nLocation: x", "/a%20b%0D%0ALocation:%20x"),
        ("/100%25", "/100%25"),
    ],
)
def test_page_of_the_app_in_the_admin_stays_in_the_admin(path, suffix):
    url = domains.admin_app_url("https://admin.shopify.com", "some-shop.myshopify.com", "client-id", path)

    assert url == f"https://admin.shopify.com/store/some-shop/apps/client-id{suffix}"
