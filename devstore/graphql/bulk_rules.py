"""What a bulk query may not be, and the words Shopify refuses it in.

https://shopify.dev/docs/api/usage/bulk-operations/queries#operation-restrictions
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    parse,
    validate,
)

from devstore.graphql.selections import Selections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import GraphQLOutputType, GraphQLSchema

MOST_CONNECTIONS = 5
DEEPEST = 2
Composite = GraphQLObjectType | GraphQLInterfaceType


class InvalidQueryError(Exception):
    """A query that cannot run in bulk; ``messages`` say why."""

    def __init__(self, *messages: str) -> None:
        """Keep the messages, in the order Shopify gives them."""
        super().__init__("; ".join(messages))
        self.messages = messages


@dataclass
class Found:
    """What a walk over a bulk query met."""

    connections: int = 0
    deepest: int = 0
    through_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)
    not_nodes: list[str] = field(default_factory=list)
    in_list: bool = False
    types: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Place:
    """Where a walk is: how deep in connections, under which one, in a list, and whether that node selects its id."""

    depth: int = -1
    parent: str | None = None
    parent_has_id: bool = True
    in_list: bool = False


def check(schema: GraphQLSchema, query: str) -> tuple[DocumentNode, set[str]]:
    """Return the parsed query and the names of the types it reads; raises ``InvalidQueryError``."""
    document = _parsed(schema, query)
    walk = _Walk(schema, document)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    root = schema.query_type
    if operation.operation != OperationType.QUERY or root is None:
        message = "Invalid operation type. Only `query` operations are supported."
        raise InvalidQueryError(message)
    roots = {node.name.value for _, node in walk.fields(root, operation.selection_set)}
    walk.visit(root, operation.selection_set, Place())
    messages = _refusals(walk.found, roots)
    if messages:
        raise InvalidQueryError(*messages)
    return document, walk.found.types


def first_root(document: DocumentNode) -> str:
    """Return the name of the first field a checked query selects; empty where that is in a fragment."""
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    first = operation.selection_set.selections[0]
    return first.name.value if isinstance(first, FieldNode) else ""


def _parsed(schema: GraphQLSchema, query: str) -> DocumentNode:
    """Parse and validate a query as a document of the schema."""
    try:
        document = parse(query)
    except GraphQLError as error:
        reason = "syntax error, unexpected end of file" if not query.strip() else error.message
        message = f"Invalid bulk query: {reason}"
        raise InvalidQueryError(message) from error
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1:
        message = "Invalid bulk query: it must hold exactly one operation"
        raise InvalidQueryError(message)
    errors = validate(schema, document)
    if errors:
        raise InvalidQueryError(*(f"Invalid bulk query: {error.message}" for error in errors))
    return document


def _refusals(found: Found, roots: set[str]) -> list[str]:
    """Put what was met into Shopify's words."""
    messages = []
    if found.through_nodes:
        names = "', '".join(found.through_nodes)
        messages.append(
            "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
            f"'{found.through_nodes[0]} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. "
            f"Invalid connection fields: '{names}'."
        )
    if roots & {"node", "nodes"}:
        messages.append("Bulk queries cannot contain a top level `node` field.")
    if found.deepest > DEEPEST:
        messages.append(f"Bulk queries cannot contain connections with a nesting depth greater than {DEEPEST}.")
    if found.connections > MOST_CONNECTIONS:
        messages.append(f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections.")
    if found.without_id:
        messages.append(
            "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be "
            f"of 'ID' return type. Connection fields without 'id': {', '.join(found.without_id)}."
        )
    if found.not_nodes:  # the rule is documented, its words are not
        names = "', '".join(found.not_nodes)
        messages.append(f"Connections in a bulk query must be of a type that implements Node. Invalid: '{names}'.")
    if found.in_list:
        messages.append("Queries that contain a connection field within a list field are not currently supported.")
    if not found.connections:
        messages.append("Bulk queries must contain at least one connection.")
    return messages


class _Walk:
    """A walk over the selections of one document, fragments included."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        """Start with nothing found."""
        self._schema = schema
        self._opened = Selections(document)
        self.found = Found()

    def fields(self, parent: Composite, selections: SelectionSetNode | None) -> Iterator[tuple[Composite, FieldNode]]:
        """Yield the fields of a selection set with the type they are on."""
        for name, node in self._opened.fields(parent.name, selections):
            yield self._composite(name), node

    def _composite(self, name: str) -> Composite:
        found = self._schema.type_map[name]
        if not isinstance(found, (GraphQLObjectType, GraphQLInterfaceType)):
            message = f"{name} has no fields"
            raise TypeError(message)
        return found

    def visit(self, parent: Composite, selections: SelectionSetNode | None, place: Place) -> None:
        """Note what the fields of a selection set mean at ``place``."""
        for on, node in self.fields(parent, selections):
            if node.name.value == "__typename":
                continue
            type_ = on.fields[node.name.value].type
            named = get_named_type(type_)
            self.found.types.add(named.name)
            if not isinstance(named, (GraphQLObjectType, GraphQLInterfaceType)):
                continue
            if named.name.endswith("Connection"):
                self._connection(named, node, place)
            else:
                deeper = Place(place.depth, place.parent, place.parent_has_id, place.in_list or _is_list(type_))
                self.visit(named, node.selection_set, deeper)

    def _connection(self, connection: Composite, node: FieldNode, place: Place) -> None:
        """Note a connection and walk into its nodes."""
        found, name = self.found, node.name.value
        found.connections += 1
        found.deepest = max(found.deepest, place.depth + 1)
        found.in_list = found.in_list or place.in_list
        if place.parent and not place.parent_has_id:
            _note(found.without_id, place.parent)
        inner = {child.name.value: child for _, child in self.fields(connection, node.selection_set)}
        if "nodes" in inner or "edges" not in inner:
            _note(found.through_nodes, name)
        edge = self._composite(get_named_type(connection.fields["edges"].type).name)
        item = self._composite(get_named_type(edge.fields["node"].type).name)
        found.types.add(item.name)
        if "Node" not in {item.name, *(interface.name for interface in item.interfaces)}:
            _note(found.not_nodes, name)
        below = [inner["nodes"].selection_set] if "nodes" in inner else []
        if "edges" in inner:
            children = [child for _, child in self.fields(edge, inner["edges"].selection_set)]
            below += [child.selection_set for child in children if child.name.value == "node"]
        for selections in below:
            self._nodes(item, selections, name, place.depth + 1)

    def _nodes(self, item: Composite, selections: SelectionSetNode | None, connection: str, depth: int) -> None:
        """Walk into the nodes of a connection."""
        has_id = any(child.name.value == "id" and child.alias is None for _, child in self.fields(item, selections))
        self.visit(item, selections, Place(depth, connection, has_id))


def _is_list(type_: GraphQLOutputType) -> bool:
    """Tell whether a field's type is a list."""
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return isinstance(inner, GraphQLList)


def _note(names: list[str], name: str) -> None:
    """Keep a name once."""
    if name not in names:
        names.append(name)
