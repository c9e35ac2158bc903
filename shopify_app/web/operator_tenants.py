"""One store, for operators: how it stands, what it is told by Shopify, and starting a backfill or a check of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, flash, make_response, redirect, request, url_for
from werkzeug.exceptions import NotFound

from shopify_app import backfill, inbox, reconcile, standings, subscriptions, tenants
from shopify_app.database import operations, tenant_work
from shopify_app.jobs.queues import TICK
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify import scopes
from shopify_app.web import asked, console
from shopify_app.web.guards import current_operator

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("operator_tenants", __name__, url_prefix="/operator/tenants")

SAW_TENANT, STARTED, CHECKED = "looked at a tenant", "backfill started", "check started"
MOST = 20  # backfills on a store's page
EVERYTHING = "everything"
TOKENS = {
    "live": "Works",
    "refused": "Refused by Shopify: the merchant has to open the app again",
    "expired": "Expired: the merchant has to open the app again",
    "none": "None",
}


@blueprint.get("/<int:tenant_id>")
def show(tenant_id: int) -> Response:
    """Show all there is to know of a store without looking at its customers."""
    now = datetime.now(UTC)
    standing = _standing_of(tenant_id, now)
    with operations() as session:
        outside = {
            "deliveries": inbox.counts_of(session, tenant_id),
            "drift": reconcile.drift(session, len(reconcile.RESOURCES), tenant_id),
        }
        if not console.is_refresh():
            console.note(session, SAW_TENANT, tenant_id=tenant_id)
    known = {**outside, **_inside(tenant_id, now), "token": TOKENS[standing.token], "resources": asked.NAMED}
    return console.live_page("operator/tenant.html", tenant=standing, **known)


def _inside(tenant_id: int, now: datetime) -> dict[str, object]:
    """Return what the store's own tables tell of its access, its backfills and its webhooks."""
    with tenant_work(tenant_id) as session:
        granted = tenants.granted_scopes(session, tenant_id)
        progress = backfill.progress(session, now)
        past = backfill.history(session, now, limit=MOST)
        registered = subscriptions.registrations(session)
    return {
        "granted": sorted(granted),
        "lacking": sorted(scopes.missing(granted, current().config.shopify_scopes)),
        "progress": progress,
        "past": [one for one in past if one not in progress],
        "registered": registered,
    }


@blueprint.get("/<int:tenant_id>/backfill")
def ask_to_start(tenant_id: int) -> Response | str:
    """Ask whether a backfill is to be started."""
    standing = _standing_of(tenant_id, datetime.now(UTC))
    try:
        wanted, since = _asked_for()
    except asked.Rejected as error:
        return _back(tenant_id, str(error), "problem")
    return console.ask(
        console.Question(
            title=f"Start a backfill of {standing.store_url}?",
            text="Shopify is asked for what is named below, and what is held is brought up to date with it. Figures"
            " stay right meanwhile. What is being loaded already is not asked for twice.",
            button="Start the backfill",
            back=url_for(".show", tenant_id=tenant_id),
            facts={"Store": standing.store_url, "Resources": ", ".join(wanted), "Changed since": _since(since)},
            fields=[*(("resources", name) for name in wanted), *([("since", since.isoformat())] if since else [])],
        )
    )


@blueprint.post("/<int:tenant_id>/backfill")
def start(tenant_id: int) -> Response:
    """Start a backfill."""
    now, email = datetime.now(UTC), current_operator().email
    hindrance = _standing_of(tenant_id, now).hindrance
    if hindrance:
        return _back(tenant_id, hindrance, "problem")
    try:
        wanted, since = _asked_for()
    except asked.Rejected as error:
        return _back(tenant_id, str(error), "problem")
    with tenant_work(tenant_id) as session:
        tenant = session.get_one(Tenant, tenant_id)
        run = backfill.start(session, tenant, wanted, now, since=since, by=email)
        details = {"resources": list(wanted), "since": _since(since), "run": str(run)}
        console.note(session, STARTED, details, tenant_id=tenant_id)
    current().queues.nudge(TICK)
    return _back(tenant_id, f"The backfill of {', '.join(wanted)} is under way.", "done")


@blueprint.get("/<int:tenant_id>/check")
def ask_to_check(tenant_id: int) -> str:
    """Ask whether the store is to be compared with Shopify now."""
    standing = _standing_of(tenant_id, datetime.now(UTC))
    return console.ask(
        console.Question(
            title=f"Check {standing.store_url} now?",
            text="All that is held of the store is compared with what Shopify holds, and repaired where it differs. A"
            " resource whose history is being loaded is left out.",
            button="Check now",
            back=url_for(".show", tenant_id=tenant_id),
            facts={"Store": standing.store_url},
        )
    )


@blueprint.post("/<int:tenant_id>/check")
def check(tenant_id: int) -> Response:
    """Compare all that is held of the store with Shopify, now."""
    now = datetime.now(UTC)
    hindrance = _standing_of(tenant_id, now).hindrance
    if hindrance:
        return _back(tenant_id, hindrance, "problem")
    with tenant_work(tenant_id) as session:
        granted = tenants.granted_scopes(session, tenant_id)
        planned = reconcile.start(session, tenant_id, granted, now)
        if planned:
            checked = sorted(planned)
            console.note(session, CHECKED, {"resources": checked}, tenant_id=tenant_id)
    current().queues.nudge(TICK)
    if not planned:
        return _back(tenant_id, "Nothing can be checked: no access is granted, or all is being loaded.", "problem")
    return _back(tenant_id, f"The check of {', '.join(checked)} is under way.", "done")


def _standing_of(tenant_id: int, now: datetime) -> standings.Standing:
    with operations() as session:
        found = standings.numbered(session, tenant_id, now)
    if found is None:
        raise NotFound(f"There is no store {tenant_id}.")
    return found


def _asked_for() -> tuple[tuple[str, ...], datetime | None]:
    """Return what the address or the form asks a backfill for.

    Raises:
        Rejected: it cannot be asked for.
    """
    given = request.values.getlist("resources")
    return asked.resources(given), asked.since(request.values.get("since"), datetime.now(UTC))


def _since(since: datetime | None) -> str:
    return console.stamp(since) if since else EVERYTHING


def _back(tenant_id: int, message: str, kind: str) -> Response:
    flash(message, kind)
    return make_response(redirect(url_for(".show", tenant_id=tenant_id), 303))
