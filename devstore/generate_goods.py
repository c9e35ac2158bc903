"""The catalogue of a plausible outdoor shop."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from devstore import generate_words as words
from devstore.generate_people import chance
from devstore.model import Product, Variant

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

GIFT_AMOUNTS = (Decimal("25.00"), Decimal("50.00"), Decimal("100.00"))
CENTS = Decimal("0.95")


def make_products(random: Random, count: int, start: datetime, next_id: Callable[[], int]) -> list[Product]:
    """Make ``count`` products with 1 to 6 variants; the last is a gift card where there are at least two."""
    names = [(series, line) for line in words.LINES for series in words.SERIES]
    random.shuffle(names)
    goods = count - 1 if count > 1 else count
    products = [
        _product(random, _name(names, index), names[index % len(names)][1], start, next_id) for index in range(goods)
    ]
    if goods < count:
        products.append(_gift_card(start, next_id))
    return products


def _name(names: list[tuple[str, words.Line]], index: int) -> str:
    """Name the product at ``index``; when the names run out they come again as the next model."""
    model, place = divmod(index, len(names))
    series, line = names[place]
    return f"{series} {line.noun}" + (f" Mk {model + 1}" if model else "")


def _product(random: Random, title: str, line: words.Line, start: datetime, next_id: Callable[[], int]) -> Product:
    price = Decimal(random.randint(line.low, line.high)) + CENTS
    at = start - timedelta(days=random.randint(1, 400))
    status = random.choices(("active", "archived", "draft"), (94, 4, 2))[0]
    return Product(
        id=next_id(),
        title=title,
        handle=title.lower().replace(" ", "-").replace("/", "-"),
        vendor=random.choice(words.VENDORS),
        product_type=line.product_type,
        status=status,
        tags=sorted(random.sample(words.TAGS, random.randint(0, 3))),
        body_html=f"<p>The {title} for days outside.</p>",
        gift_card=False,
        created_at=at,
        updated_at=at,
        published_at=None if status == "draft" else at,
        variants=_variants(random, line, price, at, next_id),
    )


def _variants(
    random: Random, line: words.Line, price: Decimal, at: datetime, next_id: Callable[[], int]
) -> list[Variant]:
    reduced = chance(random, 0.15)
    code = "".join(word[0] for word in line.noun.upper().split())
    return [
        Variant(
            id=next_id(),
            inventory_item_id=next_id(),
            title=option,
            sku=f"{code}-{random.randint(100, 999)}-{position:02d}",
            barcode=f"{random.randint(10**12, 10**13 - 1)}",
            price=price,
            compare_at_price=price + 20 if reduced else None,
            position=position,
            option1=option,
            grams=line.grams,
            inventory_quantity=random.randint(0, 250),
            created_at=at,
            updated_at=at,
        )
        for position, option in enumerate(line.options, start=1)
    ]


def _gift_card(start: datetime, next_id: Callable[[], int]) -> Product:
    return Product(
        id=next_id(),
        title="Gift Card",
        handle="gift-card",
        vendor="Gift Cards",
        product_type="Gift Cards",
        status="active",
        tags=[],
        body_html="<p>For somebody who would rather choose.</p>",
        gift_card=True,
        created_at=start,
        updated_at=start,
        published_at=start,
        variants=[
            Variant(
                id=next_id(),
                inventory_item_id=next_id(),
                title=f"{amount:.0f}",
                sku=None,
                barcode=None,
                price=amount,
                compare_at_price=None,
                position=position,
                option1=f"{amount:.0f}",
                grams=0,
                inventory_quantity=0,
                created_at=start,
                updated_at=start,
            )
            for position, amount in enumerate(GIFT_AMOUNTS, start=1)
        ],
    )
