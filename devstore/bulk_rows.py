"""The rows of a bulk operation, in the order its file has them: every child after its parent."""

from __future__ import annotations

from collections import deque
from itertools import zip_longest
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from devstore.faults_bulk import BulkFaults
    from devstore.graphql.context import Context
    from devstore.graphql.walker import Row, Selection

PARENT = "__parentId"


def roots(selection: Selection, context: Context) -> list[Callable[[], list[Row]]]:
    """Return a reader per root object: its row first, then those of everything below it."""
    readers: list[Callable[[], list[Row]]] = []
    for branch in selection.branches:
        readers += [_reader(branch.nodes, item, context) for item in branch.sources(None, context)]
    return readers


def _reader(nodes: Selection, item: object, context: Context) -> Callable[[], list[Row]]:
    def read() -> list[Row]:
        with context.store.lock:
            return family(nodes, item, context)

    return read


def family(nodes: Selection, item: object, context: Context) -> list[Row]:
    """Return the row of a root object and those of everything below it."""
    row = nodes.row(item, context)
    return [row, *(nodes.children(item, context, row["id"]) if nodes.branches else ())]


def ordered(families: Iterable[list[Row]], faults: BulkFaults, *, grouped: bool) -> Iterator[list[Row]]:
    """Yield the rows of families, a few at a time, in the order of a grouped or ungrouped file."""
    if faults.scattered:
        return ([row] for row in scattered([row for rows in families for row in rows]))
    return iter(families) if grouped or not faults.apart else apart(families, faults.apart)


def apart(families: Iterable[list[Row]], distance: int) -> Iterator[list[Row]]:
    """Yield rows ungrouped: children ``distance`` parents after their own, mixed with the children of the next."""
    waiting: deque[list[Row]] = deque()
    for parent, *children in families:
        waiting.append(children)
        yield [parent, *(_mixed(waiting.popleft(), waiting.popleft()) if len(waiting) > distance else ())]
    rest = list(waiting)
    yield [row for index in range(0, len(rest), 2) for row in _mixed(*rest[index : index + 2])]


def scattered(rows: list[Row]) -> list[Row]:
    """Return rows in an order that is always the same and looks like none, children anywhere after their parents."""
    dice = Random(len(rows))
    places: dict[str, float] = {}
    keyed = []
    for number, row in enumerate(rows):
        place = dice.uniform(places.get(row.get(PARENT, ""), 0.0), 1.0)
        if "id" in row:
            places[row["id"]] = place
        keyed.append((place, number, row))
    return [row for _, _, row in sorted(keyed, key=lambda one: one[:2])]


def _mixed(left: list[Row], right: list[Row] | None = None) -> list[Row]:
    """Take rows from two lists in turn."""
    pairs = zip_longest(left, right or [])
    return [row for pair in pairs for row in pair if row is not None]
