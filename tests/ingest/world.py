"""Two stores and a stranger, bodies as Shopify writes them, and a look at everything a store holds."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flask import Flask, current_app
from sqlalchemy import text

from shopify_app import ingest, rollups
from shopify_app.database import db, directory, tenant_work
from shopify_app.ingest import WebhookBody
from shopify_app.models import Tenant
from shopify_app.models.base import TENANT

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ZONE = "America/New_York"
KEY = b"the tombstones' key"


def at(minutes=0, *, days=0):
    """Return a moment some time after T0, as Shopify writes it."""
    return (T0 + timedelta(minutes=minutes, days=days)).isoformat()


@dataclass
class World:
    """The stores: `alpha` is acted on, `beta` holds data of its own, `stranger` never installed anything."""

    alpha: int
    beta: int
    stranger: int
    app: Flask

    @classmethod
    def made(cls):
        with directory() as session:
            tenants = [
                Tenant(store_url=f"{name}.myshopify.com", name=name, time_zone=ZONE, installed_at=T0)
                for name in ("alpha", "beta", "stranger")
            ]
            session.add_all(tenants)
            session.flush()
            return cls(*(tenant.id for tenant in tenants), app=current_app._get_current_object())

    def apply(self, *deliveries, tenant=None, now=NOW):
        """Apply (topic, body) or (topic, body, minutes after T0 of the event)."""
        bodies = [
            WebhookBody(
                id=number,
                topic=delivery[0],
                payload=delivery[1] if isinstance(delivery[1], bytes) else json.dumps(delivery[1]).encode(),
                triggered_at=T0 + timedelta(minutes=delivery[2]) if len(delivery) > 2 else None,
                received_at=NOW,
            )
            for number, delivery in enumerate(deliveries, start=1)
        ]
        with tenant_work(tenant or self.alpha) as session:
            return ingest.apply_webhooks(session, session.get_one(Tenant, tenant or self.alpha), bodies, now, KEY)

    def bulk(self, resource, *lines, backfill_id=7, tenant=None):
        with tenant_work(tenant or self.alpha) as session:
            store = session.get_one(Tenant, tenant or self.alpha)
            encoded = [line if isinstance(line, bytes) else compact(line) for line in lines]
            told = ingest.read_bulk_lines(resource, encoded, backfill_id)
            return ingest.apply_bulk_lines(session, store, told, NOW, KEY)

    def details(self, *nodes):
        with tenant_work(self.alpha) as session:
            return ingest.apply_order_details(session, session.get_one(Tenant, self.alpha), nodes, NOW)

    def refresh(self, *, rebuild=False):
        with tenant_work(self.alpha) as session:
            tenant = session.get_one(Tenant, self.alpha)
            return (rollups.rebuild if rebuild else rollups.refresh)(session, tenant, NOW)

    def rows(self, table, *, tenant=None, order="1, 2"):
        """Return a table's rows as the tenant sees them, without what only numbers or stamps them."""
        with tenant_work(tenant or self.alpha) as session:
            found = session.execute(text(f"SELECT * FROM {table} ORDER BY {order}")).mappings()  # noqa: S608 a constant
            return [dict(row) for row in found]

    def row(self, table, **keys):
        """Return the one row that has these values."""
        found = [row for row in self.rows(table) if all(row[name] == value for name, value in keys.items())]
        assert len(found) == 1, found
        return found[0]

    def everything(self, tenant=None):
        """Return all rows of all of the tenant's tables."""
        tables = [table.name for table in db.metadata.sorted_tables if table.info == TENANT]
        return {table: sorted(map(repr, self.rows(table, tenant=tenant))) for table in tables}

    def ledger(self):
        """Return the ledger as (kind, line type, day, units, gross, discounts, returns, shipping, taxes)."""
        return sorted(
            (
                row["kind"],
                row["line_type"],
                row["day_on"].isoformat(),
                row["quantity"],
                *(str(row[name].quantize(Decimal("0.01"))) for name in AMOUNTS),
            )
            for row in self.rows("sales")
        )

    def totals(self):
        """Return the ledger's sums by amount."""
        return {name: sum((row[name] for row in self.rows("sales")), Decimal(0)) for name in AMOUNTS}


def compact(line):
    """Return a line of an export as Shopify writes it."""
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode()


AMOUNTS = ("gross", "discounts", "returns", "shipping", "taxes")


def line(number=11, price="10.00", quantity=1, **changes):
    """Return a line of an order: `discount` and `tax` are for the whole quantity."""
    discount, tax = changes.pop("discount", None), changes.pop("tax", None)
    return {
        "id": number,
        "product_id": 500 + number,
        "variant_id": 600 + number,
        "title": f"Line {number}",
        "quantity": quantity,
        "current_quantity": quantity,
        "price": price,
        "total_discount": "0.00",
        "gift_card": False,
        "tax_lines": [{"price": tax}] if tax else [],
        "discount_allocations": [{"amount": discount}] if discount else [],
        **changes,
    }


