"""Webhook subscriptions: comparing them with the table of topics, and writing that table into the app's own file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import AppGroup

from shopify_app import standings, tenants
from shopify_app.cli.tenants import store_of
from shopify_app.database import operations
from shopify_app.jobs.subscriptions import register
from shopify_app.runtime import current
from shopify_app.shopify import manifest
from shopify_app.shopify.errors import ShopifyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shopify_app.subscriptions import Registration

group = AppGroup("webhooks", help="Webhook subscriptions.")
FILE = "shopify.app.toml"


@group.command()
@click.argument("shop", required=False)
def reconcile(shop: str | None) -> None:
    """Register what is missing at Shopify, change what differs and remove what is not wanted: in SHOP, or everywhere.

    Run it after each deployment. Ends with status 1 when a store could not be asked or refused a topic.
    """
    results = [_reconciled(store_url, tenant_id) for store_url, tenant_id in _stores(shop)]
    if not all(results):
        raise click.exceptions.Exit(1)


@group.command()
def toml() -> None:
    """Write the subscriptions that Shopify makes for every store into shopify.app.toml."""
    path = Path(current_app.root_path) / FILE
    try:
        path.write_text(manifest.written(path.read_text(), current().config.webhook_subscriptions))
    except manifest.MarkersMissing as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{FILE} holds the subscriptions; `shopify app deploy` makes them Shopify's.")


def _stores(shop: str | None) -> list[tuple[str, int]]:
    """Return the stores meant, by address.

    Raises:
        click.ClickException: the store named never installed the app.
    """
    now = datetime.now(UTC)
    with operations() as session:
        if shop is not None:
            try:
                standing = standings.one(session, store_of(shop), now)
            except standings.UnknownStore as error:
                raise click.ClickException(str(error)) from error
            return [(standing.store_url, standing.id)]
        connected = set(tenants.connected(session))
        return [(one.store_url, one.id) for one in standings.every(session, now) if one.id in connected]


def _reconciled(store_url: str, tenant_id: int) -> bool:
    try:
        registrations = register(tenant_id)
    except ShopifyError as error:
        click.echo(f"{store_url}: {error}", err=True)
        return False
    refused = _refused(registrations)
    click.echo(f"{store_url}: {len(registrations) - len(refused)} topics registered, {len(refused)} not")
    for line in refused:
        click.echo(f"  {line}")
    return not refused


def _refused(registrations: Sequence[Registration]) -> list[str]:
    return [f"{one.topic}: {one.error}" for one in registrations if one.error]
