"""The filter of a subscription over the body it would get."""

from decimal import Decimal

import pytest

from devstore import filters

BODY = {
    "id": 7,
    "test": False,
    "note": None,
    "status": "Active",
    "total_price": "120.50",
    "subtotal": Decimal("99.90"),
    "updated_at": "2026-03-14T12:00:00-04:00",
    "customer": {"email": "ada@example.com"},
    "variants": [{"price": "9.00", "sku": "A"}, {"price": "12.00", "sku": "B-2"}],
    "tags": ["vip", "gift"],
}


@pytest.mark.parametrize(
    "query",
    [
        None,
        "",
        "id:7",
        "id:*",
        "test:false",
        "status:Active",
        "status:Act*",
        "total_price:>=120.5",
        "subtotal:99.9",
        "variants.price:>=10.00",
        "variants.sku:B-2 AND variants.price:<10",
        "customer.email:'ada@example.com'",
        "updated_at:>'2026-03-14T15:59:59Z'",
        "tags:gift",
        "id:8 OR (status:Active AND test:false)",
        "-id:8",
        "NOT status:archived",
    ],
)
def test_what_a_filter_lets_through(query):
    assert filters.passes(query, BODY)


@pytest.mark.parametrize(
    "query",
    [
        "id:8",
        "status:active",
        "status:act*",
        "total_price:<120",
        "variants.price:>=12.01",
        "colour:red",
        "colour:*",
        "note:*",
        "variants.price.amount:9",
        "updated_at:>'2026-03-14T16:00:00Z'",
        "status:>1",
        "status:>'2026-01-01'",
        "Active",
        "id:7 AND status:archived",
    ],
)
def test_what_a_filter_holds_back(query):
    assert not filters.passes(query, BODY)


def test_a_moment_without_an_offset_is_utc():
    assert filters.passes("at:>='2026-01-01T00:00:00Z'", {"at": "2026-01-01T00:00:00"})
