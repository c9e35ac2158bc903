"""Customers who were erased, known again by keyed hashes, so that nothing late brings their data back.

A tombstone is made of a customer's or an order's number, an email address or a phone number. The key follows from
``SECRET_KEY``: without it the hashes cannot be tried against lists of addresses.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shopify_app.models import Tombstone
from shopify_app.statements import run

Mark = tuple[str, str]  # a kind and a value, such as ("customer", "77")

SHORTEST_PHONE = 7  # digits; fewer are no number of a person
_PURPOSE = b"storelens.tombstones"


def key_of(secret_key: str) -> bytes:
    """Return the key of the hashes; another ``SECRET_KEY`` no longer knows the tombstones made before."""
    return hmac.digest(secret_key.encode(), _PURPOSE, "sha256")


def marks(
    *, customer: int | None = None, order: int | None = None, email: str | None = None, phone: str | None = None
) -> set[Mark]:
    """Return what somebody may be known again by."""
    told = {
        "customer": customer,
        "order": order,
        "email": (email or "").strip().lower(),
        "phone": _digits(phone),
    }
    return {(kind, str(value)) for kind, value in told.items() if value}


def put(session: Session, tenant_id: int, key: bytes, of: Iterable[Mark], now: datetime) -> None:
    """Remember somebody as erased."""
    rows = [{"tenant_id": tenant_id, "digest": _digest(key, tenant_id, mark), "created_at": now} for mark in of]
    if rows:
        session.execute(insert(Tombstone).values(rows).on_conflict_do_nothing())


def exist(session: Session, tenant_id: int) -> bool:
    """Whether anybody of the tenant's was erased."""
    return bool(run(session, _ANY, {"tenant": tenant_id}))


def count(session: Session, tenant_id: int) -> int:
    """Return how many tombstones a tenant has: at least one for each customer who was erased."""
    return session.scalar(select(func.count()).where(Tombstone.tenant_id == tenant_id)) or 0


def find(session: Session, tenant_id: int, key: bytes, among: Iterable[Mark]) -> Erased:
    """Return those of the marks that a tombstone holds; costs one look where the tenant has none."""
    if not exist(session, tenant_id):
        return Erased(frozenset())
    by_digest = {_digest(key, tenant_id, mark): mark for mark in among}
    statement = select(Tombstone.digest).where(Tombstone.tenant_id == tenant_id, Tombstone.digest.in_(by_digest))
    return Erased(frozenset(by_digest[bytes(digest)] for digest in session.scalars(statement)))


@dataclass(frozen=True)
class Erased:
    """The marks, of those asked about, that belong to somebody who was erased."""

    marks: frozenset[Mark]

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.marks)

    def customer(self, number: int | None) -> bool:
        """Whether the customer of this number was erased."""
        return ("customer", str(number)) in self.marks

    def guest(self, customer: int | None, email: str | None, phone: str | None) -> bool:
        """Whether these are somebody's who was erased.

        An address or a phone number counts only where no customer is named: somebody who comes back to the store gets
        a new number from Shopify, and is a customer like any other.
        """
        if customer is not None:
            return self.customer(customer)
        return not self.marks.isdisjoint(marks(email=email, phone=phone))

    def order(self, number: int, customer: int | None, email: str | None, phone: str | None) -> bool:
        """Whether the order is one of somebody who was erased."""
        return ("order", str(number)) in self.marks or self.guest(customer, email, phone)

    def told_by(self, payload: bytes) -> bool:
        """Whether a body speaks of anybody who was erased."""
        return (
            bool(self)
            and re.search(pattern(value for _, value in self.marks), escaped(payload), re.IGNORECASE) is not None
        )


def escaped(payload: bytes) -> str:
    """Return bytes as PostgreSQL's ``encode(…, 'escape')`` writes them, so that one pattern serves both."""
    text = payload.decode("latin-1").replace("\\", "\\\\")
    return "".join(char if "\0" < char < "\x80" else f"\\{ord(char):03o}" for char in text)


def pattern(values: Iterable[str]) -> str:
    """Return a regular expression, Python's and PostgreSQL's, that finds any of the values in ``escaped`` JSON.

    A number is found only where it is the whole number.
    """
    forms = {form for value in values for form in (value, json.dumps(value)[1:-1])}
    quoted = sorted(_quoted(escaped(form.encode())) for form in forms)
    return f"(?<![0-9])({'|'.join(quoted)})(?![0-9])"


def _quoted(text: str) -> str:
    return "".join(char if char.isalnum() else f"\\{char}" for char in text)


def _digits(phone: str | None) -> str:
    """Return a phone number's digits, which is all that its ways of being written have in common."""
    digits = "".join(char for char in phone or "" if char.isdecimal())
    return digits if len(digits) >= SHORTEST_PHONE else ""


def _digest(key: bytes, tenant_id: int, mark: Mark) -> bytes:
    kind, value = mark
    return hmac.digest(key, f"{tenant_id}:{kind}:{value}".encode(), "sha256")


_ANY = "SELECT 1 FROM tombstones WHERE tenant_id = :tenant LIMIT 1"
