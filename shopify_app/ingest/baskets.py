"""Carts and checkouts, and what becomes of them: ordered, left behind, come back to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from shopify_app import claims
from shopify_app.database import clause
from shopify_app.ingest import abandonment
from shopify_app.ingest.abandonment import Sighting
from shopify_app.ingest.freshness import Version
from shopify_app.ingest.staging import Row, Target
from shopify_app.ingest.texts import json, numbers
from shopify_app.shopify import bulk_lines, payloads
from shopify_app.shopify.scalars import Amount, added, number_of, optional_number, present
from shopify_app.statements import run

CARTS = Target("carts", ("shopify_id",), ("currency", "units", "total_price", "line_items"), versioned=True)

_MERGES = {
    "completed_at": "coalesce(excluded.completed_at, held.completed_at)",
    # Webhooks name no number since 2026-04, bulk lines always.
    "shopify_id": "coalesce(excluded.shopify_id, held.shopify_id)",
}
_SHARED = (
    "shopify_id", "completed_at", "customer_shopify_id", "total_price", "subtotal_price",
    "abandoned_checkout_url",
)  # fmt: skip
CHECKOUTS = Target(
    "checkouts",
    ("token",),
    (*_SHARED, "cart_token", "email", "phone", "currency", "closed_at", "line_items"),
    versioned=True,
    merges=_MERGES,
)
CHECKOUTS_FROM_BULK = Target("checkouts", ("token",), _SHARED, versioned=True, merges=_MERGES)
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
        checkout_token(line.id, line.abandoned_checkout_url),
        line.created_at,
        *version,
        number_of(line.id),
        line.completed_at,
        optional_number(line.customer.id if line.customer else None),
        bulk_lines.shop_amount(line.total_price_set),
        bulk_lines.shop_amount(line.subtotal_price_set),
        line.abandoned_checkout_url,
    )


def checkout_token(gid: str, url: str | None) -> str:
    """Return the token in a checkout's recovery address; without one its number stands in for it."""
    found = _TOKEN_IN_URL.search(url or "")
    return found[1] if found else f"checkout-{number_of(gid)}"


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
    return len(session.execute(clause(_ADD_LINES), values).all())


def bulk_line_rows(tokens: Mapping[int, str], lines: Iterable[bulk_lines.CheckoutLine]) -> list[Row]:
    """Return rows of ``CHECKOUT_LINES`` for whole checkouts, of which ``tokens`` has those of the ones meant."""
    kept: dict[str, list[dict[str, Any]]] = {token: [] for token in tokens.values()}
    for line in lines:
        if token := tokens.get(number_of(line.parent_id)):
            kept[token].append(_kept_bulk_line(line))
    return [(token, json(of_checkout)) for token, of_checkout in kept.items()]


@dataclass(frozen=True, kw_only=True)
class Touched:
    """What a batch told of baskets, or of what decides about them.

    ``orders`` and ``buried`` (checkouts) are numbers; ``deleted`` checkouts' tokens.
    """

    orders: Collection[int] = ()
    carts: Sequence[Sighting] = ()
    checkouts: Sequence[Sighting] = ()
    deleted: Collection[int | str] = ()
    buried: Collection[int] = ()


def cart_sighting(token: str, body: payloads.Cart, version: Version) -> Sighting:
    """Return when a cart was seen, and whether there was anything in it."""
    return Sighting(token, _seen_at(version), any((line.quantity or 0) > 0 for line in present(body.line_items)))


def checkout_sighting(token: str, body: payloads.Checkout, version: Version) -> Sighting:
    """Return when a checkout was seen, and whether its customer had said how to be reached."""
    return Sighting(token, _seen_at(version), bool(body.customer or body.email or body.phone))


def bulk_checkout_sighting(line: bulk_lines.Checkout) -> Sighting:
    """Return when a checkout was last touched; Shopify lists only those whose customer can be reached."""
    return Sighting(checkout_token(line.id, line.abandoned_checkout_url), line.updated_at, at_stake=True)


