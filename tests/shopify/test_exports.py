"""The documents sent to Shopify: valid against its real schema, within the restrictions of bulk queries."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from graphql import (
    FieldNode,
    GraphQLList,
    GraphQLNonNull,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_client_schema,
    get_named_type,
    parse,
    validate,
    visit,
)

from shopify_app.shopify import bulk, exports
from shopify_app.shopify.details import order_details
from shopify_app.shopify.differences import QUERIES
from shopify_app.shopify.exports import DETAIL_QUERIES, EXPORTS

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
WINDOWS = {f"{resource} of a time": exports.document(resource, SINCE, UNTIL) for resource in EXPORTS}
OLDEST = {f"the oldest of {resource}": exports.oldest(resource) for resource in EXPORTS}
BULK = {"run": bulk.RUN, "status": bulk.STATUS, "cancel": bulk.CANCEL, "started": bulk.STARTED}
DOCUMENTS = {**EXPORTS, **WINDOWS, **OLDEST, **BULK, **DETAIL_QUERIES, **QUERIES}
MOST_CONNECTIONS = 5
DEEPEST_CONNECTION = 2


@pytest.fixture(scope="module")
def schema(reference):
    introspection = json.loads(gzip.decompress((reference / "admin-schema" / "admin_2026-10.json.gz").read_bytes()))
    return build_client_schema(introspection["data"], assume_valid=True)


class _BulkRules(Visitor):
    """Collects a query's connections and what Shopify would refuse about them."""

    def __init__(self, types):
        super().__init__()
        self.types = types
        self.connections = []
        self.lists = []
        self.depth = 0
        self.faults = []

    def enter_field(self, node: FieldNode, *_):
        kind = self.types.get_type()
        bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        named = get_named_type(kind)
        if named.name.endswith("Connection"):
            self._connection(node, named)
        elif isinstance(bare, GraphQLList) and node.name.value != "edges":
            self.lists.append(node)

    def leave_field(self, node: FieldNode, *_):
        if node in self.connections:
            self.depth -= 1
        if node in self.lists:
            self.lists.remove(node)

    def _connection(self, node, named):
        self.connections.append(node)
        self.depth += 1
        selected = [one.name.value for one in node.selection_set.selections]
        of_node = get_named_type(get_named_type(named.fields["edges"].type).fields["node"].type)
        inner = node.selection_set.selections[0].selection_set.selections[0].selection_set.selections
        for fault, found in (
            ("nested too deep", self.depth > DEEPEST_CONNECTION),
            ("inside a list", bool(self.lists)),
            ("not by edges", selected != ["edges"]),
            ("nodes without Node", "Node" not in {interface.name for interface in of_node.interfaces}),
            ("no unaliased id first", inner[0].name.value != "id" or inner[0].alias is not None),
        ):
            if found:
                self.faults.append(f"{node.name.value}: {fault}")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_valid_against_shopifys_schema(schema, name):
    assert validate(schema, parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("resource", [*EXPORTS, *WINDOWS])
def test_an_export_obeys_the_restrictions_of_bulk_queries(schema, resource):
    types = TypeInfo(schema)
    rules = _BulkRules(types)

    visit(parse(DOCUMENTS[resource]), TypeInfoVisitor(types, rules))

    assert rules.faults == []
    assert 1 <= len(rules.connections) <= MOST_CONNECTIONS


def test_the_rules_would_notice_a_connection_inside_a_list(schema):
    types = TypeInfo(schema)
    rules = _BulkRules(types)
    document = "{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }"

    visit(parse(document), TypeInfoVisitor(types, rules))

    assert rules.faults == ["refundLineItems: inside a list", "refundLineItems: nodes without Node"]


def test_no_document_asks_for_a_deprecated_field(schema):
    types = TypeInfo(schema)
    found = []

    class Deprecated(Visitor):
        def enter_field(self, node, *_):
            field = types.get_field_def()
            if field.deprecation_reason is not None:
                found.append(node.name.value)

    for document in DOCUMENTS.values():
        visit(parse(document), TypeInfoVisitor(types, Deprecated()))

    assert found == []


class _Paged:
    """An Admin API that gives one item a page, and remembers what it was asked."""

    def __init__(self, lines, agreements, sales):
        self.lines, self.agreements, self.sales = lines, agreements, sales
        self.asked = []

    def execute(self, document, variables=None):
        self.asked.append(document.split("(")[0].removeprefix("query "))
        return getattr(self, self.asked[-1])(**variables)

    def OrderDetails(self, ids):  # noqa: N802 - the name of the query
        if ids[0].endswith("/404"):
            return {"nodes": [None]}
        refunds = [{"id": "gid://shopify/Refund/1", "refundLineItems": self._page(self.lines, None)}]
        return {"nodes": [{"id": ids[0], "edited": bool(self.agreements), "refunds": refunds}]}

    def RefundLines(self, after, **_):  # noqa: N802
        return {"refund": {"refundLineItems": self._page(self.lines, after)}}

    def OrderAgreements(self, after, **_):  # noqa: N802
        return {"order": {"agreements": self._agreements(after)}}

    def AgreementSales(self, before, after, **_):  # noqa: N802
        return {"order": {"agreements": {"nodes": [{"of": before, "sales": self._page(self.sales, after)}]}}}

    def _agreements(self, after):
        page = self._page(self.agreements, after)
        edges = [
            {"cursor": name, "node": {"id": name, "sales": self._page(self.sales, None)}} for name in page["nodes"]
        ]
        return {"pageInfo": page["pageInfo"], "edges": edges}

    @staticmethod
    def _page(items, after):
        place = items.index(after) + 1 if after else 0
        info = {"hasNextPage": place + 1 < len(items), "endCursor": items[place]}
        return {"pageInfo": info, "nodes": [items[place]]}


def test_details_are_read_to_the_last_page_of_everything():
    client = _Paged(lines=["l1", "l2", "l3"], agreements=["a1", "a2"], sales=["s1", "s2"])

    (node,) = order_details(client, [1])

    assert node["refunds"][0]["refundLineItems"]["nodes"] == ["l1", "l2", "l3"]
    assert [edge["node"]["id"] for edge in node["agreements"]["edges"]] == ["a1", "a2"]
    assert [edge["node"]["sales"]["nodes"] for edge in node["agreements"]["edges"]] == [["s1", "s2"], ["s1", "s2"]]


def test_an_order_that_was_never_edited_takes_one_call_and_one_that_is_gone_is_left_out():
    client = _Paged(lines=["l1"], agreements=[], sales=[])

    nodes = order_details(client, [1, 404])

    assert [node["id"] for node in nodes] == ["gid://shopify/Order/1"]
    assert [node["agreements"] for node in nodes] == [{"edges": []}]
    assert client.asked == ["OrderDetails", "OrderDetails"]
