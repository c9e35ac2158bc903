"""Lines of a bulk result into the tables and the ledger: the same rows and the same decision as webhooks.

A line's children may come many lines later, in another batch, after a crash in another process. No parents are held
in memory: a child is written when its parent carries this backfill's number, that is, when the parent's line was the
newest that is known. A webhook that writes the parent in between takes the number away, and its own children stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from shopify_app.ingest import baskets, customers, ledger, orders, products, refunds
from shopify_app.ingest.freshness import Version, newest
from shopify_app.ingest.lines import Read, leave_out_erased, read_lines
from shopify_app.ingest.outcome import Outcome
from shopify_app.ingest.staging import Row, Target, merge, put, stage
from shopify_app.models import Tenant
from shopify_app.shopify import bulk_lines


def apply_bulk_lines(  # noqa: PLR0917 - the room's verb: the doors pass these seven in this order
    session: Session,
    tenant: Tenant,
    resource: str,
    lines: Sequence[bytes],
    backfill_id: int,
    now: datetime,
    key: bytes,
) -> Outcome:
    """Apply lines of the result of ``exports.EXPORTS[resource]``, written for the backfill of this number.

    What they tell of customers who were erased is left out; ``key`` is that of the tombstones.

    Raises PayloadRejected for a line that cannot be mapped; nothing has been written then.
    """
    read = read_lines(resource, lines)
    leave_out_erased(session, tenant.id, read, key)
    return _APPLY[resource](_Backfill(session, tenant, backfill_id, now), read)


@dataclass(frozen=True)
class _Backfill:
    """The backfill a batch belongs to, and the transaction it is written in."""

    session: Session
    tenant: Tenant
    id: int
    now: datetime

    def newest(self, lines: Iterable[Any]) -> list[tuple[Version, Any]]:
        """Return each entity once, with its version."""
        versioned = ((line.id, Version(line.updated_at, backfill_id=self.id), line) for line in lines)
        return list(newest(versioned).values())

    def put(self, target: Target, rows: Iterable[Row]) -> list[int | str]:
        """Write rows of entities; returns the keys of those that were newer."""
        return put(self.session, self.tenant.id, target, rows, self.now)

    def put_children(self, target: Target, rows: Iterable[Row], parents: str) -> list[int | str]:
        """Write the children whose parents this backfill wrote; the second column of a row is the parent's id."""
        rows = list(rows)
        if not rows:
            return []
        stage(self.session, target, rows)
        joined = (
            f"JOIN {parents} AS parent ON parent.tenant_id = :tenant AND parent.backfill_id = :backfill"
            f" AND parent.shopify_id = incoming.{target.all_columns[1]}"
        )
        return merge(self.session, self.tenant.id, target, self.now, joined=joined, backfill=self.id)


def _apply_customers(run: _Backfill, read: Read) -> Outcome:
    rows = [customers.bulk_row(line, version) for version, line in run.newest(read[bulk_lines.Customer])]
    written = run.put(customers.FROM_BULK, rows)
    return Outcome(len(written), len(rows) - len(written))


def _apply_products(run: _Backfill, read: Read) -> Outcome:
    rows = [products.bulk_row(line, version) for version, line in run.newest(read[bulk_lines.Product])]
    written = run.put(products.FROM_BULK, rows)
    products.forget_variants(run.session, run.tenant.id, written)
    variants = {row[0]: row for row in map(products.bulk_variant_row, read[bulk_lines.Variant])}
    children = run.put_children(products.VARIANTS, variants.values(), "products")
    return Outcome(len(written) + len(children), len(rows) - len(written))


def _apply_orders(run: _Backfill, read: Read) -> Outcome:
    parents = [(orders.bulk_row(line, version), line) for version, line in run.newest(read[bulk_lines.Order])]
    rows = [row for row, _ in parents]
    written = {int(number) for number in run.put(orders.FROM_BULK, rows)}
    customers.follow_merges(run.session, run.tenant.id, sorted(written))
    fresh = [(row[0], line) for row, line in parents if row[0] in written]
    headers = [header for number, line in fresh for header in refunds.header_rows(number, line.refunds or ())]
    count = len(run.put(refunds.HEADERS, headers))
    lines = {row[0]: row for row in map(orders.bulk_line_row, read[bulk_lines.Line])}
    children = set(run.put_children(orders.LINES, lines.values(), "orders"))
    touched = written | {row[1] for number, row in lines.items() if number in children}
    completed = baskets.settle(run.session, run.tenant.id, baskets.Touched(orders=written), run.now)
    return Outcome(
        rows_written=len(written) + count + len(children) + completed,
        stale=len(rows) - len(written),
        days=ledger.book(run.session, run.tenant, touched),
        details_wanted=frozenset(number for number, line in fresh if line.edited or line.refunds),
    )


def _apply_checkouts(run: _Backfill, read: Read) -> Outcome:
    found = (baskets.bulk_checkout_row(line, version) for version, line in run.newest(read[bulk_lines.Checkout]))
    rows = {row[0]: row for row in found}
    written = run.put(baskets.CHECKOUTS_FROM_BULK, rows.values())
    lines = baskets.apply_bulk_lines(run.session, run.tenant.id, read[bulk_lines.CheckoutLine], run.id)
    seen = [baskets.bulk_checkout_sighting(line) for line in read[bulk_lines.Checkout]]
    completed = baskets.settle(run.session, run.tenant.id, baskets.Touched(checkouts=seen), run.now)
    return Outcome(len(written) + lines + completed, len(rows) - len(written))


_APPLY: MappingProxyType[str, Callable[[_Backfill, Read], Outcome]] = MappingProxyType(
    {
        "customers": _apply_customers,
        "products": _apply_products,
        "orders": _apply_orders,
        "checkouts": _apply_checkouts,
    }
)
