"""Operators: who may log in at /operator."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from shopify_app import logins
from shopify_app import operators as room
from shopify_app.database import operations
from shopify_app.runtime import current

operators = AppGroup("operators", help="The people who run Storelens, and log in at /operator.")


@operators.command("create")
@click.argument("email")
def create(email: str) -> None:
    """Ask for a password of 14 characters or more, make an operator, and show their one-time codes' secret once."""
    # Asked for and not an option: a command line is seen by everybody on the machine, and kept in a history.
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        address = logins.email_address(email)
        password_hash = logins.hash_password(password, shortest=room.SHORTEST_PASSWORD)
        seed = room.new_seed(address)
        with operations() as session:
            room.create(
                session,
                email=address,
                password_hash=password_hash,
                seed=seed,
                vault=current().vault,
                by=getpass.getuser(),
            )
    except logins.EmailRejected as error:
        raise click.ClickException(f"{email} is not an email address.") from error
    except logins.PasswordRejected as error:
        raise click.ClickException(str(error)) from error
    except room.OperatorExists as error:
        raise click.ClickException(f"{address} is an operator already; `operators list` shows them all.") from error
    click.echo(f"{address} may log in at {current().config.app_url}/operator/login.")
    click.echo("Put this secret into an authenticator app now; it is not shown again:")
    click.echo(f"  {seed.secret}\n  {seed.uri}")


@operators.command("list")
def list_all() -> None:
    """List the operators."""
    with operations() as session:
        found = room.everybody(session)
    for one in found:
        ended = f"disabled {one.disabled_at:%Y-%m-%d}" if one.disabled_at else "may log in"
        click.echo(f"{one.email}  since {one.created_at:%Y-%m-%d}  {ended}")
    if not found:
        click.echo("There are no operators yet: `operators create EMAIL` makes the first.")


@operators.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """End an operator's access at once, open logins included."""
    try:
        with operations() as session:
            room.disable(session, email=email.strip(), by=getpass.getuser(), now=datetime.now(UTC))
    except room.OperatorUnknown as error:
        raise click.ClickException(f"{email} is not an operator who may log in.") from error
    click.echo(f"{email} can no longer log in.")
