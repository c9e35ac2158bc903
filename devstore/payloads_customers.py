"""Webhook bodies of customers, and the customer inside an order or a checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore import totals
from devstore.payloads_wire import Body, Purse, gid, local, zulu

if TYPE_CHECKING:
    from datetime import datetime

    from devstore.model import Address, Customer
    from devstore.state import Store


def customer_body(store: Store, customer: Customer) -> Body:
    """Return the body of customers/create, update, enable and disable (since 2025-01 without tags, counts, consent)."""
    address = _default_address(customer)
    return {
        **_customer(store, customer),
        "addresses": [address] if address else [],
        "default_address": address,
    }


def customer_in_order(store: Store, customer_id: int | None) -> Body | None:
    """Return an order's customer; None for a guest, and for a customer deleted since."""
    customer = store.customers.get(customer_id or 0)
    if customer is None:
        return None
    return {**_customer(store, customer), "default_address": _default_address(customer)}


def customer_deleted_body(customer_id: int) -> Body:
    """Return the body of customers/delete."""
    return {"id": customer_id, "tax_exemptions": [], "admin_graphql_api_id": gid("Customer", customer_id)}


def customer_tags_body(customer_id: int, tags: list[str], at: datetime) -> Body:
    """Return the body of customer.tags_added and customer.tags_removed: the tags that came or went."""
    return {"customerId": gid("Customer", customer_id), "tags": tags, "occurredAt": zulu(at)}


def email_consent_body(store: Store, customer: Customer) -> Body:
    """Return the body of customers_email_marketing_consent/update."""
    return {
        "customer_id": customer.id,
        "email_address": customer.email,
        "email_marketing_consent": {
            "state": customer.email_consent,
            "opt_in_level": "single_opt_in" if customer.email_consent == "subscribed" else None,
            "consent_updated_at": local(customer.email_consent_at, store.zone),
        },
    }


def sms_consent_body(store: Store, customer: Customer) -> Body:
    """Return the body of customers_marketing_consent/update (text messages)."""
    return {
        "id": customer.id,
        "phone": customer.phone,
        "sms_marketing_consent": {
            "state": customer.sms_consent,
            "opt_in_level": "single_opt_in" if customer.sms_consent == "subscribed" else None,
            "consent_updated_at": local(customer.sms_consent_at, store.zone),
            "consent_collected_from": "other",
        },
    }


def purchasing_summary_body(store: Store, customer: Customer, at: datetime) -> Body:
    """Return the body of customers/purchasing_summary (camelCase); spend is what was paid less what was paid back."""
    orders = [order for order in store.orders_of(customer.id) if not order.test]
    spent = totals.total([totals.captured(order) - totals.refunded(order) for order in orders])
    currency = store.shop.currency
    return {
        "customerId": gid("Customer", customer.id),
        "numberOfOrders": len(orders),
        "amountSpent": {"amount": _purse(store).text(spent), "currencyCode": currency},
        "lastOrderId": gid("Order", orders[-1].id) if orders else None,
        "occurredAt": zulu(at),
    }


def customer_merge_body(kept_id: int, deleted_id: int, job_id: int) -> Body:
    """Return the body of customers/merge for a merge that went well."""
    return {
        "admin_graphql_api_customer_kept_id": gid("Customer", kept_id),
        "admin_graphql_api_customer_deleted_id": gid("Customer", deleted_id),
        "admin_graphql_api_job_id": gid("Job", job_id),
        "status": "completed",
        "errors": [],
    }


def _purse(store: Store) -> Purse:
    return Purse(store.shop.currency, store.shop.currency, totals.ZERO)


def _customer(store: Store, customer: Customer) -> Body:
    return {
        "id": customer.id,
        "created_at": local(customer.created_at, store.zone),
        "updated_at": local(customer.updated_at, store.zone),
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "state": customer.state,
        "note": customer.note,
        "verified_email": customer.verified_email,
        "multipass_identifier": None,
        "tax_exempt": False,
        "email": customer.email,
        "phone": customer.phone,
        "currency": store.shop.currency,
        "tax_exemptions": [],
        "admin_graphql_api_id": gid("Customer", customer.id),
    }


def _default_address(customer: Customer) -> Body | None:
    address: Address | None = customer.address
    if address is None:
        return None
    return {
        "id": customer.id,
        "customer_id": customer.id,
        "first_name": address.first_name,
        "last_name": address.last_name,
        "company": None,
        "address1": address.address1,
        "address2": None,
        "city": address.city,
        "province": address.province,
        "country": address.country,
        "zip": address.zip,
        "phone": address.phone,
        "name": f"{address.first_name} {address.last_name}",
        "province_code": address.province_code,
        "country_code": address.country_code,
        "country_name": address.country,
        "default": True,
    }
