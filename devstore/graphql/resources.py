"""The kinds of records that are listed and counted: how each is searched and sorted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from devstore import multitude_search, search, totals
from devstore.graphql import access
from devstore.graphql.checkouts import is_listed, subtotal
from devstore.graphql.connections import cursor_key, plain
from devstore.graphql.context import Context, Key, Listing
from devstore.graphql.customers import placed_orders, spent

if TYPE_CHECKING:
    from devstore.model import Order
    from devstore.multitude_search import Chosen

COUNT_LIMIT = 10_000
RISING = frozenset({"CREATED_AT", "ID", "ORDER_NUMBER", "PROCESSED_AT", "RELEVANCE", "UPDATED_AT"})  # with an id


@dataclass(frozen=True)
class Resource:
    """A kind of record that is listed: where it is, how it is searched and sorted.

    ``searched_by`` and ``sorted_by`` are given a context and return accessors by name.
    """

    name: str
    records: Callable[[Context], list[Any]]
    searched_by: Callable[[Context], Mapping[str, search.Accessor]]
    sorted_by: Callable[[Context], Mapping[str, search.Accessor]]
    text: search.Accessor

    def chosen(self, context: Context, query: str | None) -> list[Any]:
        """Return the records a search finds; what it left out of the search goes to the answer's extensions."""
        with context.store.lock:
            records = self.records(context)
        if not query:
            return records
        parsed = search.parse(query, self.searched_by(context), self.text)
        context.warnings.extend(search.warned(parsed, self.name, query))
        return [record for record in records if parsed.matches(record)]

    def listing(
        self,
        _root: object,
        context: Context,
        query: str | None = None,
        sortKey: str = "ID",  # noqa: N803 (GraphQL's name)
        **_page: object,
    ) -> Listing:
        """Resolve the connection. RELEVANCE and keys devstore has no figure for sort by id."""
        accessor = self.sorted_by(context).get(sortKey, lambda record: record.id)

        def key(record: Any) -> Key:  # noqa: ANN401 (any record of the resource)
            value = accessor(record)
            return (value.timestamp() if isinstance(value, datetime) else value), record.id

        page = {name: value for name, value in _page.items() if value is not None} | {"sortKey": sortKey}
        found = [*self.chosen(context, query), *self.more(context, query, key, page)]
        return Listing(sorted(found, key=key), key)

    def more(
        self, _context: Context, _query: str | None, _key: Callable[[Any], Key], _page: Mapping[str, Any]
    ) -> list[Any]:
        """Return what a page may hold beside records; ``_page`` is what was asked of it."""
        return []

    def counted(self, context: Context, query: str | None) -> int:
        """Count what a search finds."""
        return len(self.chosen(context, query))

    def count(
        self, _root: object, context: Context, query: str | None = None, limit: int | None = COUNT_LIMIT
    ) -> tuple[int, bool]:
        """Resolve the count: (number, whether it is exact); counting stops at ``limit``."""
        found = self.counted(context, query)
        return (found, True) if limit is None or found <= limit else (limit, False)


def _order_state(order: Order) -> list[str]:
    """Return the values of the search field ``status`` an order matches."""
    if order.cancelled_at:
        return ["cancelled", "not_closed"] if order.closed_at is None else ["cancelled"]
    return ["closed"] if order.closed_at else ["open", "not_closed"]


@dataclass(frozen=True)
class Orders(Resource):
    """Orders: those a store holds, and those it has by a formula."""

    def generated(self, context: Context, query: str | None) -> Chosen | None:
        """Return the generated orders that a search finds; None where the store has none."""
        if context.store.multitude is None:
            return None
        oldest = access.oldest_visible(context)
        return multitude_search.choose(context.store.multitude, query, self.searched_by(context), self.text, oldest)

    def counted(self, context: Context, query: str | None) -> int:
        """Count both."""
        return super().counted(context, query) + len(self.generated(context, query) or ())

    def more(
        self, context: Context, query: str | None, key: Callable[[Any], Key], page: Mapping[str, Any]
    ) -> list[Any]:
        """Return the generated orders that a page may hold; none where no page is asked for, as in bulk operations."""
        chosen = self.generated(context, query) if page.keys() & {"first", "last"} else None
        if chosen is None:
            return []
        if page["sortKey"] not in RISING or page.keys() & {"last", "before"}:
            return chosen.orders()
        return chosen.page(
            lambda order: plain(key(order)),
            size=page["first"] + 1,
            after=cursor_key(page["after"]) if "after" in page else None,
            reverse=bool(page.get("reverse")),
        )


