"""Lines of a bulk result into the tables and the ledger: the same rows and the same decision as webhooks.

A line's children may come many lines later, in another batch, after a crash in another process. No parents are held
in memory: a child is written when its parent carries the number of this backfill or of an earlier one, that is, when
what is held of the parent is what a line said. A webhook that writes the parent in between takes the number away, and
its own children stand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from shopify_app.ingest import baskets, bulk_orders, customers, ledger, orders, products, refunds, tombstones
from shopify_app.ingest.bulk_orders import OrderTexts
from shopify_app.ingest.freshness import Version, newest
from shopify_app.ingest.lines import Read, leave_out_erased, read_lines
from shopify_app.ingest.outcome import Outcome
from shopify_app.ingest.staging import (
    Row,
    Target,
    insert_children,
    merge_children,
    merge_marked,
    put,
    stage,
    stage_text,
)
from shopify_app.ingest.texts import numbers
from shopify_app.models import Tenant
from shopify_app.shopify import bulk_lines


@dataclass(frozen=True)
class BulkLines:
    """Lines of the result of ``exports.EXPORTS[resource]``, written for the backfill of this number, and what they say.

    ``read`` is what was decoded line by line; the lines of orders are ``texts`` instead where all of them are plain.
    """

    resource: str
    lines: Sequence[bytes]
    backfill_id: int
    read: Read | None = None
    texts: OrderTexts | None = None


def read_bulk_lines(resource: str, lines: Sequence[bytes], backfill_id: int) -> BulkLines:
    """Decode lines. Needs no database, so it can be done while others are written.

    Raises PayloadRejected for a line that cannot be mapped.
    """
    told = BulkLines(resource, lines, backfill_id)
    texts = bulk_orders.read_plainly(lines, backfill_id) if resource == "orders" else None
    return replace(told, texts=texts) if texts else replace(told, read=read_lines(resource, lines))


def apply_bulk_lines(session: Session, tenant: Tenant, told: BulkLines, now: datetime, key: bytes) -> Outcome:
    """Apply lines. What they tell of customers who were erased is left out; ``key`` is that of the tombstones.

    Raises PayloadRejected for a line that cannot be mapped; nothing has been written then.
    """
    run = _Backfill(session, tenant, told.backfill_id, now, key)
    outcome = _apply_orders(run, told) if told.resource == "orders" else _APPLY[told.resource](run, run.known(told))
    return replace(outcome, lines=len(told.lines))


@dataclass(frozen=True)
class _Backfill:
    """The backfill a batch belongs to, and the transaction it is written in."""

    session: Session
    tenant: Tenant
    id: int
    now: datetime
    key: bytes

    def known(self, told: BulkLines) -> Read:
        """Return lines read one by one, without whom was erased."""
        read = told.read or read_lines(told.resource, told.lines)
        leave_out_erased(self.session, self.tenant.id, read, self.key)
        return read

    def newest(self, lines: Iterable[Any]) -> list[tuple[Version, Any]]:
        """Return each entity once, with its version."""
        versioned = ((line.id, Version(line.updated_at, backfill_id=self.id), line) for line in lines)
        return list(newest(versioned).values())

    def put(self, target: Target, rows: Iterable[Row]) -> list[int | str]:
        """Write rows of entities; returns the keys of those that were newer."""
        return put(self.session, self.tenant.id, target, rows, self.now)

    def merge_children(self, target: Target, parents: str, new: Collection[int] = ()) -> tuple[int, list[int]]:
        """Write the staged children whose parents a backfill wrote; the second column of a row is the parent's id.

        ``new`` are parents that nobody had before. Returns how many rows were written, and the others' parents.
        """
        parent, fresh = target.all_columns[1], numbers(new)
        first = insert_children(self.session, self.tenant.id, target, parent, fresh) if new else 0
        # A subquery of its own for every row, since a join would read all parents where their number is not known yet.
        written = (
            f"CASE WHEN incoming.{parent} IN (SELECT unnest(CAST(:new AS bigint[]))) THEN false ELSE"  # noqa: S608 - constants
            f" (SELECT backfill_id FROM {parents} AS parent WHERE parent.tenant_id = :tenant"
            f" AND parent.shopify_id = incoming.{parent} AND parent.deleted_at IS NULL) BETWEEN 1 AND :backfill END"
        )
        values: dict[str, int | str] = {"backfill": self.id, "new": fresh}
        others = merge_children(self.session, self.tenant.id, target, self.now, parent, where=written, values=values)
        return first + len(others), others


def _apply_customers(run: _Backfill, read: Read) -> Outcome:
    rows = [customers.bulk_row(line, version) for version, line in run.newest(read[bulk_lines.Customer])]
    written = run.put(customers.FROM_BULK, rows)
    return Outcome(len(written), len(rows) - len(written))


def _apply_products(run: _Backfill, read: Read) -> Outcome:
    rows = [products.bulk_row(line, version) for version, line in run.newest(read[bulk_lines.Product])]
    written = run.put(products.FROM_BULK, rows)
    products.forget_variants(run.session, run.tenant.id, written)
    variants = {row[0]: row for row in map(products.bulk_variant_row, read[bulk_lines.Variant])}
    if not variants:
        return Outcome(len(written), len(rows) - len(written))
    stage(run.session, products.VARIANTS, variants.values())
    count, _ = run.merge_children(products.VARIANTS, "products")
    return Outcome(len(written) + count, len(rows) - len(written))


def _apply_orders(run: _Backfill, told: BulkLines) -> Outcome:
    texts = _stage_orders(run, told)
    marked = merge_marked(run.session, run.tenant.id, orders.FROM_BULK, run.now) if texts.orders else []
    new = {int(number) for number, is_new in marked if is_new}
    written = {int(number) for number, _ in marked}
    customers.follow_merges(run.session, run.tenant.id, sorted(written))
    headers = run.put(refunds.HEADERS, [row for row in texts.headers if row[1] in written])
    count, others = run.merge_children(orders.LINES, "orders", new) if texts.lines else (0, [])
    completed = baskets.settle(run.session, run.tenant.id, baskets.Touched(orders=written), run.now)
    return Outcome(
        rows_written=len(written) + len(headers) + count + completed,
        stale=texts.count - len(written),
        days=ledger.book(run.session, run.tenant, written.union(others), new=new),
        details_wanted=frozenset(texts.detailed & written),
    )


def _stage_orders(run: _Backfill, told: BulkLines) -> OrderTexts:
    """Stage the rows of orders and of their lines: all at once, or read one by one where something is wrong."""
    if told.texts is not None and not tombstones.exist(run.session, run.tenant.id):
        try:
            with run.session.begin_nested():
                return _staged(run, told.texts)
        except DataError:
            pass  # what cannot be read is named below
    return _staged(run, bulk_orders.read_closely(run.known(told), run.id))


def _staged(run: _Backfill, texts: OrderTexts) -> OrderTexts:
    for target, rows in ((orders.FROM_BULK, texts.orders), (orders.LINES, texts.lines)):
        if rows:
            stage_text(run.session, target, rows)
    return texts


def _apply_checkouts(run: _Backfill, read: Read) -> Outcome:
    found = (baskets.bulk_checkout_row(line, version) for version, line in run.newest(read[bulk_lines.Checkout]))
    rows = {row[0]: row for row in found}
    written = run.put(baskets.CHECKOUTS_FROM_BULK, rows.values())
    lines = baskets.apply_bulk_lines(run.session, run.tenant.id, read[bulk_lines.CheckoutLine], run.id)
    seen = [baskets.bulk_checkout_sighting(line) for line in read[bulk_lines.Checkout]]
    completed = baskets.settle(run.session, run.tenant.id, baskets.Touched(checkouts=seen), run.now)
    return Outcome(len(written) + lines + completed, len(rows) - len(written))


_APPLY: MappingProxyType[str, Callable[[_Backfill, Read], Outcome]] = MappingProxyType(
    {"customers": _apply_customers, "products": _apply_products, "checkouts": _apply_checkouts}
)
