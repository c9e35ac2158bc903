"""Customers: whole ones from customers/* and bulk lines, and the parts that webhooks tell on their own.

Since 2025-01 a customer's webhook carries neither tags nor consents nor purchases; they come in topics without
``updated_at``. Each of these groups has a time of its own, and an older message does not undo a newer one.
"""

# ruff: noqa: S608 - statements are put together from the constants of this module; values are bound

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy.orm import Session

from shopify_app.database import clause
from shopify_app.ingest.freshness import PLACEHOLDER, Version
from shopify_app.ingest.staging import Row, Target, put
from shopify_app.ingest.texts import array, numbers
from shopify_app.shopify import bulk_lines, payloads
from shopify_app.shopify.payloads import Address
from shopify_app.shopify.scalars import number_of
from shopify_app.statements import put_off

_WEBHOOK_COLUMNS = (
    "name", "first_name", "last_name", "email", "phone", "state", "country_code", "province_code", "city",
)  # fmt: skip
_GROUPS = MappingProxyType(
    {
        "tags_at": ("tags",),
        "email_consent_at": ("email_consent",),
        "sms_consent_at": ("sms_consent",),
        "purchases_at": ("orders_count", "amount_spent"),
    }
)
_GROUP_COLUMNS = tuple(column for at, group in _GROUPS.items() for column in (at, *group))


def _later_wins(at: str) -> dict[str, str]:
    """Return merges that keep a group of columns when what is held was true later."""
    held_is_later = f"coalesce(held.{at}, '-infinity') > coalesce(excluded.{at}, '-infinity')"
    columns = (at, *_GROUPS[at])
    return {column: f"CASE WHEN {held_is_later} THEN held.{column} ELSE excluded.{column} END" for column in columns}


def _part(at: str) -> Target:
    """Return the target of one group; a customer nobody has told us about yet becomes a placeholder."""
    merges = {**_later_wins(at), "backfill_id": "held.backfill_id"}
    return Target("customers", ("shopify_id",), ("backfill_id", at, *_GROUPS[at]), merges=merges)


FROM_WEBHOOK = Target("customers", ("shopify_id",), _WEBHOOK_COLUMNS, versioned=True)
FROM_BULK = Target(
    "customers",
    ("shopify_id",),
    (*_WEBHOOK_COLUMNS, "locale", *_GROUP_COLUMNS),
    versioned=True,
    merges={column: merge for at in _GROUPS for column, merge in _later_wins(at).items()},
)
EMAIL_CONSENTS = _part("email_consent_at")
SMS_CONSENTS = _part("sms_consent_at")
PURCHASES = _part("purchases_at")


class TagChange(NamedTuple):
    """Tags added to or removed from a customer."""

    customer_id: int
    tags: list[str]
    added: bool
    occurred_at: datetime | None


def webhook_row(body: payloads.Customer, version: Version) -> Row:
    """Return a row of ``FROM_WEBHOOK``."""
    address = body.default_address if isinstance(body.default_address, Address) else Address()
    return (
        body.id,
        body.created_at,
        *version,
        _name(body.first_name, body.last_name),
        body.first_name,
        body.last_name,
        body.email,
        body.phone,
        lowered(body.state),
        address.country_code,
        address.province_code,
        address.city,
    )


def bulk_row(line: bulk_lines.Customer, version: Version) -> Row:
    """Return a row of ``FROM_BULK``; it was true when it was read, if that is known."""
    told_at = version.triggered_at or line.updated_at
    address = line.default_address or bulk_lines.Address()
    email = line.default_email_address or bulk_lines.Email()
    phone = line.default_phone_number or bulk_lines.Phone()
    return (
        number_of(line.id),
        line.created_at,
        *version,
        _name(line.first_name, line.last_name),
        line.first_name,
        line.last_name,
        email.email_address,
        phone.phone_number,
        lowered(line.state),
        address.country_code_v2,
        address.province_code,
        address.city,
        line.locale,
        told_at,
        array(line.tags),
        told_at,
        lowered(email.marketing_state),
        told_at,
        _sms_consent(phone.sms_marketing_consent.state) if phone.sms_marketing_consent else None,
        told_at,
        line.number_of_orders,
        line.amount_spent.amount if line.amount_spent else None,
    )


def stamp(session: Session, tenant_id: int, customer_ids: Iterable[int], told_at: datetime) -> None:
    """Note of customers who are held as they were at this moment that no earlier message about a part is news."""
    changes = ", ".join(f"{at} = greatest({at}, :told_at)" for at in _GROUPS)
    statement = f"UPDATE customers SET {changes} WHERE tenant_id = :tenant AND shopify_id = ANY (:customers)"
    values = {"tenant": tenant_id, "customers": list(customer_ids), "told_at": told_at}
    session.execute(clause(statement), values)


def email_consent_row(body: payloads.EmailConsent, told_at: datetime | None) -> Row:
    """Return a row of ``EMAIL_CONSENTS``."""
    consent = body.email_marketing_consent or payloads.Consent()
    return (body.customer_id, PLACEHOLDER, told_at, lowered(consent.state))


