"""What a merchant does to products and to the store itself."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal
from zoneinfo import available_timezones

from devstore import payloads
from devstore.actions_desk import Desk, refuse
from devstore.model import Product, Shop, Variant
from devstore.totals import CENT

if TYPE_CHECKING:
    from datetime import datetime

Status = Literal["active", "archived", "draft"]


def create_product(
    desk: Desk, *, title: str, price: Decimal, product_type: str = "", status: Status = "active"
) -> Product:
    """Create a product with one variant; refuses an empty title and a negative or fractional-cent price."""
    _check(title, price)
    at = desk.store.now()
    product = Product(
        id=desk.store.next_id(),
        title=title,
        handle="-".join(title.lower().split()),
        vendor=desk.store.shop.name,
        product_type=product_type,
        status=status,
        tags=[],
        body_html="",
        gift_card=False,
        created_at=at,
        updated_at=at,
        published_at=None if status == "draft" else at,
        variants=[_variant(desk, price, at)],
    )
    desk.store.put("product", product.id, product)
    desk.tell("products/create", payloads.product_body(desk.store, product))
    return product


def update_product(
    desk: Desk,
    *,
    product_id: int,
    title: str | None = None,
    price: Decimal | None = None,
    status: Status | None = None,
) -> Product:
    """Change what is given; a price is that of every variant. Refuses what create_product refuses."""
    product = desk.product(product_id)
    _check(title, price)
    product.title = title if title is not None else product.title
    product.status = status or product.status
    product.updated_at = at = desk.store.now()
    if price is not None:
        for variant in product.variants:
            variant.price, variant.updated_at = price.quantize(CENT), at
    desk.store.put("product", product.id, product)
    desk.tell("products/update", payloads.product_body(desk.store, product))
    return product


def delete_product(desk: Desk, *, product_id: int) -> Product:
    """Delete a product; orders keep its lines, which no longer name it (and no webhook says so)."""
    product = desk.product(product_id)
    for order in desk.store.orders.values():
        lines = [line for line in order.lines if line.product_id == product_id]
        for line in lines:
            line.product_id = line.variant_id = None
        if lines:
            desk.store.put("order", order.id, order)
    desk.store.remove("product", product_id)
    desk.tell("products/delete", payloads.deleted_body(product_id))
    return product


def update_shop(desk: Desk, *, name: str | None = None, email: str | None = None, timezone: str | None = None) -> Shop:
    """Change the store's settings; refuses a time zone that the IANA list does not have."""
    if timezone is not None and timezone not in available_timezones():
        refuse(f"there is no time zone {timezone}")
    shop = desk.store.shop
    shop.name = name or shop.name
    shop.email = email or shop.email
    shop.timezone = timezone or shop.timezone
    shop.updated_at = desk.store.now()
    desk.store.put("shop", "shop", shop)
    desk.tell("shop/update", payloads.shop_body(desk.store))
    return shop


def redact_shop(desk: Desk) -> Shop:
    """Ask the app to erase the store (Shopify does so 48 hours after an uninstall)."""
    desk.tell("shop/redact", payloads.shop_redact_body(desk.store))
    return desk.store.shop


def _check(title: str | None, price: Decimal | None) -> None:
    if title is not None and not title.strip():
        refuse("a product needs a title")
    if price is not None and not (price.is_finite() and price >= 0 and price == round(price, 2)):
        refuse(f"{price} is not a price")


def _variant(desk: Desk, price: Decimal, at: datetime) -> Variant:
    return Variant(
        id=desk.store.next_id(),
        inventory_item_id=desk.store.next_id(),
        title="Default Title",
        sku=None,
        barcode=None,
        price=price.quantize(CENT),
        compare_at_price=None,
        position=1,
        option1="Default Title",
        grams=0,
        inventory_quantity=0,
        created_at=at,
        updated_at=at,
    )
