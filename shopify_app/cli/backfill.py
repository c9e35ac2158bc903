"""Backfills: starting, watching, ending and repeating them, for one store or all."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from flask.cli import AppGroup

from shopify_app import backfill, operators, standings
from shopify_app.backfill import summaries
from shopify_app.cli.reconcile import When
from shopify_app.cli.tables import table
from shopify_app.cli.tenants import AS_JSON, REASON, operator, store_of
from shopify_app.database import operations, tenant_work
from shopify_app.jobs.queues import TICK
from shopify_app.models import Tenant
from shopify_app.models.backfills import RESOURCES
from shopify_app.runtime import current

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from shopify_app.backfill.summaries import Summary
    from shopify_app.standings import Standing

group = AppGroup("backfill", help="The history of stores, fetched from Shopify.")

# Refunds come with their orders: no export holds them.
NAMED = tuple(resource for resource in RESOURCES if resource != "refunds")
STARTED, CANCELLED, RETRIED = "backfill started", "backfill cancelled", "backfill retried"
HEAD = ("ID", "STORE", "RESOURCE", "STATE", "OBJECTS", "OF", "RATE", "STARTED", "ASKED BY")
IDS = click.argument("ids", metavar="ID…", type=int, nargs=-1, required=True)


@group.command()
@click.argument("shop", required=False)
@click.option("--all-tenants", is_flag=True, help="Every store that has the app installed.")
@click.option(
    "--resource", "resources", multiple=True, type=click.Choice(NAMED), help="Only this one; may be repeated."
)
@click.option("--since", type=When(), help="Only what changed from then on (ISO 8601); default: everything.")
@click.option("--yes", is_flag=True, help="Do not ask before starting on every store.")
@REASON
def start(
    *,
    shop: str | None,
    all_tenants: bool,
    resources: tuple[str, ...],
    since: datetime | None,
    yes: bool,
    reason: str | None,
) -> None:
    """Fetch the history of SHOP, or of every store, from Shopify. What is under way already is not started twice.

    Ends with status 1 when a store could not be asked for.
    """
    if (shop is None) is not all_tenants:
        raise click.UsageError("Give either SHOP or --all-tenants.")
    if since is not None and since > datetime.now(UTC):
        raise click.BadParameter(f"{since.isoformat()} has not come yet.", param_hint="--since")
    stores = _every() if shop is None else [_one(store_of(shop))]
    if all_tenants and not yes:
        click.confirm(f"Start a backfill of {len(stores):,} stores?", abort=True)
    for store in stores:
        if store.hindrance:
            click.echo(store.hindrance, err=True)
        else:
            _start(store, resources or NAMED, since, reason)
    current().queues.nudge(TICK)
    if any(store.hindrance for store in stores):
        raise click.exceptions.Exit(1)


@group.command("list")
@click.argument("shop", required=False)
@click.option("--state", type=click.Choice(tuple(summaries.FILTERS)), help="Only those.")
@click.option("--all", "every", is_flag=True, help="Every one, not only the latest of each resource.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@AS_JSON
def listing(*, shop: str | None, state: str | None, every: bool, limit: int, as_json: bool) -> None:
    """List the latest backfill of each resource, of SHOP or of all stores, newest first."""
    store_url = _one(store_of(shop)).store_url if shop else None
    states, now = summaries.FILTERS.get(state or "", ()), datetime.now(UTC)
    with operations() as session:
        found = summaries.listed(session, now, states=states, store_url=store_url, every=every, limit=limit)
    if as_json:
        click.echo(_json([_facts(one) for one in found]))
        return
    rows = [_row(one) for one in found]
    for line in table(HEAD, rows) if rows else ["There are no such backfills."]:
        click.echo(line)


@group.command()
@IDS
@AS_JSON
def show(ids: tuple[int, ...], *, as_json: bool) -> None:
    """Show backfills by their numbers: how far they have come, or what became of them and why."""
    facts = [_facts(one) for one in _found(ids)]
    if as_json:
        click.echo(_json(facts))
        return
    for number, one in enumerate(facts):
        if number:
            click.echo()
        for name, value in one.items():
            click.echo(f"{name.replace('_', ' '):<18}{_text(value)}")


@group.command()
@IDS
@REASON
def cancel(ids: tuple[int, ...], reason: str | None) -> None:
    """End backfills. Each stops at its next batch; what it has loaded stays.

    Ends with status 1 when one of them had ended before.
    """
    cancelled = [_cancel(one, reason) for one in _found(ids)]
    current().queues.nudge(TICK)
    if not all(cancelled):
        raise click.exceptions.Exit(1)


@group.command()
@IDS
@REASON
def retry(ids: tuple[int, ...], reason: str | None) -> None:
    """Do once more what backfills did, or failed to do: a new one of the same resource, from the same time on."""
    found = _found(ids)
    for one in found:
        if hindrance := _one(one.store_url).hindrance:
            raise click.ClickException(hindrance)
    for one in found:
        _retry(one, reason)
    current().queues.nudge(TICK)


def _start(store: Standing, resources: Sequence[str], since: datetime | None, reason: str | None) -> None:
    now = datetime.now(UTC)
    with tenant_work(store.id) as session:
        run = backfill.start(session, session.get_one(Tenant, store.id), resources, now, since=since, by=operator())
        asked = {"resources": sorted(resources), "since": since.isoformat() if since else None}
        _audit(session, STARTED, store.id, reason, {**asked, "run": str(run)})
        latest = [one for one in backfill.progress(session) if not one.finished]
    planned = [f"{one.resource} {one.id}" for one in latest if one.created_at == now]
    before = [f"{one.resource} {one.id}" for one in latest if one.created_at != now and one.resource in resources]
    parts = (("started", planned), ("under way already:", before))
    told = [f"{word} {', '.join(names)}" for word, names in parts if names]
    click.echo(f"{store.store_url}: {'; '.join(told)}")


def _cancel(one: Summary, reason: str | None) -> bool:
    tenant_id, number = one.progress.tenant_id, one.progress.id
    with tenant_work(tenant_id) as session:
        ending = backfill.cancel(session, tenant_id, number, datetime.now(UTC))
        if ending:
            _audit(session, CANCELLED, tenant_id, reason, _about(one))
    if ending:
        click.echo(f"Backfill {number} ({_named(one)}) is being cancelled.")
    else:
        click.echo(f"Backfill {number} ({_named(one)}) has ended already: it is {one.progress.state}.", err=True)
    return ending


def _retry(one: Summary, reason: str | None) -> None:
    tenant_id, now = one.progress.tenant_id, datetime.now(UTC)
    with tenant_work(tenant_id) as session:
        backfill.retry(session, session.get_one(Tenant, tenant_id), one.progress.id, now, by=operator())
        _audit(session, RETRIED, tenant_id, reason, _about(one))
        latest = {found.resource: found for found in backfill.progress(session)}
    new = latest[one.progress.resource]
    word = "started as" if new.created_at == now else "under way already as"
    click.echo(f"Backfill {one.progress.id} ({_named(one)}) is {word} {new.id}.")


def _audit(session: Session, action: str, tenant_id: int, reason: str | None, details: dict[str, object]) -> None:
    operators.audit(session, operator=operator(), action=action, tenant_id=tenant_id, reason=reason, details=details)


def _about(one: Summary) -> dict[str, object]:
    return {"backfill": one.progress.id, "resource": one.progress.resource}


def _named(one: Summary) -> str:
    return f"{one.progress.resource} of {one.store_url}"


def _every() -> list[Standing]:
    """Return the stores that have the app now; those that left are not asked for."""
    with operations() as session:
        found = standings.every(session, datetime.now(UTC))
    return [store for store in found if store.uninstalled_at is None]


def _one(store_url: str) -> Standing:
    with operations() as session:
        try:
            return standings.one(session, store_url, datetime.now(UTC))
        except standings.UnknownStore as error:
            raise click.ClickException(str(error)) from error


def _found(ids: Sequence[int]) -> list[Summary]:
    """Return the backfills of these numbers: all of them or, where one is not known, none."""
    with operations() as session:
        found = summaries.find(session, ids, datetime.now(UTC))
    missing = [number for number in ids if number not in found]
    if missing:
        raise click.ClickException(f"There is no backfill {', '.join(map(str, missing))}.")
    return [found[number] for number in dict.fromkeys(ids)]


def _row(one: Summary) -> tuple[str, ...]:
    told = one.progress
    of = "–" if told.objects_total is None else str(told.objects_total)
    rate = "–" if told.rate is None else f"{told.rate:,.0f}/s"
    begun = f"{told.started_at:%Y-%m-%d %H:%M}" if told.started_at else "–"
    state = "stopping" if told.stopping else told.state
    return (
        str(told.id),
        one.store_url,
        told.resource,
        state,
        str(told.objects_read),
        of,
        rate,
        begun,
        told.asked_by or "–",
    )


def _facts(one: Summary) -> dict[str, object]:
    told = dataclasses.asdict(one.progress)
    first = {"id": told.pop("id"), "store_url": one.store_url}
    return {**first, **told, "run_id": str(told["run_id"])}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, default=lambda moment: moment.isoformat())


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, float):
        return f"{value:,.1f}"
    return "–" if value in {None, ""} else str(value)
