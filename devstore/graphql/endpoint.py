"""``POST /admin/api/<version>/graphql.json``: token, version, cost, execution; and the files of bulk operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort, current_app, json, make_response, request
from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from devstore import bulk_downloads, bulk_files, installs, tokens
from devstore.bulk_files import Operation
from devstore.graphql import cost, mishaps, versions
from devstore.graphql.context import Context, RequestError
from devstore.graphql.schema import SCHEMA, resolve, type_name
from devstore.state import current

if TYPE_CHECKING:
    from flask.blueprints import BlueprintSetupState

    from devstore.installs import Installation
    from devstore.state import Store

blueprint = Blueprint("graphql", __name__, url_prefix="/stores/<shop>")

INVALID_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105 (a text)
NON_EXPIRING = (
    "[API] Non-expiring access tokens are no longer accepted for the Admin API. "
    "Start using expiring offline tokens. See https://shopify.dev/docs/apps/build/authentication-authorization"
)
BULK = "devstore.bulk"
BUCKETS = "devstore.buckets"


@blueprint.record_once
def set_up(state: BlueprintSetupState) -> None:
    """Give the app its buckets."""
    state.app.extensions[BUCKETS] = cost.Buckets()


@blueprint.post("/admin/api/<version>/graphql.json")
def graphql(shop: str, version: str) -> Response:
    """Answer one GraphQL request in Shopify's way: everything but authentication is HTTP 200."""
    store = _store(shop)
    served = versions.served(version)
    if served is None:
        return _answer(404, {"errors": "Not Found"}, version)
    return mishaps.befall(store, lambda: _served(store, current().troubles.api(store)[0].version or served))


def _served(store: Store, version: str) -> Response:
    """Answer a request to which nothing has happened on its way."""
    installation, token = _authenticated(store)
    if installation is None or token is None:
        return _answer(401, {"errors": INVALID_TOKEN}, version)
    if token.expires_at is None and getattr(current().options, "require_expiring_tokens", False):
        return _answer(403, {"errors": NON_EXPIRING}, version)
    unapproved = frozenset(current().troubles.api(store)[0].unapproved)
    bulk = current_app.extensions[BULK]
    context = Context(current(), store, installation, version, bulk, unapproved=unapproved)
    try:
        body = _run(context)
    except RequestError as error:
        body = _refused(error)
    except GraphQLError as error:
        body = {"errors": [_formatted(error)]}
    return _answer(200, body, version)


@blueprint.get("/bulk/<int:number>.jsonl")
def bulk_file(shop: str, number: int) -> Response:
    """Serve the rows of a bulk operation to whoever holds its signed address; ranges are answered."""
    store = _store(shop)
    if not bulk_files.is_signed(store, number, request.args.get("expires", ""), request.args.get("signature", "")):
        current().troubles.count_download(number)
        abort(403)
    operation = store.load(bulk_files.OPERATION, str(number), Operation)
    if operation is None:
        abort(404)
    if bulk_files.aged(operation, store.now()).status == "EXPIRED":
        abort(403)
    return bulk_downloads.answer(current(), operation)


def _store(shop: str) -> Store:
    """Return the store of a domain or answer 404."""
    try:
        return current().stores[shop]
    except KeyError:
        abort(404)


def _authenticated(store: Store) -> tuple[Installation | None, tokens.AccessToken | None]:
    """Return the app's installation and the token of the request, None for what is not (or no longer) there."""
    token = tokens.find(store, request.headers.get("X-Shopify-Access-Token", ""))
    return installs.installation(store), token


def _answer(status: int, body: dict[str, Any], version: str) -> Response:
    """Return a JSON answer with the version it was served in."""
    response = make_response(json.dumps(body), status)
    response.headers["Content-Type"] = "application/json; charset=utf-8"
    response.headers["X-Shopify-API-Version"] = version
    return response


def _question() -> tuple[str, dict[str, Any], str | None]:
    """Read query, variables and operation name out of the request."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        message = "The request body must be JSON with a query"
        raise GraphQLError(message, extensions={"code": "BAD_REQUEST"})
    return body["query"], body.get("variables") or {}, body.get("operationName")


def _document(query: str, name: str | None) -> tuple[DocumentNode, OperationDefinitionNode]:
    """Parse and validate a query and choose its operation."""
    document = parse(query)
    errors = validate(SCHEMA, document)
    if errors:
        raise errors[0]
    operation = get_operation_ast(document, name)
    if operation is None:
        message = "An operation name is required"
        raise GraphQLError(message)
    return document, operation


def _run(context: Context) -> dict[str, Any]:
    """Charge for a request, execute it, give back what it did not use."""
    query, variables, name = _question()
    document, operation = _document(query, name)
    points = cost.requested(SCHEMA, document, operation, variables)
    if points > cost.LARGEST_COST:
        message = f"Query cost is {points}, which exceeds the single query max cost limit ({cost.LARGEST_COST})."
        raise RequestError(message, "MAX_COST_EXCEEDED", cost={"requestedQueryCost": points})
    buckets: cost.Buckets = current_app.extensions[BUCKETS]
    faults, setting = current().troubles.api(context.store)
    setting = setting if faults.plan or faults.drained else 0
    plan = faults.plan or context.store.shop.plan
    bucket = buckets.of(context.store.shop.domain, plan, setting, drained=faults.drained)
    if not bucket.take(points):
        block = {"requestedQueryCost": points, "actualQueryCost": None, "throttleStatus": bucket.status()}
        raise RequestError("Throttled", "THROTTLED", cost=block)
    result = execute_sync(
        SCHEMA,
        document,
        context_value=context,
        variable_values=variables,
        operation_name=name,
        field_resolver=resolve,
        type_resolver=type_name,
    )
    used = cost.actual(result.data, points, mutation=operation.operation == OperationType.MUTATION)
    bucket.give_back(points - used)
    block = {"requestedQueryCost": points, "actualQueryCost": used, "throttleStatus": bucket.status()}
    return _body(context, result.data, result.errors, block)


def _body(
    context: Context, data: dict[str, Any] | None, errors: list[GraphQLError] | None, block: dict[str, Any]
) -> dict[str, Any]:
    """Put an answer together: partial data stays beside its errors."""
    body: dict[str, Any] = {"data": data}
    if errors:
        body["errors"] = [_formatted(error) for error in errors]
    body["extensions"] = {"cost": block}
    if context.warnings:
        body["extensions"]["search"] = context.warnings
    return body


def _refused(error: RequestError) -> dict[str, Any]:
    """Write a refusal of the whole request; its cost stands where that of an answer does."""
    formatted = _formatted(error)
    block = formatted["extensions"].pop("cost", None)
    return {"errors": [formatted], "extensions": {"cost": block}}


def _formatted(error: GraphQLError) -> dict[str, Any]:
    """Write an error; one that a resolver did not mean to raise is hidden behind INTERNAL_SERVER_ERROR."""
    original = error.original_error
    if original is not None and not isinstance(original, GraphQLError):
        current_app.logger.error("resolver failed", exc_info=original)
        return {
            "message": "Internal error. Looks like something went wrong on our end.",
            "extensions": {"code": "INTERNAL_SERVER_ERROR"},
        }
    return {**error.formatted, "extensions": dict(error.extensions or {})}
