"""What a query costs, before and after, and each store's leaky bucket of points.

https://shopify.dev/docs/api/usage/limits: a scalar costs 0, an object 1, a mutation 10, a connection as much as the
page asked for. How exactly Shopify sizes a connection is not published; here it is 2 + the cost of a node for every
item of the page.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from devstore.graphql.selections import Selections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLSchema

LARGEST_COST = 1000
MUTATION = 10
CONNECTION = 2
RESTORE_RATES = {"Advanced": 200, "Plus": 1000, "Enterprise": 2000}
STANDARD_RATE = 100
CAPACITY_SECONDS = 20
PAGE_FIELDS = frozenset({"edges", "nodes"})


@dataclass
class Bucket:
    """A store's points: ``rate`` a second flow back, up to ``capacity``."""

    rate: float
    clock: Callable[[], float] = time.monotonic
    level: float = field(init=False)
    _at: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Start full."""
        self.level = self.capacity
        self._at = self.clock()

    @property
    def capacity(self) -> float:
        """What the bucket holds at most."""
        return self.rate * CAPACITY_SECONDS

    def _refill(self) -> None:
        now = self.clock()
        self.level = min(self.capacity, self.level + (now - self._at) * self.rate)
        self._at = now

    def take(self, points: float) -> bool:
        """Reserve points; False, and nothing taken, when there are not enough."""
        with self._lock:
            self._refill()
            if points > self.level:
                return False
            self.level -= points
            return True

    def give_back(self, points: float) -> None:
        """Return what a query was charged for and did not use."""
        with self._lock:
            self._refill()
            self.level = min(self.capacity, self.level + points)

    def status(self) -> dict[str, float]:
        """Return ``throttleStatus``."""
        with self._lock:
            self._refill()
            return {
                "maximumAvailable": float(self.capacity),
                "currentlyAvailable": int(self.level),
                "restoreRate": float(self.rate),
            }


class Buckets:
    """The buckets of all stores of one devstore."""

    def __init__(self) -> None:
        """Start with none; a store's is made full at its first request."""
        self._buckets: dict[tuple[str, int], Bucket] = {}
        self._lock = threading.Lock()

    def of(self, domain: str, plan: str, setting: int = 0, *, drained: bool = False) -> Bucket:
        """Return the bucket of a store on ``plan``; another ``setting`` means another one, empty when ``drained``."""
        with self._lock:
            if (domain, setting) not in self._buckets:
                made = self._buckets[domain, setting] = Bucket(RESTORE_RATES.get(plan, STANDARD_RATE))
                made.level = 0 if drained else made.level
            return self._buckets[domain, setting]


def requested(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, values: Mapping[str, Any]
) -> int:
    """Return the cost of a valid query if every connection comes back full; ``values`` are its variables."""
    estimate = _Estimate(schema, Selections(document), values)
    root = schema.get_root_type(operation.operation)
    if root is None:
        return 0
    if operation.operation == OperationType.MUTATION:
        return MUTATION * sum(1 for _ in estimate.opened.fields(root.name, operation.selection_set))
    return estimate.selection(root.name, operation.selection_set)


class _Estimate:
    """The cost of selections, fragments opened."""

    def __init__(self, schema: GraphQLSchema, opened: Selections, values: Mapping[str, Any]) -> None:
        """Estimate documents against ``schema``."""
        self._schema = schema
        self._values = values
        self.opened = opened

    def selection(self, on: str, selections: SelectionSetNode | None) -> int:
        """Return the cost of everything selected on an object; of an interface, that of its dearest type."""
        costs: dict[str, int] = {}
        for name, node in self.opened.fields(on, selections):
            costs[name] = costs.get(name, 0) + self._field(name, node)
        return costs.pop(on, 0) + max(costs.values(), default=0)

    def _field(self, on: str, node: FieldNode) -> int:
        """Return the cost of one field: 0 for a scalar, 1 and what is below for an object, a page for a connection."""
        parent = self._schema.type_map[on]
        if not isinstance(parent, (GraphQLObjectType, GraphQLInterfaceType)) or node.name.value not in parent.fields:
            return 0
        named = get_named_type(parent.fields[node.name.value].type)
        if not isinstance(named, (GraphQLObjectType, GraphQLInterfaceType)):
            return 0
        below = self.selection(named.name, node.selection_set)
        if named.name.endswith("Connection"):
            return CONNECTION + self._size(node) * below
        if named.name == "PageInfo" or named.name.endswith("Edge") or on.endswith("Edge"):
            return below + (1 if on.endswith("Edge") else 0)
        if on.endswith("Connection"):
            return below + 1
        return self._wanted(node) * (1 + below)

    def _wanted(self, node: FieldNode) -> int:
        """Return how many objects a field was asked for by their ids; any other field is one."""
        ids = next((argument.value for argument in node.arguments or () if argument.name.value == "ids"), None)
        if isinstance(ids, VariableNode):
            return len(self._values.get(ids.name.value) or ())
        return len(ids.values) if isinstance(ids, ListValueNode) else 1

    def _size(self, node: FieldNode) -> int:
        """Return how many items a connection was asked for."""
        sizes = [argument.value for argument in node.arguments or () if argument.name.value in {"first", "last"}]
        size = sizes[0] if sizes else None
        if isinstance(size, VariableNode):
            return int(self._values.get(size.name.value) or 0)
        return int(size.value) if isinstance(size, IntValueNode) else 0


def actual(data: object, requested_cost: int, *, mutation: bool) -> int:
    """Return what a query cost in the end: its objects that came back, and never more than was asked for."""
    if mutation:
        return requested_cost
    return min(requested_cost, _objects(data))


def _objects(value: object) -> int:
    """Count the objects in an answer; edges and page infos are free, a connection costs as in the estimate."""
    if isinstance(value, list):
        return sum(_objects(item) for item in value)
    if not isinstance(value, dict):
        return 0
    below = sum(_objects(item) for name, item in value.items() if name != "pageInfo")
    if value.keys() & PAGE_FIELDS:
        return below + CONNECTION - 1
    return below if value.keys() <= {"node", "cursor"} else below + 1