def shipping(number=91, price="5.00", *, discounted=None, tax=None):
    return {
        "id": number,
        "title": "Standard",
        "price": price,
        "discounted_price": discounted or price,
        "tax_lines": [{"price": tax}] if tax else [],
    }


def order(number=1, lines=None, **changes):
    return {
        "id": number,
        "name": f"#{1000 + number}",
        "created_at": at(),
        "updated_at": at(),
        "processed_at": at(),
        "cancelled_at": None,
        "closed_at": None,
        "financial_status": "paid",
        "fulfillment_status": None,
        "customer": {"id": 77},
        "email": "ada@example.com",
        "currency": "USD",
        "taxes_included": False,
        "test": False,
        "tags": "vip, spring",
        "discount_codes": [],
        "line_items": [line()] if lines is None else lines,
        "shipping_lines": [],
        "refunds": [],
        **changes,
    }


def refund(number=31, order_id=1, lines=(), *, shipping=None, shipping_tax="0.00", minutes=60, days=0, paid="10.00"):
    """Return a refund of (line id, quantity, subtotal, tax)."""
    bag = [{"subtotal_amount_set": money(shipping), "tax_amount_set": money(shipping_tax)}] if shipping else []
    return {
        "id": number,
        "order_id": order_id,
        "created_at": at(minutes, days=days),
        "processed_at": at(minutes, days=days),
        "refund_line_items": [
            {
                "id": number * 100 + place,
                "line_item_id": line_id,
                "quantity": quantity,
                "restock_type": "return",
                "subtotal": float(subtotal),
                "subtotal_set": money(subtotal),
                "total_tax": float(tax),
                "total_tax_set": money(tax),
            }
            for place, (line_id, quantity, subtotal, tax) in enumerate(lines)
        ],
        "refund_shipping_lines": bag,
        "order_adjustments": [],
        "transactions": [{"kind": "refund", "status": "success", "amount": paid}],
    }


def edited(number=41, order_id=1, added=(), removed=(), minutes=30, days=0):
    """Return the body of orders/edited for (line id, units)."""
    return {
        "order_edit": {
            "id": number,
            "order_id": order_id,
            "created_at": at(minutes, days=days),
            "committed_at": at(minutes, days=days),
            "line_items": {
                "additions": [{"id": line_id, "delta": units} for line_id, units in added],
                "removals": [{"id": line_id, "delta": units} for line_id, units in removed],
            },
        }
    }


def customer(number=77, **changes):
    return {
        "id": number,
        "created_at": at(),
        "updated_at": at(),
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
        "phone": None,
        "state": "enabled",
        "default_address": {"city": "London", "country_code": "GB", "province_code": None},
        **changes,
    }


def product(number=511, **changes):
    return {
        "id": number,
        "created_at": at(),
        "updated_at": at(),
        "title": "Tent",
        "status": "active",
        "tags": "outdoor, new",
        "variants": [
            {"id": number * 10 + place, "title": f"Size {place}", "price": price, "position": place}
            for place, price in enumerate(("199.00", "89.50"), start=1)
        ],
        **changes,
    }


def gid(kind, number):
    return f"gid://shopify/{kind}/{number}"


def money(amount):
    return {"shop_money": {"amount": amount}, "presentment_money": {"amount": amount}}


def bag(amount):
    return {"shopMoney": {"amount": amount}}


def bulk_order(number=1, **changes):
    """Return a line of the orders export."""
    return {
        "id": gid("Order", number),
        "name": f"#{1000 + number}",
        "createdAt": "2026-03-01T12:00:00Z",
        "processedAt": "2026-03-01T12:00:00Z",
        "updatedAt": "2026-03-01T12:00:00Z",
        "test": False,
        "edited": False,
        "taxesIncluded": False,
        "currencyCode": "USD",
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "tags": ["vip"],
        "discountCodes": [],
        "customer": {"id": gid("Customer", 77)},
        "totalPriceSet": {**bag("10.00"), "presentmentMoney": {"amount": "9.20"}},
        "totalTaxSet": bag("0.00"),
        "currentShippingPriceSet": bag("0.00"),
        "totalRefundedShippingSet": bag("0.00"),
        "refunds": [],
        **changes,
    }


def bulk_line(number=11, order_id=1, price="10.00", quantity=1, **changes):
    """Return a line of the orders export that is a line of an order."""
    return {
        "id": gid("LineItem", number),
        "title": f"Line {number}",
        "quantity": quantity,
        "currentQuantity": quantity,
        "isGiftCard": False,
        "product": {"id": gid("Product", 500 + number)},
        "variant": None,
        "originalUnitPriceSet": bag(price),
        "discountAllocations": [],
        "taxLines": [],
        "__parentId": gid("Order", order_id),
        **changes,
    }
