"""Releasing: the schema, and the rights of the three roles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click
import flask_migrate
import psycopg
import structlog

from shopify_app import access
from shopify_app.runtime import current

log = structlog.get_logger(__name__)


@click.command
def release() -> None:
    """Bring the schema to this version and give the roles their rights; run before each deployment."""
    # Roles first: migrations write policies for them.
    with _as_owner() as connection:
        access.create_roles(connection)
    flask_migrate.upgrade()
    _grant()
    click.echo("The database is at this version, and every role has its rights.")


@click.command
def grants() -> None:
    """Print and apply the rights of the roles, and let the login of DATABASE_URL become the two that do the work."""
    for statement in _grant():
        click.echo(f"{statement};")


def _grant() -> list[str]:
    config = current().config
    if config.database_owner_url is None:
        log.warning("one login owns the tables and serves requests; two (DATABASE_OWNER_URL) are the safe way")
    with _as_owner() as connection:
        return access.apply(connection, access.login_of(config.database_url))


@contextlib.contextmanager
def _as_owner() -> Iterator[psycopg.Connection[tuple[str]]]:
    """Open a transaction of the login that migrates; what it may not do is told without a traceback."""
    config = current().config
    try:
        with psycopg.connect(config.database_owner_url or config.database_url) as connection:
            yield connection
    except access.CannotGrant as error:
        raise click.ClickException(str(error)) from error
