"""Whether this process answers, and whether what it needs does."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, current_app, jsonify, make_response
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from shopify_app.database import directory
from shopify_app.runtime import current

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("probes", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """Answer 200 for as long as the process answers anything."""
    return make_response(jsonify(status="ok"))


@blueprint.get("/readyz")
def ready() -> Response:
    """Answer 200 when requests can be served, and 503 with what is in the way when they cannot."""
    checks = {"postgresql": _database_problem(), "redis": _redis_problem()}
    problems = {name: problem for name, problem in checks.items() if problem}
    if not problems:
        return make_response(jsonify(status="ready"))
    return make_response(jsonify(status="not ready", problems=problems), 503)


def _database_problem() -> str | None:
    try:
        with directory() as session:
            heads = MigrationContext.configure(session.connection()).get_current_heads()
    except SQLAlchemyError as error:
        return f"does not answer ({type(error).__name__})"
    expected = _expected_heads(current_app.root_path)
    if set(heads) == set(expected):
        return None
    return f"is at migration {', '.join(heads) or 'none'}, this version needs {', '.join(expected)}"


@cache
def _expected_heads(root: str) -> tuple[str, ...]:
    settings = AlembicConfig()
    settings.set_main_option("script_location", f"{root}/migrations")
    return tuple(ScriptDirectory.from_config(settings).get_heads())


def _redis_problem() -> str | None:
    try:
        current().queues.redis.ping()
    except RedisError as error:
        return f"does not answer ({type(error).__name__})"
    return None
