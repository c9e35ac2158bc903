"""What every merchant action needs: the store, a way to tell the app, and a word for what cannot be done."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import msgspec

from devstore import pricing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from devstore.model import Cart, Checkout, Customer, Order, Product
    from devstore.outbox import Outbox
    from devstore.state import Store


K = TypeVar("K")
R = TypeVar("R")


class ActionRefused(Exception):
    """The action cannot be done; the message names what is wrong."""


class Wanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """So many of a variant."""

    variant_id: int
    quantity: int = 1


class Units(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """So many units of an order's line."""

    line_item_id: int
    quantity: int


@dataclass
class Desk:
    """One merchant action under way; all webhooks it sends share one event id and one time."""

    store: Store
    deliveries: Outbox
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    triggered_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Note when it happens, by the store's clock."""
        self.triggered_at = self.store.moment()

    def tell(self, topic: str, body: dict[str, Any]) -> None:
        """Send a webhook to whoever subscribed to the topic."""
        self.deliveries.emit(self.store, topic, body, event_id=self.event_id, triggered_at=self.triggered_at)

    def order(self, order_id: int) -> Order:
        """Return an order; refuses an unknown id (and so do the others below)."""
        return _found(self.store.orders, order_id, "order")

    def customer(self, customer_id: int) -> Customer:
        """Return a customer."""
        return _found(self.store.customers, customer_id, "customer")

    def product(self, product_id: int) -> Product:
        """Return a product."""
        return _found(self.store.products, product_id, "product")

    def cart(self, token: str) -> Cart:
        """Return a cart."""
        return _found(self.store.carts, token, "cart")

    def checkout(self, token: str) -> Checkout:
        """Return a checkout."""
        return _found(self.store.checkouts, token, "checkout")

    def picks(self, wanted: Sequence[Wanted]) -> list[pricing.Pick]:
        """Return the variants asked for; refuses unknown ones and quantities below one."""
        variants = {
            variant.id: (product, variant) for product in self.store.products.values() for variant in product.variants
        }
        for want in wanted:
            if want.variant_id not in variants:
                refuse(f"there is no variant {want.variant_id}")
            if want.quantity < 1:
                refuse(f"the quantity of variant {want.variant_id} is {want.quantity}, not at least 1")
        return [pricing.Pick(*variants[want.variant_id], want.quantity) for want in wanted]


def refuse(reason: str) -> NoReturn:
    """Raise ActionRefused."""
    raise ActionRefused(reason)


def _found(records: dict[K, R], key: K, kind: str) -> R:
    try:
        return records[key]
    except KeyError:
        message = f"there is no {kind} {key}"
        raise ActionRefused(message) from None
