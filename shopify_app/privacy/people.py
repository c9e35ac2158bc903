"""Who somebody is in a store's tables: their numbers, addresses, orders and baskets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from shopify_app.ingest.tombstones import Mark, marks
from shopify_app.models import Checkout, Customer, Order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from shopify_app.shopify.compliance import Person


@dataclass
class Held:
    """What a customer is known by in one store."""

    tenant_id: int
    customers: set[int] = field(default_factory=set)
    orders: set[int] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)
    checkouts: set[str] = field(default_factory=set)
    carts: set[str] = field(default_factory=set)

    def marks(self) -> Iterator[Mark]:
        """Yield what they may be known again by."""
        for number in self.customers:
            yield from marks(customer=number)
        for number in self.orders:
            yield from marks(order=number)
        for email in self.emails:
            yield from marks(email=email)
        for phone in self.phones:
            yield from marks(phone=phone)

    def words(self) -> set[str]:
        """Return whatever, found in a body, says that the body is about them."""
        return {value for _, value in self.marks()} | self.phones | self.checkouts | self.carts


def find(session: Session, tenant_id: int, person: Person, orders: Iterable[int]) -> Held:
    """Return who a person is in the store, from what Shopify names and what is held."""
    held = Held(tenant_id, orders=set(orders))
    if person.id is not None:
        held.customers.add(person.id)
    _add_contacts(held, person.email, person.phone)
    _add_customers(session, held)
    _add_orders(session, held)
    _add_baskets(session, held)
    return held


def _add_customers(session: Session, held: Held) -> None:
    """Add the rows of the same person: those merged with theirs, and those with the same address."""
    statement = select(Customer.shopify_id, Customer.email, Customer.phone)
    known = -1
    while known != len(held.customers):
        known = len(held.customers)
        theirs = or_(
            Customer.shopify_id.in_(held.customers),
            Customer.merged_into.in_(held.customers),
            func.lower(Customer.email).in_(held.emails),
        )
        for number, email, phone in session.execute(statement.where(Customer.tenant_id == held.tenant_id, theirs)):
            held.customers.add(number)
            _add_contacts(held, email, phone)


def _add_orders(session: Session, held: Held) -> None:
    by_contact = _by_contact(held, Order)
    statement = select(Order.shopify_id, Order.email, Order.phone, Order.checkout_token, Order.cart_token).where(
        Order.tenant_id == held.tenant_id,
        or_(Order.customer_shopify_id.in_(held.customers), Order.shopify_id.in_(held.orders), by_contact),
    )
    for number, email, phone, checkout, cart in session.execute(statement):
        held.orders.add(number)
        held.checkouts.update(filter(None, [checkout]))
        held.carts.update(filter(None, [cart]))
        _add_contacts(held, email, phone)


def _add_baskets(session: Session, held: Held) -> None:
    by_contact = _by_contact(held, Checkout)
    statement = select(Checkout.token, Checkout.email, Checkout.phone, Checkout.cart_token).where(
        Checkout.tenant_id == held.tenant_id,
        or_(Checkout.customer_shopify_id.in_(held.customers), Checkout.token.in_(held.checkouts), by_contact),
    )
    for token, email, phone, cart in session.execute(statement):
        held.checkouts.add(token)
        held.carts.update(filter(None, [cart]))
        _add_contacts(held, email, phone)


def _by_contact(held: Held, table: Any) -> Any:  # noqa: ANN401 - orders and checkouts share these columns, and no type
    """Return what finds a person's rows by address, or, where no customer is named, by phone: families share one."""
    return or_(
        func.lower(table.email).in_(held.emails),
        and_(table.customer_shopify_id.is_(None), table.phone.in_(held.phones)),
    )


def _add_contacts(held: Held, email: str | None, phone: str | None) -> None:
    if email:
        held.emails.add(email.strip().lower())
    if phone:
        held.phones.add(phone)
