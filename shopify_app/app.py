"""The composition root: configuration in, a wired Flask application out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask_migrate import Migrate

from shopify_app import cli, log, web
from shopify_app.crypto import Vault
from shopify_app.database import db, engine_settings
from shopify_app.direct import Direct
from shopify_app.jobs.queues import Bell, Queues
from shopify_app.runtime import EXTENSION, Runtime
from shopify_app.shopify.oauth import OAuth
from shopify_app.shopify.traffic import Traffic
from shopify_app.shopify.wire import open_http

if TYPE_CHECKING:
    from collections.abc import Callable

    from config import Config

ROOT = Path(__file__).resolve().parent.parent


class App(Flask):
    """Flask, with views that are plain functions: it need not ask each of them whether it is a coroutine."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func


def create_app(config: Config) -> Flask:
    """Return the application for ``config``; it connects to nothing until it is asked something."""
    log.configure()
    app = App("shopify_app", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.config.update(
        SECRET_KEY=config.secret_key,
        SESSION_COOKIE_SECURE=config.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        **engine_settings(config.database_url, pool_size=10),
    )
    app.extensions[EXTENSION] = _runtime(config)
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"), compare_type=True)
    web.register(app)
    cli.register(app)
    return app


def _runtime(config: Config) -> Runtime:
    queues = Queues(config.redis_url)
    http = open_http()
    return Runtime(
        config=config,
        vault=Vault(config.token_keys),
        queues=queues,
        bell=Bell(queues),
        direct=Direct(config.database_url),
        oauth=OAuth(config, http),
        http=http,
        traffic=Traffic(),
    )
