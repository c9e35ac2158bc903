"""Tokens and secrets at rest: sealing them anew after ``TOKEN_KEYS`` was given another first key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from flask.cli import AppGroup

from shopify_app import resealing
from shopify_app.crypto import CannotUnseal
from shopify_app.database import directory, operations
from shopify_app.runtime import current

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from shopify_app.resealing import Sealed

group = AppGroup("tokens", help="Tokens and secrets at rest.")


@group.command()
def rotate() -> None:
    """Seal every token and secret with the first of TOKEN_KEYS; the other keys may be dropped afterwards.

    Run again after a failure, it goes over everything once more. Processes that still know only the old keys have to
    be restarted with the new one first.
    """
    try:
        for columns, transaction in ((resealing.OF_TENANTS, directory), (resealing.OF_OPERATORS, operations)):
            for column in columns:
                click.echo(f"{column.name}: {_reseal(column, transaction)}")
    except CannotUnseal as error:
        raise click.ClickException(f"{error}; put it back into TOKEN_KEYS. What was sealed so far is good.") from error


def _reseal(column: Sealed, transaction: Callable[[], AbstractContextManager[Session]]) -> int:
    """Seal a column's values anew, some hundreds a transaction, so that nobody waits long for a locked row."""
    count, after = 0, 0
    while True:
        with transaction() as session:
            found, after = resealing.reseal(session, column, after=after, vault=current().vault)
        count += found
        if not found:
            return count
