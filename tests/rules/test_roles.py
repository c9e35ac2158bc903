"""No role that the app or the tests log in as stands above row-level security, here or in the demo."""

from __future__ import annotations

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from shopify_app import access
from shopify_app.access import BACKUP_ROLE, ROLES
from shopify_app.database import directory, operations
from supervisor.demo import Demo
from tests.conftest import Database

ABOVE = """SELECT rolname FROM pg_roles
           WHERE pg_has_role(%s, oid, 'MEMBER') AND (rolsuper OR rolbypassrls OR rolreplication OR rolcreatedb)"""


def above_the_rules(url: str) -> list[str]:
    """Return which of the roles that a URL's login is, or may become, row-level security does not bind."""
    with psycopg.connect(url) as connection:
        user = connection.info.user
        return [name for (name,) in connection.execute(ABOVE, [user])]


@pytest.mark.parametrize("which", ["owner_url", "login_url"])
def test_no_login_of_the_tests_is_or_may_become_a_superuser(database: Database, which: str) -> None:
    assert above_the_rules(getattr(database, which)) == []


def test_requests_and_the_clock_run_as_plain_roles(app: Flask) -> None:
    plain = "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"

    with app.app_context():
        with directory() as session:
            requests = tuple(session.execute(text(plain)).one())
        with operations() as session:
            clock = tuple(session.execute(text(plain)).one())

    assert (requests, clock) == (("storelens_app", False, False), ("storelens_clock", False, False))


def test_nobody_logs_in_as_a_role_itself(database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection:
        found = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND NOT rolcanlogin", [list(ROLES)]
        ).fetchall()

    assert {name for (name,) in found} == set(ROLES)


def test_the_login_that_serves_requests_cannot_read_as_the_backup_does(database: Database) -> None:
    with (
        psycopg.connect(database.login_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match=BACKUP_ROLE),
    ):
        connection.execute(f"SET ROLE {BACKUP_ROLE}")


def test_a_login_that_may_not_make_roles_is_told_what_an_administrator_has_to_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "ROLES", (*ROLES, "storelens_missing"))

    with (
        psycopg.connect(database.login_url) as connection,
        pytest.raises(access.CannotGrant, match=r"run: CREATE ROLE .?storelens_missing.? NOLOGIN; GRANT storelens_app"),
    ):
        access.create_roles(connection)


def test_roles_that_are_there_are_not_made_again(database: Database) -> None:
    with psycopg.connect(database.login_url) as connection:
        assert access.create_roles(connection) == []


@pytest.mark.parametrize("url", ["DATABASE_OWNER_URL", "DATABASE_URL"])
def test_no_login_of_the_whole_stack_is_or_may_become_a_superuser(stack: Demo, url: str) -> None:
    assert above_the_rules(stack.environ[url]) == []
