"""Every table, one family per module, each in one of three classes: directory, queue or tenant."""

from shopify_app.models.accounts import Account, AccountSession, Invitation, Membership, StaffMember
from shopify_app.models.backfills import Backfill, BackfillSummary, WebhookSubscription
from shopify_app.models.carts import Cart, Checkout
from shopify_app.models.customers import Customer
from shopify_app.models.inbox import AppliedEvent, Claim, Delivery
from shopify_app.models.operators import AuditEntry, Operator, OperatorSession
from shopify_app.models.orders import (
    Order,
    OrderEdit,
    OrderEditLine,
    OrderLine,
    OrderShippingLine,
    Refund,
    RefundLine,
)
from shopify_app.models.privacy import DataExport, PrivacyRequest, Tombstone
from shopify_app.models.products import Product, ProductVariant
from shopify_app.models.reconciliations import DriftSummary, Reconciliation
from shopify_app.models.sales import DayTotal, DirtyDay, RollupState, Sale
from shopify_app.models.tenants import OfflineToken, Tenant

__all__ = [
    "Account",
    "AccountSession",
    "AppliedEvent",
    "AuditEntry",
    "Backfill",
    "BackfillSummary",
    "Cart",
    "Checkout",
    "Claim",
    "Customer",
    "DataExport",
    "DayTotal",
    "Delivery",
    "DirtyDay",
    "DriftSummary",
    "Invitation",
    "Membership",
    "OfflineToken",
    "Operator",
    "OperatorSession",
    "Order",
    "OrderEdit",
    "OrderEditLine",
    "OrderLine",
    "OrderShippingLine",
    "PrivacyRequest",
    "Product",
    "ProductVariant",
    "Reconciliation",
    "Refund",
    "RefundLine",
    "RollupState",
    "Sale",
    "StaffMember",
    "Tenant",
    "Tombstone",
    "WebhookSubscription",
]
