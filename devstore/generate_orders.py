"""Orders as they are placed: what is in them, what they cost, who placed them and when in the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING

from devstore import generate_words as words
from devstore import pricing, totals
from devstore.generate_people import chance
from devstore.model import Address, Customer, LineItem, Order, Product, Shop, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from zoneinfo import ZoneInfo

WEEKDAYS = (10, 9, 10, 11, 13, 15, 16)  # Monday first: people shop at the weekend
HOURS = (2, 1, 1, 1, 1, 2, 4, 6, 8, 10, 11, 11, 12, 11, 10, 10, 10, 11, 13, 15, 16, 14, 9, 5)
SOURCES = (("web", 86), ("pos", 11), ("shopify_draft_order", 3))
PRESENTMENT = {
    "USD": (("CAD", "1.372"), ("EUR", "0.921"), ("GBP", "0.788"), ("JPY", "151.4")),
    "EUR": (("USD", "1.084"), ("GBP", "0.856"), ("CHF", "0.953"), ("SEK", "11.32")),
}
FOREIGN = 0.08  # share of orders shown to the customer in another currency than the shop's
ON_CODE = 0.14
TEST = 0.01
GIFT_CARD = 0.015
GONE = 0.04  # share of early orders' lines that are of products since deleted


@dataclass(frozen=True, kw_only=True)
class Who:
    """Who places an order, as the order keeps it; a guest has no customer and may have left nothing."""

    customer: Customer | None
    email: str | None
    phone: str | None
    address: Address | None


@dataclass(kw_only=True)
class Market:
    """What orders of one shop are drawn from. ``gone`` are products that were sold until ``gone_at``."""

    random: Random
    shop: Shop
    zone: ZoneInfo
    products: list[Product]
    gone: list[Product]
    gone_at: datetime
    end: datetime
    next_id: Callable[[], int]

    def __post_init__(self) -> None:
        """Rank the goods: a few sell a lot, most sell a little."""
        self._goods = [product for product in self.products if not product.gift_card and product.status == "active"]
        self._goods = self._goods or self.products
        self._cards = [product for product in self.products if product.gift_card]
        self._ranks = list(accumulate((rank + 3) ** -0.8 for rank in range(len(self._goods))))

    def chance(self, probability: float) -> bool:
        """Draw yes with a probability."""
        return chance(self.random, probability)

    def pick(self, at: datetime) -> pricing.Pick:
        """Draw one line of a basket."""
        random = self.random
        if self._cards and self.chance(GIFT_CARD):
            card = self._cards[0]
            return pricing.Pick(card, random.choice(card.variants), 1)
        gone = bool(self.gone) and at < self.gone_at and self.chance(GONE)
        product = random.choice(self.gone) if gone else random.choices(self._goods, cum_weights=self._ranks)[0]
        return pricing.Pick(
            product,
            random.choice(product.variants),
            random.choices((1, 2, 3, 4), (78, 15, 5, 2))[0],
            percent_off=random.choice((10, 15, 20, 30)) if self.chance(0.12) else 0,
            product_gone=gone,
        )

    def lines(self, at: datetime, code: pricing.Code | None = None) -> list[LineItem]:
        """Draw a basket of distinct variants and price it."""
        count = self.random.choices((1, 2, 3, 4, 5), (44, 29, 15, 8, 4))[0]
        picks = {pick.variant.id: pick for pick in (self.pick(at) for _ in range(count))}
        return self.priced(list(picks.values()), code)

    def priced(self, picks: list[pricing.Pick], code: pricing.Code | None) -> list[LineItem]:
        """Make a basket lines of an order."""
        return pricing.price_lines(picks, code, self.shop.tax_rate, self.next_id)

    def token(self) -> str:
        """Draw a token of 32 hexadecimal digits."""
        return f"{self.random.getrandbits(128):032x}"

    def currency(self) -> tuple[str, Decimal]:
        """Draw the currency an order is presented in, and its rate."""
        if not self.chance(FOREIGN):
            return self.shop.currency, Decimal(1)
        code, rate = self.random.choice(PRESENTMENT[self.shop.currency])
        return code, (Decimal(rate) * Decimal(self.random.randint(970, 1030)) / 1000).quantize(Decimal("0.0001"))

    def busy_hour(self, near: datetime) -> datetime:
        """Return a time within three days of ``near`` at a likely weekday and hour, never after the end."""
        local = near.astimezone(self.zone)
        days = [local + timedelta(days=shift) for shift in range(-3, 4)]
        day = self.random.choices(days, [WEEKDAYS[one.weekday()] for one in days])[0]
        hour = self.random.choices(range(24), HOURS)[0]
        moment = day.replace(hour=hour, minute=self.random.randrange(60), second=self.random.randrange(60))
        return min(moment.replace(microsecond=0).astimezone(self.end.tzinfo), self.end)


def place(market: Market, who: Who, at: datetime, number: int) -> Order:
    """Place an order: paid, unfulfilled, with nothing having happened to it yet."""
    random = market.random
    source = random.choices([name for name, _ in SOURCES], [weight for _, weight in SOURCES])[0]
    code = random.choice(list(pricing.CODES)) if market.chance(ON_CODE) and source != "pos" else None
    rule = pricing.CODES[code] if code else None
    lines = market.lines(at, rule)
    posted = source != "pos"
    charges = pricing.shipping(lines, rule, market.shop.tax_rate, market.next_id) if posted else []
    currency, rate = market.currency()
    order = _order(market, who, at, number, lines)
    order.source_name, order.shipping_lines, order.discount_code = source, charges, code
    order.presentment_currency, order.presentment_rate = currency, rate
    order.test = market.chance(TEST)
    order.address = who.address if posted else None
    if source == "web":
        _from_web(market, order)
    order.transactions.append(_sale(market, order))
    return order


def _order(market: Market, who: Who, at: datetime, number: int, lines: list[LineItem]) -> Order:
    return Order(
        id=market.next_id(),
        number=number,
        created_at=at,
        processed_at=at,
        updated_at=at,
        cancelled_at=None,
        cancel_reason=None,
        closed_at=None,
        test=False,
        email=who.email,
        phone=who.phone,
        customer_id=who.customer.id if who.customer else None,
        currency=market.shop.currency,
        presentment_currency=market.shop.currency,
        presentment_rate=Decimal(1),
        financial_status="paid",
        fulfillment_status=None,
        source_name="web",
        landing_site=None,
        referring_site=None,
        discount_code=None,
        tags=[],
        note=None,
        cart_token=None,
        checkout_token=None,
        token=market.token(),
        address=None,
        lines=lines,
        shipping_lines=[],
        transactions=[],
        refunds=[],
        edits=[],
    )


def _from_web(market: Market, order: Order) -> None:
    order.landing_site = market.random.choice(words.LANDINGS)
    order.referring_site = market.random.choice(words.REFERRERS)
    order.cart_token = market.token()
    order.checkout_token = market.token()
    order.note = "Please leave at the back door." if market.chance(0.03) else None
    order.tags = ["gift"] if market.chance(0.04) else []


def _sale(market: Market, order: Order) -> Transaction:
    return Transaction(
        id=market.next_id(),
        kind="sale",
        status="success",
        gateway="bogus" if order.test else "shopify_payments",
        amount=totals.ordered(order).total,
        created_at=order.processed_at,
    )
