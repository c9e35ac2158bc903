"""What forced row-level security asks of those who keep the database: a backup that misses nobody, and data changes.

The recipes are in docs/decisions/0008-tenant-isolation.md.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url

from shopify_app.access import BACKUP_ROLE, each_tenant
from supervisor.postgres import PostgresServer
from supervisor.programs import postgres_programs
from tests.conftest import OWNER, Database, missing

NIGHTLY = "storelens_nightly"
STORES = ("alder.myshopify.com", "birch.myshopify.com", "cedar.myshopify.com")


@pytest.fixture
def three_stores(own_database: Database) -> Database:
    """Three stores with a customer each, written by the plain owner as the policy demands."""
    with psycopg.connect(own_database.owner_url) as connection:
        for store_url in STORES:
            row = connection.execute(
                "INSERT INTO tenants (store_url, name) VALUES (%s, %s) RETURNING id", [store_url, store_url]
            ).fetchone()
            assert row is not None
            connection.execute(sql.SQL("SET LOCAL app.tenant_id = {}").format(sql.Literal(str(row[0]))))
            connection.execute(
                "INSERT INTO customers (tenant_id, shopify_id, name) VALUES (%s, 5, %s)", [row[0], f"Of {store_url}"]
            )
    return own_database


@pytest.fixture
def nightly_url(postgres: PostgresServer, three_stores: Database) -> Iterator[str]:
    """The URL of a login that the owner made a backup's: no superuser has a hand in it."""
    postgres.create_role(NIGHTLY)
    with psycopg.connect(three_stores.owner_url) as connection:
        connection.execute(f"GRANT {BACKUP_ROLE} TO {NIGHTLY}")
    yield postgres.url_of(three_stores.name, NIGHTLY)
    with psycopg.connect(three_stores.owner_url) as connection:
        connection.execute(f"REVOKE {BACKUP_ROLE} FROM {NIGHTLY}")


def program(name: str) -> Path:
    """Return one of PostgreSQL's programs, of the server's own version."""
    found = postgres_programs() / name
    if not found.exists():
        missing(f"there is no {name} beside the server")
    return found


def run(name: str, url: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program against the database of a URL; the password travels in the environment."""
    address = make_url(url)
    where = ["--host", str(address.host), "--port", str(address.port), "--username", str(address.username)]
    return subprocess.run(
        [program(name), *where, "--no-password", "--dbname", str(address.database), *arguments],
        env={**os.environ, "PGPASSWORD": str(address.password)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dump_by_the_backup_role_holds_every_tenant(nightly_url: str) -> None:
    done = run("pg_dump", nightly_url, "--role", BACKUP_ROLE, "--enable-row-security")

    assert done.returncode == 0, done.stderr
    assert [store_url for store_url in STORES if f"\tOf {store_url}" not in done.stdout] == []


def test_a_dump_that_would_miss_rows_fails_rather_than_pass_for_whole(nightly_url: str) -> None:
    done = run("pg_dump", nightly_url, "--role", BACKUP_ROLE)

    assert done.returncode != 0
    assert "row-level security" in done.stderr


def test_a_dump_is_restored_by_the_plain_owner(
    nightly_url: str, postgres: PostgresServer, worker_id: str, tmp_path: Path
) -> None:
    archive = tmp_path / "nightly.dump"
    dumped = run("pg_dump", nightly_url, "--role", BACKUP_ROLE, "--enable-row-security", "-Fc", "-f", archive)
    assert dumped.returncode == 0, dumped.stderr
    name = f"storelens_restored_{worker_id}"
    postgres.drop_database(name)
    url = postgres.create_database(name, owner=OWNER)

    # The schema public is there already, and belongs to the server.
    restored = run("pg_restore", url, "--exit-on-error", "--no-owner", "--no-comments", archive)

    assert restored.returncode == 0, restored.stderr
    with psycopg.connect(url) as connection:
        unnamed = connection.execute("SELECT count(*) FROM customers").fetchone()
        connection.execute(f"GRANT {BACKUP_ROLE} TO {OWNER}")
        connection.execute(f"SET ROLE {BACKUP_ROLE}")
        kept = connection.execute("SELECT count(*) FROM customers").fetchone()
        connection.rollback()
    postgres.drop_database(name)
    assert (unnamed, kept) == ((0,), (3,))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO customers (tenant_id, shopify_id) VALUES (1, 6)",
        "UPDATE customers SET name = ''",
        "DELETE FROM sales",
    ],
)
def test_the_backup_role_writes_nothing(nightly_url: str, statement: str) -> None:
    with psycopg.connect(nightly_url) as connection:
        connection.execute(f"SET ROLE {BACKUP_ROLE}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_a_plain_update_by_the_migrating_owner_changes_no_row(three_stores: Database) -> None:
    with psycopg.connect(three_stores.owner_url) as connection:
        changed = connection.execute("UPDATE customers SET name = 'changed'").rowcount

    assert changed == 0


def test_a_migration_changes_the_rows_of_every_tenant(three_stores: Database) -> None:
    engine = create_engine("postgresql+psycopg://" + three_stores.owner_url.partition("://")[2], poolclass=NullPool)

    with engine.begin() as connection:
        changed = sum(
            connection.execute(text("UPDATE customers SET name = 'changed'")).rowcount for _ in each_tenant(connection)
        )
        left_over = connection.execute(text("SELECT count(*) FROM customers")).scalar_one()

    assert (changed, left_over) == (3, 0)
