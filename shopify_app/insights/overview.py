"""The overview of a store over a range of days. Totals are read from the rollups, lists from the ledger."""

# ruff: noqa: S608 - statements are put together from the constants of this module; values are bound

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

from shopify_app.insights.ranges import Range
from shopify_app.models import Tenant

TOP = 5
ZERO = Decimal(0)
Value = Decimal | int | None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number with the one it is compared with; None where there is none, such as the average of no orders.

    ``name`` is also the key of its sentence in ``definitions.DEFINITIONS``. ``unit`` is ``money`` (in the overview's
    currency), ``count``, or ``share`` (0 to 1). Discounts and returns are positive magnitudes.
    """

    name: str
    unit: str
    value: Value
    compared: Value = None


@dataclass(frozen=True, kw_only=True)
class Day:
    """The totals of one day; a day without sales has zeros."""

    day_on: date
    orders: int = 0
    units: int = 0
    gross_sales: Decimal = ZERO
    discounts: Decimal = ZERO
    returns: Decimal = ZERO
    shipping: Decimal = ZERO
    taxes: Decimal = ZERO

    @property
    def net_sales(self) -> Decimal:
        """Gross sales − discounts − returns."""
        return self.gross_sales - self.discounts - self.returns

    @property
    def total_sales(self) -> Decimal:
        """Net sales + shipping + taxes."""
        return self.net_sales + self.shipping + self.taxes


@dataclass(frozen=True, kw_only=True)
class TopCustomer:
    """A customer by net sales; ``orders`` are those placed in the range, what was returned may be of earlier ones."""

    shopify_id: int
    name: str | None
    email: str | None
    orders: int
    net_sales: Decimal


@dataclass(frozen=True, kw_only=True)
class TopProduct:
    """A product by net sales; ``units`` are those ordered in the range, edits and returns left out."""

    shopify_id: int
    title: str | None
    units: int
    net_sales: Decimal


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The answer: figures by name, days in order (``compared_days`` beside them), and the best five."""

    currency: str
    range: Range
    compared: Range | None
    figures: Mapping[str, Figure]
    days: tuple[Day, ...]
    compared_days: tuple[Day, ...]
    top_customers: tuple[TopCustomer, ...]
    top_products: tuple[TopProduct, ...]


def overview(session: Session, tenant: Tenant, chosen: Range, compared: Range | None = None) -> Overview:
    """Answer for ``chosen``, each figure beside ``compared``'s; the transaction is one of the tenant's."""
    days, values = _totals(session, tenant, chosen)
    compared_days, compared_values = _totals(session, tenant, compared) if compared else ((), {})
    return Overview(
        currency=tenant.currency,
        range=chosen,
        compared=compared,
        figures={
            name: Figure(name=name, unit=unit, value=values[name], compared=compared_values.get(name))
            for name, unit in UNITS.items()
        },
        days=days,
        compared_days=compared_days,
        top_customers=_top_customers(session, tenant, chosen),
        top_products=_top_products(session, tenant, chosen),
    )


UNITS = {
    "total_sales": "money",
    "gross_sales": "money",
    "discounts": "money",
    "returns": "money",
    "net_sales": "money",
    "shipping": "money",
    "taxes": "money",
    "orders": "count",
    "average_order_value": "money",
    "returning_customer_rate": "share",
}
_SUMMED = ("total_sales", "gross_sales", "discounts", "returns", "net_sales", "shipping", "taxes", "orders")


def _totals(session: Session, tenant: Tenant, chosen: Range) -> tuple[tuple[Day, ...], dict[str, Value]]:
    """Return the days of a range and its figures by name."""
    rows = session.execute(text(_DAYS), _values(tenant, chosen)).all()
    known = {row.day_on: Day(**{name: getattr(row, name) for name in Day.__dataclass_fields__}) for row in rows}
    days = tuple(known.get(day) or Day(day_on=day) for day in chosen.dates())
    values: dict[str, Value] = {name: sum((getattr(day, name) for day in days), ZERO) for name in _SUMMED}
    orders = sum(day.orders for day in days)
    as_placed = sum((row.ordered_gross - row.ordered_discounts for row in rows), ZERO)
    values["orders"] = orders
    values["average_order_value"] = as_placed / orders if orders else None
    values["returning_customer_rate"] = _returning_rate(session, tenant, chosen)
    return days, values


def _returning_rate(session: Session, tenant: Tenant, chosen: Range) -> Decimal | None:
    row = session.execute(text(_RETURNING), _values(tenant, chosen)).one()
    return Decimal(row.returning) / row.customers if row.customers else None


