"""The documents that read a store's history: one bulk query per resource, and the detail queries behind them.

Bulk queries obey Shopify's restrictions: at most five connections nested two deep, ``edges { node }`` with the
parent's ``id``, no connection inside a list, nodes that implement ``Node``. So refunds come without their lines, and
shipping as totals (a ``ShippingLine`` is no node). Details are validated like the exports, against the real schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from shopify_app.shopify.scalars import instant

_SHOP = "{ shopMoney { amount } }"

# What is read of each kind of object, by whatever query: its own fields, and those of its children.
CUSTOMER = """
    id firstName lastName createdAt updatedAt state tags locale numberOfOrders
    amountSpent { amount }
    defaultEmailAddress { emailAddress marketingState }
    defaultPhoneNumber { phoneNumber smsMarketingConsent { state } }
    defaultAddress { city countryCodeV2 provinceCode }
"""
PRODUCT = """
    id title handle status productType vendor tags createdAt updatedAt publishedAt
    priceRangeV2 { minVariantPrice { amount } }
"""
VARIANT = "id title sku barcode price compareAtPrice position inventoryQuantity updatedAt"
ORDER = f"""
    id name createdAt processedAt updatedAt cancelledAt closedAt cancelReason test edited taxesIncluded
    email phone currencyCode presentmentCurrencyCode displayFinancialStatus displayFulfillmentStatus
    sourceName cartToken checkoutToken tags discountCodes
    customer {{ id }}
    shippingAddress {{ countryCodeV2 }}
    billingAddress {{ countryCodeV2 }}
    totalPriceSet {{ shopMoney {{ amount }} presentmentMoney {{ amount }} }}
    currentTotalPriceSet {_SHOP}
    subtotalPriceSet {_SHOP}
    totalDiscountsSet {_SHOP}
    totalTaxSet {_SHOP}
    currentShippingPriceSet {_SHOP}
    totalRefundedShippingSet {_SHOP}
    refunds {{ id createdAt processedAt totalRefundedSet {_SHOP} }}
"""
LINE = f"""
      id title variantTitle sku vendor quantity currentQuantity isGiftCard
      product {{ id }}
      variant {{ id }}
      originalUnitPriceSet {_SHOP}
      discountAllocations {{ allocatedAmountSet {_SHOP} }}
      taxLines {{ priceSet {_SHOP} }}
"""
CHECKOUT = f"""
    id abandonedCheckoutUrl createdAt updatedAt completedAt
    customer {{ id }}
    totalPriceSet {_SHOP}
    subtotalPriceSet {_SHOP}
"""
CHECKOUT_LINE = f"""
      id title sku quantity
      product {{ id }}
      variant {{ id }}
      originalUnitPriceSet {_SHOP}
      discountedTotalPriceSet {_SHOP}
"""

_SORTED = "sortKey: UPDATED_AT"  # Shopify asks that the range be one of what is sorted by


@dataclass(frozen=True)
class _Export:
    """A resource's bulk query: its root connection, what that is given, and what is read of each node."""

    root: str
    arguments: tuple[str, ...]
    node: str

    def document(self, search: str | None) -> str:
        arguments = [*self.arguments, *([f'query: "{search}"'] if search else [])]
        given = f"({', '.join(arguments)})" if arguments else ""
        return f"{{\n  {self.root}{given} {{ edges {{ node {{ {self.node} }} }} }}\n}}"


# Abandoned checkouts cannot be sorted by their last change, only searched by it.
_EXPORTS: Mapping[str, _Export] = MappingProxyType(
    {
        "customers": _Export("customers", (_SORTED,), CUSTOMER),
        "products": _Export(
            "products", (_SORTED,), f"{PRODUCT}\n    variants {{ edges {{ node {{ {VARIANT} }} }} }}\n  "
        ),
        "orders": _Export("orders", (_SORTED,), f"{ORDER}\n    lineItems {{ edges {{ node {{ {LINE} }} }} }}\n  "),
        "checkouts": _Export(
            "abandonedCheckouts",
            (),
            f"{CHECKOUT}\n    lineItems {{ edges {{ node {{ {CHECKOUT_LINE} }} }} }}\n  ",
        ),
    }
)


def document(resource: str, since: datetime | None = None, until: datetime | None = None) -> str:
    """Return the bulk query of a resource's objects that were last changed from ``since`` to just before ``until``.

    Without either it is open at that end; Shopify's search knows whole seconds.
    """
    bounds = (("updated_at:>=", since), ("updated_at:<", until))
    search = " AND ".join(f"{name}'{instant(at)}'" for name, at in bounds if at is not None)
    return _EXPORTS[resource].document(search)


# Resource → bulk query of all of it. `refunds`, the fifth resource of a backfill, is read by `details.order_details`.
EXPORTS: Mapping[str, str] = MappingProxyType({resource: document(resource) for resource in _EXPORTS})


def oldest(resource: str) -> str:
    """Return the query of when the object that was changed first was; of checkouts, when the first was made."""
    field, key = ("createdAt", "CREATED_AT") if resource == "checkouts" else ("updatedAt", "UPDATED_AT")
    page = f"{_EXPORTS[resource].root}(first: 1, sortKey: {key})"
    return f"query Oldest {{ oldest: {page} {{ nodes {{ at: {field} }} }} }}"


_PAGE = "pageInfo { hasNextPage endCursor }"
_REFUND_LINE = f"id quantity restockType lineItem {{ id }} subtotalSet {_SHOP} totalTaxSet {_SHOP}"
_SALE = f"""
  actionType lineType quantity
  totalAmount {_SHOP} totalDiscountAmountBeforeTaxes {_SHOP} totalTaxAmount {_SHOP}
  ... on ProductSale {{ lineItem {{ id }} }}
  ... on GiftCardSale {{ lineItem {{ id }} }}
"""
_AGREEMENT = f"__typename id happenedAt sales(first: 10) {{ {_PAGE} nodes {{ {_SALE} }} }}"

# One order a call: the sizes keep its requested cost under 1,000 points. Agreements are dear, and only edits need them.
ORDER_DETAILS = f"""query OrderDetails($ids: [ID!]!) {{
  nodes(ids: $ids) {{ ... on Order {{
    id edited
    refunds {{
      id createdAt processedAt totalRefundedSet {_SHOP}
      refundLineItems(first: 10) {{ {_PAGE} nodes {{ {_REFUND_LINE} }} }}
      refundShippingLines(first: 5) {{ nodes {{ subtotalAmountSet {_SHOP} taxAmountSet {_SHOP} }} }}
    }}
  }} }}
}}"""

REFUND_LINES = f"""query RefundLines($id: ID!, $after: String) {{
  refund(id: $id) {{ refundLineItems(first: 100, after: $after) {{ {_PAGE} nodes {{ {_REFUND_LINE} }} }} }}
}}"""

ORDER_AGREEMENTS = f"""query OrderAgreements($id: ID!, $after: String) {{
  order(id: $id) {{ agreements(first: 5, after: $after) {{ {_PAGE} edges {{ cursor node {{ {_AGREEMENT} }} }} }} }}
}}"""

AGREEMENT_SALES = f"""query AgreementSales($id: ID!, $before: String, $after: String) {{
  order(id: $id) {{ agreements(first: 1, after: $before) {{ nodes {{
    sales(first: 50, after: $after) {{ {_PAGE} nodes {{ {_SALE} }} }}
  }} }} }}
}}"""

DETAIL_QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "order details": ORDER_DETAILS,
        "refund lines": REFUND_LINES,
        "order agreements": ORDER_AGREEMENTS,
        "agreement sales": AGREEMENT_SALES,
    }
)
