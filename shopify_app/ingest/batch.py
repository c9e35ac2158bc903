"""What a batch of deliveries says, sorted by what is done with it, and without whom was erased."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from shopify_app.ingest.customers import TagChange
from shopify_app.ingest.events import Told
from shopify_app.ingest.freshness import Version, newest
from shopify_app.ingest.orders import OrderTexts
from shopify_app.ingest.outcome import WebhookBody
from shopify_app.ingest.staging import Row
from shopify_app.ingest.tombstones import Erased, Mark, marks
from shopify_app.shopify import payloads, payloads_orders


@dataclass
class Batch:
    """What the deliveries of a batch say, by what is done with it. Entities are (key, version, body)."""

    deliveries: list[WebhookBody] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    customers: list[tuple[int, Version, payloads.Customer]] = field(default_factory=list)
    products: list[tuple[int, Version, payloads.Product]] = field(default_factory=list)
    orders: list[tuple[int, Version, payloads_orders.Order]] = field(default_factory=list)
    carts: list[tuple[str, Version, payloads.Cart]] = field(default_factory=list)
    checkouts: list[tuple[str, Version, payloads.Checkout]] = field(default_factory=list)
    refunds: list[payloads_orders.Refund] = field(default_factory=list)
    edits: list[tuple[payloads_orders.Edit, datetime]] = field(default_factory=list)
    email_consents: list[Row] = field(default_factory=list)
    sms_consents: list[Row] = field(default_factory=list)
    purchases: list[Row] = field(default_factory=list)
    tags: list[TagChange] = field(default_factory=list)
    kept_customers: list[int] = field(default_factory=list)
    merged_customers: list[tuple[int, int]] = field(default_factory=list)
    deleted: dict[str, dict[int | str, datetime]] = field(default_factory=dict)
    deleted_checkout_numbers: dict[int, datetime] = field(default_factory=dict)
    newest_orders: dict[int, tuple[Version, payloads_orders.Order]] = field(default_factory=dict)
    order_texts: OrderTexts | None = None

    def write_orders(self) -> None:
        """Find the newest of each order and make them text, ready to be copied."""
        self.newest_orders = newest(self.orders)
        self.order_texts = OrderTexts.of(self.newest_orders) if self.newest_orders else None

    def people(self) -> Iterator[Mark]:
        """Yield whatever customers may be known again by."""
        for number in self._customers():
            yield from marks(customer=number)
        for _, _, order in self.orders:
            yield from marks(customer=_number(order.customer), order=order.id, email=order.email, phone=order.phone)
        for _, _, checkout in self.checkouts:
            yield from marks(customer=_number(checkout.customer), email=checkout.email, phone=checkout.phone)
        for refund in self.refunds:
            yield from marks(order=refund.order_id)
        for edit, _ in self.edits:
            yield from marks(order=edit.order_id)

    def leave_out(self, erased: Erased) -> None:
        """Drop customers who were erased, and their traces on orders and checkouts; what was sold stays."""
        self.customers = [told for told in self.customers if not erased.customer(told[0])]
        for family in ("email_consents", "sms_consents", "purchases"):
            setattr(self, family, [row for row in getattr(self, family) if not erased.customer(row[0])])
        self.tags = [change for change in self.tags if not erased.customer(change.customer_id)]
        self.kept_customers = [number for number in self.kept_customers if not erased.customer(number)]
        self.merged_customers = [pair for pair in self.merged_customers if not any(map(erased.customer, pair))]
        gone = self.deleted.get("customers", {})
        self.deleted["customers"] = {key: at for key, at in gone.items() if not erased.customer(int(key))}
        for _, _, order in self.orders:
            if erased.order(order.id, _number(order.customer), order.email, order.phone):
                order.customer = order.email = order.phone = None
        self.write_orders()
        for _, _, checkout in self.checkouts:
            if erased.guest(_number(checkout.customer), checkout.email, checkout.phone):
                checkout.customer = checkout.email = checkout.phone = checkout.abandoned_checkout_url = None

    def _customers(self) -> Iterator[int]:
        yield from (number for number, _, _ in self.customers)
        for rows in (self.email_consents, self.sms_consents, self.purchases):
            yield from (row[0] for row in rows)
        yield from (change.customer_id for change in self.tags)
        yield from self.kept_customers
        yield from (number for pair in self.merged_customers for number in pair)
        yield from (int(key) for key in self.deleted.get("customers", {}))


def _number(customer: payloads.CustomerRef | None) -> int | None:
    return customer.id if customer else None
