"""The pages a store is seen on: its overview, kept up to date while it is looked at, and the health of its data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, redirect, request, url_for
from werkzeug.exceptions import Forbidden

from config import WEBHOOKS_OF_APP
from shopify_app import backfill, insights, reconcile, rollups, subscriptions, tenants
from shopify_app.database import tenant_work
from shopify_app.insights import health as store_health
from shopify_app.jobs.queues import TICK
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.shopify import scopes
from shopify_app.web import backfill_words, checks
from shopify_app.web.choices import COMPARISONS, PRESETS, Choice, choose
from shopify_app.web.figures import show
from shopify_app.web.formats import Formats
from shopify_app.web.guards import current_viewer
from shopify_app.web.links import path_with_query
from shopify_app.web.pages import live_page, store_of

if TYPE_CHECKING:
    from flask import Response

    from shopify_app.insights.health import Deliveries
    from shopify_app.rollups import Freshness
    from shopify_app.subscriptions import Registration
    from shopify_app.web.backfill_words import Result, Shown
    from shopify_app.web.checks import Check

blueprint = Blueprint("insights", __name__)

# Milliseconds between two looks of an open page: shorter while a history is being loaded.
LOADING, LOADED = 2000, 4000
MOST_RESULTS = 20


@dataclass(frozen=True, kw_only=True)
class Health:
    """Whether a store's data is complete and still arrives.

    ``lacking`` are access scopes the app needs, ``optional`` those it can do without, both not granted; ``by_app``:
    Shopify sends changes as the app's own file says, so that none is registered for the store. ``skipped`` are
    topics that the access granted rules out. ``checking`` says whether anything is being compared with Shopify,
    ``first_checks`` what of it never was before.
    """

    connected: bool
    lacking: tuple[str, ...]
    optional: tuple[str, ...]
    by_app: bool
    progress: tuple[Shown, ...]
    results: tuple[Result, ...]
    deliveries: Deliveries
    registrations: tuple[Registration, ...]
    skipped: tuple[Registration, ...]
    checks: tuple[Check, ...]
    checking: bool
    first_checks: tuple[str, ...]

    @property
    def failed(self) -> int:
        """How many resources could not be loaded."""
        return sum(item.state == "failed" for item in self.progress)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What an overview follows from: when any of it changes, the page does."""

    choice: Choice
    connected: bool
    freshness: Freshness
    progress: tuple[Shown, ...]


@blueprint.get("/")
def overview() -> Response:
    """Show a store's main figures over a range of days."""
    return _overview("insights/overview.html")


@blueprint.get("/overview/fragment")
def fragment() -> Response:
    """Show the part of the overview that changes, to a page that is open."""
    return _overview("insights/_overview.html")


@blueprint.get("/health")
def health() -> Response:
    """Show how the store's data is doing."""
    found = _health()
    return live_page(
        "insights/health.html",
        facts=found,
        context=lambda: {
            "health": found,
            "every": _pace(found.progress),
            "loading": _is_loading(found.progress),
            "grant_url": current().oauth.grant_url(current_viewer().store_url),
        },
    )


@blueprint.post("/health/check")
def check() -> Response:
    """Compare all that is held with what Shopify holds, now."""
    viewer = current_viewer()
    if not viewer.may_manage:
        raise Forbidden
    with tenant_work(viewer.tenant_id) as session:
        granted = tenants.granted_scopes(session, viewer.tenant_id)
        reconcile.start(session, viewer.tenant_id, granted, datetime.now(UTC))
    current().queues.nudge(TICK)
    return make_response(redirect(url_for("insights.health"), 303))


def _overview(template: str) -> Response:
    now = datetime.now(UTC)
    with tenant_work(current_viewer().tenant_id) as session:
        tenant = session.get_one(Tenant, current_viewer().tenant_id)
        standing = Standing(
            choice=choose(request.args, now.astimezone(ZoneInfo(tenant.time_zone)).date()),
            connected=tenants.has_live_token(session, tenant.id, now),
            freshness=rollups.state(session),
            progress=backfill_words.shown(backfill.progress(session, now), _formats(tenant)),
        )
    return live_page(template, facts=standing, context=lambda: _overview_context(standing, now))


def _overview_context(standing: Standing, now: datetime) -> dict[str, object]:
    viewer, choice = current_viewer(), standing.choice
    with tenant_work(viewer.tenant_id) as session:
        answer = insights.overview(session, session.get_one(Tenant, viewer.tenant_id), choice.range, choice.compared)
    return {
        **vars(show(answer, store_of(viewer).formats)),
        "choice": choice,
        "connected": standing.connected,
        "presets": PRESETS,
        "comparisons": COMPARISONS,
        "customers": answer.top_customers,
        "products": answer.top_products,
        "progress": standing.progress,
        "loading": _is_loading(standing.progress),
        "failed": [item for item in standing.progress if item.state == "failed"],
        "fresh_at": standing.freshness.refreshed_at,
        "now": now,
        "every": _pace(standing.progress),
        "fragment": path_with_query(url_for("insights.fragment"), choice.query.items()),
    }


def _health() -> Health:
    tenant_id, config, now = current_viewer().tenant_id, current().config, datetime.now(UTC)
    fmt = store_of(current_viewer()).formats
    with tenant_work(tenant_id) as session:
        compared, running = reconcile.latest(session)
        granted = tenants.granted_scopes(session, tenant_id)
        return Health(
            connected=tenants.has_live_token(session, tenant_id, now),
            lacking=tuple(sorted(scopes.missing(granted, config.shopify_scopes))),
            optional=tuple(sorted(scopes.missing(granted, config.shopify_optional_scopes))),
            by_app=config.webhook_subscriptions == WEBHOOKS_OF_APP,
            progress=backfill_words.shown(backfill.progress(session, now), fmt),
            results=backfill_words.results(backfill.history(session, now, limit=MOST_RESULTS), fmt),
            deliveries=store_health.deliveries(session, tenant_id),
            registrations=tuple(subscriptions.registrations(session)),
            skipped=tuple(subscriptions.skipped(subscriptions.wanted(granted, config.app_url))),
            checks=checks.told(compared, fmt, now),
            checking=bool(running),
            first_checks=checks.first(running, compared),
        )


def _formats(tenant: Tenant) -> Formats:
    return Formats(tenant.locale, tenant.currency, tenant.time_zone)


def _pace(progress: tuple[Shown, ...]) -> int:
    return LOADING if _is_loading(progress) else LOADED


def _is_loading(progress: tuple[Shown, ...]) -> bool:
    """Whether history is on its way; a store that has just come has no backfill yet, but soon will."""
    return not progress or any(not item.finished for item in progress)
