"""The operators' console: their login, and how tenants, queues and checks are doing. All that is done is on record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, make_response, redirect, render_template, request, url_for
from redis.exceptions import RedisError

from shopify_app import inbox, logins, operators, reconcile, standings
from shopify_app.database import operations
from shopify_app.operators import record
from shopify_app.runtime import current
from shopify_app.shopify import domains
from shopify_app.web import console, cookies

if TYPE_CHECKING:
    from flask import Response

    from shopify_app.jobs.queues import Busy, Length

log = structlog.get_logger(__name__)

entrance = Blueprint("operator_login", __name__, url_prefix="/operator")
blueprint = Blueprint("operator", __name__, url_prefix="/operator")

# One answer for an unknown address, a wrong password, a wrong or spent code, and an attempt too soon after others.
REFUSED = "That did not work. Check the address, the password and the code; after several attempts, wait a minute."
UNPROCESSABLE = 422
SAW_TENANTS = "looked at the tenants"
MOST_TENANTS = 500
MOST_ENTRIES = 100  # on a page of the record


@entrance.get("/login")
def login() -> str:
    """Show the operators' login form."""
    return render_template("operator/login.html", email="", problem=None)


@entrance.post("/login")
def log_in() -> Response:
    """Open an operator's session; whatever is wrong, the answer and the work for it are the same."""
    email, now = request.form.get("email", ""), datetime.now(UTC)
    with operations() as session:
        found = operators.attempt(session, email, now)
    fits = logins.fits(found.password_hash if found else None, request.form.get("password", ""))
    token = _open_session(found, request.form.get("code", ""), now) if found and fits else None
    if token is None:
        page = render_template("operator/login.html", email=email, problem=REFUSED)
        return make_response(page, UNPROCESSABLE)
    response = make_response(redirect(url_for("operator.home"), 303))
    cookies.set_operator(response, token)
    return response


@blueprint.post("/logout")
def logout() -> Response:
    """End the session, here and on the server."""
    if token := cookies.operator():
        with operations() as session:
            operators.close_session(session, token, datetime.now(UTC))
    response = make_response(redirect(url_for("operator_login.login"), 303))
    cookies.drop_operator(response)
    return response


@blueprint.get("")
def home() -> str:
    """Show how every tenant is doing, by name; five hundred at most."""
    with operations() as session:
        console.note(session, SAW_TENANTS)
        tenants = standings.by_name(session, datetime.now(UTC), limit=MOST_TENANTS)
        counts = inbox.counts(session)
    rows = [(tenant, counts.get(tenant.id, inbox.Counts())) for tenant in tenants]
    return console.page("operator/home.html", rows=rows, most=MOST_TENANTS)


@blueprint.get("/drift")
def drift() -> str:
    """Show what the last checks of all stores found, those first that need somebody."""
    with operations() as session:
        found = reconcile.drift(session, MOST_TENANTS)
    return console.page("operator/drift.html", drift=found)


@blueprint.get("/queues")
def queues() -> str:
    """Show what waits in the queues, which workers there are, and what work is due, by kind."""
    now = datetime.now(UTC)
    with operations() as session:
        work = standings.work(session, now)
    lengths, workers = _in_redis()
    with operations() as session:
        stores = standings.addresses(session, {one.tenant_id for one in workers or () if one.tenant_id})
    return console.page("operator/queues.html", work=work, lengths=lengths, workers=workers, stores=stores)


@blueprint.get("/audit")
def audit() -> str:
    """Show what operators did, newest first: all of it, or of one person, one deed, one store."""
    asked = {name: request.args.get(name, "").strip() for name in ("operator", "action", "store")}
    wanted = record.Wanted(
        operator=asked["operator"] or None,
        action=asked["action"] or None,
        store_url=(domains.store_url(asked["store"]) or asked["store"]) or None,
        before=request.args.get("before", type=int),
    )
    with operations() as session:
        people, deeds = record.choices(session)
        entries = record.entries(session, wanted, limit=MOST_ENTRIES)
    kept = {name: value for name, value in asked.items() if value}
    older = entries[-1].id if len(entries) == MOST_ENTRIES else None
    return console.page(
        "operator/audit.html", entries=entries, people=people, deeds=deeds, asked=asked, kept=kept, older=older
    )


def _in_redis() -> tuple[tuple[Length, ...] | None, tuple[Busy, ...] | None]:
    """Return the queues and the workers, None each when Redis does not answer."""
    try:
        return current().queues.lengths(), current().queues.workers()
    except RedisError as error:
        log.warning("Redis does not answer an operator", error=str(error))
        return None, None


def _open_session(found: operators.Credentials, code: str, now: datetime) -> str | None:
    step = operators.code_step(current().vault.decrypt(found.totp_secret), code, now)
    if step is None:
        return None
    with operations() as session:
        return operators.open_session(session, operator_id=found.operator_id, step=step, now=now)
