"""What a store has and what is held of it, in the same words, so that the two can be held against each other.

Some things nobody can hold, for nobody tells them. Each is named in :class:`Untold`, with the reason.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from devstore import totals
from devstore.model import Customer, Order, Product
from devstore.payloads import purchasing_summary_body
from devstore.reports_ledger import Entry, booked, entries
from devstore.state import Store

Rows = dict[Any, dict[str, Any]]


@dataclass(frozen=True)
class Untold:
    """What cannot be held as it is.

    ``baskets``: tokens of carts and checkouts of which a webhook was lost. Shopify has no API that lists carts, nor
    one for checkouts that were completed at once, and abandoned ones are listed without what happened before.
    And of checkouts that were deleted, with their carts: since 2026-04 a checkout's webhooks bear no number, and its
    deletion bears no token.
    ``products``: numbers of products that were deleted. Lines of orders no longer name them from then on, and no
    webhook says so: a line that was told before names them for ever, one that is told later does not.

    And two that nobody tells, but that a check asks for:
    ``tags``: numbers of customers into whom others were merged. Their tags change without a word.
    ``times``: whether ``updated_at`` is left out. What a customer buys renews it, and tells only what was bought;
    a merge renews the orders that change hands.
    """

    baskets: frozenset[str | None] = frozenset()
    products: frozenset[int] = frozenset()
    tags: frozenset[int] = frozenset()
    times: bool = False


def customers(store: Store, untold: Untold) -> Rows:
    """Return a store's customers by number."""
    return {number: _customer(store, one, untold) for number, one in store.customers.items()}


def _customer(store: Store, customer: Customer, untold: Untold) -> dict[str, Any]:
    summary = purchasing_summary_body(store, customer, customer.updated_at)
    address = customer.address
    return {
        "updated_at": None if untold.times else customer.updated_at,
        "name": " ".join(filter(None, (customer.first_name, customer.last_name))) or None,
        "email": customer.email,
        "phone": customer.phone,
        "state": customer.state,
        "country_code": address.country_code if address else None,
        "city": address.city if address else None,
        "tags": None if customer.id in untold.tags else sorted(customer.tags),
        "email_consent": customer.email_consent if customer.email else None,
        "sms_consent": customer.sms_consent if customer.phone else None,
        "orders_count": summary["numberOfOrders"],
        "amount_spent": Decimal(summary["amountSpent"]["amount"]),
    }


def held_customers(session: Session, untold: Untold) -> Rows:
    """Return the customers that are held, in the words of :func:`customers`."""
    rows = _rows(session, "SELECT * FROM customers WHERE deleted_at IS NULL")
    for number, row in rows.items():
        row["updated_at"] = None if untold.times else row["updated_at"]
        row["tags"] = None if number in untold.tags else sorted(row["tags"] or ())
        row["email_consent"] = (row["email_consent"] or "not_subscribed") if row["email"] else None
        row["sms_consent"] = (row["sms_consent"] or "not_subscribed") if row["phone"] else None
        row["orders_count"] = row["orders_count"] or 0  # nobody tells it of a customer who never ordered
        row["amount_spent"] = row["amount_spent"] or Decimal(0)
    return rows


def products(store: Store) -> Rows:
    """Return a store's products by number, each with its variants."""
    return {number: _product(one) for number, one in store.products.items()}


def _product(product: Product) -> dict[str, Any]:
    return {
        "updated_at": product.updated_at,
        "title": product.title,
        "status": product.status,
        "product_type": product.product_type,
        "vendor": product.vendor,
        "tags": sorted(product.tags),
        "price": min(variant.price for variant in product.variants),
        "variants": sorted((variant.id, variant.title, variant.sku, variant.price) for variant in product.variants),
    }


def held_products(session: Session) -> Rows:
    """Return the products that are held, in the words of :func:`products`."""
    rows = _rows(session, "SELECT * FROM products WHERE deleted_at IS NULL")
    variants = defaultdict(list)
    for row in session.execute(text("SELECT product_shopify_id, shopify_id, title, sku, price FROM product_variants")):
        variants[row[0]].append(tuple(row[1:]))
    for number, row in rows.items():
        row["tags"], row["variants"] = sorted(row["tags"] or ()), sorted(variants[number])
    return rows


def orders(store: Store, untold: Untold) -> Rows:
    """Return a store's orders by number, each with its lines, its refunds with theirs, and its edits."""
    return {number: _order(one, untold) for number, one in store.orders.items()}


def _order(order: Order, untold: Untold) -> dict[str, Any]:
    placed, left = totals.ordered(order), totals.current(order)
    closed = "closed" if order.closed_at else "open"
    return {
        "updated_at": None if untold.times else order.updated_at,
        "name": f"#{order.number}",
        "status": "cancelled" if order.cancelled_at else closed,
        "financial_status": order.financial_status,
        "fulfillment_status": order.fulfillment_status,
        "customer_shopify_id": order.customer_id,
        "email": order.email,
        "tags": sorted(order.tags),
        "total_price": placed.total,
        "subtotal_price": placed.subtotal,
        "total_discounts": placed.discounts + placed.shipping_discounts,
        "total_tax": placed.tax,
        "current_total_price": left.total,
        "test": order.test,
        "edited": bool(order.edits),
        "cart_token": order.cart_token,
        "checkout_token": order.checkout_token,
        "processed_at": order.processed_at,
        "cancelled_at": order.cancelled_at,
        "closed_at": order.closed_at,
        "lines": sorted(
            (line.id, _named(line.product_id, untold), line.quantity, line.current_quantity, line.price, line.discount,
             line.tax) for line in order.lines
        ),
        "refunds": sorted(
            (refund.id, refund.processed_at, refund.amount, refund.shipping, refund.shipping_tax,
             tuple(sorted((line.line_item_id, line.quantity, line.subtotal, line.tax) for line in refund.lines)))
            for refund in order.refunds
        ),
        "edits": sorted(
            (edit.created_at, change.line_item_id, change.delta) for edit in order.edits for change in edit.changes
        ),
    }  # fmt: skip


