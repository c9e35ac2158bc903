"""Walk every table of the migrated database: its class, key, row-level security and rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from shopify_app import models
from shopify_app.access import BACKUP_ROLE, GRANTS, ROLES
from shopify_app.database import CLOCK_ROLE, db, directory, operations, tenant_work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from tests.conftest import Database

CLASSES = {"directory", "queue", "tenant"}


def _tables(table_class: str) -> list[str]:
    return [name for name, table in sorted(db.metadata.tables.items()) if table.info.get("table_class") == table_class]


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database.owner_url) as connection:
        yield connection


def test_every_table_of_the_database_is_in_one_class(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    held = {name for (name,) in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    classed = {name for name, table in db.metadata.tables.items() if table.info.get("table_class") in CLASSES}

    assert held == classed | {"alembic_version"}


@pytest.mark.parametrize("table", _tables("tenant"))
def test_tenant_id_leads_every_key_of_a_tenant_table(table: str, owner: psycopg.Connection[tuple[object, ...]]) -> None:
    keys = owner.execute(
        "SELECT i.relname, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
        " JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]"
        " WHERE x.indrelid = %s::regclass AND x.indisunique",
        [table],
    ).fetchall()

    assert keys
    assert {column for _, column in keys} == {"tenant_id"}


@pytest.mark.parametrize("table", _tables("tenant"))
def test_a_tenant_table_forces_row_level_security(table: str, owner: psycopg.Connection[tuple[object, ...]]) -> None:
    flags = owner.execute(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", [table]
    ).fetchone()
    policies = owner.execute(
        "SELECT policyname, cmd, roles::text[], permissive, qual, with_check FROM pg_policies WHERE tablename = %s",
        [table],
    ).fetchall()

    (backup, one_tenant) = sorted(policies)
    assert flags == (True, True)
    assert one_tenant[:4] == ("one_tenant", "ALL", ["public"], "PERMISSIVE")
    assert all("app.tenant_id" in str(part) for part in one_tenant[4:])
    assert backup == ("backup", "SELECT", [BACKUP_ROLE], "PERMISSIVE", "true", None)


@pytest.mark.parametrize("table", _tables("tenant"))
def test_the_clock_has_no_right_to_a_tenant_table(table: str, owner: psycopg.Connection[tuple[object, ...]]) -> None:
    rights = owner.execute(
        "SELECT privilege_type FROM information_schema.column_privileges WHERE grantee = %s AND table_name = %s",
        [CLOCK_ROLE, table],
    ).fetchall()

    assert rights == []


def test_every_table_outside_the_tenant_class_has_its_grants_written_down() -> None:
    written = set(GRANTS) - {"alembic_version"}

    assert written == set(_tables("directory") + _tables("queue"))


def test_no_role_of_the_app_is_an_owner_or_above_the_rules(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    roles = owner.execute(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)"
        " AND (rolsuper OR rolbypassrls OR EXISTS (SELECT 1 FROM pg_class WHERE relowner = pg_roles.oid))",
        [[*ROLES, "storelens_login"]],
    ).fetchall()
    migrating = owner.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()

    assert roles == []
    assert migrating == (False, False)


def test_the_schema_is_what_the_models_say(database: Database) -> None:
    engine = create_engine("postgresql+psycopg://" + database.owner_url.partition("://")[2], poolclass=NullPool)

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), db.metadata)

    assert differences == []


@pytest.mark.usefixtures("two_tenants")
@pytest.mark.parametrize("table", _tables("tenant"))
def test_without_a_tenant_no_row_is_seen(table: str, app: Flask) -> None:
    with app.app_context(), directory() as session:
        rows = session.execute(db.select(db.func.count()).select_from(db.metadata.tables[table])).scalar_one()

    assert rows == 0


def test_a_stranger_sees_and_writes_nothing_of_a_tenant(app: Flask, two_tenants: tuple[int, int]) -> None:
    one, other = two_tenants
    customer = {"tenant_id": one, "shopify_id": 77}

    with app.app_context(), tenant_work(other) as session:
        seen = session.query(models.Customer).count()
    with (
        app.app_context(),
        pytest.raises(db.exc.ProgrammingError, match="row-level security"),
        tenant_work(other) as session,
    ):
        session.execute(db.insert(models.Customer), customer)

    assert seen == 0


def test_operations_cannot_read_a_tenant_table(app: Flask) -> None:
    with (
        app.app_context(),
        pytest.raises(db.exc.ProgrammingError, match="permission denied"),
        operations() as session,
    ):
        session.query(models.Customer).count()


@pytest.fixture
def two_tenants(app: Flask) -> tuple[int, int]:
    """Two stores; the first owns a customer."""
    with app.app_context():
        with directory() as session:
            tenants = [models.Tenant(store_url=f"{name}.myshopify.com", name=name) for name in ("alder", "birch")]
            session.add_all(tenants)
            session.flush()
            one, other = (tenant.id for tenant in tenants)
        with tenant_work(one) as session:
            session.add(models.Customer(tenant_id=one, shopify_id=5))
    return one, other
