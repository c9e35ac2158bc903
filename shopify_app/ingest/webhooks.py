"""A batch of webhook deliveries of one tenant into its tables and its ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from shopify_app.ingest import baskets, customers, ledger, orders, products, refunds, tombstones
from shopify_app.ingest.batch import Batch
from shopify_app.ingest.customers import TagChange
from shopify_app.ingest.decoding import decode
from shopify_app.ingest.freshness import Version, newest
from shopify_app.ingest.outcome import Outcome, PayloadRejected, WebhookBody
from shopify_app.ingest.staging import Row, Target, accepted, bury, merge, put, stage
from shopify_app.models import Tenant
from shopify_app.shopify import payloads, payloads_orders
from shopify_app.shopify.payloads import tag_list
from shopify_app.shopify.scalars import number_of, present

_MERGED = "completed"


_Reader = Callable[[Batch, WebhookBody], None]


def apply_webhooks(
    session: Session, tenant: Tenant, deliveries: Sequence[WebhookBody], now: datetime, key: bytes
) -> Outcome:
    """Apply deliveries of any of ``TOPICS``; in whatever order they come, the newest of each entity is kept.

    What they tell of customers who were erased is left out; ``key`` is that of the tombstones.

    Raises PayloadRejected for the first body that cannot be mapped; nothing has been written then.
    """
    batch = Batch()
    for delivery in deliveries:
        reader = TOPICS.get(delivery.topic)
        if reader is None:
            raise PayloadRejected(delivery.id, "$", f"ingest has no use for the topic {delivery.topic}")
        reader(batch, delivery)
    erased = tombstones.find(session, tenant.id, key, batch.people())
    if erased:
        batch.leave_out(erased)
    told = frozenset(delivery.id for delivery in deliveries if erased.told_by(delivery.payload))
    outcome = Outcome(told_of_erased=told)
    outcome += _apply_customers(session, tenant.id, batch, now) + _apply_products(session, tenant.id, batch, now)
    return outcome + _apply_sales(session, tenant, batch, now)


def _apply_customers(session: Session, tenant_id: int, batch: Batch, now: datetime) -> Outcome:
    entities = newest(batch.customers)
    rows = [customers.webhook_row(body, version) for version, body in entities.values()]
    written = len(put(session, tenant_id, customers.FROM_WEBHOOK, rows, now))
    stale = len(rows) - written
    for target, told in (
        (customers.EMAIL_CONSENTS, batch.email_consents),
        (customers.SMS_CONSENTS, batch.sms_consents),
        (customers.PURCHASES, batch.purchases),
    ):
        written += len(put(session, tenant_id, target, _latest_told(told), now))
    changes = sorted(batch.tags, key=lambda change: (change.occurred_at is not None, change.occurred_at))
    written += customers.change_tags(session, tenant_id, changes, now)
    written += customers.keep(session, tenant_id, batch.kept_customers, now)
    written += _bury(session, tenant_id, batch, customers.FROM_WEBHOOK, now)
    return Outcome(rows_written=written, stale=stale)


def _apply_products(session: Session, tenant_id: int, batch: Batch, now: datetime) -> Outcome:
    written, stale = products.apply_products(session, tenant_id, newest(batch.products), now)
    return Outcome(written + _bury(session, tenant_id, batch, products.FROM_WEBHOOK, now), stale)


def _apply_sales(session: Session, tenant: Tenant, batch: Batch, now: datetime) -> Outcome:
    """Apply orders and what happens to them, then carts and checkouts, and book what changed."""
    written, stale, touched, applied = _apply_orders(session, tenant.id, batch, now)
    count, refunded = refunds.apply_refunds(session, tenant.id, [*batch.refunds, *applied], now)
    edit_rows, edited = refunds.apply_edits(session, tenant.id, batch.edits, now)
    touched |= refunded | (edited if edit_rows else set())
    touched |= customers.merge_customers(session, tenant.id, batch.merged_customers, now)
    written += count + edit_rows + _bury(session, tenant.id, batch, orders.FROM_WEBHOOK, now)
    touched |= {int(number) for number in batch.deleted.get("orders", {})}
    baskets_written, baskets_stale = _apply_baskets(session, tenant.id, batch, touched, now)
    return Outcome(
        rows_written=written + baskets_written,
        stale=stale + baskets_stale,
        days=ledger.book(session, tenant, touched),
        details_wanted=frozenset(edited),
    )


def _apply_orders(
    session: Session, tenant_id: int, batch: Batch, now: datetime
) -> tuple[int, int, set[int], list[payloads_orders.Refund]]:
    """Write orders with their lines. Returns rows written, stale orders, changed orders, refunds found on orders."""
    entities = newest(batch.orders)
    if not entities:
        return 0, 0, set(), []
    target = orders.FROM_WEBHOOK
    stage(session, target, (orders.webhook_row(body, version) for version, body in entities.values()))
    written = {int(number) for number in merge(session, tenant_id, target, now)}
    current = accepted(session, tenant_id, target)
    bodies = [body for number, (_, body) in entities.items() if number in current]
    if not bodies:
        return len(written), len(entities), set(), []
    count, changed = orders.apply_lines(session, tenant_id, bodies, now)
    customers.follow_merges(session, tenant_id, sorted(written))
    found = [refund for body in bodies for refund in present(body.refunds)]
    return len(written) + count, len(entities) - len(current), written | changed, found


def _apply_baskets(session: Session, tenant_id: int, batch: Batch, touched: set[int], now: datetime) -> tuple[int, int]:
    carts = [baskets.cart_row(body, version) for version, body in newest(batch.carts).values()]
    checkouts = [baskets.checkout_row(body, version) for version, body in newest(batch.checkouts).values()]
    written = len(put(session, tenant_id, baskets.CARTS, carts, now))
    written += len(put(session, tenant_id, baskets.CHECKOUTS, checkouts, now))
    stale = len(carts) + len(checkouts) - written
    written += _bury(session, tenant_id, batch, baskets.CHECKOUTS, now)
    written += baskets.bury_by_number(session, tenant_id, batch.deleted_checkout_numbers)
    keys = {"orders": touched, "carts": [row[0] for row in carts], "checkouts": [row[0] for row in checkouts]}
    return written + baskets.complete(session, tenant_id, keys), stale


def _bury(session: Session, tenant_id: int, batch: Batch, target: Target, now: datetime) -> int:
    return bury(session, tenant_id, target, batch.deleted.get(target.table, {}), now)


def _latest_told(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield one row per customer, the one told last; the third field of a row is when it was told."""
    return iter({row[0]: row for row in sorted(rows, key=lambda row: row[2])}.values())


