"""Carts and checkouts, and how an order completes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shopify_app.ingest.freshness import Version
from shopify_app.ingest.staging import Row, Target, json
from shopify_app.shopify import bulk_lines, payloads
from shopify_app.shopify.scalars import Amount, added, number_of, optional_number, present

CARTS = Target("carts", ("shopify_id",), ("currency", "units", "total_price", "line_items"), versioned=True)

_COMPLETED_AT = "coalesce(excluded.completed_at, held.completed_at)"
_COMPLETION = {
    "completed_at": _COMPLETED_AT,
    "status": f"CASE WHEN {_COMPLETED_AT} IS NULL THEN 'open' ELSE 'completed' END",
    # Webhooks name no number since 2026-04, bulk lines always.
    "shopify_id": "coalesce(excluded.shopify_id, held.shopify_id)",
}
_SHARED = (
    "shopify_id", "status", "completed_at", "customer_shopify_id", "total_price", "subtotal_price",
    "abandoned_checkout_url",
)  # fmt: skip
CHECKOUTS = Target(
    "checkouts",
    ("token",),
    (*_SHARED, "cart_token", "email", "phone", "currency", "closed_at", "line_items"),
    versioned=True,
    merges=_COMPLETION,
)
CHECKOUTS_FROM_BULK = Target("checkouts", ("token",), _SHARED, versioned=True, merges=_COMPLETION)
CHECKOUT_LINES = Target("checkouts", ("token",), ("line_items",))

# …/checkouts/<token>/…, with a channel's two letters before the token in newer ones (ac, cn).
_TOKEN_IN_URL = re.compile(r"/checkouts/(?:[a-z]{2}/)?([^/?#]+)")


def cart_row(body: payloads.Cart, version: Version) -> Row:
    """Return a row of ``CARTS``; a cart's total is its lines'."""
    lines = list(present(body.line_items))
    bag = next((line.price_set for line in lines if line.price_set), None)
    return (
        body.id,
        body.created_at,
        *version,
        bag.shop_money.currency_code if bag and bag.shop_money else None,
        sum(line.quantity or 0 for line in lines),
        added(map(_line_price, lines)),
        json([_kept_line(line) for line in lines]),
    )


def checkout_row(body: payloads.Checkout, version: Version) -> Row:
    """Return a row of ``CHECKOUTS``."""
    return (
        body.token,
        body.created_at,
        *version,
        body.id,
        "completed" if body.completed_at else "open",
        body.completed_at,
        body.customer.id if body.customer else None,
        body.total_price,
        body.subtotal_price,
        body.abandoned_checkout_url,
        body.cart_token,
        body.email,
        body.phone,
        body.currency,
        body.closed_at,
        json([_kept_line(line) for line in present(body.line_items)]),
    )


def bulk_checkout_row(line: bulk_lines.Checkout, version: Version) -> Row:
    """Return a row of ``CHECKOUTS_FROM_BULK``."""
    return (
        checkout_token(line),
        line.created_at,
        *version,
        number_of(line.id),
        "completed" if line.completed_at else "open",
        line.completed_at,
        optional_number(line.customer.id if line.customer else None),
        bulk_lines.shop_amount(line.total_price_set),
        bulk_lines.shop_amount(line.subtotal_price_set),
        line.abandoned_checkout_url,
    )


def checkout_token(line: bulk_lines.Checkout) -> str:
    """Return the token in the checkout's recovery address; without one its number stands in for it."""
    found = _TOKEN_IN_URL.search(line.abandoned_checkout_url or "")
    return found[1] if found else f"checkout-{number_of(line.id)}"


def apply_bulk_lines(
    session: Session, tenant_id: int, lines: Iterable[bulk_lines.CheckoutLine], backfill_id: int
) -> int:
    """Write the lines of checkouts that this backfill wrote; returns the number of checkouts that changed."""
    of_checkout: dict[int, list[dict[str, Any]]] = {}
    for line in lines:
        of_checkout.setdefault(number_of(line.parent_id), []).append(_kept_bulk_line(line))
    if not of_checkout:
        return 0
    values = {
        "tenant": tenant_id,
        "backfill": backfill_id,
        "ids": list(of_checkout),
        "lines": [json(kept) for kept in of_checkout.values()],
    }
    return len(session.execute(text(_ADD_LINES), values).all())


