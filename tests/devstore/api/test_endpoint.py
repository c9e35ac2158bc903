"""The GraphQL endpoint: tokens, versions, costs, scopes, errors."""

from dataclasses import dataclass

import pytest
from flask import Flask

from devstore import graphql, oauth
from devstore.bulk import Runner
from devstore.graphql import connections, cost, versions
from devstore.graphql.endpoint import BUCKETS, INVALID_TOKEN
from devstore.options import Options
from devstore.state import Devstore


def test_a_token_opens_the_store(installed):
    answer = installed.post("{ shop { myshopifyDomain } }")

    assert answer.status_code == 200
    assert answer.json["data"] == {"shop": {"myshopifyDomain": installed.store.domain}}
    assert answer.headers["X-Shopify-API-Version"] == "2026-10"


@pytest.mark.parametrize("token", ["", "shpat_unknown", "shprt_unknown"])
def test_without_a_live_token_nothing_is_answered(installed, token):
    installed.token = token

    answer = installed.post("{ shop { name } }")

    assert (answer.status_code, answer.json) == (401, {"errors": INVALID_TOKEN})


def test_a_token_of_one_store_does_not_open_another(installed):
    installed.base = "/stores/birch-and-bloom.myshopify.com"

    assert installed.post("{ shop { name } }").status_code == 401


def test_an_unknown_store_is_not_found(installed):
    installed.base = "/stores/nobody.myshopify.com"

    assert installed.post("{ shop { name } }").status_code == 404


@pytest.mark.parametrize(
    ("asked", "served"),
    [("2026-04", "2026-04"), ("2025-10", "2026-01"), ("2024-01", "2026-01"), ("2027-01", "2027-01"), ("2026-10",) * 2],
)
def test_expired_versions_fall_forward(installed, asked, served):
    answer = installed.post("{ shop { name } }", version=asked)

    assert (answer.status_code, answer.headers["X-Shopify-API-Version"]) == (200, served)


@pytest.mark.parametrize("version", ["2026-02", "next", "2028-01"])
def test_versions_that_never_were_are_not_found(installed, version):
    assert installed.post("{ shop { name } }", version=version).status_code == 404


def test_a_versions_title_says_what_it_is():
    assert [versions.title(one) for one in ("2026-07", "2026-10", "2027-01")] == [
        "2026-07",
        "2026-10 (Latest)",
        "2027-01 (Release candidate)",
    ]


def test_permanent_tokens_are_refused_where_expiring_ones_are_required(options, stores, recorder, shopify):
    @dataclass(frozen=True, kw_only=True)
    class Strict(Options):
        require_expiring_tokens: bool = True

    strict = Flask("devstore")
    fields = {name: getattr(options, name) for name in ("data", "shops", "app")}
    devstore = strict.extensions["devstore"] = Devstore(options=Strict(**fields), stores=stores, deliveries=recorder)
    strict.extensions[graphql.BULK] = Runner(devstore)
    strict.register_blueprint(oauth.blueprint)
    strict.register_blueprint(graphql.blueprint)
    shopify.client = strict.test_client()
    shopify.token = shopify.ask_token(code=shopify.code()).json["access_token"]

    answer = shopify.post("{ shop { name } }")

    assert answer.status_code == 403
    assert answer.json["errors"].startswith("[API] Non-expiring access tokens are no longer accepted")


def test_the_answer_says_what_it_cost(installed):
    block = installed.post("{ orders(first: 10) { nodes { id customer { id } } } }").json["extensions"]["cost"]

    assert block["requestedQueryCost"] == 22
    assert 12 <= block["actualQueryCost"] <= 22
    assert block["throttleStatus"]["restoreRate"] == 1000.0
    assert block["throttleStatus"]["maximumAvailable"] == 20000.0


