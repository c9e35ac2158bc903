"""Products and their variants; a product's price is its cheapest variant's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_app.database import clause
from shopify_app.ingest.customers import lowered
from shopify_app.ingest.freshness import Version
from shopify_app.ingest.staging import Row, Target, accepted, merge, put, stage
from shopify_app.ingest.texts import array
from shopify_app.shopify import bulk_lines, payloads
from shopify_app.shopify.payloads import tag_list
from shopify_app.shopify.scalars import number_of, present

_COLUMNS = ("title", "handle", "vendor", "product_type", "status", "tags", "published_at")
FROM_WEBHOOK = Target("products", ("shopify_id",), _COLUMNS, versioned=True)
FROM_BULK = Target("products", ("shopify_id",), (*_COLUMNS, "price"), versioned=True)
VARIANTS = Target(
    "product_variants",
    ("shopify_id",),
    (
        "product_shopify_id", "title", "sku", "barcode", "price", "compare_at_price", "position",
        "inventory_quantity", "updated_at",
    ),
)  # fmt: skip


def webhook_row(body: payloads.Product, version: Version) -> Row:
    """Return a row of ``FROM_WEBHOOK``."""
    return (
        body.id,
        body.created_at,
        *version,
        body.title,
        body.handle,
        body.vendor,
        body.product_type,
        lowered(body.status),
        array(tag_list(body.tags)),
        body.published_at,
    )


def bulk_row(line: bulk_lines.Product, version: Version) -> Row:
    """Return a row of ``FROM_BULK``."""
    lowest = line.price_range_v2.min_variant_price if line.price_range_v2 else None
    return (
        number_of(line.id),
        line.created_at,
        *version,
        line.title,
        line.handle,
        line.vendor,
        line.product_type,
        lowered(line.status),
        array(line.tags),
        line.published_at,
        lowest.amount if lowest else None,
    )


def bulk_variant_row(line: bulk_lines.Variant) -> Row:
    """Return a row of ``VARIANTS``."""
    return (
        number_of(line.id),
        number_of(line.parent_id),
        line.title,
        line.sku,
        line.barcode,
        line.price,
        line.compare_at_price,
        line.position,
        line.inventory_quantity,
        line.updated_at,
    )


def apply_products(
    session: Session, tenant_id: int, bodies: Mapping[int, tuple[Version, payloads.Product]], now: datetime
) -> tuple[int, int]:
    """Apply whole products from webhooks; returns the rows written and how many products were stale."""
    if not bodies:
        return 0, 0
    stage(session, FROM_WEBHOOK, (webhook_row(body, version) for version, body in bodies.values()))
    written = merge(session, tenant_id, FROM_WEBHOOK, now)
    current = accepted(session, tenant_id, FROM_WEBHOOK)
    kept = [body for number, (_, body) in bodies.items() if number in current]
    if not kept:
        return len(written), len(bodies)
    rows = {row[0]: row for body in kept for row in _variant_rows(body)}
    variants = put(session, tenant_id, VARIANTS, rows.values(), now)
    _drop_variants(session, tenant_id, kept)
    _reprice(session, tenant_id, [body.id for body in kept])
    return len(written) + len(variants), len(bodies) - len(current)


def keep_variants(session: Session, tenant_id: int, product_ids: list[int], variant_ids: list[int]) -> set[int]:
    """Drop all variants of these products but these; returns the products that had others."""
    values = {"tenant": tenant_id, "products": product_ids, "variants": variant_ids}
    return set(session.execute(clause(f"{_DROP_OTHERS} RETURNING product_shopify_id"), values).scalars())


def forget_variants(session: Session, tenant_id: int, product_ids: list[int | str]) -> None:
    """Drop the variants of products that a bulk line has just written: the lines of those left follow."""
    if product_ids:
        session.execute(clause(_DROP_ALL), {"tenant": tenant_id, "products": product_ids})


def _variant_rows(body: payloads.Product) -> Iterator[Row]:
    for variant in present(body.variants):
        if variant.id is not None:
            yield (
                variant.id,
                body.id,
                variant.title,
                variant.sku,
                variant.barcode,
                variant.price,
                variant.compare_at_price,
                variant.position,
                variant.inventory_quantity,
                variant.updated_at,
            )


def _variant_ids(body: payloads.Product) -> set[int]:
    """Return the ids of all variants the product has; the body shows a hundred of them and names the others."""
    named = (gid.admin_graphql_api_id for gid in present(body.variant_gids))
    numbers = {number_of(gid) for gid in named if gid}
    return numbers | {variant.id for variant in present(body.variants) if variant.id is not None}


def _drop_variants(session: Session, tenant_id: int, bodies: Iterable[payloads.Product]) -> None:
    products: list[int] = []
    variants: list[int] = []
    for body in bodies:
        if body.variants is not None:
            products.append(body.id)
            variants.extend(_variant_ids(body))
    session.execute(clause(_DROP_OTHERS), {"tenant": tenant_id, "products": products, "variants": variants})


def _reprice(session: Session, tenant_id: int, products: list[int]) -> None:
    session.execute(clause(_REPRICE), {"tenant": tenant_id, "products": products})


_DROP_ALL = "DELETE FROM product_variants WHERE tenant_id = :tenant AND product_shopify_id = ANY (:products)"
_DROP_OTHERS = f"{_DROP_ALL} AND shopify_id <> ALL (CAST(:variants AS bigint[]))"
_REPRICE = """
    UPDATE products SET price = lowest.price
    FROM (SELECT product_shopify_id, min(price) AS price FROM product_variants
          WHERE tenant_id = :tenant AND product_shopify_id = ANY (:products) GROUP BY product_shopify_id) AS lowest
    WHERE products.tenant_id = :tenant AND products.shopify_id = lowest.product_shopify_id
      AND products.price IS DISTINCT FROM lowest.price
"""
