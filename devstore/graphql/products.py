"""Products, variants, inventory items, as GraphQL shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from devstore.graphql.context import Context, Fields, InventoryItem, Listing, Money, Variant
from devstore.graphql.scalars import gid

if TYPE_CHECKING:
    from devstore.model import Product
    from devstore.state import Store

ONLY_VARIANT = "Default Title"


class PriceRange(NamedTuple):
    """The cheapest and the dearest variant."""

    lowest: Money
    highest: Money


def find_variant(store: Store, product_id: int | None, variant_id: int | None) -> Variant | None:
    """Return a variant, or None when it or its product was deleted."""
    product = store.products.get(product_id) if product_id else None
    found = [variant for variant in product.variants if variant.id == variant_id] if product else []
    return Variant(product, found[0]) if product and found else None


def _price_range(product: Product, context: Context) -> PriceRange:
    """Return the range of prices in the shop's currency."""
    prices = [variant.price for variant in product.variants] or [Decimal(0)]
    currency = context.store.shop.currency
    return PriceRange(Money(min(prices), currency), Money(max(prices), currency))


def _online_url(product: Product, context: Context) -> str | None:
    """Return the page in the online store, for what is published there."""
    if product.status != "active" or product.published_at is None:
        return None
    return f"https://{context.store.shop.domain}/products/{product.handle}"


def _variant_name(source: Variant, _context: Context) -> str:
    """Return ``Product - Variant``."""
    title = source.variant.title
    return source.product.title if title == ONLY_VARIANT else f"{source.product.title} - {title}"


def _for_sale(source: Variant, _context: Context) -> bool:
    """Tell whether it can be bought: in stock, and its product active."""
    return source.product.status == "active" and source.variant.inventory_quantity > 0


PRODUCT: Fields = {
    "category": lambda _product, _context: None,
    "createdAt": lambda product, _context: product.created_at,
    "descriptionHtml": lambda product, _context: product.body_html,
    "featuredMedia": lambda _product, _context: None,
    "handle": lambda product, _context: product.handle,
    "hasOnlyDefaultVariant": lambda product, _context: [v.title for v in product.variants] == [ONLY_VARIANT],
    "id": lambda product, _context: gid("Product", product.id),
    "isGiftCard": lambda product, _context: product.gift_card,
    "legacyResourceId": lambda product, _context: product.id,
    "onlineStoreUrl": _online_url,
    "priceRangeV2": _price_range,
    "productType": lambda product, _context: product.product_type,
    "publishedAt": lambda product, _context: product.published_at,
    "status": lambda product, _context: product.status.upper(),
    "tags": lambda product, _context: sorted(product.tags),
    "title": lambda product, _context: product.title,
    "totalInventory": lambda product, _context: sum(variant.inventory_quantity for variant in product.variants),
    "updatedAt": lambda product, _context: product.updated_at,
    "variants": lambda product, _context, sortKey="POSITION", **_page: Listing(  # noqa: N803 (GraphQL's name)
        [
            Variant(product, variant)
            for variant in sorted(product.variants, key=lambda one: one.id if sortKey == "ID" else one.position)
        ]
    ),
    "variantsCount": lambda product, _context: (len(product.variants), True),
    "vendor": lambda product, _context: product.vendor,
}
VARIANT: Fields = {
    "availableForSale": _for_sale,
    "barcode": lambda source, _context: source.variant.barcode,
    "compareAtPrice": lambda source, _context: source.variant.compare_at_price,
    "createdAt": lambda source, _context: source.variant.created_at,
    "displayName": _variant_name,
    "id": lambda source, _context: gid("ProductVariant", source.variant.id),
    "inventoryItem": lambda source, _context: InventoryItem(source.product, source.variant),
    "inventoryPolicy": lambda _source, _context: "DENY",
    "inventoryQuantity": lambda source, _context: source.variant.inventory_quantity,
    "legacyResourceId": lambda source, _context: source.variant.id,
    "position": lambda source, _context: source.variant.position,
    "price": lambda source, _context: source.variant.price,
    "product": lambda source, _context: source.product,
    "sku": lambda source, _context: source.variant.sku,
    "title": lambda source, _context: source.variant.title,
    "updatedAt": lambda source, _context: source.variant.updated_at,
}
INVENTORY_ITEM: Fields = {
    "id": lambda source, _context: gid("InventoryItem", source.variant.inventory_item_id),
    "legacyResourceId": lambda source, _context: source.variant.inventory_item_id,
    "requiresShipping": lambda source, _context: not source.product.gift_card,
    "sku": lambda source, _context: source.variant.sku,
    "tracked": lambda source, _context: not source.product.gift_card,
}
PRICE_RANGE: Fields = {
    "maxVariantPrice": lambda prices, _context: prices.highest,
    "minVariantPrice": lambda prices, _context: prices.lowest,
}
