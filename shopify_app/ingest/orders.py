"""Orders, their lines and shipping charges, from webhooks and from bulk lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from shopify_app.ingest.customers import lowered
from shopify_app.ingest.freshness import Version
from shopify_app.ingest.staging import Row, Target, merge_children, put_off_merge, stage_text
from shopify_app.ingest.texts import array, copy_text, numbers
from shopify_app.shopify import bulk_lines, payloads_orders
from shopify_app.shopify.payloads import Address, MaybeAddress, MoneyBag, tag_list
from shopify_app.shopify.scalars import Amount, added, number_of, optional_number, present
from shopify_app.statements import column

_COLUMNS = (
    "name", "status", "financial_status", "fulfillment_status", "customer_shopify_id", "email", "phone",
    "country_code", "source_name", "tags", "discount_codes", "currency", "total_price", "subtotal_price",
    "total_discounts", "total_tax", "total_shipping", "current_total_price", "presentment_currency",
    "presentment_total_price", "taxes_included", "test", "cart_token", "checkout_token", "cancel_reason",
    "processed_at", "cancelled_at", "closed_at",
)  # fmt: skip
FROM_WEBHOOK = Target("orders", ("shopify_id",), _COLUMNS, versioned=True)
# Only GraphQL says whether an order was edited; webhooks tell it by orders/edited.
FROM_BULK = Target(
    "orders",
    ("shopify_id",),
    (*_COLUMNS, "edited"),
    versioned=True,
    merges={"edited": "(held.edited OR excluded.edited)"},
)
LINES = Target(
    "order_lines",
    ("shopify_id", "order_shopify_id"),
    (
        "product_shopify_id", "variant_shopify_id", "title", "variant_title", "sku", "vendor",
        "quantity", "current_quantity", "price", "discount", "tax", "gift_card",
    ),
)  # fmt: skip
SHIPPING_LINES = Target(
    "order_shipping_lines", ("shopify_id", "order_shopify_id"), ("title", "price", "discount", "tax")
)

# GraphQL's words for a fulfillment status, where they are not the webhooks' in capitals.
_FULFILLMENT = {"UNFULFILLED": None, "PARTIALLY_FULFILLED": "partial", "FULFILLMENT_NOT_REQUIRED": "not_required"}


def webhook_row(body: payloads_orders.Order, version: Version) -> Row:
    """Return a row of ``FROM_WEBHOOK``."""
    return (
        body.id,
        body.created_at,
        *version,
        body.name,
        _status(body.cancelled_at, body.closed_at),
        lowered(body.financial_status),
        lowered(body.fulfillment_status),
        body.customer.id if body.customer else None,
        body.email,
        body.phone,
        _country(body.shipping_address) or _country(body.billing_address),
        body.source_name,
        array(tag_list(body.tags)),
        array(code.code for code in present(body.discount_codes)),
        body.currency,
        body.total_price,
        body.subtotal_price,
        body.total_discounts,
        body.total_tax,
        added(charged(line) for line in present(body.shipping_lines)),
        body.current_total_price,
        body.presentment_currency,
        _presentment(body.total_price_set),
        body.taxes_included,
        bool(body.test),
        body.cart_token,
        body.checkout_token,
        body.cancel_reason,
        body.processed_at or body.created_at,
        body.cancelled_at,
        body.closed_at,
    )


def bulk_row(line: bulk_lines.Order, version: Version) -> Row:
    """Return a row of ``FROM_BULK``."""
    address = line.shipping_address or line.billing_address
    presentment = line.total_price_set.presentment_money if line.total_price_set else None
    return (
        number_of(line.id),
        line.created_at,
        *version,
        line.name,
        _status(line.cancelled_at, line.closed_at),
        lowered(line.display_financial_status),
        _FULFILLMENT.get(line.display_fulfillment_status or "", lowered(line.display_fulfillment_status)),
        optional_number(line.customer.id if line.customer else None),
        line.email,
        line.phone,
        address.country_code_v2 if address else None,
        line.source_name,
        array(line.tags),
        array(line.discount_codes),
        line.currency_code,
        bulk_lines.shop_amount(line.total_price_set),
        bulk_lines.shop_amount(line.subtotal_price_set),
        bulk_lines.shop_amount(line.total_discounts_set),
        bulk_lines.shop_amount(line.total_tax_set),
        # Shopify's "current" shipping is what is left after refunds; the charge itself is both.
        added(map(bulk_lines.shop_amount, (line.current_shipping_price_set, line.total_refunded_shipping_set))),
        bulk_lines.shop_amount(line.current_total_price_set),
        line.presentment_currency_code,
        presentment.amount if presentment else None,
        line.taxes_included,
        bool(line.test),
        line.cart_token,
        line.checkout_token,
        lowered(line.cancel_reason),
        line.processed_at or line.created_at,
        line.cancelled_at,
        line.closed_at,
        bool(line.edited),
    )


def line_rows(body: payloads_orders.Order) -> Iterator[Row]:
    """Yield rows of ``LINES``; a line without an id cannot be kept."""
    for line in present(body.line_items):
        if line.id is not None:
            yield (
                line.id,
                body.id,
                line.product_id,
                line.variant_id,
                line.title,
                line.variant_title,
                line.sku,
                line.vendor,
                line.quantity or 0,
                line.current_quantity,
                line.price or 0,
                _discount(line.discount_allocations, line.total_discount),
                added(tax.price for tax in present(line.tax_lines)),
                bool(line.gift_card),
            )


def shipping_rows(body: payloads_orders.Order) -> Iterator[Row]:
    """Yield rows of ``SHIPPING_LINES``."""
    for line in present(body.shipping_lines):
        if line.id is not None:
            price = line.price or 0
            tax = added(tax.price for tax in present(line.tax_lines))
            yield (line.id, body.id, line.title, price, Decimal(str(price)) - Decimal(str(charged(line))), tax)


def bulk_line_row(line: bulk_lines.Line) -> Row:
    """Return a row of ``LINES``."""
    return (
        number_of(line.id),
        number_of(line.parent_id),
        optional_number(line.product.id if line.product else None),
        optional_number(line.variant.id if line.variant else None),
        line.title,
        line.variant_title,
        line.sku,
        line.vendor,
        line.quantity or 0,
        line.current_quantity,
        bulk_lines.shop_amount(line.original_unit_price_set) or 0,
        added([bulk_lines.shop_amount(share.allocated_amount_set) for share in line.discount_allocations or ()]),
        added([bulk_lines.shop_amount(tax.price_set) for tax in line.tax_lines or ()]),
        bool(line.is_gift_card),
    )


Newest = Mapping[int, tuple[Version, payloads_orders.Order]]


@dataclass(frozen=True, kw_only=True)
class OrderTexts:
    """Orders as the rows of three targets, in COPY's text format; empty where there is no row."""

    orders: str
    lines: str
    shipping_lines: str

    @classmethod
    def of(cls, bodies: Newest) -> OrderTexts:
        """Write the rows of the newest version of each order, a line once however often its order names it."""
        lines = {row[:2]: row for _, body in bodies.values() for row in line_rows(body)}
        shipping = {row[:2]: row for _, body in bodies.values() for row in shipping_rows(body)}
        return cls(
            orders=copy_text(webhook_row(body, version) for version, body in bodies.values()),
            lines=copy_text(lines.values()),
            shipping_lines=copy_text(shipping.values()),
        )


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written of a batch of orders, and the refunds found on those that are no older than what is held.

    ``new`` are those of the ``changed`` orders that nobody had told us of before; ``stale`` counts the others' bodies.
    """

    rows: int = 0
    stale: int = 0
    changed: set[int] = field(default_factory=set)
    new: frozenset[int] = frozenset()
    refunds: list[payloads_orders.Refund] = field(default_factory=list)


def apply_lines(
    session: Session, tenant_id: int, bodies: Newest, texts: OrderTexts, now: datetime, *, new: set[int]
) -> tuple[int, set[int]]:
    """Let these be all lines and shipping charges of these orders; returns the rows and the orders that changed.

    Of orders that are all new nothing needs to be asked.
    """
    written, changed = 0, set[int]()
    held = [body for number, (_, body) in bodies.items() if number not in new]
    if not held:
        return _write_first_lines(session, tenant_id, texts, now), set(bodies)
    for target, rows, rows_of in (
        (LINES, texts.lines, line_rows),
        (SHIPPING_LINES, texts.shipping_lines, shipping_rows),
    ):
        dropped = _drop_others(session, tenant_id, target, held, rows_of) if held else []
        parents: list[int] = []
        if rows:
            stage_text(session, target, rows)
            parents = merge_children(session, tenant_id, target, now, "order_shopify_id")
        written += len(dropped) + len(parents)
        changed.update(dropped, parents)
    return written, changed


def _write_first_lines(session: Session, tenant_id: int, texts: OrderTexts, now: datetime) -> int:
    for target, rows in ((LINES, texts.lines), (SHIPPING_LINES, texts.shipping_lines)):
        if rows:
            stage_text(session, target, rows)
            put_off_merge(session, tenant_id, target, now)
    return texts.lines.count("\n") + texts.shipping_lines.count("\n")


def _drop_others(
    session: Session,
    tenant_id: int,
    target: Target,
    bodies: list[payloads_orders.Order],
    rows_of: Callable[[payloads_orders.Order], Iterator[Row]],
) -> list[int]:
    """Drop what the bodies no longer list; returns the order of each row that went."""
    values = {
        "tenant": tenant_id,
        "orders": numbers(body.id for body in bodies),
        "lines": numbers(row[0] for body in bodies for row in rows_of(body)),
    }
    return column(session, _DROP_OTHERS.format(table=target.table), values)


def charged(line: payloads_orders.ShippingLine) -> Amount:
    """Return what a shipping line costs after its discounts."""
    if line.discounted_price is not None:
        return line.discounted_price
    off = added(share.amount for share in present(line.discount_allocations))
    return str(Decimal(str(line.price or 0)) - Decimal(off))


def _discount(allocations: Iterable[payloads_orders.Allocation | None] | None, total_discount: Amount | None) -> Amount:
    """Return a line's discount: its allocations, or what a draft order or a script took off outside of them."""
    shares = [share.amount for share in present(allocations)]
    return added(shares) if shares else total_discount or 0


def _status(cancelled_at: datetime | str | None, closed_at: datetime | str | None) -> str:
    if cancelled_at:
        return "cancelled"
    return "closed" if closed_at else "open"


def _country(address: MaybeAddress) -> str | None:
    return address.country_code if isinstance(address, Address) else None


def _presentment(bag: MoneyBag | None) -> Amount | None:
    return bag.presentment_money.amount if bag and bag.presentment_money else None


_DROP_OTHERS = """
    DELETE FROM {table} WHERE tenant_id = :tenant AND order_shopify_id = ANY (CAST(:orders AS bigint[]))
      AND shopify_id <> ALL (CAST(:lines AS bigint[]))
    RETURNING order_shopify_id
"""
