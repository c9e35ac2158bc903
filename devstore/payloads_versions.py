"""Bodies as older and newer API versions write them; those of ``devstore.payloads`` are of 2026-04.

https://shopify.dev/changelog: 2025-01 slimmed customers, 2026-01 gave cart lines a parent, 2026-04 took the numeric id
of checkouts away, 2026-10 named the selling plan of an order's lines. What else changed, nobody reads here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore import payloads_customers
from devstore.payloads_wire import Body

if TYPE_CHECKING:
    from devstore.model import Customer
    from devstore.state import Store

VERSION_PATTERN = r"^20(24|25|26)-(01|04|07|10)$"


def in_version(store: Store, topic: str, body: Body, version: str) -> Body:
    """Return the body of a topic as ``version`` (``2026-10``) has it; the body itself is not changed."""
    noun = topic.partition("/")[0]
    if noun == "orders" and "line_items" in body:
        return _order(store, body, version)
    if noun == "checkouts" and "token" in body:
        return _checkout(store, body, version)
    if noun == "customers" and "default_address" in body:
        return _with_history(store, body, version)
    if noun == "carts" and "line_items" in body and version < "2026-01":
        lines = [{name: line[name] for name in line if name != "parent_relationship"} for line in body["line_items"]]
        return {**body, "line_items": lines}
    return body


def _order(store: Store, body: Body, version: str) -> Body:
    customer = body["customer"]
    if version < "2025-01" and customer:
        body = {**body, "customer": {**customer, **_consents(store, customer["id"])}}
    if version < "2026-04":
        checkout = store.checkouts.get(body["checkout_token"] or "")
        return {**body, "checkout_id": checkout.id if checkout else None}
    if version >= "2026-10":
        return {**body, "line_items": [{**line, "selling_plan_id": None} for line in body["line_items"]]}
    return body


def _checkout(store: Store, body: Body, version: str) -> Body:
    if version >= "2026-04":
        return body
    checkout = store.checkouts[body["token"]]
    customer = {"customer": _with_history(store, body["customer"], version)} if "customer" in body else {}
    return {"id": checkout.id, **body, **customer}


def _with_history(store: Store, body: Body, version: str) -> Body:
    """Return a customer with what bodies told before 2025-01: tags, consents, orders and what was spent."""
    customer = store.customers.get(body["id"])
    if version >= "2025-01" or customer is None:
        return body
    orders = [order for order in store.orders_of(customer.id) if not order.test]
    summary = payloads_customers.purchasing_summary_body(store, customer, customer.updated_at)
    return {
        **body,
        **_consents(store, customer.id),
        "orders_count": len(orders),
        "total_spent": summary["amountSpent"]["amount"],
        "last_order_id": orders[-1].id if orders else None,
        "last_order_name": f"#{orders[-1].number}" if orders else None,
    }


def _consents(store: Store, customer_id: int) -> Body:
    customer = store.customers[customer_id]
    return {
        "tags": ", ".join(customer.tags),
        "email_marketing_consent": payloads_customers.email_consent_body(store, customer)["email_marketing_consent"],
        "sms_marketing_consent": _sms(store, customer),
    }


def _sms(store: Store, customer: Customer) -> Body | None:
    """Return the consent to text messages; there is none without a number."""
    told: Body = payloads_customers.sms_consent_body(store, customer)["sms_marketing_consent"]
    return told if customer.phone else None
