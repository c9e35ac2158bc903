"""``/_dev``: what the panel's forms and an app's tests ask of a devstore; nothing of this exists at Shopify."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from flask import Blueprint, Response, abort, request

from devstore import actions, export, faults, installs, multitude, reports
from devstore.graphql.webhooks import TOPICS
from devstore.payloads_versions import VERSION_PATTERN
from devstore.state import current

if TYPE_CHECKING:
    from werkzeug.exceptions import HTTPException

    from devstore.state import Store

T = TypeVar("T")


class Again(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to send again: those of a topic, those queued since an (aware) moment; all by default."""

    topic: str | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class WantedSubscription(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A subscription to make; see ``devstore.installs.subscribe``."""

    topic: str
    uri: str
    name: str | None = None
    filter: str | None = None
    include_fields: list[str] = []
    api_version: Annotated[str, msgspec.Meta(pattern=VERSION_PATTERN)] = "2026-10"
    configured: bool = False


blueprint = Blueprint("control", __name__, url_prefix="/_dev/stores/<shop>")


@blueprint.url_value_preprocessor
def _find_store(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Turn the shop's domain into its store, so that an unknown one is a 404 everywhere."""
    if values is None:
        return
    shop = values.pop("shop")
    try:
        values["store"] = current().stores[shop]
    except KeyError:
        abort(404, f"there is no store {shop}")


@blueprint.errorhandler(400)
@blueprint.errorhandler(404)
@blueprint.errorhandler(422)
def _say(error: HTTPException) -> Response:
    return _json({"error": error.description}, error.code or 500)


@blueprint.get("/report.json")
def report(store: Store) -> Response:
    """Return the overview of ?from= to ?to= (YYYY-MM-DD, today in the shop's zone by default)."""
    today = datetime.now(UTC).astimezone(store.zone).date()
    start_on, end_on = _day("from", today), _day("to", today)
    if end_on < start_on:
        abort(400, f"to ({end_on}) is before from ({start_on})")
    return _json(reports.overview(store, start_on, end_on))


@blueprint.get("/counts.json")
def counts(store: Store) -> Response:
    """Return how many rows there are of every kind."""
    with store.lock:
        return _json(export.counts(store))


@blueprint.get("/export.json")
def exported(store: Store) -> Response:
    """Return counts and money totals; with ?full=1 every record, one JSON object a line."""
    if request.args.get("full") == "1":
        return Response(export.lines(store), mimetype="application/x-ndjson")
    return _json(export.summary(store))


@blueprint.get("/deliveries.json")
def deliveries(store: Store) -> Response:
    """Return the delivery log, newest first."""
    return _json({"deliveries": current().deliveries.log(store)})


@blueprint.post("/actions/<action>")
def act(store: Store, action: str) -> Response:
    """Do an action with the JSON body as its arguments; return the record it touched."""
    if action not in actions.ACTIONS:
        abort(404, f"there is no action {action}")
    arguments = _body()
    try:
        touched = actions.perform(store, current().deliveries, action, arguments)
    except actions.ActionRefused as refusal:
        abort(422, str(refusal))
    return _json(touched)


@blueprint.get("/faults")
def faults_now(store: Store) -> Response:
    """Return what goes wrong with the store, with the seed that everything drawn follows from."""
    return _json(current().deliveries.faults(store))


@blueprint.post("/faults")
def set_faults(store: Store) -> Response:
    """Let exactly this go wrong from now on (see ``devstore.faults.Faults``), nothing without a body; return it."""
    settled = current().deliveries.set_faults(store, _read(faults.Faults))
    current().troubles.set_faults(store, settled)
    return _json(settled)


@blueprint.delete("/faults")
def clear_faults(store: Store) -> Response:
    """Let nothing go wrong any more, and let go what was held back."""
    current().deliveries.set_faults(store, faults.NO_FAULTS)
    current().troubles.set_faults(store, faults.NO_FAULTS)
    return Response(status=204)


@blueprint.get("/multitude")
def multitude_now(store: Store) -> Response:
    """Return how many orders the store has by a formula, null where it has none."""
    return _json(store.multitude and store.multitude.wanted)


@blueprint.post("/multitude")
def set_multitude(store: Store) -> Response:
    """Give the store so many orders by a formula, in the place of those it had; return what was asked for."""
    return _json(multitude.make(store, _read(multitude.Wanted)).wanted)


@blueprint.delete("/multitude")
def clear_multitude(store: Store) -> Response:
    """Take the store's generated orders away."""
    multitude.remove(store)
    return Response(status=204)


@blueprint.post("/release")
def release(store: Store) -> Response:
    """Let go what a burst or a reordering holds back; return how many deliveries that were."""
    return _json({"released": current().deliveries.release(store)})


@blueprint.post("/redeliver")
def redeliver(store: Store) -> Response:
    """Send logged deliveries again under their own ids, dropped ones as well; return the deliveries."""
    wanted = _read(Again)
    return _json({"deliveries": current().deliveries.redeliver(store, wanted.topic, wanted.since)})


@blueprint.post("/subscriptions")
def subscribe(store: Store) -> Response:
    """Subscribe the app to a topic, once more where it is already, and return the subscription."""
    wanted = _read(WantedSubscription)
    if wanted.topic not in TOPICS:
        abort(422, f"there is no topic {wanted.topic}")
    return _json(installs.subscribe(store, **{name: getattr(wanted, name) for name in wanted.__struct_fields__}))


def _read(type_: type[T]) -> T:
    """Return the request's JSON as ``type_``; 422 says what does not fit."""
    try:
        return msgspec.convert(_body(), type_, strict=False)
    except msgspec.ValidationError as error:
        abort(422, str(error))


def _body() -> object:
    """Return the request's JSON; no body at all is an action without arguments."""
    raw = request.get_data()
    try:
        return msgspec.json.decode(raw) if raw else {}
    except msgspec.DecodeError as error:
        abort(400, f"the body is not JSON: {error}")


def _day(name: str, default: date) -> date:
    text = request.args.get(name)
    if not text:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        abort(400, f"{name} is not a date: {text}")


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, mimetype="application/json")
