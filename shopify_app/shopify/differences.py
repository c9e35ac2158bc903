"""What tells whether we hold what a store holds: counts, lists of ids with their versions, and objects read in full.

Lists are walked by ``id:>…`` rather than by cursors, which reach 25,000 objects deep and no further. An object that
is read in full becomes the very lines a bulk export would hold of it, and is taken in as such.

https://shopify.dev/docs/api/usage/search-syntax
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from shopify_app.shopify import exports
from shopify_app.shopify.scalars import instant, number_of

if TYPE_CHECKING:
    from shopify_app.shopify.details import Executes

PAGE = 250  # Shopify's most, also for ids
FIRST_CHILDREN, MORE_CHILDREN = 10, 50
_INFO = "pageInfo { hasNextPage endCursor }"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is compared of a resource: the names Shopify gives it, and how many objects fit 1,000 points at once.

    ``listed`` is what a list tells of an object beside its version. ``children`` is a connection of each object, of
    nodes with the fields ``child``; ``counted`` the field that counts the objects, where Shopify counts what we hold.
    """

    type: str
    root: str
    fields: str
    at_once: int
    listed: str = ""
    counted: str | None = None
    children: str | None = None
    child: str = ""

    @property
    def listing(self) -> str:
        """The query of a page of ids with their versions."""
        return f"""query Listed($query: String!) {{
  {self.root}(first: {PAGE}, sortKey: ID, query: $query) {{ nodes {{ id updatedAt {self.listed} }} }}
}}"""

    @property
    def counting(self) -> str | None:
        """The query of a count, however large."""
        if self.counted is None:
            return None
        return f"query Counted($query: String!) {{ {self.counted}(query: $query, limit: null) {{ count }} }}"

    @property
    def reading(self) -> str:
        """The query of whole objects, by their ids."""
        children = self._page(f"first: {FIRST_CHILDREN}")
        return f"""query Objects($ids: [ID!]!) {{
  nodes(ids: $ids) {{ ... on {self.type} {{ {self.fields} {children} }} }}
}}"""

    @property
    def continuing(self) -> str | None:
        """The query of an object's further children."""
        if self.children is None:
            return None
        return f"""query Children($id: ID!, $after: String!) {{
  node(id: $id) {{ ... on {self.type} {{ {self._page(f"first: {MORE_CHILDREN}, after: $after")} }} }}
}}"""

    def gid(self, number: int) -> str:
        """Return an object's global id."""
        return f"gid://shopify/{self.type}/{number}"

    def _page(self, size: str) -> str:
        return f"{self.children}({size}) {{ {_INFO} nodes {{ {self.child} }} }}" if self.children else ""


# Checkouts are not counted: webhooks tell of many that Shopify does not list as abandoned.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "customers": Kind(
            type="Customer", root="customers", fields=exports.CUSTOMER, at_once=100, counted="customersCount"
        ),
        "products": Kind(
            type="Product",
            root="products",
            fields=exports.PRODUCT,
            at_once=20,
            counted="productsCount",
            children="variants",
            child=exports.VARIANT,
        ),
        "orders": Kind(
            type="Order",
            root="orders",
            fields=exports.ORDER,
            at_once=6,
            counted="ordersCount",
            children="lineItems",
            child=exports.LINE,
        ),
        "checkouts": Kind(
            type="AbandonedCheckout",
            root="abandonedCheckouts",
            fields=exports.CHECKOUT,
            at_once=10,
            listed="abandonedCheckoutUrl",
            children="lineItems",
            child=exports.CHECKOUT_LINE,
        ),
    }
)

# What is still there, asked together with what the app may see at this moment: an order that the app may no longer
# see is null like one that is deleted.
EXISTING = """query Existing($ids: [ID!]!) {
  nodes(ids: $ids) { id }
  currentAppInstallation { accessScopes { handle } }
}"""

QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "existing": EXISTING,
        **{
            f"{name} {what}": document
            for name, kind in KINDS.items()
            for what in ("listing", "counting", "reading", "continuing")
            if (document := getattr(kind, what)) is not None
        },
    }
)


@dataclass(frozen=True)
class Listed:
    """An object as a list names it: its number, when it was last changed, and a checkout's recovery address."""

    number: int
    updated_at: datetime
    url: str | None = None


@dataclass(frozen=True)
class Window:
    """Which objects are meant: those last changed from ``since`` to ``ceiling``, made no earlier than ``floor``."""

    ceiling: datetime
    since: datetime | None = None
    floor: datetime | None = None

    def query(self, *, after: int | None = None) -> str:
        """Return it in Shopify's search syntax, from the object after this one on."""
        bounds = (("updated_at:<=", self.ceiling), ("updated_at:>=", self.since), ("created_at:>=", self.floor))
        terms = [f"{name}'{instant(at)}'" for name, at in bounds if at is not None]
        return " AND ".join([*terms, *([f"id:>{after}"] if after is not None else [])])


class _Listed(msgspec.Struct, rename="camel"):
    id: str
    updated_at: datetime
    abandoned_checkout_url: str | None = None


def listed(client: Executes, resource: str, window: Window, after: int) -> list[Listed]:
    """Return the next objects of the window by number, ``PAGE`` of them unless it ends."""
    kind = KINDS[resource]
    data = client.execute(kind.listing, {"query": window.query(after=after)})
    nodes = msgspec.convert(data[kind.root]["nodes"], list[_Listed])
    return [Listed(number_of(node.id), node.updated_at, node.abandoned_checkout_url) for node in nodes]


def count(client: Executes, resource: str, window: Window) -> int | None:
    """Return how many objects are in the window, or None for a resource that is not counted."""
    kind = KINDS[resource]
    if kind.counting is None:
        return None
    return int(client.execute(kind.counting, {"query": window.query()})[str(kind.counted)]["count"])


def read(client: Executes, resource: str, numbers: Sequence[int]) -> list[bytes]:
    """Return whole objects, ``Kind.at_once`` at most, as lines of a bulk export: each before its children.

    What is not there any more is left out. Raises what ``execute`` does.
    """
    kind = KINDS[resource]
    nodes = client.execute(kind.reading, {"ids": [kind.gid(number) for number in numbers]})["nodes"]
    return [line for node in nodes if node for line in _lines(client, kind, node)]


def existing(client: Executes, resource: str, numbers: Iterable[int]) -> tuple[set[int], frozenset[str]]:
    """Return which of at most ``PAGE`` objects are there for the app to see, and the access scopes it has right now."""
    kind = KINDS[resource]
    data = client.execute(EXISTING, {"ids": [kind.gid(number) for number in numbers]})
    scopes = data["currentAppInstallation"]["accessScopes"]
    return {number_of(node["id"]) for node in data["nodes"] if node}, frozenset(one["handle"] for one in scopes)


def _lines(client: Executes, kind: Kind, node: dict[str, Any]) -> Iterator[bytes]:
    page = node.pop(kind.children) if kind.children else None
    yield _line(node)
    while page is not None:
        for child in page["nodes"]:
            yield _line(child | {"__parentId": node["id"]})
        page = _next_page(client, kind, node["id"], page["pageInfo"])


def _line(node: dict[str, Any]) -> bytes:
    """Return a line as an export has it: what kind of object it is, its first global id says."""
    return msgspec.json.encode({"id": node["id"], **node})


def _next_page(client: Executes, kind: Kind, gid: str, info: dict[str, Any]) -> dict[str, Any] | None:
    if not info["hasNextPage"]:
        return None
    found = client.execute(str(kind.continuing), {"id": gid, "after": info["endCursor"]})["node"]
    page: dict[str, Any] | None = found[str(kind.children)] if found else None
    return page
