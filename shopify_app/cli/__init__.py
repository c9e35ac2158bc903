"""Operators' commands: ``flask --app wsgi …``. One module per word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_migrate.cli import db

from shopify_app.cli import backfill, inbox, operators, privacy, reconcile, release, tenants, tokens, webhooks

if TYPE_CHECKING:
    from flask import Flask


def register(app: Flask) -> None:
    """Add the commands to the app."""
    app.cli.add_command(release.release)
    app.cli.add_command(operators.operators)
    app.cli.add_command(backfill.group)
    app.cli.add_command(inbox.group)
    app.cli.add_command(privacy.group)
    app.cli.add_command(reconcile.command)
    app.cli.add_command(tenants.group)
    app.cli.add_command(tokens.group)
    app.cli.add_command(webhooks.group)
    db.add_command(release.grants)
