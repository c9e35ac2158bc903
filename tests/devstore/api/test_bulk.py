"""Bulk operations: from the query to the file, and every way one ends or does not begin."""

import json
import threading
import time
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from flask import Flask

from devstore import bulk, bulk_files, graphql
from devstore.bulk_files import Operation
from devstore.state import Devstore

ORDERS = "{ orders { edges { node { id name customer { id } lineItems { edges { node { id quantity } } } } } } }"
CANCEL = (
    "mutation C($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { id status } userErrors { field message } } }"
)


def fetch(shopify, url, **headers):
    parts = urlsplit(url)
    return shopify.client.get(f"{parts.path}?{parts.query}", headers=headers, buffered=True)


def rows(shopify, query, *, grouped=False):
    started = shopify.start_bulk(query, grouped=grouped)
    assert started["userErrors"] == []
    operation = shopify.finished(started["bulkOperation"]["id"])
    assert operation["status"] == "COMPLETED", operation
    return operation, [json.loads(line) for line in fetch(shopify, operation["url"]).data.splitlines()]


def paged(shopify, root, fields):
    """Read the same by pages."""
    found, after = [], ""
    while True:
        page = shopify.ask(
            f"{{ {root}(first: 20{after}) {{ nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        )
        found += page[root]["nodes"]
        if not page[root]["pageInfo"]["hasNextPage"]:
            return found
        after = f', after: "{page[root]["pageInfo"]["endCursor"]}"'


@pytest.fixture
def gate(monkeypatch):
    """Hold every operation at its first checkpoint until the gate is opened."""
    opened = threading.Event()
    monkeypatch.setattr(bulk, "time", SimpleNamespace(sleep=lambda _seconds: opened.wait(10)))
    yield opened
    opened.set()


def test_an_operation_is_created_first_and_announced_at_the_end(installed, recorder):
    started = installed.start_bulk(ORDERS)

    operation = installed.finished(started["bulkOperation"]["id"])

    assert started["bulkOperation"]["status"] == "CREATED"
    assert operation["status"] == "COMPLETED"
    body = recorder.body("bulk_operations/finish")
    assert (body["admin_graphql_api_id"], body["status"]) == (operation["id"], "completed")
    assert body["error_code"] is None


def test_the_file_holds_every_object_once(installed, store):
    operation, lines = rows(installed, ORDERS)

    items = sum(len(order.lines) for order in store.orders.values())
    assert operation["rootObjectCount"] == str(len(store.orders))
    assert operation["objectCount"] == str(len(store.orders) + items) == str(len(lines))
    assert len({line["id"] for line in lines}) == len(lines)
    assert operation["fileSize"] == str(len(fetch(installed, operation["url"]).data))


def test_the_file_says_what_the_pages_say(installed):
    fields = (
        "id name email tags createdAt displayFinancialStatus customer { id displayName } totalPriceSet { shopMoney { "
        "amount } presentmentMoney { amount currencyCode } } refunds { id createdAt } shippingAddress { city }"
    )

    _, lines = rows(installed, f"{{ orders(sortKey: ID) {{ edges {{ node {{ {fields} }} }} }} }}")

    by_pages = paged(installed, "orders", fields)
    assert sorted(lines, key=lambda line: line["id"]) == sorted(by_pages, key=lambda node: node["id"])


def test_children_come_after_their_parents_but_not_next_to_them(installed):
    _, lines = rows(installed, ORDERS)

    places = {line["id"]: place for place, line in enumerate(lines)}
    children = [line for line in lines if "__parentId" in line]
    assert all(places[child["__parentId"]] < places[child["id"]] for child in children)
    assert any(places[child["id"]] - places[child["__parentId"]] > 3 for child in children)
    parents = [child["__parentId"] for child in children]
    assert any(a != b and a in parents[place + 2 :] for place, (a, b) in enumerate(pairwise(parents)))


def test_a_grouped_file_has_children_next_to_their_parents(installed):
    _, lines = rows(installed, ORDERS, grouped=True)

    parent = None
    for line in lines:
        parent = line["id"] if "__parentId" not in line else parent
        assert line.get("__parentId", parent) == parent


def test_grandchildren_follow_their_own_parents(installed):
    query = (
        "{ customers { edges { node { id orders { edges { node { id lineItems { edges { node { id } } } } } } } } } }"
    )

    _, lines = rows(installed, query)

    places = {line["id"]: place for place, line in enumerate(lines)}
    items = [line for line in lines if "/LineItem/" in line["id"]]
    assert items
    assert all("/Order/" in item["__parentId"] for item in items)
    assert all(places[line["__parentId"]] < places[line["id"]] for line in lines if "__parentId" in line)


def test_a_connection_inside_an_object_belongs_to_the_node_around_it(installed, store):
    query = "{ orders { edges { node { id customer { id orders { edges { node { name } } } } } } } }"

    _, lines = rows(installed, query)

    children = [line for line in lines if "__parentId" in line]
    assert children
    assert all(child["__parentId"].startswith("gid://shopify/Order/") for child in children)


def test_aliases_fragments_and_filters_are_honoured(installed, store):
    query = (
        'query Q { orders(query: "status:cancelled", sortKey: ID, reverse: true) { edges { node { id __typename '
        "...F number: name ... on Order { test } ... on Node { key: id } } } } } "
        "fragment F on Order { customer { id } customer { locale } featured: lineItems { edges { node { id } } } }"
    )

    _, lines = rows(installed, query)

    roots = [line for line in lines if "__parentId" not in line]
    cancelled = sorted((order for order in store.orders.values() if order.cancelled_at), key=lambda one: -one.id)
    assert [root["number"] for root in roots] == [f"#{order.number}" for order in cancelled]
    assert roots[0].keys() == {"id", "__typename", "customer", "number", "test", "key"}
    assert roots[0]["__typename"] == "Order"
    assert {root["customer"] is None or root["customer"].keys() == {"id", "locale"} for root in roots} == {True}


def test_page_arguments_are_left_aside(installed, store):
    query = "{ orders(first: 1) { edges { cursor node { id } } pageInfo { hasNextPage } } }"

    operation, _ = rows(installed, query)

    assert operation["rootObjectCount"] == str(len(store.orders))


def test_without_rows_there_is_no_url(installed):
    started = installed.start_bulk('{ orders(query: "id:1") { edges { node { id } } } }')

    operation = installed.finished(started["bulkOperation"]["id"])

    assert (operation["status"], operation["objectCount"], operation["url"]) == ("COMPLETED", "0", None)
    assert operation["fileSize"] == "0"


def test_the_reference_exports_run(installed, reference):
    documents = json.loads((reference / "validated_queries.json").read_text())

    for name in ("orders", "customers", "products", "abandoned"):
        operation, lines = rows(installed, documents[name])

        assert operation["errorCode"] is None
        assert lines, name


TOO_DEEP = """{ customers { edges { node { id orders { edges { node { id lineItems { edges { node { id
    product { variants { edges { node { id } } } } } } } } } } } } } }"""
SIX_CONNECTIONS = """{
    a: products { edges { node { id } } } b: products { edges { node { id } } } c: products { edges { node { id } } }
    d: orders { edges { node { id } } } e: orders { edges { node { id } } } f: orders { edges { node { id } } } }"""
USE_EDGES = (
    "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
    "'products { edges { node {'. Selecting via 'nodes' is not supported. Invalid connection fields: 'products'."
)
SELECT_ID = (
    "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of "
    "'ID' return type. Connection fields without 'id': products."
)
IN_LIST = "Queries that contain a connection field within a list field are not currently supported."
REFUSALS = {
    "nothing to list": ("{ shop { name } }", "Bulk queries must contain at least one connection."),
    "nodes": ("{ products { nodes { id } } }", USE_EDGES),
    "too deep": (TOO_DEEP, "Bulk queries cannot contain connections with a nesting depth greater than 2."),
    "six connections": (SIX_CONNECTIONS, "Bulk queries cannot contain more than 5 connections."),
    "no id": ("{ products { edges { node { title variants { edges { node { id } } } } } } }", SELECT_ID),
    "aliased id": ("{ products { edges { node { gid: id variants { edges { node { id } } } } } } }", SELECT_ID),
    "in a list": ("{ orders { edges { node { id refunds { transactions { edges { node { id } } } } } } } }", IN_LIST),
    "not nodes": (
        "{ orders { edges { node { id shippingLines { edges { node { title } } } } } } }",
        "Connections in a bulk query must be of a type that implements Node. Invalid: 'shippingLines'.",
    ),
    "a mutation": (
        "mutation { appUninstall { app { id } } }",
        "Invalid operation type. Only `query` operations are supported.",
    ),
    "empty": ("", "Invalid bulk query: syntax error, unexpected end of file"),
    "no syntax": ("{ orders", "Invalid bulk query: Syntax Error: Expected Name, found <EOF>."),
    "no such field": (
        "{ orders { edges { node { colour } } } }",
        "Invalid bulk query: Cannot query field 'colour' on type 'Order'.",
    ),
    "two operations": (
        "query A { orders { edges { node { id } } } } query B { orders { edges { node { id } } } }",
        "Invalid bulk query: it must hold exactly one operation",
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_query_is_refused(installed, reason):
    query, message = REFUSALS[reason]

    answer = installed.start_bulk(query)

    assert answer == {
        "bulkOperation": None,
        "userErrors": [{"field": ["query"], "message": message, "code": "INVALID"}],
    }


def test_a_node_at_the_top_is_refused_twice(installed):
    answer = installed.start_bulk('{ node(id: "gid://shopify/Product/0") { id } }')

    assert [error["message"] for error in answer["userErrors"]] == [
        "Bulk queries cannot contain a top level `node` field.",
        "Bulk queries must contain at least one connection.",
    ]


def test_refund_lines_are_refused_as_in_shopify(installed):
    query = "{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }"

    answer = installed.start_bulk(query)

    assert IN_LIST in [error["message"] for error in answer["userErrors"]]


def test_progress_can_be_followed(installed, gate):
    started = installed.start_bulk(ORDERS)["bulkOperation"]
    end = time.monotonic() + 10
    while (running := installed.operation(started["id"]))["objectCount"] == "0" and time.monotonic() < end:
        time.sleep(0.005)

    gate.set()
    over = installed.finished(started["id"])

    assert (running["status"], running["url"], running["completedAt"]) == ("RUNNING", None, None)
    assert 0 < int(running["objectCount"]) < int(over["objectCount"])


def test_five_operations_run_at_a_time(installed, gate):
    started = [installed.start_bulk(ORDERS) for _ in range(5)]

    sixth = installed.start_bulk(ORDERS)

    assert all(one["userErrors"] == [] for one in started)
    assert sixth["bulkOperation"] is None
    assert [(error["field"], error["code"]) for error in sixth["userErrors"]] == [(None, "LIMIT_REACHED")]
    gate.set()
    for one in started:
        installed.finished(one["bulkOperation"]["id"])
    assert installed.start_bulk("{ products { edges { node { id } } } }")["userErrors"] == []
    installed.finished(
        installed.ask("{ bulkOperations(first: 1) { nodes { id } } }")["bulkOperations"]["nodes"][0]["id"]
    )


def test_a_running_operation_is_cancelled(installed, gate, recorder, options):
    started = installed.start_bulk(ORDERS)["bulkOperation"]

    canceling = installed.ask(CANCEL, id=started["id"])["bulkOperationCancel"]
    gate.set()
    over = installed.finished(started["id"])

    assert (canceling["bulkOperation"]["status"], canceling["userErrors"]) == ("CANCELING", [])
    assert (over["status"], over["url"]) == ("CANCELED", None)
    assert list((options.data / "bulk").glob("*")) == []
    assert recorder.body("bulk_operations/finish")["status"] == "canceled"


def test_an_operation_that_is_over_is_not_cancelled(installed):
    operation, _ = rows(installed, ORDERS)

    answer = installed.ask(CANCEL, id=operation["id"])["bulkOperationCancel"]

    assert answer["bulkOperation"]["status"] == "COMPLETED"
    assert answer["userErrors"] == [
        {"field": None, "message": "A bulk operation cannot be canceled when it is completed"}
    ]


@pytest.mark.parametrize("id_", ["gid://shopify/BulkOperation/1", "nonsense"])
def test_an_unknown_operation_is_not_cancelled(installed, id_):
    answer = installed.ask(CANCEL, id=id_)["bulkOperationCancel"]

    assert answer["userErrors"] == [{"field": ["id"], "message": "Bulk operation does not exist"}]


def test_a_missing_scope_fails_the_operation(shopify, recorder):
    shopify.install("read_orders", "read_all_orders")
    started = shopify.start_bulk(ORDERS)["bulkOperation"]

    operation = shopify.finished(started["id"])

    assert (operation["status"], operation["errorCode"]) == ("FAILED", "ACCESS_DENIED")
    assert recorder.body("bulk_operations/finish")["error_code"] == "access_denied"


def test_an_error_while_running_fails_the_operation_and_keeps_what_was_written(installed, monkeypatch):
    real = bulk.Runner._checkpoint
    calls = []

    def fail_at_third(self, store, number, counts):
        calls.append(number)
        if len(calls) == 3:
            raise OSError("disk full")
        real(self, store, number, counts)

    monkeypatch.setattr(bulk.Runner, "_checkpoint", fail_at_third)

    operation = installed.finished(installed.start_bulk(ORDERS)["bulkOperation"]["id"])

    assert (operation["status"], operation["errorCode"]) == ("FAILED", "INTERNAL_SERVER_ERROR")
    assert operation["url"] is None
    assert fetch(installed, operation["partialDataUrl"]).status_code == 200


def test_operations_are_listed_newest_first_and_by_status(installed):
    first, _ = rows(installed, ORDERS)
    second, _ = rows(installed, ORDERS)

    answer = installed.ask(
        """{ all: bulkOperations(first: 9) { nodes { id type } }
        done: bulkOperations(first: 1, query: "status:completed", sortKey: COMPLETED_AT) { nodes { id } }
        running: bulkOperations(first: 9, query: "status:RUNNING") { nodes { id } } }"""
    )

    assert [node["id"] for node in answer["all"]["nodes"]] == [second["id"], first["id"]]
    assert answer["done"]["nodes"] == [{"id": second["id"]}]
    assert answer["running"]["nodes"] == []


@pytest.mark.parametrize("change", [{"signature": "0" * 64}, {"expires": "9999999999"}, {"expires": "soon"}])
def test_a_file_needs_its_signature(installed, change):
    operation, _ = rows(installed, ORDERS)
    parts = urlsplit(operation["url"])
    query = dict(pair.split("=") for pair in parts.query.split("&"))

    answer = installed.client.get(parts.path, query_string={**query, **change})

    assert answer.status_code == 403


def test_a_file_is_kept_for_a_week(installed, clock):
    operation, _ = rows(installed, ORDERS)
    clock.forward(days=7)

    expired = installed.store.all(bulk_files.OPERATION, Operation)
    shown = [bulk_files.aged(one, installed.store.now()).status for one in expired.values()]

    assert shown == ["EXPIRED"]
    assert fetch(installed, operation["url"]).status_code == 403


def test_a_file_is_read_in_parts(installed):
    operation, _ = rows(installed, ORDERS)
    whole = fetch(installed, operation["url"]).data

    part = fetch(installed, operation["url"], Range="bytes=10-19")

    assert (part.status_code, part.data) == (206, whole[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"


def restarted(installed, options, stores, recorder):
    """Make another app over the same stores, as the next process would."""
    app = Flask("devstore")
    devstore = app.extensions["devstore"] = Devstore(options=options, stores=stores, deliveries=recorder)
    app.extensions[graphql.BULK] = bulk.Runner(devstore)
    app.register_blueprint(graphql.blueprint)
    installed.client = app.test_client()
    return installed


@pytest.mark.parametrize(
    ("left", "becomes"), [("RUNNING", "COMPLETED"), ("CREATED", "COMPLETED"), ("CANCELING", "CANCELED")]
)
def test_what_was_running_when_the_process_ended_is_taken_up(
    installed, options, stores, recorder, store, left, becomes
):
    now = store.now() - timedelta(minutes=1)
    operation = Operation(
        id=store.next_id(), query=ORDERS, version="2026-10", grouped=False, created_at=now, status=left, object_count=7
    )
    store.save(bulk_files.OPERATION, str(operation.id), operation)

    next_process = restarted(installed, options, stores, recorder)

    over = next_process.finished(f"gid://shopify/BulkOperation/{operation.id}")
    assert over["status"] == becomes
