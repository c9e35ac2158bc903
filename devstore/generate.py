"""A whole store out of a seed: the same plan gives the same store.

The draw is split over sibling modules: people (who buys when), goods, orders (what is bought), history (what became
of it) and baskets (what was not bought).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from devstore import generate_baskets as baskets
from devstore import generate_people as people
from devstore import generate_words as words
from devstore.generate_goods import make_products
from devstore.generate_history import befall
from devstore.generate_orders import Market, Who, place
from devstore.model import Cart, Checkout, Customer, Order, Product, Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GUESTS = 0.12  # share of orders without a customer
OPEN_CHECKOUTS = 25  # one for so many orders
LOOSE_CARTS = 30


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to generate: sizes, the period (aware, whole seconds), and whether the shop keeps its books in euro."""

    domain: str
    seed: int
    customers: int
    products: int
    orders: int
    start: datetime
    end: datetime
    abroad: bool


@dataclass(kw_only=True)
class Generated:
    """A generated store; orders are in the order they were placed."""

    shop: Shop
    customers: list[Customer] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    carts: list[Cart] = field(default_factory=list)
    checkouts: list[Checkout] = field(default_factory=list)


def generate(plan: Plan, next_id: Callable[[], int]) -> Generated:
    """Draw the store of ``plan``: exactly its number of orders, of customers, and of products that still exist."""
    random = Random(f"{plan.seed}/{plan.domain}")
    store = Generated(shop=_shop(plan, next_id))
    market = _market(plan, random, store.shop, next_id)
    store.products = market.products
    buyers = people.make_buyers(random, plan.customers, (plan.start, plan.end), _cities(plan), next_id)
    store.customers = [one.customer for one in buyers]
    visits = sorted(_visits(plan, market, buyers), key=lambda visit: visit[0])
    store.orders = [place(market, who, at, number) for number, (at, who) in enumerate(visits, start=1001)]
    for order in store.orders:
        befall(market, order)
    _date_customers(store)
    _fill_baskets(plan, market, store)
    return store


def _shop(plan: Plan, next_id: Callable[[], int]) -> Shop:
    name = plan.domain.removesuffix(".myshopify.com")
    return Shop(
        id=next_id(),
        domain=plan.domain,
        name=name.replace("-", " ").title(),
        email=f"owner@{name}.example",
        owner_name="Robin Alder" if not plan.abroad else "Kim Linde",
        currency="EUR" if plan.abroad else "USD",
        timezone="Europe/Berlin" if plan.abroad else "America/New_York",
        country_code="DE" if plan.abroad else "US",
        locale="de" if plan.abroad else "en",
        plan="Advanced" if plan.abroad else "Plus",
        created_at=plan.start - timedelta(days=420),
        updated_at=plan.start,
        tax_rate=Decimal("0.19") if plan.abroad else Decimal("0.0825"),
    )


def _market(plan: Plan, random: Random, shop: Shop, next_id: Callable[[], int]) -> Market:
    goods = make_products(random, plan.products, plan.start, next_id)
    gone = make_products(random, 1 + plan.products // 40, plan.start, next_id)
    return Market(
        random=random,
        shop=shop,
        zone=ZoneInfo(shop.timezone),
        products=goods,
        gone=[product for product in gone if not product.gift_card],
        gone_at=plan.start + (plan.end - plan.start) / 2,
        end=plan.end,
        next_id=next_id,
    )


def _cities(plan: Plan) -> tuple[words.City, ...]:
    return words.EUROPEAN if plan.abroad else words.AMERICAN


def _visits(plan: Plan, market: Market, buyers: list[people.Buyer]) -> Iterable[tuple[datetime, Who]]:
    """Yield exactly ``plan.orders`` purchases: the customers' by BG/NBD, the rest by guests."""
    known = _known_visits(plan, market, buyers)
    yield from known
    for _ in range(plan.orders - len(known)):
        yield _guest_visit(plan, market)


def _known_visits(plan: Plan, market: Market, buyers: list[people.Buyer]) -> list[tuple[datetime, Who]]:
    active = [one for one in buyers if not market.chance(people.NEVER_BOUGHT)]
    wanted = round(plan.orders * (1 - GUESTS))
    active = active[:wanted]
    alpha = people.fit_alpha(active, wanted, plan.end)
    visits = []
    for one in active:
        who = Who(
            customer=one.customer, email=one.customer.email, phone=one.customer.phone, address=one.customer.address
        )
        visits += [(market.busy_hour(at), who) for at in one.purchases(alpha, plan.end)]
    return visits


def _guest_visit(plan: Plan, market: Market) -> tuple[datetime, Who]:
    random = market.random
    span = int((plan.end - plan.start) / timedelta(seconds=1))
    at = plan.start + timedelta(seconds=random.randrange(span))
    first, last = random.choice(words.FIRST_NAMES), random.choice(words.LAST_NAMES)
    address = people.make_address(random, first, last, _cities(plan))
    email = f"{first}.{last}.guest{random.randrange(10**6)}@example.com".lower()
    return market.busy_hour(at), Who(customer=None, email=email, phone=None, address=address)


def _date_customers(store: Generated) -> None:
    """Let customers exist from their first order at the latest, and change whenever an order of theirs did."""
    customers = {customer.id: customer for customer in store.customers}
    for order in store.orders:
        if order.customer_id is not None:
            customer = customers[order.customer_id]
            customer.created_at = min(customer.created_at, order.created_at)
            customer.updated_at = max(customer.updated_at, order.updated_at)


def _fill_baskets(plan: Plan, market: Market, store: Generated) -> None:
    completed = (baskets.completed_checkout(market, order) for order in store.orders)
    left, carts = baskets.open_checkouts(market, store.customers, max(plan.orders // OPEN_CHECKOUTS, 3))
    store.checkouts = [checkout for checkout in completed if checkout is not None and checkout.lines] + left
    store.carts = carts + baskets.loose_carts(market, max(plan.orders // LOOSE_CARTS, 3))
