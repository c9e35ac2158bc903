"""Reading a whole store through one query: the query is compiled once to plain functions over the same resolvers.

graphql-core executes field by field with all its checks, which is right for a page and too slow for every order
there is. Here a selection becomes a list of functions, and each connection a stream of rows. Page arguments
(``first``, ``after`` …) are left aside, as bulk operations do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    OperationDefinitionNode,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
)

from devstore.graphql import access
from devstore.graphql.context import Context, Listing
from devstore.graphql.schema import resolver_of, type_name
from devstore.graphql.selections import Selections

if TYPE_CHECKING:
    from graphql import GraphQLOutputType, GraphQLSchema

PAGE_ARGUMENTS = frozenset({"first", "last", "after", "before"})
Composite = GraphQLObjectType | GraphQLInterfaceType
Row = dict[str, Any]
Read = Callable[[Any, Context], Any]


class UnapprovedError(Exception):
    """The query lists objects that the app is not approved to read."""


@dataclass(frozen=True)
class Branch:
    """A connection: where it hangs on its parent's source, and how each of its nodes is read.

    ``name`` is its field's and ``query`` the search it was given.
    """

    read: Read
    nodes: Selection
    reverse: bool
    name: str = ""
    query: str | None = None

    def sources(self, source: object, context: Context) -> list[Any]:
        """Return the sources of all nodes, in order."""
        listing = self.read(source, context)
        items = list(listing.items) if isinstance(listing, Listing) else []
        return items[::-1] if self.reverse else items


@dataclass
class Selection:
    """What is read of one object: its own values, and the connections on it."""

    values: list[tuple[str, Read]] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)

    def row(self, source: object, context: Context) -> Row:
        """Read the object's own values."""
        return {key: read(source, context) for key, read in self.values}

    def children(self, source: object, context: Context, parent_id: str) -> Iterator[Row]:
        """Yield the rows of everything below the object, each after the row of its own parent."""
        for branch in self.branches:
            for item in branch.sources(source, context):
                row = branch.nodes.row(item, context)
                yield {**row, "__parentId": parent_id}
                if branch.nodes.branches:
                    yield from branch.nodes.children(item, context, row["id"])


def compile_query(schema: GraphQLSchema, document: DocumentNode, unapproved: frozenset[str] = frozenset()) -> Selection:
    """Return the reader of a query that :func:`devstore.graphql.bulk_rules.check` let pass.

    ``unapproved`` types and fields are read as null; raises ``UnapprovedError`` where a connection is of one.
    """
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    if schema.query_type is None:
        message = "the schema has no queries"
        raise TypeError(message)
    compiler = _Compiler(schema, Selections(document), unapproved)
    return compiler.selection(schema.query_type, [operation.selection_set])


