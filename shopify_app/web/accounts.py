"""Logging in outside the admin, accepting an invitation, and the settings of a store: its people, its cut-off."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import Forbidden

from shopify_app import abandonment, accounts, logins
from shopify_app.accounts import staff
from shopify_app.database import directory
from shopify_app.jobs.queues import ABANDON
from shopify_app.models.accounts import ROLES
from shopify_app.runtime import current
from shopify_app.web import cookies, links
from shopify_app.web.errors import explain
from shopify_app.web.guards import ask_about_viewer, current_viewer
from shopify_app.web.pages import store_page

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("accounts", __name__)
people = Blueprint("people", __name__)

WRONG = "The email address or the password is not right."
NO_STORE = "You no longer belong to a store. Ask a store's staff to invite you again."
SPENT = "It was used before, has expired, or was replaced by a newer one. Ask for another."
UNPROCESSABLE = 422


@blueprint.get("/login")
def login() -> Response:
    """Show the login form."""
    return _login_page()


@blueprint.post("/login")
def log_in() -> Response:
    """Open a session. Unknown address and wrong password get the same answer after the same time."""
    email, password = request.form.get("email", ""), request.form.get("password", "")
    with directory() as session:
        found = accounts.credentials(session, email)
    if not logins.fits(found.password_hash if found else None, password) or found is None:
        return _login_page(email=email, problem=WRONG, status=UNPROCESSABLE)
    with directory() as session:
        tenant_id = accounts.first_store(session, found.account_id)
    if tenant_id is None:
        return _login_page(email=email, problem=NO_STORE, status=UNPROCESSABLE)
    return _logged_in(found.account_id, tenant_id)


@blueprint.post("/logout")
def logout() -> Response:
    """End the session, here and on the server."""
    response = make_response(redirect(url_for("accounts.login"), 303))
    if token := cookies.login():
        with directory() as session:
            accounts.close_session(session, token, datetime.now(UTC))
    cookies.drop_login(response)
    return response


@blueprint.get("/invitations/<token>")
def invitation(token: str) -> Response:
    """Show what the link invites to: a form for a new password, or for the one the address has already."""
    with directory() as session:
        try:
            invited = accounts.invitation(session, token, datetime.now(UTC))
        except accounts.InvitationSpent:
            return explain(404, "This invitation no longer works", SPENT)
    return _invitation_page(invited)


@blueprint.post("/invitations/<token>")
def accept(token: str) -> Response:
    """Make the invited address a member, and log it in."""
    password = request.form.get("password", "")
    try:
        with directory() as session:
            invited = accounts.invitation(session, token, datetime.now(UTC))
            found = accounts.credentials(session, invited.email)
        password_hash = _verified(found, password)
        with directory() as session:
            account_id, tenant_id = accounts.accept(session, token, password_hash=password_hash, now=datetime.now(UTC))
    except accounts.InvitationSpent:
        return explain(404, "This invitation no longer works", SPENT)
    except logins.PasswordRejected as error:
        return _invitation_page(invited, problem=str(error), status=UNPROCESSABLE)
    return _logged_in(account_id, tenant_id)


@people.get("/settings")
def settings() -> str:
    """Show who belongs to the store and who is invited, and when a cart counts as abandoned."""
    return _settings_page()


@people.post("/settings")
def invite() -> Response:
    """Make an invitation and show its link, this once."""
    viewer = current_viewer()
    if not viewer.may_manage:
        raise Forbidden
    email, role = request.form.get("email", ""), request.form.get("role", "")
    try:
        with directory() as session:
            token = accounts.invite(
                session,
                tenant_id=viewer.tenant_id,
                email=email,
                role=role,
                invited_by=viewer.user,
                now=datetime.now(UTC),
            )
    except (logins.EmailRejected, accounts.RoleRejected):
        page = _settings_page(email=email, role=role, problem="Enter an email address and choose a role.")
        return make_response(page, UNPROCESSABLE)
    link = current().config.app_url + url_for("accounts.invitation", token=token)
    return make_response(_settings_page(link=link, invited=email.strip().lower()))


@people.post("/settings/staff")
def change_staff_role() -> Response:
    """Give one of the store's staff another role inside the admin."""
    viewer = current_viewer()
    if not viewer.may_manage:
        raise Forbidden
    try:
        with directory() as session:
            staff.change_role(session, viewer.tenant_id, request.form.get("user", ""), request.form.get("role", ""))
    except (accounts.RoleRejected, staff.StaffUnknown):
        page = _settings_page(
            staff_problem="Choose one of the staff listed here, and a role. The account owner stays owner."
        )
        return make_response(page, UNPROCESSABLE)
    return make_response(redirect(url_for("people.settings"), 303))


@people.post("/settings/staff/me")
def ask_about_me() -> Response:
    """Ask Shopify again who the person is: the account may have changed hands since they were first seen."""
    ask_about_viewer()
    return make_response(redirect(url_for("people.settings"), 303))


@people.post("/settings/abandonment")
def change_cut_off() -> Response:
    """Set after how many minutes the store's carts and checkouts count as abandoned, and count them anew."""
    viewer = current_viewer()
    if not viewer.may_manage:
        raise Forbidden
    minutes = request.form.get("minutes", "")
    try:
        with directory() as session:
            changed = abandonment.change_cut_off(session, viewer.tenant_id, minutes, datetime.now(UTC))
    except abandonment.CutOffRejected as error:
        return make_response(_settings_page(minutes=minutes, minutes_problem=str(error)), UNPROCESSABLE)
    if changed:
        current().queues.nudge(ABANDON, tenant_id=viewer.tenant_id)
    return make_response(_settings_page(minutes_saved=minutes.strip()))


def _verified(found: accounts.Credentials | None, password: str) -> str | None:
    """Return the hash of a new account's password, or None when the account there is has this one.

    Raises:
        PasswordRejected: it is no password for a new account, or not the account's.
    """
    if found is None:
        return logins.hash_password(password)
    if not logins.fits(found.password_hash, password):
        raise logins.PasswordRejected("That is not this account's password.")
    return None


def _logged_in(account_id: int, tenant_id: int) -> Response:
    with directory() as session:
        token = accounts.open_session(session, account_id=account_id, tenant_id=tenant_id, now=datetime.now(UTC))
    target = links.safe_path(request.form.get("next")) or url_for("insights.overview")
    response = make_response(redirect(target, 303))
    cookies.set_login(response, token)
    return response


def _login_page(*, email: str = "", problem: str | None = None, status: int = 200) -> Response:
    target = links.safe_path(request.values.get("next")) or ""
    page = render_template("accounts/login.html", email=email, problem=problem, next=target)
    return make_response(page, status)


def _invitation_page(invited: accounts.Invited, *, problem: str | None = None, status: int = 200) -> Response:
    page = render_template(
        "accounts/invitation.html", invited=invited, problem=problem, shortest=logins.SHORTEST_PASSWORD
    )
    return make_response(page, status)


def _settings_page(**form: str | None) -> str:
    viewer = current_viewer()
    with directory() as session:
        found = accounts.people(session, viewer.tenant_id, datetime.now(UTC))
        colleagues = staff.everybody(session, viewer.tenant_id)
        cut_off = abandonment.cut_off(session, viewer.tenant_id)
    login_url = current().config.app_url + url_for("accounts.login")
    return store_page(
        "accounts/settings.html",
        people=found,
        staff=colleagues,
        roles=ROLES,
        form=form,
        login_url=login_url,
        cut_off=cut_off,
        bounds=abandonment.BOUNDS,
    )
