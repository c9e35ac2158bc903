"""From deliveries to a batch: each body decoded by its topic and put to what is done with it. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from types import MappingProxyType
from typing import Any

from shopify_app.ingest import customers
from shopify_app.ingest.batch import Batch
from shopify_app.ingest.customers import TagChange
from shopify_app.ingest.decoding import decode
from shopify_app.ingest.events import Told
from shopify_app.ingest.freshness import Version
from shopify_app.ingest.outcome import PayloadRejected, WebhookBody
from shopify_app.shopify import payloads, payloads_orders
from shopify_app.shopify.payloads import tag_list
from shopify_app.shopify.scalars import number_of

_MERGED = "completed"

# The key of what a body is about, and the version of it that the body tells of, where it says so.
Entity = tuple[int | str, datetime | None]
# Puts what a delivery says into the batch.
_Reader = Callable[[Batch, WebhookBody], Entity]


def read(deliveries: Iterable[WebhookBody]) -> Batch:
    """Decode deliveries of any of ``TOPICS``. Needs no database, so it can be done while another batch is written.

    Raises PayloadRejected for the first body that cannot be mapped.
    """
    batch = Batch()
    for delivery in deliveries:
        reader = TOPICS.get(delivery.topic)
        if reader is None:
            raise PayloadRejected(delivery.id, "$", f"ingest has no use for the topic {delivery.topic}")
        entity, version = reader(batch, delivery)
        batch.deliveries.append(delivery)
        if delivery.event_id:
            batch.told.append(Told(delivery.id, delivery.event_id, delivery.topic, entity, version))
    batch.write_orders()
    return batch


def _version(body: Any, delivery: WebhookBody) -> Version:  # noqa: ANN401 - any of the bodies with an updated_at
    return Version(body.updated_at, delivery.triggered_at)


def _told_at(delivery: WebhookBody, own: datetime | None = None) -> datetime:
    """Return when a message without a version was true: its own time, its event's, or its arrival."""
    return own or delivery.triggered_at or delivery.received_at


def _entity(shape: type[Any], family: str, key: str = "id") -> _Reader:
    """Return a reader of whole entities."""

    def read(batch: Batch, delivery: WebhookBody) -> Entity:
        body = decode(delivery.payload, shape, delivery.id)
        entity: int | str = getattr(body, key)
        getattr(batch, family).append((entity, _version(body, delivery), body))
        return entity, body.updated_at

    return read


def _deletion(family: str) -> _Reader:
    """Return a reader of deletions by id."""

    def read(batch: Batch, delivery: WebhookBody) -> Entity:
        body = decode(delivery.payload, payloads.Deleted, delivery.id)
        batch.deleted.setdefault(family, {}).setdefault(body.id, _told_at(delivery))
        return body.id, None

    return read


def _read_deleted_checkout(batch: Batch, delivery: WebhookBody) -> Entity:
    body = decode(delivery.payload, payloads.DeletedCheckout, delivery.id)
    if body.token is not None:
        batch.deleted.setdefault("checkouts", {}).setdefault(body.token, _told_at(delivery))
    elif body.id is not None:
        batch.deleted_checkout_numbers.setdefault(body.id, _told_at(delivery))
    return body.token or body.id or "", None


def _read_refund(batch: Batch, delivery: WebhookBody) -> Entity:
    body = decode(delivery.payload, payloads_orders.RefundCreated, delivery.id)
    batch.refunds.append(body)
    return body.id, None


def _read_edit(batch: Batch, delivery: WebhookBody) -> Entity:
    body = decode(delivery.payload, payloads_orders.OrderEdited, delivery.id)
    batch.edits.append((body.order_edit, _told_at(delivery)))
    return body.order_edit.id, None


def _read_email_consent(batch: Batch, delivery: WebhookBody) -> Entity:
    body = decode(delivery.payload, payloads.EmailConsent, delivery.id)
    batch.email_consents.append(customers.email_consent_row(body, _told_at(delivery)))
    return body.customer_id, None


def _read_sms_consent(batch: Batch, delivery: WebhookBody) -> Entity:
    body = decode(delivery.payload, payloads.SmsConsent, delivery.id)
    batch.sms_consents.append(customers.sms_consent_row(body, _told_at(delivery)))
    return body.id, None


def _read_purchases(batch: Batch, delivery: WebhookBody) -> Entity:
    body = decode(delivery.payload, payloads.PurchasingSummary, delivery.id)
    batch.purchases.append(customers.purchases_row(body, _told_at(delivery, body.occurred_at)))
    return body.customer_id, None


def _tags(*, added: bool) -> _Reader:
    def read(batch: Batch, delivery: WebhookBody) -> Entity:
        body = decode(delivery.payload, payloads.CustomerTags, delivery.id)
        occurred_at = _told_at(delivery, body.occurred_at)
        change = TagChange(number_of(body.customer_id), tag_list(body.tags) or [], added, occurred_at)
        batch.tags.append(change)
        return change.customer_id, None

    return read


def _read_merge(batch: Batch, delivery: WebhookBody) -> Entity:
    body = decode(delivery.payload, payloads.CustomerMerge, delivery.id)
    kept = number_of(body.admin_graphql_api_customer_kept_id)
    batch.kept_customers.append(kept)
    if body.status == _MERGED and body.admin_graphql_api_customer_deleted_id:
        batch.merged_customers.append((kept, number_of(body.admin_graphql_api_customer_deleted_id)))
    return f"{kept} {body.admin_graphql_api_customer_deleted_id} {body.status}", None


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
