"""A store's sales made up from a pattern, so that every figure of a page can be worked out by hand."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from shopify_app import rollups
from shopify_app.database import tenant_work
from shopify_app.models import Customer, Order, Product, Sale, Tenant

PEOPLE = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov", "Radia Perlman", None)
GOODS = ("Trail jacket", "Merino base layer", "Summit tent, two persons", "Titanium mug", "Wool socks", "Headlamp")
ZONE = ZoneInfo("America/New_York")


ZERO = Decimal(0)


def seed_sales(tenant_id: int, end_on: date, days: int = 75) -> None:
    """Sell on each of `days` days up to `end_on`, counted back from 0.

    Day n brings 1 + n % 4 orders of 40 + n % 7 × 15 before a tenth of discount, plus 5 of shipping and a twentieth of
    tax; every ninth order is returned, its shipping kept.
    """
    people = [
        {"tenant_id": tenant_id, "shopify_id": index, "name": name, "email": f"customer{index}@example.com"}
        for index, name in enumerate(PEOPLE, start=1)
    ]
    goods = [
        {"tenant_id": tenant_id, "shopify_id": index, "title": title} for index, title in enumerate(GOODS, start=1)
    ]
    placed = [
        (end_on - timedelta(days=ago), Decimal(40 + ago % 7 * 15)) for ago in range(days) for _ in range(1 + ago % 4)
    ]
    with tenant_work(tenant_id) as session:
        session.execute(insert(Customer), people)
        session.execute(insert(Product), goods)
        for number, (day_on, price) in enumerate(placed, start=1):
            session.execute(insert(Order), _order(tenant_id, number, day_on))
            session.execute(insert(Sale), _sales(tenant_id, number, day_on, price))
        rollups.rebuild(session, session.get_one(Tenant, tenant_id), datetime.now(UTC))


def _order(tenant_id: int, number: int, day_on: date) -> dict[str, object]:
    return {
        "tenant_id": tenant_id,
        "shopify_id": number,
        "customer_shopify_id": number % len(PEOPLE) + 1,
        "processed_at": datetime.combine(day_on, time(12), tzinfo=ZONE),
    }


def _sales(tenant_id: int, number: int, day_on: date, price: Decimal) -> list[dict[str, object]]:
    common = {
        "tenant_id": tenant_id,
        "order_shopify_id": number,
        "customer_shopify_id": number % len(PEOPLE) + 1,
        "product_shopify_id": number % len(GOODS) + 1,
        "order_line_shopify_id": number,
        "happened_at": datetime.combine(day_on, time(12), tzinfo=ZONE),
        "day_on": day_on,
        **dict.fromkeys(("gross", "discounts", "returns", "shipping", "taxes"), ZERO),
    }
    goods = {"kind": "order", "line_type": "product", "quantity": 1}
    goods |= {"gross": price, "discounts": price / 10, "taxes": price / 20}
    shipping = {"kind": "order", "line_type": "shipping", "quantity": 1, "shipping": Decimal(5)}
    refund = {"kind": "refund", "line_type": "product", "quantity": -1}
    refund |= {"returns": price * 9 / 10, "taxes": -price / 20}
    entries = [goods, shipping, refund] if number % 9 == 0 else [goods, shipping]
    return [{**common, **entry} for entry in entries]
