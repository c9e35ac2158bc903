"""The stores of one devstore: plain dictionaries in memory, journalled to SQLite on every change."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec
from flask import current_app

from devstore.generate import Generated, Plan, generate
from devstore.journal import DOCUMENTS, RECORDS, TOMBSTONES, Journal, Row
from devstore.model import Cart, Checkout, Customer, Order, Product, Shop
from devstore.multitude import KIND as MULTITUDE
from devstore.multitude import Multitude
from devstore.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from devstore.delivery import Deliveries
    from devstore.options import Options

T = TypeVar("T")

FIRST_ID = 6_000_000_000_001
ID_BLOCK = 5000
SMALLER_SHOPS = 10  # the shops after the first get one part in ten of every size

KINDS: dict[str, type[msgspec.Struct]] = {
    "customer": Customer,
    "product": Product,
    "order": Order,
    "cart": Cart,
    "checkout": Checkout,
}
TOKEN_KINDS = frozenset({"cart", "checkout"})


class Numbers:
    """Shopify's numeric ids: ascending, unique over all kinds and stores, never used twice."""

    def __init__(self, journal: Journal) -> None:
        """Take numbers from ``journal`` in blocks, so that an id costs no write."""
        self._journal = journal
        self._next = self._end = FIRST_ID

    def next(self) -> int:
        """Return the next id."""
        # The journal's own lock: a second one could be taken in the other order by a thread inside a transaction.
        with self._journal.lock:
            if self._next == self._end:
                # At least what memory has reached: a transaction that was rolled back took its reservation with it.
                self._next = self._journal.reserve("id", ID_BLOCK, at_least=self._end)
                self._end = self._next + ID_BLOCK
            self._next += 1
            return self._next - 1

    def reserve(self, count: int) -> int:
        """Take so many ids in a row and return the first of them."""
        with self._journal.lock:
            return self._journal.reserve("id", count, at_least=self._end)