# ── Readers: one per kind of body ──────────────────────────────────────────────────────────────────────────────────


def _version(body: Any, delivery: WebhookBody) -> Version:  # noqa: ANN401 - any of the bodies with an updated_at
    return Version(body.updated_at, delivery.triggered_at)


def _told_at(delivery: WebhookBody, own: datetime | None = None) -> datetime:
    """Return when a message without a version was true: its own time, its event's, or its arrival."""
    return own or delivery.triggered_at or delivery.received_at


def _entity(shape: type[Any], family: str, key: str = "id") -> _Reader:
    """Return a reader of whole entities."""

    def read(batch: Batch, delivery: WebhookBody) -> None:
        body = decode(delivery.payload, shape, delivery.id)
        getattr(batch, family).append((getattr(body, key), _version(body, delivery), body))

    return read


def _deletion(family: str) -> _Reader:
    """Return a reader of deletions by id."""

    def read(batch: Batch, delivery: WebhookBody) -> None:
        body = decode(delivery.payload, payloads.Deleted, delivery.id)
        batch.deleted.setdefault(family, {}).setdefault(body.id, _told_at(delivery))

    return read


def _read_deleted_checkout(batch: Batch, delivery: WebhookBody) -> None:
    body = decode(delivery.payload, payloads.DeletedCheckout, delivery.id)
    if body.token is not None:
        batch.deleted.setdefault("checkouts", {}).setdefault(body.token, _told_at(delivery))
    elif body.id is not None:
        batch.deleted_checkout_numbers.setdefault(body.id, _told_at(delivery))


