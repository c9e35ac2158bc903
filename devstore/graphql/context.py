"""What a resolver is given beside its source, and the sources that are not records themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from graphql import GraphQLError

if TYPE_CHECKING:
    from devstore.bulk_files import Operation
    from devstore.installs import Installation, Subscription
    from devstore.model import Address, CartLine, Checkout, LineItem, Order, Product, Refund, RefundLine, ShippingLine
    from devstore.model import Transaction as TransactionRecord
    from devstore.model import Variant as VariantRecord
    from devstore.state import Devstore, Store

Resolver = Callable[..., Any]
Fields = dict[str, Resolver]
Key = tuple[Any, int]


class RequestError(GraphQLError):
    """A GraphQL error of Shopify's own: ``code`` goes to ``extensions.code``."""

    def __init__(self, message: str, code: str, **extensions: object) -> None:
        """Make the error; further keywords become extensions too."""
        super().__init__(message, extensions={"code": code, **extensions})


class BulkOperations(Protocol):
    """What runs in bulk (see ``devstore.bulk.Runner``)."""

    def start(self, store: Store, query: str, version: str, *, grouped: bool) -> Operation:
        """Begin an operation."""

    def cancel(self, store: Store, number: int) -> Operation | None:
        """Ask an operation to end; None when it is over."""

    def find(self, store: Store, number: int) -> Operation | None:
        """Return an operation, or None."""

    def all(self, store: Store) -> list[Operation]:
        """Return the store's operations."""


@dataclass(frozen=True)
class Context:
    """One request's surroundings: the store asked, the app's installation, the API version, what runs in bulk.

    ``unapproved`` are the types and fields of protected customer data that the app may not read.
    """

    devstore: Devstore
    store: Store
    installation: Installation
    version: str
    bulk: BulkOperations
    warnings: list[dict[str, Any]] = field(default_factory=list)
    unapproved: frozenset[str] = frozenset()


class Listing(NamedTuple):
    """Everything a connection holds, in ascending order of ``key`` (position when None), before pagination."""

    items: Sequence[Any]
    key: Callable[[Any], Key] | None = None


class Money(NamedTuple):
    """An amount with its currency."""

    amount: Decimal
    currency: str


class Bag(NamedTuple):
    """An amount in the shop's currency and how the customer saw it (``rate`` presentment per shop unit)."""

    amount: Decimal
    currency: str
    presentment_currency: str
    rate: Decimal


class Line(NamedTuple):
    """A line item of an order."""

    order: Order
    line: LineItem


class Shipping(NamedTuple):
    """A shipping line of an order."""

    order: Order
    line: ShippingLine


class Transaction(NamedTuple):
    """A transaction of an order."""

    order: Order
    record: TransactionRecord


class OrderRefund(NamedTuple):
    """A refund of an order."""

    order: Order
    refund: Refund


class RefundedLine(NamedTuple):
    """A line of a refund."""

    order: Order
    line: RefundLine


class Tax(NamedTuple):
    """A tax line: ``amount`` of tax at ``rate`` (0.0825 is 8.25 %)."""

    amount: Bag
    rate: Decimal
    title: str


class Variant(NamedTuple):
    """A variant of a product."""

    product: Product
    variant: VariantRecord


class InventoryItem(NamedTuple):
    """The inventory item of a variant."""

    product: Product
    variant: VariantRecord


class CheckoutLine(NamedTuple):
    """A line of an abandoned checkout."""

    checkout: Checkout
    line: CartLine


class Mailing(NamedTuple):
    """An address and the id it goes by."""

    id: str
    address: Address


class Webhook(NamedTuple):
    """A webhook subscription."""

    subscription: Subscription