def complete(session: Session, tenant_id: int, touched: Mapping[str, Iterable[int | str]]) -> int:
    """Mark as completed what an order's tokens name; returns the rows that changed.

    ``touched`` names orders, carts and checkouts of this batch by key: either side may arrive first.
    """
    values: dict[str, Any] = {name: list(keys) for name, keys in touched.items()}
    if not any(values.values()):
        return 0
    values["tenant"] = tenant_id
    carts = session.execute(text(_COMPLETE_CARTS), values).all()
    return len(carts) + len(session.execute(text(_COMPLETE_CHECKOUTS), values).all())


def bury_by_number(session: Session, tenant_id: int, deleted: Mapping[int, Any]) -> int:
    """Mark checkouts as deleted by Shopify's number: checkouts/delete may come without the token."""
    if not deleted:
        return 0
    values = {"tenant": tenant_id, "ids": list(deleted), "instants": list(deleted.values())}
    return len(session.execute(text(_BURY_BY_NUMBER), values).all())


def _line_price(line: payloads.BasketLine) -> Amount:
    if line.line_price is not None:
        return line.line_price
    return str(Decimal(str(line.price or 0)) * (line.quantity or 0))


def _kept_line(line: payloads.BasketLine) -> dict[str, Any]:
    """Return what is kept of a line: what it was, how many, and for how much."""
    return {
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "title": line.title,
        "sku": line.sku,
        "quantity": line.quantity,
        "price": _text(line.price),
        "line_price": _text(line.line_price),
    }


def _kept_bulk_line(line: bulk_lines.CheckoutLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "product_id": optional_number(line.product.id if line.product else None),
        "variant_id": optional_number(line.variant.id if line.variant else None),
        "title": line.title,
        "sku": line.sku,
        "quantity": line.quantity,
        "price": _text(bulk_lines.shop_amount(line.original_unit_price_set)),
        "line_price": _text(bulk_lines.shop_amount(line.discounted_total_price_set)),
    }


def _text(amount: Amount | None) -> str | None:
    return None if amount is None else str(amount)


# A line that was written before, by an operation that had to be repeated, is replaced.
_ADD_LINES = """
    UPDATE checkouts AS held SET line_items =
      coalesce((SELECT jsonb_agg(old) FROM jsonb_array_elements(held.line_items) AS old
                WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(incoming.lines) AS new
                                  WHERE new ->> 'id' = old ->> 'id')),
               '[]') || incoming.lines
    FROM (SELECT id, CAST(lines AS jsonb) AS lines
          FROM unnest(CAST(:ids AS bigint[]), CAST(:lines AS text[])) AS told (id, lines)) AS incoming
    WHERE held.tenant_id = :tenant AND held.shopify_id = incoming.id AND held.backfill_id = :backfill
    RETURNING 1
"""
_COMPLETE_CARTS = """
    UPDATE carts SET status = 'completed', completed_at = o.processed_at
    FROM orders AS o
    WHERE carts.tenant_id = :tenant AND o.tenant_id = :tenant AND o.cart_token = carts.shopify_id
      AND (o.shopify_id = ANY (CAST(:orders AS bigint[])) OR carts.shopify_id = ANY (CAST(:carts AS text[])))
      AND carts.status <> 'completed'
    RETURNING 1
"""
_COMPLETE_CHECKOUTS = """
    UPDATE checkouts SET status = 'completed', completed_at = coalesce(completed_at, o.processed_at)
    FROM orders AS o
    WHERE checkouts.tenant_id = :tenant AND o.tenant_id = :tenant AND o.checkout_token = checkouts.token
      AND (o.shopify_id = ANY (CAST(:orders AS bigint[])) OR checkouts.token = ANY (CAST(:checkouts AS text[])))
      AND checkouts.status <> 'completed'
    RETURNING 1
"""
_BURY_BY_NUMBER = """
    UPDATE checkouts SET deleted_at = gone.deleted_at
    FROM unnest(CAST(:ids AS bigint[]), CAST(:instants AS timestamptz[])) AS gone (id, deleted_at)
    WHERE checkouts.tenant_id = :tenant AND checkouts.shopify_id = gone.id AND checkouts.deleted_at IS NULL
    RETURNING 1
"""
