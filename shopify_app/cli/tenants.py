"""The stores that installed the app: who they are, how they stand, and stopping one."""

from __future__ import annotations

import dataclasses
import getpass
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click
from flask.cli import AppGroup

from shopify_app import inbox, standings, tenants
from shopify_app.cli.tables import table
from shopify_app.database import directory, operations
from shopify_app.jobs.queues import TICK
from shopify_app.runtime import current
from shopify_app.shopify import domains, scopes

if TYPE_CHECKING:
    from collections.abc import Callable

    from shopify_app.standings import Standing

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

group = AppGroup("tenants", help="The stores that installed the app.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
REASON = click.option("--reason", help="Why; kept in the audit record.")
TOKENS = {
    "live": "live",
    "refused": "refused by Shopify: the merchant has to open the app again",
    "expired": "expired: the merchant has to open the app again",
    "none": "none",
}


@group.command("list")
@AS_JSON
def listing(*, as_json: bool) -> None:
    """List every store that installed the app."""
    with operations() as session:
        found = standings.every(session, datetime.now(UTC))
    if as_json:
        click.echo(_json([_facts(one) for one in found]))
        return
    rows = [(str(one.id), one.store_url, one.name, one.state, one.token, _day(one.installed_at)) for one in found]
    for line in table(("ID", "STORE", "NAME", "STATE", "TOKEN", "INSTALLED"), rows):
        click.echo(line)


@group.command()
@click.argument("shop")
@AS_JSON
def show(shop: str, *, as_json: bool) -> None:
    """Show one store: its state, its token's, the access scopes it granted and what waits for it."""
    store_url = store_of(shop)
    with operations() as session:
        standing = _found(standings.one, session, store_url, datetime.now(UTC))
        deliveries = inbox.counts_of(session, standing.id)
    with directory() as session:
        granted = tenants.granted_scopes(session, standing.id)
    config = current().config
    facts = {
        **_facts(standing),
        "scopes": sorted(granted),
        "scopes_missing": sorted(scopes.missing(granted, config.shopify_scopes)),
        "deliveries_waiting": deliveries.waiting,
        "deliveries_dead": deliveries.dead,
    }
    if as_json:
        click.echo(_json(facts))
        return
    for name, value in {**facts, "token": TOKENS[standing.token]}.items():
        click.echo(f"{name.replace('_', ' '):<20}{_text(value)}")


@group.command()
@click.argument("shop")
@REASON
def disable(shop: str, reason: str | None) -> None:
    """Stop serving a store. Nobody sees its pages and no job works for it; its webhooks are kept meanwhile."""
    store_url = store_of(shop)
    with operations() as session:
        changed = _found(
            standings.disable, session, store_url, operator=operator(), reason=reason, now=datetime.now(UTC)
        )
    click.echo(f"{store_url} is disabled." if changed else f"{store_url} was disabled already.")


@group.command()
@click.argument("shop")
@REASON
def enable(shop: str, reason: str | None) -> None:
    """Serve a store again, and apply what was kept meanwhile."""
    store_url = store_of(shop)
    with operations() as session:
        changed = _found(
            standings.enable, session, store_url, operator=operator(), reason=reason, now=datetime.now(UTC)
        )
    current().queues.nudge(TICK)
    click.echo(f"{store_url} is enabled." if changed else f"{store_url} was not disabled.")


def store_of(shop: str) -> str:
    """Return the store's host for what an operator typed: the host itself, or the name before it.

    Raises:
        click.BadParameter: it is neither.
    """
    host = domains.store_url(shop) or domains.store_url(f"{shop}{domains.SUFFIX}")
    if host is None:
        raise click.BadParameter(f"{shop!r} is not the address of a store, such as some-shop.myshopify.com.")
    return host


def operator() -> str:
    """Return who gives the command, for the audit record: the login it runs under."""
    return f"{getpass.getuser()} (command line)"


def _found(ask: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
    """Ask about one store, and say so where there is none."""
    try:
        return ask(*args, **kwargs)
    except standings.UnknownStore as error:
        raise click.ClickException(str(error)) from error


def _facts(standing: Standing) -> dict[str, object]:
    return {"state": standing.state, **dataclasses.asdict(standing)}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, default=lambda moment: moment.isoformat())


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str("–" if value is None else value)


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else "–"
