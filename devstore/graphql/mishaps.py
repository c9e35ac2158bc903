"""What befalls a GraphQL request on its way, on purpose: ``devstore.faults_bulk.ApiFaults``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Response, json, request
from graphql import GraphQLError, get_operation_ast, parse

from devstore import bulk_downloads
from devstore.graphql import cost
from devstore.graphql.schema import SCHEMA
from devstore.graphql.selections import Selections
from devstore.state import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstore.faults_bulk import ApiFaults
    from devstore.state import Store

PAGE = "<!DOCTYPE html><html><head><title>Something went wrong</title></head><body>Please try again.</body></html>"
TEXTS = {401: "[API] Invalid API key or access token (unrecognized login or wrong password)", 402: "Unavailable Shop"}


def befall(store: Store, carry_out: Callable[[], Response]) -> Response:
    """Let the current request meet its faults; ``carry_out`` answers it where they do not."""
    faults = current().troubles.for_request(store, _names()) if current().troubles.api(store)[0].meddles else None
    if faults is None or not faults.meddles:
        return carry_out()
    time.sleep(faults.slow)
    if faults.close:
        return _lost(carry_out if faults.close == "after" else Response)
    if faults.status:
        return _refused(faults)
    if faults.html:
        return Response(PAGE, mimetype="text/html")
    if faults.code:
        return _json({"errors": [_error(faults.code)], "extensions": {"cost": _cost(store, faults)}})
    return carry_out()


def _lost(carry_out: Callable[[], Response]) -> Response:
    """Close the connection without an answer; what is returned never arrives."""
    request.get_data()
    answered = carry_out()
    bulk_downloads.hang_up(request.environ.get("werkzeug.socket"))
    return answered


def _refused(faults: ApiFaults) -> Response:
    status = faults.status or 0
    answer = _json({"errors": TEXTS.get(status, f"The store answers {status} for now.")})
    answer.status_code = status
    if faults.retry_after is not None:
        answer.headers["Retry-After"] = str(faults.retry_after)
    return answer


def _json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), mimetype="application/json")


def _error(code: str) -> dict[str, Any]:
    message = "Throttled" if code == "THROTTLED" else f"The store says {code.replace('_', ' ').lower()}."
    return {"message": message, "extensions": {"code": code}}


def _cost(store: Store, faults: ApiFaults) -> dict[str, Any]:
    """Return the cost block of an answer without data: for THROTTLED, that of a bucket with nothing in it."""
    rate = cost.RESTORE_RATES.get(faults.plan or store.shop.plan, cost.STANDARD_RATE)
    status = cost.Bucket(rate).status()
    empty = status | {"currentlyAvailable": 0} if faults.code == "THROTTLED" else status
    return {"requestedQueryCost": _points(), "actualQueryCost": None, "throttleStatus": empty}


def _points() -> int:
    """Return what the current request would cost; as much as a mutation where that cannot be told."""
    body = request.get_json(silent=True) or {}
    try:
        document = parse(body["query"])
        operation = get_operation_ast(document, body.get("operationName"))
        return cost.requested(SCHEMA, document, operation, body.get("variables") or {}) if operation else cost.MUTATION
    except (GraphQLError, KeyError, TypeError):
        return cost.MUTATION


def _names() -> frozenset[str]:
    """Return the names of the request's operation and root fields; none where it cannot be read."""
    body = request.get_json(silent=True) or {}
    try:
        document = parse(body["query"])
        operation = get_operation_ast(document, body.get("operationName"))
    except (GraphQLError, KeyError, TypeError):
        return frozenset()
    if operation is None:
        return frozenset()
    root = SCHEMA.get_root_type(operation.operation)
    fields = Selections(document).fields(root.name if root else "", operation.selection_set)
    name = operation.name.value if operation.name else ""
    return frozenset({name, *(node.name.value for _, node in fields)})
