"""Which customer data Shopify has not approved the app to read: a bulk result leaves it null and says nothing of it.

So one object is asked for by an ordinary query, which does. https://shopify.dev/docs/apps/launch/protected-customer-data
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from shopify_app.shopify.errors import NotApproved
from shopify_app.shopify.exports import CHECKOUT, CUSTOMER, ORDER

if TYPE_CHECKING:
    from shopify_app.shopify.client import AdminClient

# Resource → one object with all that an export reads of it. Products hold nothing of customers.
APPROVAL_QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "customers": f"query Approval {{ customers(first: 1) {{ nodes {{ {CUSTOMER} }} }} }}",
        "orders": f"query Approval {{ orders(first: 1) {{ nodes {{ {ORDER} }} }} }}",
        "checkouts": f"query Approval {{ abandonedCheckouts(first: 1) {{ nodes {{ {CHECKOUT} }} }} }}",
    }
)


def unapproved(client: AdminClient, resource: str) -> tuple[str, ...]:
    """Return what an export of the resource leaves null for want of approval, such as ``customers.firstName``.

    A store without a single such object tells nothing. ``str(NotApproved(fields))`` is the sentence for people.

    Raises:
        ShopifyError: no usable answer; see ``retryable``.
    """
    if resource not in APPROVAL_QUERIES:
        return ()
    try:
        return client.execute(APPROVAL_QUERIES[resource], partial=True).unapproved
    except NotApproved as error:
        return error.fields