def _named(product_id: int | None, untold: Untold) -> int | None:
    return None if product_id in untold.products else product_id


def held_orders(session: Session, untold: Untold) -> Rows:
    """Return the orders that are held, in the words of :func:`orders`."""
    rows = _rows(session, "SELECT * FROM orders WHERE deleted_at IS NULL")
    lines, refunds, edits = _held_lines(session, untold), _held_refunds(session), _held_edits(session)
    for number, row in rows.items():
        row["updated_at"] = None if untold.times else row["updated_at"]
        row["tags"] = sorted(row["tags"] or ())
        row["lines"], row["refunds"], row["edits"] = lines[number], refunds[number], edits[number]
    return rows


def _held_lines(session: Session, untold: Untold) -> dict[int, list[Any]]:
    found = defaultdict(list)
    for row in session.execute(text(_LINES)):
        found[row[0]].append((row[1], _named(row[2], untold), *row[3:]))
    return found


def _held_refunds(session: Session) -> dict[int, list[Any]]:
    of_refund = defaultdict(list)
    for row in session.execute(text(_REFUND_LINES)):
        of_refund[row[0]].append(tuple(row[1:]))
    found = defaultdict(list)
    for row in session.execute(text(_REFUNDS)):
        found[row[0]].append((*row[1:], tuple(sorted(of_refund[row[1]]))))
    return found


def _held_edits(session: Session) -> dict[int, list[Any]]:
    found = defaultdict(list)
    for row in session.execute(text(_EDITS)):
        found[row[0]].append(tuple(row[1:]))
    return found


def sums(store: Store) -> Rows:
    """Return what each day of the shop's calendar booked, by day and kind, as the store's own report adds it up."""
    found: dict[Any, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(_AMOUNTS, Decimal(0)))
    for order in store.orders.values():
        if not order.test:
            everything = booked(order)
            usual = len(list(entries(order)))
            for place, entry in enumerate(everything):
                kind = _kind(entry) if place < usual else "cancellation"
                _add(found[entry.at.astimezone(store.zone).date(), kind], entry)
    return {key: amounts for key, amounts in found.items() if any(amounts.values())}


def _kind(entry: Entry) -> str:
    if entry.of_edit:
        return "edit"
    back = entry.returned or min(entry.tax, entry.shipping) < 0
    return "refund" if back else "order"


def _add(amounts: dict[str, Decimal], entry: Entry) -> None:
    told = (entry.gross, entry.discount, entry.returned, entry.shipping, entry.tax)
    for name, amount in zip(_AMOUNTS, told, strict=True):
        amounts[name] += amount


def held_sums(session: Session) -> Rows:
    """Return what the ledger booked, in the words of :func:`sums`."""
    rows = session.execute(text(_SUMS)).mappings()
    found = {(row["day_on"], row["kind"]): {name: row[name] for name in _AMOUNTS} for row in rows}
    return {key: amounts for key, amounts in found.items() if any(amounts.values())}


def day_totals(session: Session) -> Rows:
    """Return the totals that are kept, by day."""
    return _rows(session, "SELECT * FROM day_totals", key="day_on")


def differences(theirs: Rows, mine: Rows) -> list[str]:
    """Return a sentence for each thing that is not held as the store has it."""
    missing = [f"{key} is not held" for key in theirs.keys() - mine.keys()]
    surplus = [f"{key} is held, and gone" for key in mine.keys() - theirs.keys()]
    other = [
        f"{key}.{name} is {mine[key][name]!r}, not {value!r}"
        for key in theirs.keys() & mine.keys()
        for name, value in theirs[key].items()
        if mine[key][name] != value
    ]
    return sorted([*missing, *surplus, *other])


def _rows(session: Session, query: str, key: str = "shopify_id") -> Rows:
    return {row[key]: dict(row) for row in session.execute(text(query)).mappings()}


_AMOUNTS = ("gross", "discounts", "returns", "shipping", "taxes")
_SUMS = """
    SELECT day_on, kind, sum(gross) AS gross, sum(discounts) AS discounts, sum(returns) AS returns,
           sum(shipping) AS shipping, sum(taxes) AS taxes
    FROM sales GROUP BY day_on, kind
"""
_LINES = """
    SELECT order_shopify_id, shopify_id, product_shopify_id, quantity, current_quantity, price, discount, tax
    FROM order_lines ORDER BY shopify_id
"""
_REFUNDS = """
    SELECT order_shopify_id, shopify_id, processed_at, amount, coalesce(shipping, 0), coalesce(shipping_tax, 0)
    FROM refunds ORDER BY shopify_id
"""
_REFUND_LINES = "SELECT refund_shopify_id, order_line_shopify_id, quantity, subtotal, tax FROM refund_lines"
_EDITS = """
    SELECT edit.order_shopify_id, edit.happened_at, line.order_line_shopify_id, line.delta
    FROM order_edits AS edit JOIN order_edit_lines AS line ON line.edit_shopify_id = edit.shopify_id
    ORDER BY edit.happened_at, line.order_line_shopify_id
"""
