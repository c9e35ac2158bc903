"""A row of one tenant in every table, and a watch over all of them."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shopify_app import database, models
from shopify_app.database import db

assert models  # importing it is what fills the metadata

MARK = "zebra-of-beta"  # in every text of the other tenant's rows
FOREIGN_ID = 900_001  # the number of every row of theirs
AT = datetime(2026, 6, 1, tzinfo=UTC)
# What a column with a fixed choice of words holds; a backfill that is done asks for no work.
WORDS = {("backfills", "state"): "done"}
# Filled although they bear no tenant: other rows point at them.
POINTED_AT = ("accounts",)
ENTERS = re.compile(r"SET LOCAL app\.tenant_id = '(\d+)'")


def fill(url: str, tenant_id: int) -> None:
    """Give the tenant a row in every table that can hold one, unless it has that already."""
    with psycopg.connect(url) as connection:
        for table in db.metadata.sorted_tables:
            if "tenant_id" in table.columns or table.name in POINTED_AT:
                values = {column.name: _value(column, tenant_id) for column in table.columns if not column.identity}
                connection.execute(
                    sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
                        sql.Identifier(table.name),
                        sql.SQL(", ").join(map(sql.Identifier, values)),
                        sql.SQL(", ").join(sql.Placeholder() * len(values)),
                    ),
                    list(values.values()),
                )


def _value(column: sa.Column[Any], tenant_id: int) -> object:
    if column.name == "tenant_id":
        return tenant_id
    kinds: list[tuple[type[sa.types.TypeEngine[Any]], object]] = [
        (sa.Boolean, True),
        (sa.Numeric, Decimal("7654321.09")),
        (sa.Integer, FOREIGN_ID),  # the big ones too
        (sa.DateTime, AT),
        (sa.Date, date(2026, 6, 1)),
        (sa.LargeBinary, MARK.encode()),
        (JSONB, Jsonb({MARK: MARK})),
        (sa.ARRAY, [AT] if isinstance(getattr(column.type, "item_type", None), sa.DateTime) else [MARK]),
        (sa.Uuid, uuid.UUID(int=FOREIGN_ID)),
        (sa.String, _word(column)),
    ]
    return next(value for kind, value in kinds if isinstance(column.type, kind))


def _word(column: sa.Column[Any]) -> str:
    """Return the mark, or a word that the column's check allows."""
    if known := WORDS.get((column.table.name, column.name)):
        return known
    for check in column.table.constraints:
        if isinstance(check, sa.CheckConstraint):
            found = re.match(rf"{column.name} IN \('([^']+)'", str(check.sqltext))
            if found:
                return found[1]
    return MARK


@dataclass
class Watch:
    """Sees which tenants' rows transactions asked for, and whether any row of one tenant changed."""

    url: str
    tenant_id: int
    entered: set[int] = field(default_factory=set)
    before: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def over(cls, engines: Sequence[sa.Engine], url: str, tenant_id: int) -> Iterator[Watch]:
        """Listen on the engines for as long as the block lasts."""
        watch = cls(url, tenant_id)
        watch.before = watch.rows()
        for engine in engines:
            event.listen(engine, "before_cursor_execute", watch._hear)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "enter_tenant", watch._entering(database.enter_tenant))
            try:
                yield watch
            finally:
                for engine in engines:
                    event.remove(engine, "before_cursor_execute", watch._hear)

    def _entering(self, enter: Callable[..., None]) -> Callable[..., None]:
        """The tenant is named below SQLAlchemy, where its events do not hear it."""

        def entering(session: Session, tenant_id: int, **options: bool) -> None:
            self.entered.add(tenant_id)
            enter(session, tenant_id, **options)

        return entering

    def _hear(self, _connection: sa.Connection, _cursor: object, statement: str, *_rest: object) -> None:
        self.entered |= {int(number) for number in ENTERS.findall(statement)}

    def rows(self) -> dict[str, list[str]]:
        """Return every row of the tenant, by table."""
        with psycopg.connect(self.url) as connection:
            return {
                table.name: sorted(
                    row
                    for (row,) in connection.execute(
                        sql.SQL("SELECT t::text FROM {} t WHERE tenant_id = %s").format(sql.Identifier(table.name)),
                        [self.tenant_id],
                    )
                )
                for table in db.metadata.sorted_tables
                if "tenant_id" in table.columns
            }

    def assert_untouched(self, *, but: Collection[str] = ()) -> None:
        """Fail when the tenant's rows were asked for, or any of them is not what it was, except in tables named."""
        assert self.tenant_id not in self.entered
        after = self.rows()
        assert {name: rows for name, rows in after.items() if rows != self.before[name] and name not in but} == {}
