"""Two installed stores; the second one's rows are in every table there is, and bear a mark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy.engine import make_url

from shopify_app.database import db, directory
from supervisor.postgres import PostgresServer
from tests.conftest import Database
from tests.rules.tenants.rows import Watch, fill
from tests.web.conftest import (  # noqa: F401 - fixtures, which pytest finds by these names
    World,
    environ,
    id_token,
    quick_hashes,
    shopify,
    world,
)


@dataclass(frozen=True)
class Walls:
    """The tenant that acts, the one that must not notice, and who watches."""

    alpha: int
    beta: int
    watch: Watch


@pytest.fixture
def walls(app: Flask, world: World, database: Database, postgres: PostgresServer) -> Iterator[Walls]:  # noqa: F811
    above = make_url(postgres.url).set(database=database.name).render_as_string(hide_password=False)
    fill(above, world.beta)
    with app.app_context(), directory():
        engines = [db.engine]
    with Watch.over(engines, above, world.beta) as watch:
        yield Walls(world.alpha, world.beta, watch)
