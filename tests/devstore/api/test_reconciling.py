"""What an app asks that wants to know whether it holds what the store holds: counts, changes, ids."""

import gzip
import json
from datetime import timedelta

import pytest
from graphql import build_client_schema, parse, validate

from devstore.graphql.access import ORDERS_WINDOW
from devstore.graphql.checkouts import is_listed
from devstore.graphql.scalars import moment, parse_gid

KEYS = {"orders": "UPDATED_AT", "customers": "UPDATED_AT", "products": "UPDATED_AT", "abandonedCheckouts": "ID"}
CHANGED = """query Changed($query: String!, $after: String, $size: Int!) {{
  {root}(first: $size, after: $after, query: $query, sortKey: {key}) {{
    nodes {{ id updatedAt }} pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
COUNTED = """query Counted($query: String, $limit: Int) {{
  {root}Count(query: $query, limit: $limit) {{ count precision }}
}}"""
LISTED = """query Listed($query: String!) {{
  {root}(first: 250, query: $query, sortKey: ID) {{ nodes {{ id }} }}
}}"""
READ = """query Read($ids: [ID!]!) {
  nodes(ids: $ids) {
    __typename
    ... on Order {
      id
      updatedAt
      customer { id }
      refunds {
        id
        createdAt
        updatedAt
        totalRefundedSet { shopMoney { amount } }
        refundLineItems(first: 50) { nodes { id quantity subtotalSet { shopMoney { amount } } lineItem { id } } }
      }
    }
    ... on Customer { id updatedAt amountSpent { amount } numberOfOrders }
    ... on Product { id updatedAt }
    ... on AbandonedCheckout { id updatedAt completedAt }
  }
}"""

each = pytest.mark.parametrize("root", KEYS)


def records(store, root):
    """The records a list would show, oldest change first."""
    listed = [one for one in store.checkouts.values() if is_listed(one)]
    kinds = {"orders": store.orders, "customers": store.customers, "products": store.products}
    held = listed if root == "abandonedCheckouts" else list(kinds[root].values())
    return sorted(held, key=lambda record: (record.updated_at, record.id))


def changed(shopify, root, query, size=7):
    """Walk the pages and return (id, updatedAt)."""
    found, after = [], None
    while True:
        document = CHANGED.format(root=root, key=KEYS[root])
        page = shopify.ask(document, query=query, after=after, size=size)[root]
        found += [(parse_gid(node["id"])[1], node["updatedAt"]) for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def count(shopify, root, **variables):
    answer = shopify.ask(COUNTED.format(root=root), **variables)[f"{root}Count"]
    return answer["count"], answer["precision"]


def between(since, until):
    return f"updated_at:>='{moment(since)}' AND updated_at:<='{moment(until)}'"


@each
def test_the_documents_are_valid_in_shopifys_own_schema(reference, root):
    with gzip.open(reference / "admin-schema" / "admin_2026-10.json.gz") as file:
        real = build_client_schema(json.load(file)["data"], assume_valid=True)
    documents = [CHANGED.format(root=root, key=KEYS[root]), COUNTED.format(root=root), LISTED.format(root=root), READ]

    assert [error for document in documents for error in validate(real, parse(document))] == []


@each
def test_what_changed_between_two_moments_is_listed_with_both_ends(installed, store, root):
    held = records(store, root)
    since, until = held[len(held) // 4].updated_at, held[3 * len(held) // 4].updated_at

    found = changed(installed, root, between(since, until))

    expected = {(one.id, moment(one.updated_at)) for one in held if since <= one.updated_at <= until}
    assert 0 < len(expected) < len(held)
    assert len(found) == len(expected)
    assert set(found) == expected


@each
def test_changes_come_in_order_where_shopify_can_sort_by_them(installed, store, root):
    found = changed(installed, root, between(records(store, root)[0].updated_at, store.now()))

    by_time = [(at, number) for number, at in found]
    assert (by_time if KEYS[root] == "UPDATED_AT" else [number for number, _ in found]) == (
        sorted(by_time) if KEYS[root] == "UPDATED_AT" else sorted(number for number, _ in found)
    )


@each
def test_a_ceiling_between_two_seconds_leaves_the_later_one_out(installed, store, root):
    last = records(store, root)[-1]
    before = last.updated_at - timedelta(milliseconds=500)
    ceiling = f"updated_at:<='{before.isoformat()}'"

    numbers = {number for number, _ in changed(installed, root, ceiling, size=50)}

    assert last.id not in numbers
    assert numbers == {one.id for one in records(store, root) if one.updated_at <= before}


@each
def test_a_count_has_no_limit_only_where_it_is_null(installed, store, root):
    everything = len(records(store, root))

    assert count(installed, root, limit=None) == (everything, "EXACT")
    assert count(installed, root, limit=2) == (2, "AT_LEAST")
    assert count(installed, root, limit=everything) == (everything, "EXACT")
    assert count(installed, root) == (everything, "EXACT")


@each
def test_a_count_stops_at_ten_thousand_by_default(installed, store, root):
    kind = {"abandonedCheckouts": "checkouts"}.get(root, root)
    one = records(store, root)[0]
    setattr(store, kind, dict.fromkeys(range(10_001), one))

    assert count(installed, root) == (10_000, "AT_LEAST")
    assert count(installed, root, limit=None) == (10_001, "EXACT")


@each
def test_a_count_at_a_ceiling_is_not_moved_by_what_changes_later(installed, store, root):
    held = records(store, root)
    until = held[-1].updated_at - timedelta(seconds=1)
    expected = len([one for one in held if one.updated_at <= until])

    counted = count(installed, root, query=f"updated_at:<='{moment(until)}'", limit=None)

    assert counted == (expected, "EXACT")
    assert expected < len(held)


@each
def test_ids_can_be_walked_from_the_last_one_seen(installed, store, root):
    numbers = sorted(one.id for one in records(store, root))
    document = LISTED.format(root=root)

    page = installed.ask(document, query=f"id:>{numbers[1]}")[root]["nodes"]
    rest = installed.ask(document, query=f"id:>{numbers[1]} AND id:<={numbers[3]}")[root]["nodes"]

    assert [parse_gid(node["id"])[1] for node in page] == numbers[2:]
    assert [parse_gid(node["id"])[1] for node in rest] == numbers[2:4]


@each
def test_what_was_deleted_is_null_among_the_nodes(installed, store, root):
    kinds = {"orders": "Order", "customers": "Customer", "products": "Product"}
    held = records(store, root)
    gone, kept = held[0], held[-1]
    type_ = kinds.get(root, "AbandonedCheckout")
    kind = {"abandonedCheckouts": "checkout"}.get(root, root.removesuffix("s"))
    store.remove(kind, gone.token if kind == "checkout" else gone.id)

    nodes = installed.ask(READ, ids=[f"gid://shopify/{type_}/{one.id}" for one in (gone, kept)])["nodes"]

    assert nodes[0] is None
    assert (nodes[1]["__typename"], nodes[1]["updatedAt"]) == (type_, moment(kept.updated_at))


def test_refunds_are_read_with_their_orders(installed, store):
    order = next(one for one in store.orders.values() if one.refunds and one.refunds[0].lines)

    (node,) = installed.ask(READ, ids=[f"gid://shopify/Order/{order.id}"])["nodes"]

    (refund, *_) = node["refunds"]
    assert refund["id"] == f"gid://shopify/Refund/{order.refunds[0].id}"
    assert [(line["quantity"], line["lineItem"]["id"]) for line in refund["refundLineItems"]["nodes"]] == [
        (line.quantity, f"gid://shopify/LineItem/{line.line_item_id}") for line in order.refunds[0].lines
    ]


def test_orders_beyond_sixty_days_are_neither_listed_counted_nor_read(shopify, store):
    shopify.install("read_customers", "read_orders", "read_products")
    oldest = store.now() - ORDERS_WINDOW
    recent = [one for one in store.orders.values() if one.created_at >= oldest]
    old = next(one for one in store.orders.values() if one.created_at < oldest)
    # An old order that changed today is history all the same.
    old.updated_at = store.now()
    store.put("order", old.id, old)

    listed = changed(shopify, "orders", between(oldest - timedelta(days=1000), store.now()), size=50)
    (node,) = shopify.ask(READ, ids=[f"gid://shopify/Order/{old.id}"])["nodes"]

    assert {number for number, _ in listed} == {one.id for one in recent}
    assert count(shopify, "orders", limit=None) == (len(recent), "EXACT")
    assert node is None
    assert count(shopify, "products", limit=None) == (len(store.products), "EXACT")