def settle(session: Session, tenant_id: int, touched: Touched, now: datetime) -> int:
    """Write what becomes of the baskets that were told of or whose orders were; returns how many changed their state.

    Either side may arrive first. The clock is asked to look again when the first of them would be abandoned.
    """
    carts: set[str | None] = {sighting.key for sighting in touched.carts}
    checkouts: set[str | None] = {sighting.key for sighting in touched.checkouts}
    checkouts.update(str(token) for token in touched.deleted)
    for cart, checkout in _of_orders(session, tenant_id, touched.orders):
        carts.add(cart)
        checkouts.add(checkout)
    for cart, checkout in _of_checkouts(session, tenant_id, checkouts, touched.buried):
        carts.add(cart)
        checkouts.add(checkout)
    settled = abandonment.settle(session, tenant_id, abandonment.CARTS, carts, now, touched.carts)
    settled += abandonment.settle(session, tenant_id, abandonment.CHECKOUTS, checkouts, now, touched.checkouts)
    if settled.due_at is not None:
        claims.put(session, claims.ABANDONMENT, tenant_id, due_at=settled.due_at)
    return settled.changed


def bury_by_number(session: Session, tenant_id: int, deleted: Mapping[int, Any]) -> int:
    """Mark checkouts as deleted by Shopify's number: checkouts/delete may come without the token."""
    if not deleted:
        return 0
    values = {"tenant": tenant_id, "ids": list(deleted), "instants": list(deleted.values())}
    return len(session.execute(clause(_BURY_BY_NUMBER), values).all())


def _seen_at(version: Version) -> datetime | str | None:
    return version.updated_at or version.triggered_at


def _of_orders(session: Session, tenant_id: int, orders: Collection[int]) -> Sequence[tuple[Any, ...]]:
    """Return the carts and checkouts we hold whose tokens these orders carry."""
    if not orders:
        return ()
    return run(session, _TOKENS_OF_ORDERS, {"tenant": tenant_id, "orders": numbers(orders)})


def _of_checkouts(
    session: Session, tenant_id: int, tokens: Collection[str | None], numbers: Collection[int]
) -> Sequence[tuple[Any, ...]]:
    """Return the carts that these checkouts were begun from, and the tokens of those known by number."""
    if not tokens and not numbers:
        return ()
    values = {"tenant": tenant_id, "tokens": list(tokens), "numbers": list(numbers)}
    return run(session, _CARTS_OF_CHECKOUTS, values)


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
    WHERE held.tenant_id = :tenant AND held.shopify_id = incoming.id
      AND held.backfill_id BETWEEN 1 AND :backfill
    RETURNING 1
"""
# Looked up order by order: while a history is loaded PostgreSQL takes these tables for empty, and joins accordingly.
_TOKENS_OF_ORDERS = """
    SELECT carts.shopify_id, checkouts.token
    FROM unnest(CAST(:orders AS bigint[])) AS asked (number)
    CROSS JOIN LATERAL (
        SELECT cart_token, checkout_token FROM orders
        WHERE tenant_id = :tenant AND shopify_id = asked.number OFFSET 0
    ) AS o
    LEFT JOIN LATERAL (
        SELECT shopify_id FROM carts WHERE tenant_id = :tenant AND shopify_id = o.cart_token OFFSET 0
    ) AS carts ON true
    LEFT JOIN LATERAL (
        SELECT token FROM checkouts WHERE tenant_id = :tenant AND token = o.checkout_token OFFSET 0
    ) AS checkouts ON true
    WHERE carts.shopify_id IS NOT NULL OR checkouts.token IS NOT NULL
"""
_CARTS_OF_CHECKOUTS = """
    SELECT cart_token, token FROM checkouts
    WHERE tenant_id = :tenant
      AND (token = ANY (CAST(:tokens AS text[])) OR shopify_id = ANY (CAST(:numbers AS bigint[])))
"""
_BURY_BY_NUMBER = """
    UPDATE checkouts SET deleted_at = gone.deleted_at
    FROM unnest(CAST(:ids AS bigint[]), CAST(:instants AS timestamptz[])) AS gone (id, deleted_at)
    WHERE checkouts.tenant_id = :tenant AND checkouts.shopify_id = gone.id AND checkouts.deleted_at IS NULL
    RETURNING 1
"""
