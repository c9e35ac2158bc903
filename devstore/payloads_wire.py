"""How Shopify's webhook bodies write money, times, gids and addresses (API 2026-04 and later)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from babel.numbers import get_currency_precision

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from devstore.model import Address, Order, Shop

Body = dict[str, Any]


def gid(kind: str, number: int) -> str:
    """Return the global id, e.g. ``gid://shopify/Order/1``."""
    return f"gid://shopify/{kind}/{number}"


def local(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """Write a time with the shop's offset."""
    return None if moment is None else moment.astimezone(zone).isoformat()


def zulu(moment: datetime) -> str:
    """Write a time in UTC with milliseconds and a Z, as carts and the newer topics have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def amount_text(amount: Decimal, currency: str) -> str:
    """Write an amount with the currency's own number of decimals, halves rounded away from zero."""
    return str(amount.quantize(_unit(currency), ROUND_HALF_UP))


@lru_cache
def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-get_currency_precision(currency))


@dataclass(frozen=True)
class Purse:
    """The two currencies of an order: amounts are given in the shop's, and shown in the presentment's at ``rate``."""

    currency: str
    presentment: str
    rate: Decimal

    @classmethod
    def of(cls, order: Order) -> Purse:
        """Return the purse of an order."""
        return cls(order.currency, order.presentment_currency, order.presentment_rate)

    def text(self, amount: Decimal) -> str:
        """Write an amount in the shop's currency."""
        return amount_text(amount, self.currency)

    def shown(self, amount: Decimal) -> str:
        """Write an amount in the presentment currency."""
        return amount_text(amount * self.rate, self.presentment)

    def bag(self, amount: Decimal) -> Body:
        """Write an amount as a MoneyBag."""
        return {
            "shop_money": {"amount": self.text(amount), "currency_code": self.currency},
            "presentment_money": {"amount": self.shown(amount), "currency_code": self.presentment},
        }


def shop_purse(shop: Shop) -> Purse:
    """Return the purse of what is only ever shown in the shop's own currency."""
    return Purse(shop.currency, shop.currency, Decimal(1))


def address_body(address: Address | None) -> Body | None:
    """Return a billing or shipping address; None stays None."""
    if address is None:
        return None
    return {
        "first_name": address.first_name,
        "address1": address.address1,
        "phone": address.phone,
        "city": address.city,
        "zip": address.zip,
        "province": address.province,
        "country": address.country,
        "last_name": address.last_name,
        "address2": None,
        "company": None,
        "latitude": None,
        "longitude": None,
        "name": f"{address.first_name} {address.last_name}",
        "country_code": address.country_code,
        "province_code": address.province_code,
    }
