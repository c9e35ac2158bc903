"""Who may touch which table: the two roles, and the statements that make them so.

``storelens_app`` does web requests and tenant work; ``storelens_clock`` claims, schedules and watches, and has no
right to any table of a tenant. Neither owns anything, so forced row-level security binds both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql
from sqlalchemy.engine import make_url

from shopify_app.database import APP_ROLE, CLOCK_ROLE, db

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

ALL = "SELECT, INSERT, UPDATE, DELETE"
KEEP = "SELECT, INSERT, UPDATE"

# What each role may do with the tables that are not a tenant's. A privilege with columns is given on these only.
GRANTS: dict[str, dict[str, str]] = {
    "tenants": {
        APP_ROLE: KEEP,
        CLOCK_ROLE: (
            "SELECT (id, store_url, name, time_zone, created_at, installed_at, uninstalled_at, disabled_at,"
            " superseded_at), UPDATE (disabled_at)"
        ),
    },
    "offline_tokens": {
        APP_ROLE: ALL,
        CLOCK_ROLE: "SELECT (tenant_id, access_expires_at, refresh_expires_at, failed_at)",
    },
    "accounts": {APP_ROLE: KEEP},
    "memberships": {APP_ROLE: ALL},
    "invitations": {APP_ROLE: KEEP},
    "account_sessions": {APP_ROLE: KEEP},
    "staff_members": {APP_ROLE: KEEP},
    "privacy_requests": {APP_ROLE: KEEP, CLOCK_ROLE: "SELECT"},
    "operators": {CLOCK_ROLE: KEEP},
    "operator_sessions": {CLOCK_ROLE: KEEP},
    "audit_entries": {APP_ROLE: "INSERT", CLOCK_ROLE: "SELECT, INSERT"},
    "inbox": {
        APP_ROLE: "SELECT, INSERT, UPDATE (processed_at, leased_until, lease, error)",
        CLOCK_ROLE: (
            "SELECT (id, tenant_id, shop_domain, topic, received_at, triggered_at, attempts, leased_until, lease,"
            " processed_at, dead_at, error),"
            " UPDATE (attempts, leased_until, lease, processed_at, dead_at, error)"
        ),
    },
    "claims": {APP_ROLE: ALL, CLOCK_ROLE: ALL},
    "alembic_version": {APP_ROLE: "SELECT", CLOCK_ROLE: "SELECT"},
}


class CannotGrant(Exception):
    """The login that migrates may not create the roles; the message says what an administrator has to run."""


@dataclass(frozen=True)
class TablePlan:
    """A table, its class, and what each role may do with it."""

    name: str
    table_class: str
    privileges: dict[str, str]


def plan() -> Iterator[TablePlan]:
    """Yield every table of the schema with its privileges, in name order."""
    for name, table in sorted(db.metadata.tables.items()):
        table_class = table.info["table_class"]
        privileges = {APP_ROLE: ALL} if table_class == "tenant" else GRANTS[name]
        yield TablePlan(name, table_class, privileges)
    yield TablePlan("alembic_version", "directory", GRANTS["alembic_version"])


def statements(login: str) -> Iterator[sql.Composed]:
    """Yield what gives both roles their rights and lets ``login`` become either. Can be run again at any time."""
    roles = (APP_ROLE, CLOCK_ROLE)
    for role in roles:
        yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role))
        yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(sql.Identifier(role))
    yield sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(sql.Identifier(APP_ROLE))
    for table in plan():
        for role, privileges in table.privileges.items():
            yield sql.SQL("GRANT {} ON {} TO {}").format(
                sql.SQL(privileges),  # our own constants, never input
                sql.Identifier(table.name),
                sql.Identifier(role),
            )
    for role in roles:
        yield sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login))


def missing_roles(connection: Connection[tuple[str]]) -> list[str]:
    """Return which of the two roles the server does not have yet."""
    found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [[APP_ROLE, CLOCK_ROLE]])
    names = {name for (name,) in found}
    return [role for role in (APP_ROLE, CLOCK_ROLE) if role not in names]


def apply(connection: Connection[tuple[str]], login: str) -> list[str]:
    """Create the roles where they are missing, grant both what they need, and return the statements that ran.

    Raises:
        CannotGrant: the migrating login may not create roles.
    """
    ran: list[str] = []
    creations = [sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)) for role in missing_roles(connection)]
    if creations and not _may_create_roles(connection):
        wanted = "; ".join(statement.as_string(connection) for statement in creations)
        owner = connection.info.user
        message = (
            f"{owner} may not create roles; have an administrator run: {wanted}; "
            f"GRANT {APP_ROLE}, {CLOCK_ROLE} TO {owner} WITH ADMIN OPTION."
        )
        raise CannotGrant(message)
    for statement in [*creations, *statements(login)]:
        connection.execute(statement)
        ran.append(statement.as_string(connection))
    return ran


def login_of(url: str) -> str:
    """Return the role a database URL logs in as.

    Raises:
        CannotGrant: the URL names none.
    """
    user = make_url(url).username
    if user is None:
        message = "DATABASE_URL names no user, so there is no role to give the rights to."
        raise CannotGrant(message)
    return user


def _may_create_roles(connection: Connection[tuple[str]]) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolcreaterole OR rolsuper)"
    ).fetchone()
    return row is not None
