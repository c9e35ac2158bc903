"""Lines of a bulk result into the tables and the ledger: the same rows and the same decision as webhooks.

A line's children may come many lines later, in another batch, after a crash in another process. No parents are held
in memory: a child is written when its parent carries this backfill's number, that is, when the parent's line was the
newest that is known. A webhook that writes the parent in between takes the number away, and its own children stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from shopify_app.ingest import baskets, customers, ledger, orders, products, refunds, tombstones
from shopify_app.ingest.decoding import decode
from shopify_app.ingest.freshness import Version, newest
from shopify_app.ingest.outcome import Outcome, PayloadRejected
from shopify_app.ingest.staging import Row, Target, merge, put, stage
from shopify_app.ingest.tombstones import Erased, Mark, marks
from shopify_app.models import Tenant
from shopify_app.shopify import bulk_lines
from shopify_app.shopify.scalars import number_of, optional_number

_Read = dict[type[Any], list[Any]]

# What a resource's file holds: the GraphQL type of a line → its shape.
_SHAPES: MappingProxyType[str, MappingProxyType[str, type[Any]]] = MappingProxyType(
    {
        "customers": MappingProxyType({"Customer": bulk_lines.Customer}),
        "products": MappingProxyType({"Product": bulk_lines.Product, "ProductVariant": bulk_lines.Variant}),
        "orders": MappingProxyType({"Order": bulk_lines.Order, "LineItem": bulk_lines.Line}),
        "checkouts": MappingProxyType(
            {
                "AbandonedCheckout": bulk_lines.Checkout,
                "Checkout": bulk_lines.Checkout,
                "AbandonedCheckoutLineItem": bulk_lines.CheckoutLine,
                "CheckoutLineItem": bulk_lines.CheckoutLine,
            }
        ),
    }
)


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
    read = _read(resource, lines)
    erased = tombstones.find(session, tenant.id, key, _people(read))
    if erased:
        _leave_out(read, erased)
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
            f"JOIN {parents} AS parent ON parent.tenant_id = {self.tenant.id:d} AND parent.backfill_id = {self.id:d}"
            f" AND parent.shopify_id = incoming.{target.columns[0]}"
        )
        return merge(self.session, self.tenant.id, target, self.now, joined=joined)


def _read(resource: str, lines: Iterable[bytes]) -> _Read:
    """Return the decoded lines by shape."""
    shapes = _SHAPES[resource]
    read: _Read = {shape: [] for shape in shapes.values()}
    for line in lines:
        kind = bulk_lines.kind_of(line)
        shape = shapes.get(kind or "")
        if shape is None:
            raise PayloadRejected(None, "$.id", f"a line of {resource} cannot be of the type {kind}")
        read[shape].append(decode(line, shape))
    return read


def _people(read: _Read) -> Iterator[Mark]:
    for customer in read.get(bulk_lines.Customer, ()):
        yield from marks(customer=number_of(customer.id))
    for order in read.get(bulk_lines.Order, ()):
        yield from marks(customer=_customer(order), order=number_of(order.id), email=order.email, phone=order.phone)
    for checkout in read.get(bulk_lines.Checkout, ()):
        yield from marks(customer=_customer(checkout))


def _leave_out(read: _Read, erased: Erased) -> None:
    """Drop customers who were erased and their checkouts; their orders stay, and are nobody's."""
    for shape, whose in ((bulk_lines.Customer, lambda line: number_of(line.id)), (bulk_lines.Checkout, _customer)):
        if shape in read:
            read[shape] = [line for line in read[shape] if not erased.customer(whose(line))]
    for order in read.get(bulk_lines.Order, ()):
        if erased.order(number_of(order.id), _customer(order), order.email, order.phone):
            order.customer = order.email = order.phone = None


def _customer(line: bulk_lines.Order | bulk_lines.Checkout) -> int | None:
    return optional_number(line.customer.id if line.customer else None)


def _apply_customers(run: _Backfill, read: _Read) -> Outcome:
    rows = [customers.bulk_row(line, version) for version, line in run.newest(read[bulk_lines.Customer])]
    written = run.put(customers.FROM_BULK, rows)
    return Outcome(len(written), len(rows) - len(written))


def _apply_products(run: _Backfill, read: _Read) -> Outcome:
    rows = [products.bulk_row(line, version) for version, line in run.newest(read[bulk_lines.Product])]
    written = run.put(products.FROM_BULK, rows)
    products.forget_variants(run.session, run.tenant.id, written)
    variants = {row[0]: row for row in map(products.bulk_variant_row, read[bulk_lines.Variant])}
    children = run.put_children(products.VARIANTS, variants.values(), "products")
    return Outcome(len(written) + len(children), len(rows) - len(written))


def _apply_orders(run: _Backfill, read: _Read) -> Outcome:
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
    completed = baskets.complete(run.session, run.tenant.id, {"orders": written, "carts": (), "checkouts": ()})
    return Outcome(
        rows_written=len(written) + count + len(children) + completed,
        stale=len(rows) - len(written),
        days=ledger.book(run.session, run.tenant, touched),
        details_wanted=frozenset(number for number, line in fresh if line.edited or line.refunds),
    )


def _apply_checkouts(run: _Backfill, read: _Read) -> Outcome:
    found = (baskets.bulk_checkout_row(line, version) for version, line in run.newest(read[bulk_lines.Checkout]))
    rows = {row[0]: row for row in found}
    written = run.put(baskets.CHECKOUTS_FROM_BULK, rows.values())
    lines = baskets.apply_bulk_lines(run.session, run.tenant.id, read[bulk_lines.CheckoutLine], run.id)
    completed = baskets.complete(run.session, run.tenant.id, {"orders": (), "carts": (), "checkouts": written})
    return Outcome(len(written) + lines + completed, len(rows) - len(written))


_APPLY: MappingProxyType[str, Callable[[_Backfill, _Read], Outcome]] = MappingProxyType(
    {
        "customers": _apply_customers,
        "products": _apply_products,
        "orders": _apply_orders,
        "checkouts": _apply_checkouts,
    }
)
