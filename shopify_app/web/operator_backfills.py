"""Backfills of all stores, for operators: how far each is, and ending or repeating one. Every deed is on record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, flash, make_response, redirect, request, url_for
from werkzeug.exceptions import NotFound

from shopify_app import backfill, standings
from shopify_app.backfill import summaries
from shopify_app.database import operations, tenant_work
from shopify_app.jobs.queues import TICK
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.web import console
from shopify_app.web.guards import current_operator

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy.orm import Session

    from shopify_app.backfill.summaries import Summary

blueprint = Blueprint("operator_backfills", __name__, url_prefix="/operator/backfills")

MOST = 200
SAW_BACKFILLS, CANCELLED, RETRIED = "looked at the backfills", "backfill cancelled", "backfill retried"


@blueprint.get("")
def listing() -> Response:
    """List the newest backfill of each store and resource, of one state or one store if asked."""
    now, state, store = datetime.now(UTC), request.args.get("state", ""), request.args.get("store", "").strip()
    if state and state not in summaries.FILTERS:
        raise NotFound(f"There is no state {state}.")
    with operations() as session:
        states = summaries.FILTERS.get(state, ())
        found = summaries.listed(session, now, states=states, store_url=store or None, limit=MOST)
        counts = summaries.counts(session)
        if not console.is_refresh():
            console.note(session, SAW_BACKFILLS, {"state": state or "all"})
    tallies = {name: sum(counts.get(one, 0) for one in states) for name, states in summaries.FILTERS.items()}
    return console.live_page(
        "operator/backfills.html", found=found, state=state, store=store, tallies=tallies, most=MOST
    )


@blueprint.get("/<int:backfill_id>/cancel")
def ask_to_cancel(backfill_id: int) -> Response | str:
    """Ask whether a backfill is to be ended."""
    found = _found(backfill_id)
    if found.progress.finished:
        return _back(f"Backfill {backfill_id} has ended already: it is {found.progress.state}.", "problem")
    return console.ask(
        console.Question(
            title=f"Cancel backfill {backfill_id}?",
            text="It stops at its next batch, and its export at Shopify is cancelled. What it has loaded stays.",
            button="Cancel the backfill",
            back=url_for(".listing"),
            facts=_facts(found),
            grave=True,
        )
    )


@blueprint.post("/<int:backfill_id>/cancel")
def cancel(backfill_id: int) -> Response:
    """End a backfill."""
    found, now = _found(backfill_id), datetime.now(UTC)
    with tenant_work(found.progress.tenant_id) as session:
        ended = backfill.cancel(session, found.progress.tenant_id, backfill_id, now)
        if ended:
            _note(session, CANCELLED, found)
    if not ended:
        return _back(f"Backfill {backfill_id} has ended already.", "problem")
    current().queues.nudge(TICK)
    return _back(f"Backfill {backfill_id} is being cancelled.", "done")


@blueprint.get("/<int:backfill_id>/retry")
def ask_to_retry(backfill_id: int) -> str:
    """Ask whether a backfill is to be done once more."""
    found = _found(backfill_id)
    return console.ask(
        console.Question(
            title=f"Repeat backfill {backfill_id}?",
            text="Shopify is asked for the same once more. If that is under way already, nothing is added.",
            button="Start it again",
            back=url_for(".listing"),
            facts=_facts(found),
        )
    )


@blueprint.post("/<int:backfill_id>/retry")
def retry(backfill_id: int) -> Response:
    """Do once more what a backfill did or failed to do."""
    found, now, email = _found(backfill_id), datetime.now(UTC), current_operator().email
    tenant_id = found.progress.tenant_id
    with operations() as session:
        standing = standings.numbered(session, tenant_id, now)
    if standing is not None and standing.hindrance:
        return _back(standing.hindrance, "problem")
    with tenant_work(tenant_id) as session:
        backfill.retry(session, session.get_one(Tenant, tenant_id), backfill_id, now, by=email)
        _note(session, RETRIED, found)
    current().queues.nudge(TICK)
    return _back(f"The backfill of {found.progress.resource} of {found.store_url} is under way again.", "done")


def _found(backfill_id: int) -> Summary:
    with operations() as session:
        found = summaries.find(session, [backfill_id], datetime.now(UTC))
    if backfill_id not in found:
        raise NotFound(f"There is no backfill {backfill_id}.")
    return found[backfill_id]


def _facts(found: Summary) -> dict[str, str]:
    told = found.progress
    read = f"{told.objects_read:,}" + (f" of {told.objects_total:,}" if told.objects_total is not None else "")
    words = {"Resource": told.resource.capitalize(), "State": told.state.capitalize(), "Objects read": read}
    return {"Store": found.store_url, **words, **({"Error": told.error} if told.error else {})}


def _note(session: Session, action: str, found: Summary) -> None:
    told = found.progress
    details = {"backfill": told.id, "resource": told.resource}
    console.note(session, action, details, tenant_id=told.tenant_id)


def _back(message: str, kind: str) -> Response:
    flash(message, kind)
    return make_response(redirect(url_for(".listing"), 303))
