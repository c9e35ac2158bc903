"""What people's requests are due, over all stores."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shopify_app import privacy as room
from shopify_app.database import operations

group = AppGroup("privacy", help="Requests about people's data, and when they are due.")


@group.command("due")
def due() -> None:
    """List the requests that have not been done, the most pressing first."""
    with operations() as session:
        pending = room.due(session)
    for item in pending:
        click.echo(
            f"{item.due_at:%Y-%m-%d}  {item.topic:<22}  {item.shop_domain}  #{item.id}, "
            f"received {item.received_at:%Y-%m-%d %H:%M} UTC. {item.outcome or 'Not begun.'}"
        )
    if not pending:
        click.echo("Nothing is due.")
