"""Who may touch which table: the three roles, and the statements that make them so.

``storelens_app`` does web requests and tenant work; ``storelens_clock`` claims, schedules and watches, and has no
right to any table of a tenant; ``storelens_backup`` reads everything and writes nothing. None owns anything, so
forced row-level security binds all three (see docs/decisions/0008-tenant-isolation.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql
from sqlalchemy import text
from sqlalchemy.engine import make_url

from shopify_app.database import APP_ROLE, CLOCK_ROLE, db

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy
    from psycopg import Connection

# Never given to the login that serves requests: a policy shows this role the rows of every tenant.
BACKUP_ROLE = "storelens_backup"
ROLES = (APP_ROLE, CLOCK_ROLE, BACKUP_ROLE)

ALL = "SELECT, INSERT, UPDATE, DELETE"
KEEP = "SELECT, INSERT, UPDATE"

# What each role may do with the tables that are not a tenant's. A privilege with columns is given on these only.
GRANTS: dict[str, dict[str, str]] = {
    "tenants": {
        APP_ROLE: ALL,
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
        APP_ROLE: (
            "SELECT, INSERT, UPDATE (tenant_id, attempts, retry_at, processed_at, dead_at, outcome, error, traceback,"
            " payload), DELETE"
        ),
        CLOCK_ROLE: (
            "SELECT (id, tenant_id, shop_domain, topic, webhook_id, event_id, api_version, received_at, triggered_at,"
            " attempts, retry_at, processed_at, dead_at, outcome, error, traceback),"
            " UPDATE (attempts, retry_at, processed_at, dead_at, outcome, error, traceback), DELETE"
        ),
    },
    "applied_events": {APP_ROLE: ALL, CLOCK_ROLE: "SELECT (tenant_id, seen_on), DELETE"},
    "claims": {APP_ROLE: ALL, CLOCK_ROLE: ALL},
    "drift_summaries": {APP_ROLE: ALL, CLOCK_ROLE: "SELECT"},
    "backfill_summaries": {APP_ROLE: ALL, CLOCK_ROLE: "SELECT"},
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
    """Yield what gives the roles their rights and lets ``login`` become the first two. Can be run again any time."""
    for role in ROLES:
        yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role))
        yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(sql.Identifier(role))
    yield sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(sql.Identifier(APP_ROLE))
    yield sql.SQL("GRANT USAGE ON SEQUENCE operators_id_seq, audit_entries_id_seq TO {}").format(
        sql.Identifier(CLOCK_ROLE)
    )
    for table in plan():
        for role, privileges in table.privileges.items():
            yield sql.SQL("GRANT {} ON {} TO {}").format(
                sql.SQL(privileges),  # our own constants, never input
                sql.Identifier(table.name),
                sql.Identifier(role),
            )
    for objects in ("TABLES", "SEQUENCES"):
        yield sql.SQL("GRANT SELECT ON ALL {} IN SCHEMA public TO {}").format(
            sql.SQL(objects), sql.Identifier(BACKUP_ROLE)
        )
    for role in (APP_ROLE, CLOCK_ROLE):
        yield sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login))


def missing_roles(connection: Connection[tuple[str]]) -> list[str]:
    """Return which of the roles the server does not have yet."""
    found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(ROLES)])
    names = {name for (name,) in found}
    return [role for role in ROLES if role not in names]


def create_roles(connection: Connection[tuple[str]]) -> list[str]:
    """Create the roles that are missing, and return the statements that ran. Migrations need them to be there.

    Raises:
        CannotGrant: the migrating login may not create roles.
    """
    creations = [sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)) for role in missing_roles(connection)]
    wanted = [statement.as_string(connection) for statement in creations]
    if creations and not _may_create_roles(connection):
        owner = connection.info.user
        message = (
            f"{owner} may not create roles; have an administrator run: {'; '.join(wanted)}; "
            f"GRANT {', '.join(ROLES)} TO {owner} WITH ADMIN OPTION."
        )
        raise CannotGrant(message)
    for statement in creations:
        connection.execute(statement)
    return wanted


def apply(connection: Connection[tuple[str]], login: str) -> list[str]:
    """Create the roles where they are missing, grant each what it needs, and return the statements that ran.

    Raises:
        CannotGrant: the migrating login may not create roles.
    """
    ran = create_roles(connection)
    for statement in statements(login):
        connection.execute(statement)
        ran.append(statement.as_string(connection))
    return ran


def each_tenant(connection: sqlalchemy.Connection) -> Iterator[int]:
    """Name one tenant after the other in the running transaction, and yield its id: how a migration changes rows.

    Row-level security is forced, so it binds the owner who migrates as well: a plain ``UPDATE`` of a tenant table
    would change nothing and say nothing.
    """
    for (tenant_id,) in connection.execute(text("SELECT id FROM tenants ORDER BY id")).fetchall():
        connection.execute(text(f"SET LOCAL app.tenant_id = '{int(tenant_id)}'"))
        yield tenant_id
    connection.execute(text("SET LOCAL app.tenant_id = ''"))


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
