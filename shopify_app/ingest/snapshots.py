"""Objects read one by one from Shopify, whole and at a known moment, into the same rows as everything else.

What a snapshot says is what a webhook triggered at the moment of reading would say, and it ranks as such: over what
is held of the same ``updated_at``, which Shopify gives in whole seconds, unless a later webhook told it. An object
read more than a second after its ``updated_at`` cannot have changed since without saying so; its row's
``triggered_at`` is the moment of reading, which is how that is known later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from shopify_app.database import clause
from shopify_app.ingest import baskets, customers, ledger, orders, products, refunds
from shopify_app.ingest.freshness import Version, newest
from shopify_app.ingest.lines import Read, leave_out_erased, read_lines
from shopify_app.ingest.outcome import Outcome
from shopify_app.ingest.staging import Row, Target, accepted, merge, put, stage
from shopify_app.models import Tenant
from shopify_app.shopify import bulk_lines
from shopify_app.shopify.scalars import number_of


@dataclass(frozen=True)
class Applied:
    """What came of snapshots: the outcome, and the keys of the objects whose content was not held as it is."""

    outcome: Outcome
    changed: frozenset[int | str]


def apply_snapshots(  # noqa: PLR0917 - the room's verb: the doors pass these seven in this order
    session: Session,
    tenant: Tenant,
    resource: str,
    lines: Sequence[bytes],
    read_at: datetime,
    now: datetime,
    key: bytes,
) -> Applied:
    """Apply whole objects, each with all its children, as lines of ``exports.EXPORTS[resource]`` read at ``read_at``.

    What they tell of customers who were erased is left out; ``key`` is that of the tombstones.

    Raises PayloadRejected for a line that cannot be mapped; nothing has been written then.
    """
    read = read_lines(resource, lines)
    leave_out_erased(session, tenant.id, read, key)
    return _APPLY[resource](_Reading(session, tenant, read_at, now), read)


@dataclass(frozen=True)
class _Reading:
    """When a batch was read, and the transaction it is written in."""

    session: Session
    tenant: Tenant
    at: datetime
    now: datetime

    def newest(self, lines: Iterable[Any]) -> list[tuple[Version, Any]]:
        """Return each object once, with its version."""
        versioned = ((line.id, Version(line.updated_at, triggered_at=self.at), line) for line in lines)
        return list(newest(versioned).values())

    def put(self, target: Target, rows: Iterable[Row]) -> tuple[set[Any], set[Any]]:
        """Write rows of objects; returns the keys of those that changed, and of those now held as they were read."""
        rows = list(rows)
        if not rows:
            return set(), set()
        stage(self.session, target, rows)
        self._execute(_TAKE_OVER, target, at=self.at)
        written = set(merge(self.session, self.tenant.id, target, self.now))
        current = accepted(self.session, self.tenant.id, target)
        self._execute(_STAMP, target, at=self.at, keys=list(current))
        return written, current

    def put_children(self, target: Target, rows: Iterable[Row], parents: set[Any]) -> set[int]:
        """Write the children of these parents, whose ids are the second column; returns the parents that changed."""
        parent_of = {row[0]: row for row in rows if row[1] in parents}
        written = put(self.session, self.tenant.id, target, parent_of.values(), self.now)
        return {parent_of[key][1] for key in written}

    def _execute(self, statement: str, target: Target, **values: Any) -> None:  # noqa: ANN401 - whatever it binds
        named = statement.format(table=target.table, staged=target.staged, key=target.key[0])
        self.session.execute(clause(named), {"tenant": self.tenant.id, **values})


def _apply_customers(run: _Reading, read: Read) -> Applied:
    rows = (customers.bulk_row(line, version) for version, line in run.newest(read[bulk_lines.Customer]))
    written, current = run.put(customers.FROM_BULK, rows)
    customers.stamp(run.session, run.tenant.id, current, run.at)
    return Applied(Outcome(len(written)), frozenset(written))


def _apply_products(run: _Reading, read: Read) -> Applied:
    rows = (products.bulk_row(line, version) for version, line in run.newest(read[bulk_lines.Product]))
    written, current = run.put(products.FROM_BULK, rows)
    variants = [products.bulk_variant_row(line) for line in read[bulk_lines.Variant]]
    changed = run.put_children(products.VARIANTS, variants, current)
    ids = [row[0] for row in variants]
    changed |= written | products.keep_variants(run.session, run.tenant.id, sorted(current), ids)
    return Applied(Outcome(len(changed)), frozenset(changed))


def _apply_orders(run: _Reading, read: Read) -> Applied:
    parents = [(orders.bulk_row(line, version), line) for version, line in run.newest(read[bulk_lines.Order])]
    written, current = run.put(orders.FROM_BULK, (row for row, _ in parents))
    customers.follow_merges(run.session, run.tenant.id, sorted(written))
    held = [(row[0], line) for row, line in parents if row[0] in current]
    headers = [header for number, line in held for header in refunds.header_rows(number, line.refunds or ())]
    changed = written | run.put_children(refunds.HEADERS, headers, current)
    changed |= run.put_children(orders.LINES, map(orders.bulk_line_row, read[bulk_lines.Line]), current)
    settled = baskets.settle(run.session, run.tenant.id, baskets.Touched(orders=changed), run.now)
    edited = {number for number, line in held if line.edited}
    outcome = Outcome(
        rows_written=len(changed) + settled,
        days=ledger.book(run.session, run.tenant, changed),
        details_wanted=frozenset(edited | refunds.unread(run.session, run.tenant.id, current)),
    )
    return Applied(outcome, frozenset(changed))


def _apply_checkouts(run: _Reading, read: Read) -> Applied:
    newer = run.newest(read[bulk_lines.Checkout])
    rows = {row[0]: row for row in (baskets.bulk_checkout_row(line, version) for version, line in newer)}
    written, _ = run.put(baskets.CHECKOUTS_FROM_BULK, rows.values())
    tokens = {number_of(line.id): baskets.checkout_token(line.id, line.abandoned_checkout_url) for _, line in newer}
    changed = {number: token for number, token in tokens.items() if token in written}
    lines = baskets.bulk_line_rows(changed, read[bulk_lines.CheckoutLine])
    put(run.session, run.tenant.id, baskets.CHECKOUT_LINES, lines, run.now)
    seen = [baskets.bulk_checkout_sighting(line) for _, line in newer]
    settled = baskets.settle(run.session, run.tenant.id, baskets.Touched(checkouts=seen), run.now)
    return Applied(Outcome(len(written) + settled), frozenset(written))


_APPLY: MappingProxyType[str, Callable[[_Reading, Read], Applied]] = MappingProxyType(
    {
        "customers": _apply_customers,
        "products": _apply_products,
        "orders": _apply_orders,
        "checkouts": _apply_checkouts,
    }
)

# What was read takes the version over first, so that only its content is a difference: Shopify renews the time of a
# customer whose orders change, and tells of those orders elsewhere. The merge that follows ranks over a row without
# a time of telling, whatever the clocks say.
_TAKE_OVER = """
    UPDATE {table} AS held SET updated_at = incoming.updated_at, backfill_id = NULL,
      triggered_at = CASE WHEN held.updated_at = incoming.updated_at THEN held.triggered_at END
    FROM pg_temp.{staged} AS incoming
    WHERE held.tenant_id = :tenant AND held.{key} = incoming.{key} AND held.deleted_at IS NULL
      AND (held.updated_at < incoming.updated_at
           OR held.updated_at = incoming.updated_at AND held.backfill_id IS NOT NULL)
"""
_STAMP = """
    UPDATE {table} SET triggered_at = :at
    WHERE tenant_id = :tenant AND {key} = ANY (:keys) AND coalesce(triggered_at, '-infinity') < :at
"""