def sms_consent_row(body: payloads.SmsConsent, told_at: datetime | None) -> Row:
    """Return a row of ``SMS_CONSENTS``."""
    consent = body.sms_marketing_consent or payloads.Consent()
    return (body.id, PLACEHOLDER, told_at, lowered(consent.state))


def purchases_row(body: payloads.PurchasingSummary, told_at: datetime | None) -> Row:
    """Return a row of ``PURCHASES``."""
    spent = body.amount_spent.amount if body.amount_spent else None
    return (number_of(body.customer_id), PLACEHOLDER, told_at, body.number_of_orders, spent)


def change_tags(session: Session, tenant_id: int, changes: Iterable[TagChange], now: datetime) -> int:
    """Add and remove tags in the order they happened; returns the number of rows written.

    A change that happened before the snapshot a backfill took of the customer is in it already.
    """
    written = 0
    for change in changes:
        _placeholder(session, tenant_id, change.customer_id, now)
        written += len(
            session.execute(
                clause(_ADD_TAGS if change.added else _REMOVE_TAGS),
                {"tenant": tenant_id, "customer": change.customer_id, "tags": change.tags, "at": change.occurred_at},
            ).all()
        )
    return written


def merge_customers(session: Session, tenant_id: int, merged: Iterable[tuple[int, int]], now: datetime) -> set[int]:
    """Let the first customer of each pair take over from the second; returns the orders that changed hands."""
    moved: set[int] = set()
    for kept, gone in merged:
        _placeholder(session, tenant_id, gone, now)
        values = {"tenant": tenant_id, "kept": kept, "gone": gone, "now": now}
        session.execute(clause(_MERGE), values)
        moved.update(session.execute(clause(_REASSIGN), values).scalars())
    return moved


def keep(session: Session, tenant_id: int, customer_ids: Iterable[int], now: datetime) -> int:
    """Make sure that these customers have a row; returns the number that had none."""
    target = Target("customers", ("shopify_id",), ("backfill_id",), merges={"backfill_id": "held.backfill_id"})
    return len(put(session, tenant_id, target, ((number, PLACEHOLDER) for number in sorted(set(customer_ids))), now))


def follow_merges(session: Session, tenant_id: int, order_ids: list[int]) -> None:
    """Give orders of customers who were merged away to the ones who were kept: an order may arrive after the merge."""
    if order_ids:
        put_off(session, _FOLLOW, {"tenant": tenant_id, "orders": numbers(order_ids)})


def lowered(word: str | None) -> str | None:
    """Return a state as the webhooks write it; GraphQL writes the same in capitals."""
    return word.lower() if word else None


def _sms_consent(word: str | None) -> str | None:
    """Return a consent as the webhooks write it; GraphQL has a word of its own for nobody having asked."""
    return "not_subscribed" if word == "NEVER_SUBSCRIBED" else lowered(word)


def _name(first: str | None, last: str | None) -> str | None:
    return " ".join(part for part in (first, last) if part) or None


def _placeholder(session: Session, tenant_id: int, customer_id: int, now: datetime) -> None:
    keep(session, tenant_id, [customer_id], now)


_TAGGABLE = """
    WHERE tenant_id = :tenant AND shopify_id = :customer AND deleted_at IS NULL
      AND coalesce(CAST(:at AS timestamptz), 'infinity') >= coalesce(tags_at, '-infinity')
"""
_ADD_TAGS = f"""
    UPDATE customers SET tags = coalesce(tags, '{{}}') ||
      (SELECT coalesce(array_agg(tag ORDER BY place), '{{}}')
       FROM unnest(CAST(:tags AS text[])) WITH ORDINALITY AS new (tag, place)
       WHERE tag <> ALL (coalesce(tags, '{{}}')))
    {_TAGGABLE} AND NOT coalesce(tags, '{{}}') @> CAST(:tags AS text[])
    RETURNING 1
"""
_REMOVE_TAGS = f"""
    UPDATE customers SET tags =
      (SELECT coalesce(array_agg(tag ORDER BY place), '{{}}') FROM unnest(tags) WITH ORDINALITY AS old (tag, place)
       WHERE tag <> ALL (CAST(:tags AS text[])))
    {_TAGGABLE} AND tags && CAST(:tags AS text[])
    RETURNING 1
"""
_MERGE = """
    UPDATE customers SET merged_into = :kept, deleted_at = coalesce(deleted_at, :now)
    WHERE tenant_id = :tenant AND (shopify_id = :gone OR merged_into = :gone) AND merged_into IS DISTINCT FROM :kept
"""
_REASSIGN = """
    UPDATE orders SET customer_shopify_id = :kept
    WHERE tenant_id = :tenant AND customer_shopify_id = :gone RETURNING shopify_id
"""
# Customers are looked up order by order: a join may read all of them for every batch of a history.
_KEPT_INSTEAD = """
    (SELECT merged_into FROM customers WHERE tenant_id = :tenant AND shopify_id = orders.customer_shopify_id)
"""
_FOLLOW = f"""
    UPDATE orders SET customer_shopify_id = {_KEPT_INSTEAD}
    WHERE tenant_id = :tenant AND shopify_id = ANY (CAST(:orders AS bigint[])) AND {_KEPT_INSTEAD} IS NOT NULL
"""
