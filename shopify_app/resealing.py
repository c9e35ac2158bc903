"""Rotating the keys that seal secrets at rest: every sealed column is sealed anew with the first of ``TOKEN_KEYS``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from shopify_app.database import db
from shopify_app.models import OfflineToken, Operator, Tenant

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shopify_app.crypto import Vault

AT_ONCE = 500  # rows locked together


@dataclass(frozen=True)
class Sealed:
    """A column that holds something sealed, and the key of its table."""

    table: str
    key: str
    column: str

    @property
    def name(self) -> str:
        """The column with its table."""
        return f"{self.table}.{self.column}"


OF_TENANTS = (
    Sealed(OfflineToken.__tablename__, "tenant_id", "access_token"),
    Sealed(OfflineToken.__tablename__, "tenant_id", "refresh_token"),
    Sealed(Tenant.__tablename__, "id", "webhook_secret"),
)
OF_OPERATORS = (Sealed(Operator.__tablename__, "id", "totp_secret"),)


def reseal(session: Session, sealed: Sealed, *, after: int, vault: Vault) -> tuple[int, int]:
    """Seal up to ``AT_ONCE`` values anew, of the rows whose key is above ``after``.

    Returns how many there were, and the last key. The rows stay locked until the transaction ends, so that a token
    that is renewed meanwhile is not overwritten with the one before.

    Raises:
        CannotUnseal: none of the keys fits a value; nothing of this transaction may be committed.
    """
    columns: Any = db.metadata.tables[sealed.table].c
    key, value = columns[sealed.key], columns[sealed.column]
    query = select(key, value).where(key > after, value.is_not(None)).order_by(key).limit(AT_ONCE).with_for_update()
    found = session.execute(query).all()
    for row_key, old in found:
        session.execute(update(key.table).where(key == row_key).values({value: vault.rotate(old)}))
    return len(found), found[-1][0] if found else after
