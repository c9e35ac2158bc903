"""Customers, and when each of them buys: repeat purchases follow a BG/NBD process.

Source: P. S. Fader, B. G. S. Hardie and K. L. Lee, "Counting Your Customers" the Easy Way: An Alternative to the
Pareto/NBD Model, Marketing Science 24 (2005), 275-284. While alive a customer buys at a Poisson rate λ, gamma
distributed (shape r, rate α) over customers; after every repeat purchase a customer drops out with probability p,
beta distributed (a, b).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from devstore import generate_words as words
from devstore.model import Address, Customer

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

SHAPE_R = 0.75
BETA_A, BETA_B = 0.8, 3.2
MOST_REPEATS = 80  # nobody buys a tent three times a week
NEVER_BOUGHT = 0.06  # signed up, has not ordered yet
FIT_STEPS = 40


@dataclass
class Buyer:
    """A customer's fate: when they come, and the gaps to their repeat purchases in units of α (unscaled)."""

    customer: Customer
    arrives_at: datetime
    gaps: list[float]

    def purchases(self, alpha: float, end: datetime) -> list[datetime]:
        """Return the purchase times up to ``end``, the first of them the arrival; ``alpha`` in days."""
        times = [self.arrives_at]
        for gap in self.gaps:
            # Compared in days first: a tiny rate makes gaps that no datetime can hold.
            days = gap * alpha
            if days > (end - times[-1]) / timedelta(days=1):
                break
            times.append(times[-1] + timedelta(days=days))
        return times


def chance(random: Random, probability: float) -> bool:
    """Draw yes with a probability."""
    return random.random() < probability


def buyer(random: Random, customer: Customer, arrives_at: datetime) -> Buyer:
    """Draw a customer's rate and drop-out probability, and from them the gaps they would leave."""
    rate = random.gammavariate(SHAPE_R, 1.0)
    dropout = random.betavariate(BETA_A, BETA_B)
    gaps: list[float] = []
    while len(gaps) < MOST_REPEATS:
        gaps.append(random.expovariate(1.0) / max(rate, 1e-9))
        if chance(random, dropout):
            break
    return Buyer(customer, arrives_at, gaps)


def fit_alpha(buyers: list[Buyer], wanted: int, end: datetime) -> float:
    """Return the α, in days, at which the buyers make closest to (and not more than) ``wanted`` purchases.

    The purchases only get fewer as α grows, so it is found by halving the interval.
    """
    low, high = 0.01, 20_000.0
    for _ in range(FIT_STEPS):
        middle = (low * high) ** 0.5
        made = sum(len(one.purchases(middle, end)) for one in buyers)
        low, high = (middle, high) if made > wanted else (low, middle)
    return high


def make_customer(random: Random, index: int, at: datetime, cities: tuple[words.City, ...], ident: int) -> Customer:
    """Make up a customer who signed up at ``at``; ``index`` keeps the mail address unique."""
    first, last = random.choice(words.FIRST_NAMES), random.choice(words.LAST_NAMES)
    has_email = chance(random, 0.97)
    subscribed = has_email and chance(random, 0.45)
    texted = chance(random, 0.12)
    address = make_address(random, first, last, cities)
    return Customer(
        id=ident,
        created_at=at,
        updated_at=at,
        first_name=first,
        last_name=last if chance(random, 0.98) else None,
        email=f"{first}.{last}{index}@example.com".lower() if has_email else None,
        phone=address.phone if texted or not has_email else None,
        state=random.choices(("disabled", "enabled", "invited"), (70, 27, 3))[0],
        verified_email=has_email,
        locale="en" if address.country_code in {"US", "CA", "GB"} else "de",
        tags=sorted(random.sample(words.CUSTOMER_TAGS, random.choices((0, 1, 2), (75, 20, 5))[0])),
        note=None,
        address=address if chance(random, 0.95) else None,
        email_consent="subscribed" if subscribed else "not_subscribed",
        sms_consent="subscribed" if texted else "not_subscribed",
        email_consent_at=at if subscribed else None,
        sms_consent_at=at if texted else None,
    )


def make_address(random: Random, first: str, last: str, cities: tuple[words.City, ...]) -> Address:
    """Make up an address: mostly at home, now and then abroad."""
    place = random.choice(cities if chance(random, 0.92) else words.ELSEWHERE)
    return Address(
        first_name=first,
        last_name=last,
        address1=f"{random.randint(1, 240)} {random.choice(words.STREETS)} Street",
        city=place.city,
        province=place.province,
        province_code=place.province_code,
        country=place.country,
        country_code=place.country_code,
        zip=place.zip,
        phone=f"{place.phone}{random.randint(1000, 9999)}",
    )


def make_buyers(
    random: Random,
    count: int,
    period: tuple[datetime, datetime],
    cities: tuple[words.City, ...],
    next_id: Callable[[], int],
) -> list[Buyer]:
    """Make ``count`` customers who arrive evenly over the period."""
    start, end = period
    span = (end - start) / timedelta(seconds=1)
    arrivals = sorted(start + timedelta(seconds=int(random.random() * span)) for _ in range(count))
    return [buyer(random, make_customer(random, index, at, cities, next_id()), at) for index, at in enumerate(arrivals)]
