"""Relay pagination over whole lists, with cursors that survive what is added or deleted between two pages."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from devstore.graphql.context import Fields, Key, Listing, RequestError

LARGEST_PAGE = 250


class Edge(NamedTuple):
    """A node of a page with its cursor."""

    cursor: str
    node: Any


class Page(NamedTuple):
    """One page of a connection."""

    edges: Sequence[Edge]
    has_next: bool
    has_previous: bool


def paginate(
    listing: Listing,
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    reverse: bool = False,
) -> Page:
    """Cut one page; raises ``RequestError`` for a page without, with two or with too large a size, or a bad cursor."""
    size = _page_size(first, last)
    keyed = _keyed(listing)
    if reverse:
        keyed.reverse()
    window = _between(keyed, after, before, reverse=reverse)
    chosen = window[:size] if first is not None else window[max(len(window) - size, 0) :]
    edges = [Edge(_cursor(key), item) for key, item in chosen]
    start = keyed.index(chosen[0]) if chosen else 0
    end = start + len(chosen)
    return Page(edges, has_next=bool(chosen) and end < len(keyed), has_previous=bool(chosen) and start > 0)


def _page_size(first: int | None, last: int | None) -> int:
    """Return the size of the page that was asked for."""
    if (first is None) == (last is None):
        message = "you must provide one of first or last" if first is None else "providing both first and last"
        raise RequestError(message, "BAD_REQUEST")
    size = first if first is not None else last
    if size is None or not 0 <= size <= LARGEST_PAGE:
        message = f"first/last must be between 0 and {LARGEST_PAGE}, got {size}"
        raise RequestError(message, "BAD_REQUEST")
    return size


def _keyed(listing: Listing) -> list[tuple[Key, Any]]:
    """Pair every item with its key."""
    if listing.key is None:
        return [((index, 0), item) for index, item in enumerate(listing.items)]
    return [(listing.key(item), item) for item in listing.items]


def _between(
    keyed: list[tuple[Key, Any]], after: str | None, before: str | None, *, reverse: bool
) -> list[tuple[Key, Any]]:
    """Keep what lies between two cursors, whether or not their items still exist."""
    if after is not None:
        edge = cursor_key(after)
        keyed = [pair for pair in keyed if _precedes(edge, pair[0], reverse=reverse)]
    if before is not None:
        edge = cursor_key(before)
        keyed = [pair for pair in keyed if _precedes(pair[0], edge, reverse=reverse)]
    return keyed


def _precedes(left: Key, right: Key, *, reverse: bool) -> bool:
    """Compare two keys in the order of the page; a cursor of another sort key is refused."""
    try:
        return plain(right) < plain(left) if reverse else plain(left) < plain(right)
    except TypeError as error:
        message = "Invalid cursor for current pagination sort."
        raise RequestError(message, "INVALID_CURSOR") from error


def plain(key: Key) -> Key:
    """Return a key as a cursor holds it."""
    value, tie = key
    return (value.timestamp() if isinstance(value, datetime) else value), tie


def _cursor(key: Key) -> str:
    """Write a key as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(plain(key)).encode()).decode()


def cursor_key(cursor: str) -> Key:
    """Read a cursor."""
    try:
        value, tie = json.loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, TypeError) as error:
        message = "Invalid cursor for current pagination sort."
        raise RequestError(message, "INVALID_CURSOR") from error
    return value, tie


CONNECTION: Fields = {
    "edges": lambda page, _context: page.edges,
    "nodes": lambda page, _context: [edge.node for edge in page.edges],
    "pageInfo": lambda page, _context: page,
}
EDGE: Fields = {
    "cursor": lambda edge, _context: edge.cursor,
    "node": lambda edge, _context: edge.node,
}
PAGE_INFO: Fields = {
    "hasNextPage": lambda page, _context: page.has_next,
    "hasPreviousPage": lambda page, _context: page.has_previous,
    "startCursor": lambda page, _context: page.edges[0].cursor if page.edges else None,
    "endCursor": lambda page, _context: page.edges[-1].cursor if page.edges else None,
}
