"""The operators' console: their login, and how the tenants are doing. Everything done here is on record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, make_response, redirect, render_template, request, url_for

from shopify_app import inbox, logins, operators, reconcile, standings
from shopify_app.database import operations
from shopify_app.runtime import current
from shopify_app.web import cookies
from shopify_app.web.guards import current_operator

if TYPE_CHECKING:
    from flask import Response

entrance = Blueprint("operator_login", __name__, url_prefix="/operator")
blueprint = Blueprint("operator", __name__, url_prefix="/operator")

# One answer for an unknown address, a wrong password, a wrong or spent code, and an attempt too soon after others.
REFUSED = "That did not work. Check the address, the password and the code; after several attempts, wait a minute."
UNPROCESSABLE = 422
SAW_TENANTS = "looked at the tenants"
MOST_TENANTS = 500


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
    operator = current_operator()
    with operations() as session:
        operators.audit(session, operator=operator.email, action=SAW_TENANTS)
        tenants = standings.by_name(session, datetime.now(UTC), limit=MOST_TENANTS)
        counts = inbox.counts(session)
        drift = reconcile.drift(session, MOST_TENANTS)
    rows = [(tenant, counts.get(tenant.id, inbox.Counts())) for tenant in tenants]
    return render_template("operator/home.html", operator=operator, rows=rows, drift=drift, most=MOST_TENANTS)


def _open_session(found: operators.Credentials, code: str, now: datetime) -> str | None:
    step = operators.code_step(current().vault.decrypt(found.totp_secret), code, now)
    if step is None:
        return None
    with operations() as session:
        return operators.open_session(session, operator_id=found.operator_id, step=step, now=now)
