"""Reading a selection set with its fragments opened, which whoever walks over a query needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
)


def _always(_type: str) -> bool:
    return True


class Selections:
    """The selections of one valid document."""

    def __init__(self, document: DocumentNode) -> None:
        """Know the document's named fragments."""
        definitions = document.definitions
        self._fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}

    def fields(
        self, on: str, selections: SelectionSetNode | None, applies: Callable[[str], bool] = _always
    ) -> Iterator[tuple[str, FieldNode]]:
        """Yield the fields selected on the type ``on``, each with the type its innermost fragment is on.

        Fragments on types for which ``applies`` is false are passed over.
        """
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                yield on, node
                continue
            condition, inner = self._opened(on, node)
            if applies(condition):
                yield from self.fields(condition, inner, applies)

    def _opened(self, on: str, node: SelectionNode) -> tuple[str, SelectionSetNode]:
        """Return the type a fragment is on, and what it selects."""
        if isinstance(node, InlineFragmentNode):
            return (node.type_condition.name.value if node.type_condition else on), node.selection_set
        if not isinstance(node, FragmentSpreadNode):
            raise TypeError(f"{node.kind} is no selection")
        fragment = self._fragments[node.name.value]
        return fragment.type_condition.name.value, fragment.selection_set