class _Compiler:
    """Turns selection sets into readers."""

    def __init__(self, schema: GraphQLSchema, opened: Selections, unapproved: frozenset[str]) -> None:
        """Compile against ``schema``."""
        self._schema = schema
        self._opened = opened
        self._unapproved = unapproved

    def selection(self, parent: GraphQLObjectType, sets: list[SelectionSetNode]) -> Selection:
        """Return the reader of an object type; fields selected twice are merged."""
        made = Selection()
        for key, nodes in self._collected(parent, sets).items():
            name = nodes[0].name.value
            if name == "__typename":
                made.values.append((key, _constant(parent.name)))
                continue
            self._field(made, key, parent, nodes)
        return made

    def _collected(self, parent: GraphQLObjectType, sets: list[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """Group the fields that apply to ``parent`` by response key."""
        collected: dict[str, list[FieldNode]] = {}
        for node in (node for selections in sets for node in self._fields(parent, selections)):
            collected.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return collected

    def _fields(self, parent: GraphQLObjectType, selections: SelectionSetNode) -> Iterator[FieldNode]:
        """Yield the fields of a selection set that objects of ``parent`` have."""
        names = {parent.name, *(interface.name for interface in parent.interfaces)}
        for _, node in self._opened.fields(parent.name, selections, names.__contains__):
            yield node

    def _field(self, made: Selection, key: str, parent: GraphQLObjectType, nodes: list[FieldNode]) -> None:
        """Add one field to a selection: as a value, or as a branch where it is a connection."""
        definition = parent.fields[nodes[0].name.value]
        read = self._reader(parent, nodes[0])
        named = get_named_type(definition.type)
        sets = [node.selection_set for node in nodes if node.selection_set]
        if access.unapproved(self._unapproved, parent.name, nodes[0].name.value, named.name):
            if named.name.endswith("Connection"):
                raise UnapprovedError(named.name)
            made.values.append((key, _constant(None)))
            return
        if named.name.endswith("Connection"):
            made.branches.append(self._branch(named, read, nodes[0], parent, sets))
            return
        if isinstance(named, GraphQLObjectType) and not _is_list(definition.type):
            inner = self.selection(named, sets)
            made.values.append((key, _object(read, inner)))
            made.branches.extend(_lifted(read, branch) for branch in inner.branches)
            return
        made.values.append((key, _completed(read, self._completion(definition.type, sets))))

    def _reader(self, parent: GraphQLObjectType, node: FieldNode) -> Read:
        """Return the resolver of a field with its arguments bound."""
        resolver = resolver_of(parent.name, node.name.value)
        arguments = get_argument_values(parent.fields[node.name.value], node)
        bound = {name: value for name, value in arguments.items() if name not in PAGE_ARGUMENTS}
        if not bound:
            return resolver
        return lambda source, context: resolver(source, context, **bound)

    def _branch(
        self, connection: object, read: Read, node: FieldNode, parent: GraphQLObjectType, sets: list[SelectionSetNode]
    ) -> Branch:
        """Return the reader of a connection, selected through ``edges { node { … } }``."""
        edges = self._inner(connection, sets, "edges")
        edge = self._type(connection, "edges")
        nodes = self._inner(edge, edges, "node")
        item = self._type(edge, "node")
        if not isinstance(item, GraphQLObjectType):
            message = f"{node.name.value} has no object nodes"
            raise TypeError(message)
        arguments = get_argument_values(parent.fields[node.name.value], node)
        return Branch(
            read,
            self.selection(item, nodes),
            reverse=bool(arguments.get("reverse")),
            name=node.name.value,
            query=arguments.get("query"),
        )

    def _inner(self, parent: object, sets: list[SelectionSetNode], name: str) -> list[SelectionSetNode]:
        """Return the selection sets under the field ``name``."""
        if not isinstance(parent, GraphQLObjectType):
            return []
        fields = (node for selections in sets for node in self._fields(parent, selections))
        return [node.selection_set for node in fields if node.name.value == name and node.selection_set]

    def _type(self, parent: object, name: str) -> object:
        """Return the named type of a field."""
        return get_named_type(parent.fields[name].type) if isinstance(parent, GraphQLObjectType) else None

    def _completion(self, type_: GraphQLOutputType, sets: list[SelectionSetNode]) -> Read:
        """Return the function that turns a resolved value, not None, into what the row holds."""
        if isinstance(type_, GraphQLNonNull):
            return self._completion(type_.of_type, sets)
        if isinstance(type_, GraphQLList):
            one = self._completion(type_.of_type, sets)
            return lambda values, context: [None if value is None else one(value, context) for value in values]
        if isinstance(type_, (GraphQLScalarType, GraphQLEnumType)):
            write = type_.coerce_output_value
            return lambda value, _context: write(value)
        return self._object_completion(type_, sets)

    def _object_completion(self, type_: GraphQLOutputType, sets: list[SelectionSetNode]) -> Read:
        """Return the same for objects, by their own type where the field's is an interface."""
        if isinstance(type_, GraphQLObjectType):
            return self.selection(type_, sets).row
        compiled: dict[str, Selection] = {}

        def complete(value: object, context: Context) -> Row:
            name = type_name(value)
            concrete = self._schema.type_map[name]
            if name not in compiled and isinstance(concrete, GraphQLObjectType):
                compiled[name] = self.selection(concrete, sets)
            return compiled[name].row(value, context)

        return complete


def _is_list(type_: GraphQLOutputType) -> bool:
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return isinstance(inner, GraphQLList)


def _constant(value: str | None) -> Read:
    return lambda _source, _context: value


def _completed(read: Read, complete: Read) -> Read:
    def value(source: object, context: Context) -> object:
        resolved = read(source, context)
        return None if resolved is None else complete(resolved, context)

    return value


def _object(read: Read, inner: Selection) -> Read:
    return _completed(read, inner.row)


def _lifted(read: Read, branch: Branch) -> Branch:
    """Return a branch of an object as a branch of the node that object is part of."""

    def through(source: object, context: Context) -> object:
        part = read(source, context)
        return None if part is None else branch.read(part, context)

    return replace(branch, read=through, name="")
