"""Releasing: the schema, and the rights of the two roles."""

from __future__ import annotations

import click
import flask_migrate
import psycopg
import structlog

from shopify_app import access
from shopify_app.runtime import current

log = structlog.get_logger(__name__)


@click.command
def release() -> None:
    """Bring the schema to this version and give the two roles their rights; run before each deployment."""
    flask_migrate.upgrade()
    _grant()
    click.echo("The database is at this version, and both roles have their rights.")


@click.command
def grants() -> None:
    """Print and apply the rights of the two roles, and let the login of DATABASE_URL become either."""
    for statement in _grant():
        click.echo(f"{statement};")


def _grant() -> list[str]:
    config = current().config
    if config.database_owner_url is None:
        log.warning("one login owns the tables and serves requests; two (DATABASE_OWNER_URL) are the safe way")
    try:
        with psycopg.connect(config.database_owner_url or config.database_url) as connection:
            return access.apply(connection, access.login_of(config.database_url))
    except access.CannotGrant as error:
        raise click.ClickException(str(error)) from error
