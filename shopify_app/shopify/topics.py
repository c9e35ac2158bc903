"""Every webhook topic the app takes: which of its addresses receives it, and the access scope it needs.

Scopes as Shopify's topic reference gives them: https://shopify.dev/docs/api/webhooks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPLIANCE = "compliance"


@dataclass(frozen=True)
class Topic:
    """A topic. ``resource`` is the word after ``/webhooks/``; ``scope`` is None where every app may listen.

    ``formerly`` is where older subscriptions still deliver it, until they are moved.
    """

    name: str
    resource: str
    scope: str | None = None
    formerly: str | None = None

    @property
    def enum(self) -> str:
        """The topic as GraphQL's ``WebhookSubscriptionTopic`` writes it: ``ORDERS_CREATE``."""
        return re.sub(r"[/.]", "_", self.name).upper()

    def is_taken_at(self, resource: str) -> bool:
        """Return whether ``/webhooks/<resource>`` is an address of this topic."""
        return resource in {self.resource, self.formerly}

    @property
    def subscribable(self) -> bool:
        """Whether the app subscribes through the API; compliance topics are set in the app's own configuration."""
        return self.resource != COMPLIANCE


_ALL = (
    Topic("customers/create", "customers", "read_customers"),
    Topic("customers/update", "customers", "read_customers"),
    Topic("customers/enable", "customers", "read_customers"),
    Topic("customers/disable", "customers", "read_customers"),
    Topic("customers/delete", "customers", "read_customers"),
    Topic("customers/purchasing_summary", "customers", "read_customers"),
    Topic("customers/merge", "customers", "read_customer_merge"),
    Topic("customers_email_marketing_consent/update", "customers", "read_customers"),
    Topic("customers_marketing_consent/update", "customers", "read_customers"),
    Topic("customer.tags_added", "customers", "read_customers"),
    Topic("customer.tags_removed", "customers", "read_customers"),
    Topic("products/create", "products", "read_products"),
    Topic("products/update", "products", "read_products"),
    Topic("products/delete", "products", "read_products"),
    Topic("orders/create", "orders", "read_orders"),
    Topic("orders/updated", "orders", "read_orders"),
    Topic("orders/paid", "orders", "read_orders"),
    Topic("orders/cancelled", "orders", "read_orders"),
    Topic("orders/fulfilled", "orders", "read_orders"),
    Topic("orders/partially_fulfilled", "orders", "read_orders"),
    Topic("orders/edited", "orders", "read_orders"),
    Topic("orders/delete", "orders", "read_orders"),
    Topic("carts/create", "carts", "read_orders"),
    Topic("carts/update", "carts", "read_orders"),
    Topic("checkouts/create", "checkouts", "read_orders"),
    Topic("checkouts/update", "checkouts", "read_orders"),
    Topic("checkouts/delete", "checkouts", "read_orders"),
    Topic("refunds/create", "refunds", "read_orders"),
    Topic("app/uninstalled", "app"),
    Topic("app/scopes_update", "app"),
    Topic("shop/update", "app"),
    Topic("bulk_operations/finish", "bulk", formerly="app"),
    Topic("customers/data_request", COMPLIANCE),
    Topic("customers/redact", COMPLIANCE),
    Topic("shop/redact", COMPLIANCE),
)

TOPICS: Mapping[str, Topic] = MappingProxyType({topic.name: topic for topic in _ALL})
BY_ENUM: Mapping[str, Topic] = MappingProxyType({topic.enum: topic for topic in _ALL if topic.subscribable})
RESOURCES = frozenset(topic.resource for topic in _ALL)