ORDERS = Orders(
    name="orders",
    records=access.orders,
    searched_by=lambda _context: {
        "cart_token": lambda order: order.cart_token,
        "checkout_token": lambda order: order.checkout_token,
        "created_at": lambda order: order.created_at,
        "current_total_price": lambda order: totals.current(order).total,
        "customer_id": lambda order: order.customer_id,
        "discount_code": lambda order: order.discount_code,
        "email": lambda order: order.email,
        "financial_status": lambda order: order.financial_status,
        "fulfillment_status": lambda order: order.fulfillment_status or "unfulfilled",
        "id": lambda order: order.id,
        "name": lambda order: [f"#{order.number}", str(order.number)],
        "processed_at": lambda order: order.processed_at,
        "sku": lambda order: [line.sku for line in order.lines],
        "source_name": lambda order: order.source_name,
        "status": _order_state,
        "tag": lambda order: order.tags,
        "test": lambda order: order.test,
        "updated_at": lambda order: order.updated_at,
    },
    sorted_by=lambda _context: {
        "CREATED_AT": lambda order: order.created_at,
        "CURRENT_TOTAL_PRICE": lambda order: float(totals.current(order).total),
        "FINANCIAL_STATUS": lambda order: order.financial_status,
        "FULFILLMENT_STATUS": lambda order: order.fulfillment_status or "",
        "ORDER_NUMBER": lambda order: order.number,
        "PROCESSED_AT": lambda order: order.processed_at,
        "TOTAL_PRICE": lambda order: float(totals.ordered(order).total),
        "UPDATED_AT": lambda order: order.updated_at,
    },
    text=lambda order: [f"#{order.number}", order.email, *order.tags],
)


def _customer_search(context: Context) -> Mapping[str, search.Accessor]:
    return {
        "accepts_marketing": lambda customer: customer.email_consent == "subscribed",
        "country": lambda customer: customer.address.country if customer.address else None,
        "email": lambda customer: customer.email,
        "first_name": lambda customer: customer.first_name,
        "id": lambda customer: customer.id,
        "last_name": lambda customer: customer.last_name,
        "orders_count": lambda customer: len(placed_orders(customer, context)),
        "phone": lambda customer: customer.phone,
        "customer_date": lambda customer: customer.created_at,
        "created_at": lambda customer: customer.created_at,
        "state": lambda customer: customer.state,
        "tag": lambda customer: customer.tags,
        "total_spent": lambda customer: spent(customer, context),
        "updated_at": lambda customer: customer.updated_at,
    }


CUSTOMERS = Resource(
    name="customers",
    records=lambda context: list(context.store.customers.values()),
    searched_by=_customer_search,
    sorted_by=lambda _context: {
        "CREATED_AT": lambda customer: customer.created_at,
        "NAME": lambda customer: f"{customer.last_name or ''} {customer.first_name or ''}",
        "UPDATED_AT": lambda customer: customer.updated_at,
    },
    text=lambda customer: [customer.first_name, customer.last_name, customer.email, customer.phone],
)
PRODUCTS = Resource(
    name="products",
    records=lambda context: list(context.store.products.values()),
    searched_by=lambda _context: {
        "created_at": lambda product: product.created_at,
        "gift_card": lambda product: product.gift_card,
        "handle": lambda product: product.handle,
        "id": lambda product: product.id,
        "inventory_total": lambda product: sum(variant.inventory_quantity for variant in product.variants),
        "product_type": lambda product: product.product_type,
        "published_at": lambda product: product.published_at,
        "sku": lambda product: [variant.sku for variant in product.variants],
        "status": lambda product: product.status,
        "tag": lambda product: product.tags,
        "title": lambda product: product.title,
        "updated_at": lambda product: product.updated_at,
        "vendor": lambda product: product.vendor,
    },
    sorted_by=lambda _context: {
        "CREATED_AT": lambda product: product.created_at,
        "INVENTORY_TOTAL": lambda product: sum(variant.inventory_quantity for variant in product.variants),
        "PRODUCT_TYPE": lambda product: product.product_type,
        "PUBLISHED_AT": lambda product: product.published_at.timestamp() if product.published_at else 0,
        "TITLE": lambda product: product.title,
        "UPDATED_AT": lambda product: product.updated_at,
        "VENDOR": lambda product: product.vendor,
    },
    text=lambda product: [product.title, product.handle, product.vendor, product.product_type],
)
CHECKOUTS = Resource(
    name="abandonedCheckouts",
    records=lambda context: [one for one in list(context.store.checkouts.values()) if is_listed(one)],
    searched_by=lambda _context: {
        "created_at": lambda checkout: checkout.created_at,
        "id": lambda checkout: checkout.id,
        "recovery_state": lambda checkout: "recovered" if checkout.completed_at else "not_recovered",
        "status": lambda checkout: "closed" if checkout.closed_at else "open",
        "updated_at": lambda checkout: checkout.updated_at,
    },
    sorted_by=lambda _context: {
        "CREATED_AT": lambda checkout: checkout.created_at,
        "TOTAL_PRICE": lambda checkout: float(subtotal(checkout) + checkout.shipping),
    },
    text=lambda checkout: [checkout.email, checkout.phone],
)
