"""What a merchant does to customers, and what privacy law makes Shopify ask about them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal

from devstore import generate_words as words
from devstore import payloads
from devstore.actions_desk import Desk, refuse
from devstore.model import Customer

if TYPE_CHECKING:
    from datetime import datetime

Consent = Literal["subscribed", "not_subscribed", "unsubscribed"]
State = Literal["enabled", "disabled", "invited", "declined"]


def create_customer(
    desk: Desk,
    *,
    first_name: str | None = None,
    last_name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    tags: list[str] | None = None,
    email_consent: Consent = "not_subscribed",
) -> Customer:
    """Create a customer, made up where nothing is given; refuses an address another customer has."""
    first = first_name or secrets.choice(words.FIRST_NAMES)
    last = last_name or secrets.choice(words.LAST_NAMES)
    address = email or f"{first}.{last}.{secrets.token_hex(3)}@example.com".lower()
    _check_email(desk, address)
    at = desk.store.now()
    customer = Customer(
        id=desk.store.next_id(),
        created_at=at,
        updated_at=at,
        first_name=first,
        last_name=last,
        email=address,
        phone=phone,
        state="disabled",
        verified_email=True,
        locale=desk.store.shop.locale,
        tags=sorted(set(tags or [])),
        note=None,
        address=None,
        email_consent=email_consent,
        sms_consent="not_subscribed",
        email_consent_at=at if email_consent == "subscribed" else None,
    )
    desk.store.put("customer", customer.id, customer)
    desk.tell("customers/create", payloads.customer_body(desk.store, customer))
    if customer.tags:
        desk.tell("customer.tags_added", payloads.customer_tags_body(customer.id, customer.tags, at))
    if email_consent == "subscribed":
        desk.tell("customers_email_marketing_consent/update", payloads.email_consent_body(desk.store, customer))
    return customer


def update_customer(  # noqa: PLR0913 (one argument a field of the form)
    desk: Desk,
    *,
    customer_id: int,
    first_name: str | None = None,
    last_name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    note: str | None = None,
    state: State | None = None,
    email_consent: Consent | None = None,
    sms_consent: Consent | None = None,
) -> Customer:
    """Change what is given; consent and state have webhooks of their own."""
    customer = desk.customer(customer_id)
    if email is not None and email != customer.email:
        _check_email(desk, email)
    at = desk.store.now()
    changes = {"first_name": first_name, "last_name": last_name, "email": email, "phone": phone, "note": note}
    for name, value in changes.items():
        if value is not None:
            setattr(customer, name, value)
    customer.updated_at = at
    topics = _change_state(customer, state) + _change_consent(customer, at, email_consent, sms_consent)
    desk.store.put("customer", customer.id, customer)
    _tell_changes(desk, customer, ["customers/update", *topics])
    return customer


def tag_customer(
    desk: Desk, *, customer_id: int, add: list[str] | None = None, remove: list[str] | None = None
) -> Customer:
    """Add and remove tags; refuses when that changes nothing."""
    customer = desk.customer(customer_id)
    added = sorted(set(add or []) - set(customer.tags))
    removed = sorted(set(remove or []) & set(customer.tags))
    if not (added or removed):
        refuse("no tag would come or go")
    customer.tags = sorted((set(customer.tags) | set(added)) - set(removed))
    customer.updated_at = at = desk.store.now()
    desk.store.put("customer", customer.id, customer)
    desk.tell("customers/update", payloads.customer_body(desk.store, customer))
    if added:
        desk.tell("customer.tags_added", payloads.customer_tags_body(customer.id, added, at))
    if removed:
        desk.tell("customer.tags_removed", payloads.customer_tags_body(customer.id, removed, at))
    return customer


def delete_customer(desk: Desk, *, customer_id: int) -> Customer:
    """Delete a customer; like Shopify, refuses one who has ordered."""
    customer = desk.customer(customer_id)
    if desk.store.orders_of(customer_id):
        refuse(f"customer {customer_id} has orders and cannot be deleted")
    desk.store.remove("customer", customer_id)
    desk.tell("customers/delete", payloads.customer_deleted_body(customer_id))
    return customer


def merge_customers(desk: Desk, *, customer_id: int, into_id: int) -> Customer:
    """Merge a customer into another, who gets the orders and checkouts; refuses to merge one with themselves.

    The orders change without a webhook of their own (whether Shopify sends any is not documented).
    """
    gone, kept = desk.customer(customer_id), desk.customer(into_id)
    if gone.id == kept.id:
        refuse(f"customer {gone.id} cannot be merged with themselves")
    store = desk.store
    at = store.now()
    kept.tags = sorted({*kept.tags, *gone.tags})
    for order in store.orders_of(gone.id):
        order.updated_at = max(order.updated_at, at)
        store.reassign(order, kept.id)
    for checkout in [one for one in store.checkouts.values() if one.customer_id == gone.id]:
        checkout.customer_id = kept.id
        store.put("checkout", checkout.token, checkout)
    store.remove("customer", gone.id)
    desk.tell("customers/merge", payloads.customer_merge_body(kept.id, gone.id, store.next_id()))
    tell_history(desk, kept, "customers/update")
    return kept


def request_customer_data(desk: Desk, *, customer_id: int) -> Customer:
    """Pass on a customer's request to see their data."""
    customer = desk.customer(customer_id)
    desk.tell("customers/data_request", payloads.customer_data_request_body(desk.store, customer))
    return customer


def redact_customer(desk: Desk, *, customer_id: int) -> Customer:
    """Ask the app to erase a customer."""
    customer = desk.customer(customer_id)
    desk.tell("customers/redact", payloads.customer_redact_body(desk.store, customer))
    return customer


def tell_history(desk: Desk, customer: Customer, *topics: str) -> None:
    """Note that a customer's orders changed and tell it: ``topics`` with the whole customer, then the summary."""
    store = desk.store
    customer.updated_at = max(customer.updated_at, store.now())
    store.put("customer", customer.id, customer)
    for topic in topics:
        desk.tell(topic, payloads.customer_body(store, customer))
    summary = payloads.purchasing_summary_body(store, customer, desk.triggered_at)
    desk.tell("customers/purchasing_summary", summary)


def _check_email(desk: Desk, email: str) -> None:
    if "@" not in email:
        refuse(f"{email!r} is not an email address")
    if any(customer.email == email for customer in desk.store.customers.values()):
        refuse(f"another customer has the email address {email}")


def _change_state(customer: Customer, state: State | None) -> list[str]:
    if state is None or state == customer.state:
        return []
    customer.state = state
    return [f"customers/{state.removesuffix('d')}"] if state in {"enabled", "disabled"} else []


def _change_consent(customer: Customer, at: datetime, email: Consent | None, sms: Consent | None) -> list[str]:
    topics = []
    if email is not None and email != customer.email_consent:
        customer.email_consent, customer.email_consent_at = email, at
        topics.append("customers_email_marketing_consent/update")
    if sms is not None and sms != customer.sms_consent:
        customer.sms_consent, customer.sms_consent_at = sms, at
        topics.append("customers_marketing_consent/update")
    return topics


def _tell_changes(desk: Desk, customer: Customer, topics: list[str]) -> None:
    bodies = {
        "customers_email_marketing_consent/update": payloads.email_consent_body,
        "customers_marketing_consent/update": payloads.sms_consent_body,
    }
    for topic in topics:
        desk.tell(topic, bodies.get(topic, payloads.customer_body)(desk.store, customer))
