"""A store's backfills: its people start, end and repeat them on the health page, and its programs by the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from flask import Blueprint, jsonify, make_response, redirect, request, url_for
from werkzeug.exceptions import Forbidden, NotFound

from shopify_app import backfill
from shopify_app.database import tenant_work
from shopify_app.jobs.queues import TICK
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.web import asked
from shopify_app.web.errors import problem
from shopify_app.web.guards import current_viewer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

    from shopify_app.backfill import Progress
    from shopify_app.web.guards import Viewer

blueprint = Blueprint("backfill", __name__, url_prefix="/health/backfills")
api = Blueprint("backfill_api", __name__, url_prefix="/api/backfills")

MERCHANT, PROGRAM = "merchant", "api"
MOST = 100  # backfills in an answer
FIELDS = frozenset({"resources", "since"})
OWNERS_ONLY = "Only an owner of the store may start and end backfills."


# ── the page's buttons. A second press finds done what the first one asked for, and the page tells how it stands ──


@blueprint.post("")
def sync() -> Response:
    """Load one resource again, or all of them."""
    try:
        wanted = asked.resources(request.form.getlist("resource") or None)
    except asked.Rejected:
        return _to_health()
    _start(_owner(), wanted, None, MERCHANT)
    return _to_health()


@blueprint.post("/<int:backfill_id>/cancel")
def cancel(backfill_id: int) -> Response:
    """End a backfill that is under way."""
    viewer = _owner()
    with tenant_work(viewer.tenant_id) as session:
        backfill.cancel(session, viewer.tenant_id, backfill_id, datetime.now(UTC))
    return _to_health()


@blueprint.post("/<int:backfill_id>/retry")
def retry(backfill_id: int) -> Response:
    """Load again what failed or was cancelled."""
    viewer = _owner()
    with tenant_work(viewer.tenant_id) as session:
        tenant = session.get_one(Tenant, viewer.tenant_id)
        latest = {one.id: one for one in backfill.progress(session)}
        if backfill_id in latest and latest[backfill_id].finished:
            backfill.retry(session, tenant, backfill_id, datetime.now(UTC), by=MERCHANT)
    return _to_health()


@blueprint.post("/retry")
def retry_failed() -> Response:
    """Load again all that failed."""
    viewer = _owner()
    with tenant_work(viewer.tenant_id) as session:
        tenant = session.get_one(Tenant, viewer.tenant_id)
        for one in backfill.progress(session):
            if one.state == "failed":
                backfill.retry(session, tenant, one.id, datetime.now(UTC), by=MERCHANT)
    return _to_health()


def _to_health() -> Response:
    current().queues.nudge(TICK)
    return make_response(redirect(url_for("insights.health"), 303))


# ── programs ────────────────────────────────────────────────────────────────────────────────────────────────────────


@api.post("")
def create() -> Response:
    """Start a backfill of each resource named, or of all; answers 202 and where to look how they are doing."""
    viewer, now = _owner(), datetime.now(UTC)
    try:
        body = _body()
        wanted, since = asked.resources(body.get("resources")), asked.since(body.get("since"), now)
    except asked.Rejected as error:
        return problem(422, "The backfill cannot be started as it is asked for.", errors={error.field: str(error)})
    run = _start(viewer, wanted, since, PROGRAM)
    current().queues.nudge(TICK)
    with tenant_work(viewer.tenant_id) as session:
        started = _of(backfill.progress(session, now), wanted)
    response = make_response(jsonify(backfills=[_told(one) for one in started]), 202)
    response.location = url_for(".index", run=run)
    return response


@api.get("")
def index() -> Response:
    """List the store's backfills, newest first: the last hundred, or those of one run."""
    now, run = datetime.now(UTC), request.args.get("run")
    try:
        run_id = None if run is None else UUID(run)
    except ValueError:
        return problem(422, "That cannot be the id of a run.", f"run: {run!r} is no UUID.")
    with tenant_work(current_viewer().tenant_id) as session:
        found = backfill.of_run(session, run_id, now) if run_id else backfill.history(session, now, limit=MOST)
    return make_response(jsonify(backfills=[_told(one) for one in found]))


@api.get("/<int:backfill_id>")
def show(backfill_id: int) -> Response:
    """Show one backfill."""
    return make_response(jsonify(_told(_one(backfill_id))))


@api.delete("/<int:backfill_id>")
def end(backfill_id: int) -> Response:
    """Ask for a backfill's end; answers 202, since whoever works on it stops at its next batch."""
    viewer = _owner()
    with tenant_work(viewer.tenant_id) as session:
        ending = backfill.cancel(session, viewer.tenant_id, backfill_id, datetime.now(UTC))
    found = _one(backfill_id)
    if not ending:
        return problem(
            409, "The backfill has ended.", f"Backfill {backfill_id} is {found.state}; it cannot be cancelled."
        )
    current().queues.nudge(TICK)
    response = make_response(jsonify(_told(found)), 202)
    response.location = url_for(".show", backfill_id=backfill_id)
    return response


def _one(backfill_id: int) -> Progress:
    with tenant_work(current_viewer().tenant_id) as session:
        found = backfill.one(session, backfill_id, datetime.now(UTC))
    if found is None:
        raise NotFound(f"This store has no backfill {backfill_id}.")
    return found


def _body() -> dict[str, Any]:
    """Return the JSON object that was sent; nothing sent means nothing asked for in particular.

    Raises:
        Rejected: it is something else, or has a field nobody knows.
    """
    try:
        body = msgspec.json.decode(request.get_data() or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise asked.Rejected("", "This is not JSON.") from error
    if not isinstance(body, dict):
        raise asked.Rejected("", "Send a JSON object.")
    if unknown := sorted(body.keys() - FIELDS):
        raise asked.Rejected(unknown[0], f"There is no field {unknown[0]!r}; there are {' and '.join(sorted(FIELDS))}.")
    return body


def _told(one: Progress) -> dict[str, object]:
    """Return a backfill as the API shows it; times in ISO 8601, counts in records."""
    moments = ("since", "cancel_asked_at", "created_at", "started_at", "finished_at")
    said = {name: getattr(one, name) for name in ("id", "resource", "state", "error", "note")}
    counts = {name: getattr(one, name) for name in ("objects_read", "objects_total", "seconds_left")}
    times = {name: moment.isoformat() if (moment := getattr(one, name)) else None for name in moments}
    speed = {"objects_a_second": round(one.rate, 1) if one.rate is not None else None}
    by = one.asked_by if one.asked_by in {"", "install", MERCHANT, PROGRAM} else "operator"
    url = url_for("backfill_api.show", backfill_id=one.id)
    return {**said, "run": str(one.run_id), "asked_by": by, **counts, **speed, **times, "url": url}


# ── both ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _start(viewer: Viewer, wanted: Sequence[str], since: datetime | None, by: str) -> UUID:
    with tenant_work(viewer.tenant_id) as session:
        tenant = session.get_one(Tenant, viewer.tenant_id)
        return backfill.start(session, tenant, wanted, datetime.now(UTC), since=since, by=by)


def _of(found: Sequence[Progress], wanted: Sequence[str]) -> list[Progress]:
    """Return those of the resources asked for, and refunds where they came with their orders."""
    meant = {*wanted, *(("refunds",) if "orders" in wanted else ())}
    return [one for one in found if one.resource in meant]


def _owner() -> Viewer:
    """Return who is here.

    Raises:
        Forbidden: they are no owner.
    """
    viewer = current_viewer()
    if not viewer.may_manage:
        raise Forbidden(OWNERS_ONLY)
    return viewer