def test_an_empty_bucket_throttles_and_refills(installed, monkeypatch):
    shop = installed.store.shop
    bucket = installed.app.extensions[BUCKETS].of(shop.domain, shop.plan)
    now = cost.time.monotonic()
    monkeypatch.setattr(bucket, "clock", lambda: now)
    bucket.take(bucket.status()["currentlyAvailable"])

    refused = installed.post("{ orders(first: 50) { nodes { id } } }")
    now += 1
    answered = installed.post("{ orders(first: 50) { nodes { id } } }")

    assert refused.status_code == 200
    assert refused.json["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert refused.json["extensions"]["cost"]["requestedQueryCost"] == 52
    assert "data" not in refused.json
    assert "errors" not in answered.json


def test_a_query_above_the_limit_is_refused(installed):
    answer = installed.post("{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { id } } } } }")

    assert answer.status_code == 200
    assert answer.json["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


@pytest.mark.parametrize(
    ("query", "field", "scope"),
    [
        ("{ orders(first: 1) { nodes { id } } }", "orders", "read_orders"),
        ("{ customers(first: 1) { nodes { id } } }", "customers", "read_customers"),
        ("{ abandonedCheckouts(first: 1) { nodes { id } } }", "abandonedCheckouts", "read_orders"),
        ("{ ordersCount { count } }", "ordersCount", "read_orders"),
    ],
)
def test_a_missing_scope_denies_the_field(shopify, query, field, scope):
    answer = shopify.install("read_products").post(query)

    error = answer.json["errors"][0]
    assert answer.status_code == 200
    assert error["message"] == f"Access denied for {field} field. Required access: `{scope}` access scope."
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert error["path"] == [field]


def test_a_denied_field_leaves_the_rest_of_the_data(shopify):
    answer = shopify.install("read_orders", "read_all_orders").post(
        '{ orders(first: 1, query: "customer_id:>0") { nodes { id customer { id } } } }'
    )

    order = answer.json["data"]["orders"]["nodes"][0]
    assert order["id"].startswith("gid://shopify/Order/")
    assert order["customer"] is None
    assert answer.json["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_without_read_all_orders_only_sixty_days_are_seen(shopify):
    everything = len(shopify.store.orders)
    oldest = min(shopify.store.orders.values(), key=lambda order: order.created_at)
    shopify.install("read_orders")

    seen = shopify.ask("{ ordersCount { count } }")["ordersCount"]["count"]
    gone = shopify.ask("query O($id: ID!) { order(id: $id) { id } }", id=f"gid://shopify/Order/{oldest.id}")

    assert seen < everything
    assert gone["order"] is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{", "Syntax Error"),
        ("{ orders(first: 1) { nodes { colour } } }", "Cannot query field 'colour'"),
        ("query A { shop { id } } query B { shop { id } }", "operation name"),
        ("{ orders { nodes { id } } }", "you must provide one of first or last"),
        ("{ orders(first: 1, last: 1) { nodes { id } } }", "providing both first and last"),
        ("{ orders(first: 251) { nodes { id } } }", "must be between 0 and 250"),
        ('{ orders(first: 1, after: "nonsense") { nodes { id } } }', "Invalid cursor"),
        ('{ order(id: "7") { id } }', "Invalid global id '7'"),
        ("mutation { webhookSubscriptionDelete { userErrors { message } } }", "id"),
    ],
)
def test_errors_of_a_query_are_answered_with_200(installed, query, words):
    answer = installed.post(query)

    assert answer.status_code == 200
    assert words in answer.json["errors"][0]["message"]


def test_a_body_without_a_query_is_answered_with_an_error(installed):
    answer = installed.client.post(
        f"{installed.base}/admin/api/2026-10/graphql.json",
        data="[]",
        headers={"X-Shopify-Access-Token": installed.token},
    )

    assert answer.json["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_a_cursor_of_another_sort_key_is_refused(installed):
    first = installed.ask("{ orders(first: 1, sortKey: UPDATED_AT) { pageInfo { endCursor } } }")
    cursor = first["orders"]["pageInfo"]["endCursor"]

    answer = installed.post(
        f'{{ orders(first: 1, after: "{cursor}", sortKey: FINANCIAL_STATUS) {{ nodes {{ id }} }} }}'
    )

    assert answer.json["errors"][0]["extensions"]["code"] == "INVALID_CURSOR"


def test_a_failing_resolver_is_an_internal_error(installed, monkeypatch):
    monkeypatch.setitem(connections.PAGE_INFO, "hasNextPage", lambda _page, _context: 1 / 0)

    answer = installed.post("{ orders(first: 1) { pageInfo { hasNextPage } } }")

    assert answer.status_code == 200
    assert answer.json["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


def test_what_a_search_left_out_is_reported(installed):
    answer = installed.post('{ orders(first: 1, query: "colour:red") { nodes { id } } }')

    assert answer.json["extensions"]["search"][0]["warnings"][0]["field"] == "colour"