def _top_customers(session: Session, tenant: Tenant, chosen: Range) -> tuple[TopCustomer, ...]:
    rows = session.execute(text(_TOP_CUSTOMERS), {**_values(tenant, chosen), "top": TOP})
    return tuple(TopCustomer(**row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's documented way


def _top_products(session: Session, tenant: Tenant, chosen: Range) -> tuple[TopProduct, ...]:
    rows = session.execute(text(_TOP_PRODUCTS), {**_values(tenant, chosen), "top": TOP})
    return tuple(TopProduct(**row._mapping) for row in rows)  # noqa: SLF001 - as above


def _values(tenant: Tenant, chosen: Range) -> dict[str, object]:
    return {"tenant": tenant.id, "zone": tenant.time_zone, "start_on": chosen.start_on, "end_on": chosen.end_on}


_DAYS = """
    SELECT day_on, orders, units, gross AS gross_sales, discounts, returns, shipping, taxes,
           ordered_gross, ordered_discounts
    FROM day_totals WHERE tenant_id = :tenant AND day_on BETWEEN :start_on AND :end_on
"""
# Orders that count, and those of them that were placed in the range; the bounds are midnights of the shop's zone.
_PLACED = """
    NOT test AND deleted_at IS NULL
    AND processed_at >= CAST(CAST(:start_on AS date) AS timestamp) AT TIME ZONE :zone
    AND processed_at < CAST(CAST(:end_on AS date) + 1 AS timestamp) AT TIME ZONE :zone
"""
_RETURNING = f"""
    WITH ordering AS (
        SELECT DISTINCT customer_shopify_id FROM orders
        WHERE tenant_id = :tenant AND customer_shopify_id IS NOT NULL AND {_PLACED}
    )
    SELECT count(*) AS customers, count(*) FILTER (WHERE history.orders > 1) AS returning
    FROM ordering CROSS JOIN LATERAL (
        SELECT count(*) AS orders FROM orders AS o
        WHERE o.tenant_id = :tenant AND o.customer_shopify_id = ordering.customer_shopify_id
          AND NOT o.test AND o.deleted_at IS NULL AND o.processed_at IS NOT NULL
    ) AS history
"""
_TOP_CUSTOMERS = f"""
    WITH best AS (
        SELECT customer_shopify_id AS shopify_id, sum(gross - discounts - returns) AS net_sales
        FROM sales
        WHERE tenant_id = :tenant AND day_on BETWEEN :start_on AND :end_on AND customer_shopify_id IS NOT NULL
        GROUP BY customer_shopify_id ORDER BY net_sales DESC, customer_shopify_id LIMIT :top
    )
    SELECT best.shopify_id, customer.name, customer.email, best.net_sales,
           (SELECT count(*) FROM orders AS o
            WHERE o.tenant_id = :tenant AND o.customer_shopify_id = best.shopify_id AND {_PLACED}) AS orders
    FROM best LEFT JOIN customers AS customer
      ON customer.tenant_id = :tenant AND customer.shopify_id = best.shopify_id
    ORDER BY best.net_sales DESC, best.shopify_id
"""
_TOP_PRODUCTS = """
    WITH best AS (
        SELECT product_shopify_id AS shopify_id, sum(gross - discounts - returns) AS net_sales,
               coalesce(sum(quantity) FILTER (WHERE kind = 'order'), 0) AS units
        FROM sales
        WHERE tenant_id = :tenant AND day_on BETWEEN :start_on AND :end_on AND product_shopify_id IS NOT NULL
        GROUP BY product_shopify_id ORDER BY net_sales DESC, product_shopify_id LIMIT :top
    )
    SELECT best.shopify_id, best.net_sales, best.units,
           -- A product that is unknown goes by what the newest of its order lines calls it.
           coalesce(product.title, (SELECT line.title FROM sales AS sale JOIN order_lines AS line
             ON line.tenant_id = :tenant AND line.shopify_id = sale.order_line_shopify_id
             WHERE sale.tenant_id = :tenant AND sale.product_shopify_id = best.shopify_id
               AND sale.day_on BETWEEN :start_on AND :end_on
             ORDER BY sale.happened_at DESC, line.shopify_id DESC LIMIT 1)) AS title
    FROM best LEFT JOIN products AS product
      ON product.tenant_id = :tenant AND product.shopify_id = best.shopify_id
    ORDER BY best.net_sales DESC, best.shopify_id
"""
