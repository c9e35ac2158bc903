"""Lines of bulk results as typed bodies, without whom was erased."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from shopify_app.ingest import tombstones
from shopify_app.ingest.decoding import decode
from shopify_app.ingest.outcome import PayloadRejected
from shopify_app.ingest.tombstones import Erased, Mark, marks
from shopify_app.shopify import bulk_lines
from shopify_app.shopify.scalars import number_of, optional_number

Read = dict[type[Any], list[Any]]

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


def read_lines(resource: str, lines: Iterable[bytes]) -> Read:
    """Return the decoded lines by shape; raises PayloadRejected for one that cannot be read."""
    shapes = _SHAPES[resource]
    read: Read = {shape: [] for shape in shapes.values()}
    for line in lines:
        kind = bulk_lines.kind_of(line)
        shape = shapes.get(kind or "")
        if shape is None:
            raise PayloadRejected(None, "$.id", f"a line of {resource} cannot be of the type {kind}")
        read[shape].append(decode(line, shape))
    return read


def leave_out_erased(session: Session, tenant_id: int, read: Read, key: bytes) -> None:
    """Drop what the lines tell of customers who were erased; ``key`` is that of the tombstones."""
    erased = tombstones.find(session, tenant_id, key, _people(read))
    if erased:
        _leave_out(read, erased)


def _people(read: Read) -> Iterator[Mark]:
    for customer in read.get(bulk_lines.Customer, ()):
        yield from marks(customer=number_of(customer.id))
    for order in read.get(bulk_lines.Order, ()):
        yield from marks(customer=_customer(order), order=number_of(order.id), email=order.email, phone=order.phone)
    for checkout in read.get(bulk_lines.Checkout, ()):
        yield from marks(customer=_customer(checkout))


def _leave_out(read: Read, erased: Erased) -> None:
    """Drop customers who were erased and their checkouts; their orders stay, and are nobody's."""
    for shape, whose in ((bulk_lines.Customer, lambda line: number_of(line.id)), (bulk_lines.Checkout, _customer)):
        if shape in read:
            read[shape] = [line for line in read[shape] if not erased.customer(whose(line))]
    for order in read.get(bulk_lines.Order, ()):
        if erased.order(number_of(order.id), _customer(order), order.email, order.phone):
            order.customer = order.email = order.phone = None


def _customer(line: bulk_lines.Order | bulk_lines.Checkout) -> int | None:
    return optional_number(line.customer.id if line.customer else None)
