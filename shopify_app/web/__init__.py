"""Door 1: HTTP. Every blueprint has exactly one guard, and a request that no guard has let in reaches no view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, request
from werkzeug.exceptions import Forbidden

from shopify_app.web import (
    accounts,
    backfill,
    cookies,
    dead_letters,
    errors,
    guards,
    headers,
    health,
    insights,
    operator,
    operator_backfills,
    operator_tenants,
    pages,
    privacy,
    registrations,
    tenants,
    webhooks,
)

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue

    from shopify_app.web.guards import Guard


@dataclass(frozen=True)
class Door:
    """A blueprint and whom it lets in."""

    blueprint: Blueprint
    guard: Guard


BLUEPRINTS = (
    Door(health.blueprint, guards.anyone),
    Door(tenants.blueprint, guards.anyone),
    Door(accounts.blueprint, guards.anyone),
    Door(webhooks.blueprint, guards.webhook),
    Door(insights.blueprint, guards.viewer),
    Door(backfill.blueprint, guards.viewer),
    Door(backfill.api, guards.api),
    Door(privacy.blueprint, guards.viewer),
    Door(accounts.people, guards.viewer),
    Door(registrations.blueprint, guards.program),
    Door(operator.entrance, guards.anyone),
    Door(operator.blueprint, guards.operator),
    Door(operator_tenants.blueprint, guards.operator),
    Door(operator_backfills.blueprint, guards.operator),
    Door(dead_letters.blueprint, guards.operator),
)
GUARDS = {door.blueprint.name: door.guard for door in BLUEPRINTS}
# Flask serves these itself: files that are the same for everybody.
UNGUARDED_ENDPOINTS = frozenset({"static"})


def register(app: Flask) -> None:
    """Add every blueprint behind its guard, and what all answers have in common."""
    app.config.setdefault("WTF_CSRF_CHECK_DEFAULT", False)  # the guards check, and know whom a cookie vouches for
    app.config["SESSION_COOKIE_NAME"] = cookies.form_name(secure=app.config["SESSION_COOKIE_SECURE"])
    app.session_interface = cookies.FormSessions()
    guards.csrf.init_app(app)
    app.before_request(_guard)
    for door in BLUEPRINTS:
        app.register_blueprint(door.blueprint)
    errors.register(app)
    headers.register(app)
    pages.register(app)


def _guard() -> ResponseReturnValue | None:
    if request.endpoint is None or request.endpoint in UNGUARDED_ENDPOINTS:
        return None
    guard = GUARDS.get(request.blueprint or "")
    if guard is None:
        raise Forbidden("Nobody may come in here: the address has no guard.")
    return guard()
