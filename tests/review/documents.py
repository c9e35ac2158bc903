"""Every document the app sends to the Admin API, and the access scopes Shopify wants for each."""

from __future__ import annotations

import gzip
import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import graphql

import shopify_app.shopify

OPENINGS = ("query", "mutation", "{")


def sent() -> dict[str, graphql.DocumentNode]:
    """Return the documents by ``module.NAME``: each constant of the wire's modules that is one, or holds some."""
    found = {}
    for module in pkgutil.iter_modules(shopify_app.shopify.__path__):
        held = vars(importlib.import_module(f"shopify_app.shopify.{module.name}"))
        for name, value in held.items():
            if name.isupper():
                found |= {f"{module.name}.{name}{key}": text for key, text in _documents(value)}
    return {name: graphql.parse(text) for name, text in found.items()}


def _documents(value: object) -> Iterator[tuple[str, str]]:
    pairs = value.items() if isinstance(value, Mapping) else [("", value)]
    for key, text in pairs:
        if isinstance(text, str) and text.lstrip().startswith(OPENINGS) and "{" in text:
            yield (f"[{key}]" if key else "", text)


class Reference:
    """Shopify's published schema, and what it says of scopes."""

    def __init__(self, directory: Path) -> None:
        packed = (directory / "admin-schema" / "admin_2026-10.json.gz").read_bytes()
        raw: dict[str, Any] = json.loads(gzip.decompress(packed))
        self.schema = graphql.build_client_schema(raw["data"], assume_valid=True)
        self._scopes = {
            (item["typeName"], item.get("fieldName")): frozenset(item["offlineScopes"])
            for item in raw["offline_scopes"]["items"]
            if item["offlineScopes"]
        }

    def needed(self, document: graphql.DocumentNode) -> dict[tuple[str, str | None], frozenset[str]]:
        """Return what a document selects that needs a scope: any one of those given is enough."""
        types = graphql.TypeInfo(self.schema)
        seen = _Seen(types)
        graphql.visit(document, graphql.TypeInfoVisitor(types, seen))
        return {what: self._scopes[what] for what in seen.selected if what in self._scopes}


class _Seen(graphql.Visitor):
    def __init__(self, types: graphql.TypeInfo) -> None:
        super().__init__()
        self._types = types
        self.selected: set[tuple[str, str | None]] = set()

    def enter_field(self, node: graphql.FieldNode, *_: object) -> None:
        parent, result = self._types.get_parent_type(), self._types.get_type()
        if parent is not None and result is not None:
            self.selected |= {(parent.name, node.name.value), (graphql.get_named_type(result).name, None)}
