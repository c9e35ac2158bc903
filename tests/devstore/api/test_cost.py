"""What queries cost, and the leaky bucket."""

import pytest
from graphql import get_operation_ast, parse

from devstore.graphql import cost
from devstore.graphql.schema import SCHEMA


def requested(query, **values):
    document = parse(query)
    return cost.requested(SCHEMA, document, get_operation_ast(document, None), values)


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ("{ shop { name } }", 1),
        ("{ shop { plan { shopifyPlus } } }", 2),
        ("{ orders(first: 10) { nodes { id } } }", 12),
        ("{ orders(first: 10) { edges { node { id } } } }", 12),
        ("{ orders(first: 10) { nodes { customer { id } } } }", 22),
        ("{ orders(first: 2) { nodes { lineItems(first: 3) { nodes { id } } } } }", 14),
        ("mutation { appUninstall { app { id } } }", 10),
        ("{ ...F } fragment F on QueryRoot { shop { name } }", 1),
        ("{ ... on QueryRoot { shop { name __typename } } }", 1),
        ('{ node(id: "1") { id ... on Order { customer { id } } ... on Refund { order { customer { id } } } } }', 3),
        ('{ nodes(ids: ["1", "2", "3"]) { id ... on Order { customer { id } } } }', 6),
    ],
)
def test_requested_cost(query, points):
    assert requested(query) == points


def test_the_size_of_a_page_may_be_a_variable():
    assert requested("query Q($n: Int!) { orders(first: $n) { nodes { id } } }", n=5) == 7


def test_objects_wanted_by_their_ids_cost_as_many_as_there_are():
    query = "query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    assert requested(query, ids=["gid://shopify/Order/1"] * 250) == 250
    assert requested(query) == 0


def test_actual_cost_counts_what_came_back():
    data = {"orders": {"nodes": [{"id": 1, "customer": {"id": 2}}], "pageInfo": {"hasNextPage": False}}}

    assert cost.actual(data, 22, mutation=False) == 4


def test_actual_cost_of_a_mutation_is_the_requested_one():
    assert cost.actual({"appUninstall": {"app": {"id": 1}}}, 10, mutation=True) == 10


class Hand:
    """A clock moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_empties_and_refills_at_its_rate():
    clock = Hand()
    bucket = cost.Bucket(100, clock)

    taken = [bucket.take(1000), bucket.take(1000), bucket.take(1)]
    clock.now = 0.5
    later = [bucket.take(51), bucket.take(50)]

    assert taken == [True, True, False]
    assert later == [False, True]


def test_a_bucket_holds_no_more_than_its_capacity():
    clock = Hand()
    bucket = cost.Bucket(100, clock)
    clock.now = 1000
    bucket.give_back(500)

    assert bucket.status() == {"maximumAvailable": 2000.0, "currentlyAvailable": 2000, "restoreRate": 100.0}


@pytest.mark.parametrize(
    ("plan", "rate"),
    [("Basic", 100), ("Grow", 100), ("Standard", 100), ("Advanced", 200), ("Plus", 1000), ("Enterprise", 2000)],
)
def test_the_plan_sets_the_rate(plan, rate):
    assert cost.Buckets().of("a.myshopify.com", plan).rate == rate


def test_another_setting_has_a_bucket_of_its_own_which_may_start_empty():
    buckets = cost.Buckets()
    buckets.of("a.myshopify.com", "Basic").take(2000)

    assert buckets.of("a.myshopify.com", "Plus", 1).status()["currentlyAvailable"] == 20_000
    assert buckets.of("a.myshopify.com", "Plus", 2, drained=True).status()["currentlyAvailable"] < 1000
    assert not buckets.of("a.myshopify.com", "Basic").take(2000)


def test_each_store_has_a_bucket_of_its_own():
    buckets = cost.Buckets()
    buckets.of("a.myshopify.com", "Basic").take(2000)

    assert not buckets.of("a.myshopify.com", "Basic").take(100)
    assert buckets.of("b.myshopify.com", "Basic").take(100)