class Store:
    """One store: what the merchant has, and the documents Shopify keeps about it.

    ``customers``, ``products`` and ``orders`` are keyed by id, ``carts`` and ``checkouts`` by token. Change a
    record under :meth:`changing` and hand it back with :meth:`put`, or the change is lost at the next start.
    ``multitude`` are orders it has beside these, by a formula.
    """

    shop: Shop

    def __init__(self, domain: str, journal: Journal, numbers: Numbers) -> None:
        """Read the store ``domain`` out of ``journal``; a store that was never made is empty and has no shop."""
        self.domain = domain
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.lock = threading.RLock()
        self.customers: dict[int, Customer] = {}
        self.products: dict[int, Product] = {}
        self.orders: dict[int, Order] = {}
        self.carts: dict[str, Cart] = {}
        self.checkouts: dict[str, Checkout] = {}
        self.deleted: dict[str, dict[int | str, datetime]] = {kind: {} for kind in KINDS}
        self._documents: dict[str, dict[str, bytes]] = {}
        self._orders_of: dict[int, dict[int, Order]] = {}
        self._last_number = 1000
        self._journal = journal
        self._numbers = numbers
        self._read()
        self.multitude = self.load(MULTITUDE, MULTITUDE, Multitude)

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.shop.timezone)

    def moment(self) -> datetime:
        """Return the time in UTC by the store's ``clock``, which a test may replace."""
        return self.clock()

    def now(self) -> datetime:
        """Return the time in UTC, in whole seconds; it may repeat."""
        return self.moment().replace(microsecond=0)

    def next_id(self) -> int:
        """Return a number that no record of any store has."""
        return self._numbers.next()

    def reserve_ids(self, count: int) -> int:
        """Reserve as many numbers in a row and return the first of them."""
        return self._numbers.reserve(count)

    def next_order_number(self) -> int:
        """Return the next order number (1001, 1002, …); a deleted order's number is not given again."""
        with self.lock:
            self._last_number += 1
            return self._last_number

    def orders_of(self, customer_id: int) -> list[Order]:
        """Return the orders of a customer, oldest first."""
        with self.lock:
            orders = self._orders_of.get(customer_id, {}).values()
            return sorted(orders, key=lambda order: (order.processed_at, order.id))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the store and make the writes inside all or nothing on disk."""
        with self.lock, self._journal.transaction():
            yield

    def put(self, kind: str, key: int | str, record: msgspec.Struct) -> None:
        """Keep ``record`` under ``key``. ``kind``: shop, customer, product, order, cart, checkout; else KeyError."""
        with self.lock:
            self._remember(kind, key, record)
            self._journal.write([self._row(RECORDS, kind, key, record)])

    def reassign(self, order: Order, customer_id: int) -> None:
        """Give an order to another customer."""
        with self.lock:
            if order.customer_id is not None:
                self._orders_of[order.customer_id].pop(order.id, None)
            order.customer_id = customer_id
            self.put("order", order.id, order)

    def remove(self, kind: str, key: int | str) -> None:
        """Delete a record and note when; raises KeyError when there is none."""
        with self.changing():
            record = self._records(kind).pop(key)
            if isinstance(record, Order) and record.customer_id is not None:
                self._orders_of[record.customer_id].pop(record.id, None)
            deleted_at = self.now()
            self.deleted[kind][key] = deleted_at
            self._journal.erase(self.domain, RECORDS, kind, str(key))
            self._journal.write([self._row(TOMBSTONES, kind, key, deleted_at)])

    def load(self, kind: str, key: str, type_: type[T]) -> T | None:
        """Return a document decoded as ``type_``, or None; raises ``msgspec.ValidationError`` on another type."""
        with self.lock:
            body = self._documents.get(kind, {}).get(key)
        return None if body is None else msgspec.msgpack.decode(body, type=type_)

    def save(self, kind: str, key: str, value: object) -> None:
        """Keep a document; whatever was under the key is replaced."""
        body = msgspec.msgpack.encode(value)
        with self.lock:
            self._documents.setdefault(kind, {})[key] = body
            self._journal.write([(self.domain, DOCUMENTS, kind, key, body)])

    def all(self, kind: str, type_: type[T]) -> dict[str, T]:
        """Return all documents of a kind by key, in the order they were first kept."""
        with self.lock:
            bodies = dict(self._documents.get(kind, {}))
        decoder = msgspec.msgpack.Decoder(type_)
        return {key: decoder.decode(body) for key, body in bodies.items()}

    def drop(self, kind: str, key: str) -> None:
        """Delete a document; one that is not there is no error."""
        with self.lock:
            self._documents.get(kind, {}).pop(key, None)
            self._journal.erase(self.domain, DOCUMENTS, kind, key)

    def fill(self, generated: Generated) -> None:
        """Keep a whole generated store in one transaction."""
        records: list[tuple[str, int | str, msgspec.Struct]] = [("shop", "shop", generated.shop)]
        records += [("customer", customer.id, customer) for customer in generated.customers]
        records += [("product", product.id, product) for product in generated.products]
        records += [("order", order.id, order) for order in generated.orders]
        records += [("cart", cart.token, cart) for cart in generated.carts]
        records += [("checkout", checkout.token, checkout) for checkout in generated.checkouts]
        with self.lock:
            self._journal.write([self._row(RECORDS, *record) for record in records])
            for record in records:
                self._remember(*record)

    def _read(self) -> None:
        decoders = {kind: msgspec.msgpack.Decoder(type_) for kind, type_ in {**KINDS, "shop": Shop}.items()}
        for kind, key, body in self._journal.read(self.domain, RECORDS):
            self._remember(kind, _typed(kind, key), cast("msgspec.Struct", decoders[kind].decode(body)))
        for kind, key, body in self._journal.read(self.domain, TOMBSTONES):
            self.deleted[kind][_typed(kind, key)] = msgspec.msgpack.decode(body, type=datetime)
        for kind, key, body in self._journal.read(self.domain, DOCUMENTS):
            self._documents.setdefault(kind, {})[key] = body

    def _remember(self, kind: str, key: int | str, record: msgspec.Struct) -> None:
        if isinstance(record, Shop):
            self.shop = record
            return
        self._records(kind)[key] = record
        if isinstance(record, Order):
            self._last_number = max(self._last_number, record.number)
            if record.customer_id is not None:
                self._orders_of.setdefault(record.customer_id, {})[record.id] = record

    def _records(self, kind: str) -> dict[int | str, Any]:
        records: dict[str, dict[Any, Any]] = {
            "customer": self.customers,
            "product": self.products,
            "order": self.orders,
            "cart": self.carts,
            "checkout": self.checkouts,
        }
        return records[kind]

    def _row(self, area: str, kind: str, key: int | str, value: object) -> Row:
        return self.domain, area, kind, str(key), msgspec.msgpack.encode(value)


class Stores:
    """All stores of one devstore, kept in ``<data>/devstore.sqlite3``; missing ones are generated."""

    def __init__(self, options: Options) -> None:
        """Open (or create) the file, read every store, and generate those that are missing."""
        options.data.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(options.data / "devstore.sqlite3")
        self._numbers = Numbers(self._journal)
        self._stores = {domain: Store(domain, self._journal, self._numbers) for domain in options.shops}
        end = options.now or datetime.now(UTC)
        for index, store in enumerate(self._stores.values()):
            if not hasattr(store, "shop"):
                store.fill(generate(_plan(options, index, end), store.next_id))

    def __getitem__(self, domain: str) -> Store:
        """Return the store of a full domain (``….myshopify.com``); raises KeyError when unknown."""
        return self._stores[domain]

    def __iter__(self) -> Iterator[Store]:
        """Iterate over the stores, the main one first."""
        return iter(self._stores.values())

    def names(self) -> list[str]:
        """Return the domains of all stores, the main one first."""
        return list(self._stores)

    def close(self) -> None:
        """Close the file; the stores can be read but no longer changed."""
        self._journal.close()


def _plan(options: Options, index: int, end: datetime) -> Plan:
    """Size the store at ``index``: the first is the full one, the others are small and keep their books in euro."""
    share = SMALLER_SHOPS if index else 1
    return Plan(
        domain=options.shops[index],
        seed=options.seed + index,
        customers=max(options.customers // share, 1),
        products=max(options.products // share, 1),
        orders=max(options.orders // share, 1),
        start=end.replace(microsecond=0) - timedelta(days=730),
        end=end.replace(microsecond=0),
        abroad=bool(index),
    )


def _typed(kind: str, key: str) -> int | str:
    """Give a key back its type: only tokens are text."""
    return key if kind in TOKEN_KINDS or kind == "shop" else int(key)


@dataclass(frozen=True)
class Devstore:
    """What a request needs: the options, the stores, the way out for webhooks, and what goes wrong with the API."""

    options: Options
    stores: Stores
    deliveries: Deliveries
    troubles: Troubles = field(default_factory=Troubles)


def current() -> Devstore:
    """Return the devstore of the running Flask app; raises RuntimeError outside of one."""
    return cast("Devstore", current_app.extensions["devstore"])
