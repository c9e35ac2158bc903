"""The part of a backfill's job that reads an export's file, batch by batch, each a transaction with the lease.

While one batch is written the next is read and decoded: PostgreSQL works on the one, Python on the other.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from shopify_app import backfill, claims, ingest
from shopify_app.database import connected, tenant_work
from shopify_app.jobs import slices
from shopify_app.runtime import current
from shopify_app.shopify import bulk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from shopify_app.backfill import Standing
    from shopify_app.ingest import Outcome
    from shopify_app.jobs.slices import Work

BATCH = 10_000  # lines a transaction
FIRST = 2_500  # lines of a slice's first one, for which PostgreSQL has to wait
BATCH_BYTES = 16 * 2**20  # of long lines there are fewer
GATHERING = 2.0  # seconds; of a slow download what has come is written

Lines = list[tuple[bytes, int]]


@dataclass(frozen=True)
class Batch:
    """Lines of a file, decoded; ``ends_at`` is the byte after them."""

    told: ingest.BulkLines
    ends_at: int


def load(work: Work, standing: Standing, url: str) -> tuple[Standing, bool]:
    """Read on in the file until it ends, the slice does, or somebody asks to; returns whether the file ended.

    Raises:
        LeaseLost: somebody else goes on with it.
        PayloadRejected: a line cannot be mapped; its batch is not written.
        ShopifyError: the file could not be read on.
    """
    lines = bulk.lines(current().http, url, standing.byte_offset)
    context = copy_context()  # a thread finds the app's clients through it
    with connected() as connection, ThreadPoolExecutor(1, "bulk") as reader:
        coming = reader.submit(context.run, _read, lines, standing, min(FIRST, BATCH))
        while (batch := coming.result()) is not None:
            last = work.over
            if not last:
                coming = reader.submit(context.run, _read, lines, standing, BATCH)
            standing, unwanted = _write(work, standing, batch, connection)
            if unwanted or last:
                return standing, False
    return standing, True


def record(session: Session, work: Work, standing: Standing, outcome: Outcome, now: datetime) -> bool:
    """Record a batch's counts with it, and have totals follow; returns whether somebody asked for the end."""
    if outcome.days:
        claims.put(session, claims.ROLLUPS, standing.tenant_id, due_at=now)
    if work.taken.attempts > 1:
        # Whoever dies has come further than whoever died before.
        claims.forgive(session, work.taken.kind, work.taken.tenant_id, work.taken.lease)
    return backfill.write(session, standing, now)


def _write(work: Work, standing: Standing, batch: Batch, connection: Connection) -> tuple[Standing, bool]:
    now, key = datetime.now(UTC), ingest.tombstone_key(current().config.secret_key)
    with tenant_work(standing.tenant_id, connection, soon=True) as session:
        tenant = slices.enter(session, work.taken, now)
        outcome = ingest.apply_bulk_lines(session, tenant, batch.told, now, key)
        after = backfill.loaded(
            standing,
            lines=len(batch.told.lines),
            staged=outcome.lines,
            rows=outcome.rows_written,
            byte_offset=batch.ends_at,
        )
        return after, record(session, work, after, outcome, now)


def _read(lines: Iterator[tuple[bytes, int]], standing: Standing, most: int) -> Batch | None:
    """Return the next lines, or None at the file's end."""
    batch = _gather(lines, most, partial=standing.ended_as is not None)
    if not batch:
        return None
    told = ingest.read_bulk_lines(standing.resource, [line for line, _ in batch], standing.id)
    return Batch(told, ends_at=batch[-1][1])


def _gather(lines: Iterator[tuple[bytes, int]], most: int, *, partial: bool) -> Lines:
    ends_at = time.monotonic() + GATHERING
    batch: Lines = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line[0])
        if len(batch) >= most or size >= BATCH_BYTES or time.monotonic() >= ends_at:
            break
    if partial and batch and not _is_whole(batch[-1][0]):
        # What an export had written when it failed may end in the middle of a line. All of it is asked for again.
        batch.pop()
    return batch


def _is_whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True
