"""The GraphQL face of bulk operations: starting, following, listing, cancelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devstore import bulk_files, search
from devstore.bulk_files import Operation, RefusedError
from devstore.graphql.context import Context, Fields, Key, Listing
from devstore.graphql.scalars import gid, parse_gid

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPERATION", "Operation", "cancel", "find", "listing", "run"]


def run(_root: object, context: Context, query: str, groupObjects: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002, N803 (GraphQL's argument)
    """``bulkOperationRunQuery``."""
    try:
        started = context.bulk.start(context.store, query, context.version, grouped=groupObjects)
    except RefusedError as refusal:
        errors = [{"field": refusal.field, "message": text, "code": refusal.code} for text in refusal.messages]
        return {"bulkOperation": None, "userErrors": errors}
    return {"bulkOperation": started, "userErrors": []}


def cancel(_root: object, context: Context, id: str) -> dict[str, Any]:  # noqa: A002 (GraphQL's name)
    """``bulkOperationCancel``: refused for operations that are unknown or already over."""
    parsed = parse_gid(id)
    held = find(context, parsed[1]) if parsed else None
    if held is None:
        return {"bulkOperation": None, "userErrors": [{"field": ["id"], "message": "Bulk operation does not exist"}]}
    canceling = context.bulk.cancel(context.store, held.id)
    if canceling is None:
        message = f"A bulk operation cannot be canceled when it is {held.status.lower()}"
        return {"bulkOperation": held, "userErrors": [{"field": None, "message": message}]}
    return {"bulkOperation": canceling, "userErrors": []}


def find(context: Context, number: int) -> Operation | None:
    """Return an operation by its number."""
    return context.bulk.find(context.store, number)


def _search() -> Mapping[str, search.Accessor]:
    return {
        "created_at": lambda operation: operation.created_at,
        "id": lambda operation: operation.id,
        "operation_type": lambda _operation: "query",
        "status": lambda operation: operation.status.lower(),
    }


def listing(
    _root: object,
    context: Context,
    query: str | None = None,
    sortKey: str = "CREATED_AT",  # noqa: N803 (GraphQL's name)
    **_page: object,
) -> Listing:
    """``bulkOperations``: newest first."""
    parsed = search.parse(query, _search(), lambda operation: operation.query)
    context.warnings.extend(search.warned(parsed, "bulkOperations", query))
    found = [one for one in context.bulk.all(context.store) if parsed.matches(one)]

    def key(operation: Operation) -> Key:
        at = operation.completed_at if sortKey == "COMPLETED_AT" else operation.created_at
        return -(at.timestamp() if at else 0.0), -operation.id

    return Listing(sorted(found, key=key), key)


OPERATION: Fields = {
    "completedAt": lambda operation, _context: operation.completed_at,
    "createdAt": lambda operation, _context: operation.created_at,
    "errorCode": lambda operation, _context: operation.error_code,
    "fileSize": lambda operation, _context: operation.file_size,
    "id": lambda operation, _context: gid("BulkOperation", operation.id),
    "objectCount": lambda operation, _context: operation.object_count,
    "partialDataUrl": lambda operation, context: bulk_files.partial_url(context.devstore, context.store, operation),
    "query": lambda operation, _context: operation.query,
    "rootObjectCount": lambda operation, _context: operation.root_object_count,
    "status": lambda operation, _context: operation.status,
    "type": lambda _operation, _context: "QUERY",
    "url": lambda operation, context: bulk_files.url(context.devstore, context.store, operation),
}
