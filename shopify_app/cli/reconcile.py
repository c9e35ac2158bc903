"""Comparing what is held of a store with what Shopify holds, and repairing it, while somebody watches."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from shopify_app import reconcile, standings
from shopify_app.cli.tenants import store_of
from shopify_app.database import operations, tenant_work
from shopify_app.jobs.reconcile import begin, check

if TYPE_CHECKING:
    from shopify_app.reconcile import Standing

POLL = 0.5  # seconds between two looks at a check that a worker is at, or that waits for the rate limit


class When(click.ParamType[datetime]):
    """A moment in ISO 8601; without an offset it is in UTC."""

    name = "when"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-01 or 2026-11-01T12:00:00Z.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command("reconcile")
@click.argument("shop")
@click.option("--resource", "resources", multiple=True, type=click.Choice(reconcile.RESOURCES), help="Only this one.")
@click.option("--since", type=When(), help="Compare what changed from then on (ISO 8601); default: the last check.")
@with_appcontext
def command(shop: str, resources: tuple[str, ...], since: datetime | None) -> None:
    """Compare what is held of SHOP with what Shopify holds, and repair what is wrong.

    Ends with status 1 when a check did not come to its end, or left something unexplained.
    """
    tenant_id = _tenant(store_of(shop))
    planned = begin(tenant_id, mode="asked", resources=resources or reconcile.RESOURCES, since=since)
    if not planned:
        raise click.ClickException("Nothing can be checked: no access is granted, or the history is still loading.")
    results = [_watched(tenant_id, number) for number in planned.values()]
    if not all(results):
        raise click.exceptions.Exit(1)


def _tenant(store_url: str) -> int:
    with operations() as session:
        try:
            return standings.one(session, store_url, datetime.now(UTC)).id
        except standings.UnknownStore as error:
            raise click.ClickException(str(error)) from error


def _watched(tenant_id: int, number: int) -> bool:
    """Work on a check until it ends, or until an error makes it wait for the workers; return whether all is well."""
    while True:
        check(tenant_id=tenant_id, reconciliation_id=number)
        with tenant_work(tenant_id) as session:
            standing = reconcile.read(session, tenant_id, number)
        if standing is None:
            return False
        if standing.finished or standing.error:
            click.echo(_line(standing), err=bool(standing.error))
            return standing.state == "done" and not standing.unexplained
        time.sleep(POLL)


def _line(standing: Standing) -> str:
    if not standing.finished:
        return f"{standing.resource}: {standing.error} A worker goes on with it."
    if standing.error:
        return f"{standing.resource}: {standing.state}: {standing.error}"
    names = ("missing", "stale", "deleted", "corrected")
    counts = ", ".join(f"{getattr(standing, name)} {name}" for name in names)
    sides = f" (Shopify counts {standing.count_shopify}, held {standing.count_held})" if standing.unexplained else ""
    return f"{standing.resource}: {standing.compared} checked, {counts}{sides}"
