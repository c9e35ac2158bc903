"""The schema that is served: the SDL file, a resolver for each of its fields, and how they are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphql import GraphQLScalarType, build_schema, get_named_type

from devstore.graphql import (
    access,
    bulk_operations,
    checkouts,
    connections,
    customers,
    ledger,
    lines,
    mutations,
    orders,
    products,
    roots,
    shop,
    webhooks,
)
from devstore.graphql.connections import paginate
from devstore.graphql.context import (
    CheckoutLine,
    Context,
    Fields,
    InventoryItem,
    Line,
    Listing,
    Mailing,
    OrderRefund,
    Resolver,
    Transaction,
    Variant,
    Webhook,
)
from devstore.graphql.scalars import SCALARS
from devstore.installs import Installation
from devstore.model import Checkout, Customer, Order, Product, Shop

if TYPE_CHECKING:
    from graphql import GraphQLResolveInfo, GraphQLSchema

FIELDS: dict[str, Fields] = {
    "QueryRoot": roots.QUERY,
    "Mutation": mutations.MUTATION,
    "AbandonedCheckout": checkouts.CHECKOUT,
    "AbandonedCheckoutLineItem": checkouts.CHECKOUT_LINE,
    "AccessScope": shop.ACCESS_SCOPE,
    "ApiVersion": webhooks.API_VERSION,
    "App": shop.APP,
    "AppInstallation": shop.INSTALLATION,
    "BulkOperation": bulk_operations.OPERATION,
    "Count": roots.COUNT,
    "Customer": customers.CUSTOMER,
    "CustomerEmailAddress": customers.EMAIL_ADDRESS,
    "CustomerPhoneNumber": customers.PHONE_NUMBER,
    "CustomerSmsMarketingConsent": customers.SMS_CONSENT,
    "DiscountAllocation": lines.DISCOUNT_ALLOCATION,
    "Domain": shop.DOMAIN,
    "InventoryItem": products.INVENTORY_ITEM,
    "LineItem": lines.LINE_ITEM,
    "MailingAddress": customers.MAILING_ADDRESS,
    "MoneyBag": lines.MONEY_BAG,
    "MoneyV2": lines.MONEY,
    "Order": orders.ORDER,
    "OrderTransaction": lines.TRANSACTION,
    "PageInfo": connections.PAGE_INFO,
    "Product": products.PRODUCT,
    "ProductPriceRangeV2": products.PRICE_RANGE,
    "ProductVariant": products.VARIANT,
    "Refund": lines.REFUND,
    "RefundLineItem": lines.REFUND_LINE_ITEM,
    "RefundShippingLine": lines.REFUND_SHIPPING_LINE,
    "SaleTax": ledger.SALE_TAX,
    "ShippingLine": lines.SHIPPING_LINE,
    "Shop": shop.SHOP,
    "ShopPlan": shop.PLAN,
    "TaxLine": lines.TAX_LINE,
    "WebhookSubscription": webhooks.SUBSCRIPTION,
    **dict.fromkeys(("OrderAgreement", "OrderEditAgreement", "RefundAgreement"), ledger.AGREEMENT),
    **dict.fromkeys(("GiftCardSale", "ProductSale", "ShippingLineSale"), ledger.SALE),
}
# What no product here has: the fields that lead to these types are null.
ABSENT = frozenset({"Image", "MediaImage", "MediaPreviewImage", "TaxonomyCategory"})
RECORD_TYPES: dict[type, str] = {
    Checkout: "AbandonedCheckout",
    CheckoutLine: "AbandonedCheckoutLineItem",
    Customer: "Customer",
    Installation: "AppInstallation",
    InventoryItem: "InventoryItem",
    Line: "LineItem",
    Mailing: "MailingAddress",
    Order: "Order",
    OrderRefund: "Refund",
    Product: "Product",
    Shop: "Shop",
    Transaction: "OrderTransaction",
    Variant: "ProductVariant",
    Webhook: "WebhookSubscription",
    bulk_operations.Operation: "BulkOperation",
}


def resolver_of(type_name: str, field_name: str) -> Resolver:
    """Return the resolver of a field; the payloads of mutations are plain dicts, read by key."""
    if type_name.endswith("Connection"):
        return connections.CONNECTION[field_name]
    if type_name.endswith("Edge"):
        return connections.EDGE[field_name]
    if type_name in FIELDS:
        return FIELDS[type_name][field_name]
    return lambda source, _context: source[field_name]


def resolve(source: Any, info: GraphQLResolveInfo[Context], **arguments: Any) -> Any:  # noqa: ANN401 (graphql-core's contract)
    """Resolve any field for graphql-core: refuse what the scopes do not cover, cut connections into pages."""
    named = get_named_type(info.return_type).name
    access.require(info.context, named, info.field_name)
    access.require_approval(info.context, info.parent_type.name, info.field_name, named)
    value = resolver_of(info.parent_type.name, info.field_name)(source, info.context, **arguments)
    if isinstance(value, Listing):
        window = {
            name: arguments[name] for name in ("first", "last", "after", "before", "reverse") if name in arguments
        }
        return paginate(value, **window)
    return value


def type_name(value: object, *_graphql: object) -> str:
    """Return the object type of a value where the schema says interface."""
    if isinstance(value, ledger.Agreement):
        return ledger.agreement_type(value)
    if isinstance(value, ledger.Sale):
        return ledger.sale_type(value)
    return RECORD_TYPES[type(value)]


def _load() -> GraphQLSchema:
    """Build the schema and give its scalars their form on the wire."""
    schema = build_schema((Path(__file__).parent / "schema.graphql").read_text())
    for name, write in SCALARS.items():
        scalar = schema.type_map[name]
        if not isinstance(scalar, GraphQLScalarType):
            message = f"{name} is not a scalar"
            raise TypeError(message)
        scalar.coerce_output_value = write
    return schema


SCHEMA = _load()
