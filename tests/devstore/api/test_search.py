"""Shopify's search syntax over plain records."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from devstore import search

FIELDS = {
    "at": lambda record: record.at,
    "status": lambda record: record.status,
    "tag": lambda record: record.tags,
    "total": lambda record: record.total,
    "id": lambda record: record.id,
    "test": lambda record: record.test,
}
RECORD = SimpleNamespace(
    at=datetime(2026, 3, 14, 12, 0, tzinfo=UTC),
    status="partially_refunded",
    tags=["vip", "summer sale"],
    total=Decimal("12.50"),
    id=7,
    test=False,
    name="Ada Lovelace",
)


def found(query):
    return search.parse(query, FIELDS, lambda record: record.name).matches(RECORD)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "at:>='2026-03-14T12:00:00Z'",
        "at:<=2026-03-14T12:00:00Z",
        "at:>2026-03-13",
        "at:2026-03-14",
        "at:2026-03",
        "at:2026",
        "at:<=2026",
        "at:<now",
        "at:>2026-02",
        "status:partially_refunded",
        "status:PARTIALLY_REFUNDED",
        "status:paid,partially_refunded",
        "status:part*",
        "status:any",
        'tag:"summer sale"',
        "total:12.5",
        "total:>=12.50 total:<13",
        "id:gid://shopify/Order/7",
        "test:false",
        "status:paid OR id:7",
        "(status:paid OR id:7) AND total:>1",
        "NOT status:paid",
        "-status:paid",
        "lovelace",
        "status:paid OR (id:7",
    ],
)
def test_search_finds(query):
    assert found(query)


@pytest.mark.parametrize(
    "query",
    [
        "at:>'2026-03-14T12:00:00Z'",
        "at:<2026-03-14",
        "at:>2026-03-14",
        "at:2025",
        "at:>=2026-04",
        "status:paid",
        "status:refunded",
        "tag:summer",
        "total:<12.50",
        "id:>7",
        "test:true",
        "status:paid OR id:8",
        "id:7 status:paid",
        "NOT id:7",
        "-id:7",
        "babbage",
        "status:voi*",
    ],
)
def test_search_does_not_find(query):
    assert not found(query)


def test_an_unknown_field_is_left_out_with_a_warning():
    parsed = search.parse("colour:red id:7", FIELDS, lambda record: record.name)

    assert parsed.matches(RECORD)
    assert list(search.warned(parsed, "orders", "colour:red id:7")) == [
        {
            "path": ["orders"],
            "query": "colour:red id:7",
            "warnings": [{"field": "colour", "message": "Invalid search field for this query."}],
        }
    ]


@pytest.mark.parametrize("query", ["at:>=yesterday", "at:>=2026-13-40"])
def test_an_unreadable_value_is_left_out_with_a_warning(query):
    parsed = search.parse(query, FIELDS, lambda record: record.name)

    assert parsed.matches(RECORD)
    assert [name for name, _ in parsed.warnings] == ["at"]
