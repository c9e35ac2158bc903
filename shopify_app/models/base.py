"""What tables have in common: their class, and the columns that every tenant's row carries."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Numeric, func, text
from sqlalchemy.orm import Mapped, mapped_column

DIRECTORY = {"table_class": "directory"}
QUEUE = {"table_class": "queue"}
TENANT = {"table_class": "tenant"}

Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
CreatedNow = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
# Shopify keeps up to 18 places before the point; four after serve every currency (KWD has three).
Money = Annotated[Decimal, mapped_column(Numeric(22, 4))]
Id = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=True)]
ShopifyId = Annotated[int, mapped_column(BigInteger)]
ShopifyKey = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=False)]
TenantKey = Annotated[
    int, mapped_column(BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
]

# Of rows that ingest writes by the thousand: a foreign key's check would double what a row costs. Row-level security
# lets nothing in but the transaction's own tenant, and a store that is erased takes its rows along by name.
OwnerKey = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=False)]


def own_id(table: str, *, primary_key: bool = False) -> Any:  # noqa: ANN401 - SQLAlchemy's mapped_column has no public type
    """Return a column ``id`` filled from a sequence: our own number beside Shopify's.

    A plain sequence and not an identity column, which a table distributed by tenant could not have.
    """
    default = text(f"nextval('{table}_id_seq'::regclass)")
    return mapped_column(BigInteger, server_default=default, nullable=False, primary_key=primary_key)


class Versioned:
    """The columns that decide whether what arrives is newer than what is held (see ``ingest.freshness``).

    ``updated_at`` is Shopify's, ``triggered_at`` the webhook's; ``deleted_at`` is a tombstone that no late update
    undoes; ``backfill_id`` names the backfill that wrote the row, null when a webhook did.
    """

    created_at: Mapped[Instant | None]
    updated_at: Mapped[Instant | None]
    triggered_at: Mapped[Instant | None]
    deleted_at: Mapped[Instant | None]
    backfill_id: Mapped[int | None] = mapped_column(BigInteger)
    ingested_at: Mapped[CreatedNow]