def _read_refund(batch: Batch, delivery: WebhookBody) -> None:
    batch.refunds.append(decode(delivery.payload, payloads_orders.Refund, delivery.id))


def _read_edit(batch: Batch, delivery: WebhookBody) -> None:
    body = decode(delivery.payload, payloads_orders.OrderEdited, delivery.id)
    batch.edits.append((body.order_edit, _told_at(delivery)))


def _read_email_consent(batch: Batch, delivery: WebhookBody) -> None:
    body = decode(delivery.payload, payloads.EmailConsent, delivery.id)
    batch.email_consents.append(customers.email_consent_row(body, _told_at(delivery)))


def _read_sms_consent(batch: Batch, delivery: WebhookBody) -> None:
    body = decode(delivery.payload, payloads.SmsConsent, delivery.id)
    batch.sms_consents.append(customers.sms_consent_row(body, _told_at(delivery)))


def _read_purchases(batch: Batch, delivery: WebhookBody) -> None:
    body = decode(delivery.payload, payloads.PurchasingSummary, delivery.id)
    batch.purchases.append(customers.purchases_row(body, _told_at(delivery, body.occurred_at)))


def _tags(*, added: bool) -> _Reader:
    def read(batch: Batch, delivery: WebhookBody) -> None:
        body = decode(delivery.payload, payloads.CustomerTags, delivery.id)
        occurred_at = _told_at(delivery, body.occurred_at)
        change = TagChange(number_of(body.customer_id), tag_list(body.tags) or [], added, occurred_at)
        batch.tags.append(change)

    return read


def _read_merge(batch: Batch, delivery: WebhookBody) -> None:
    body = decode(delivery.payload, payloads.CustomerMerge, delivery.id)
    kept = number_of(body.admin_graphql_api_customer_kept_id)
    batch.kept_customers.append(kept)
    if body.status == _MERGED and body.admin_graphql_api_customer_deleted_id:
        batch.merged_customers.append((kept, number_of(body.admin_graphql_api_customer_deleted_id)))


_CUSTOMER = _entity(payloads.Customer, "customers")
_PRODUCT = _entity(payloads.Product, "products")
_ORDER = _entity(payloads_orders.Order, "orders")
_CART = _entity(payloads.Cart, "carts")
_CHECKOUT = _entity(payloads.Checkout, "checkouts", key="token")

TOPICS = MappingProxyType(
    {
        "customers/create": _CUSTOMER,
        "customers/update": _CUSTOMER,
        "customers/enable": _CUSTOMER,
        "customers/disable": _CUSTOMER,
        "customers/delete": _deletion("customers"),
        "customers/merge": _read_merge,
        "customers/purchasing_summary": _read_purchases,
        "customers_email_marketing_consent/update": _read_email_consent,
        "customers_marketing_consent/update": _read_sms_consent,
        "customer.tags_added": _tags(added=True),
        "customer.tags_removed": _tags(added=False),
        "products/create": _PRODUCT,
        "products/update": _PRODUCT,
        "products/delete": _deletion("products"),
        "orders/create": _ORDER,
        "orders/updated": _ORDER,
        "orders/paid": _ORDER,
        "orders/cancelled": _ORDER,
        "orders/fulfilled": _ORDER,
        "orders/partially_fulfilled": _ORDER,
        "orders/edited": _read_edit,
        "orders/delete": _deletion("orders"),
        "refunds/create": _read_refund,
        "carts/create": _CART,
        "carts/update": _CART,
        "checkouts/create": _CHECKOUT,
        "checkouts/update": _CHECKOUT,
        "checkouts/delete": _read_deleted_checkout,
    }
)
