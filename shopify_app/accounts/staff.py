"""The store's staff inside the admin, known by Shopify's user id: who they are to the store, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from shopify_app.accounts import RoleRejected
from shopify_app.models import StaffMember
from shopify_app.models.accounts import ROLES

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class StaffUnknown(Exception):
    """The store has no such staff member, or it is the account owner, whose role is Shopify's to change."""


@dataclass(frozen=True, kw_only=True)
class Staff:
    """Somebody of the store's staff who has opened the app in the admin."""

    shopify_user_id: str
    role: str
    account_owner: bool
    since: datetime


def role_of(session: Session, tenant_id: int, shopify_user_id: str) -> str | None:
    """Return the role of a staff member of the store, or None on first sight."""
    return session.scalar(
        select(StaffMember.role).where(
            StaffMember.tenant_id == tenant_id, StaffMember.shopify_user_id == shopify_user_id
        )
    )


def meet(session: Session, tenant_id: int, shopify_user_id: str, *, account_owner: bool) -> str:
    """Keep what Shopify says of a staff member, and return their role.

    The account owner is owner. Staff are viewers until an owner says otherwise. A store has one account owner: when
    the account has changed hands, whoever was it before keeps the role and no longer the title.
    """
    if account_owner:
        session.execute(
            update(StaffMember)
            .where(StaffMember.tenant_id == tenant_id, StaffMember.shopify_user_id != shopify_user_id)
            .values(account_owner=False)
        )
    role = "owner" if account_owner else "viewer"
    statement = insert(StaffMember).values(
        tenant_id=tenant_id, shopify_user_id=shopify_user_id, role=role, account_owner=account_owner
    )
    known = {"account_owner": account_owner, "role": role if account_owner else StaffMember.role}
    statement = statement.on_conflict_do_update(index_elements=["tenant_id", "shopify_user_id"], set_=known)
    return session.scalars(statement.returning(StaffMember.role)).one()


def change_role(session: Session, tenant_id: int, shopify_user_id: str, role: str) -> None:
    """Give a staff member another role.

    Raises:
        RoleRejected: ``role`` is none of ours.
        StaffUnknown: there is no such staff member, or it is the account owner.
    """
    if role not in ROLES:
        raise RoleRejected
    statement = (
        update(StaffMember)
        .where(
            StaffMember.tenant_id == tenant_id,
            StaffMember.shopify_user_id == shopify_user_id,
            StaffMember.account_owner.is_(False),
        )
        .values(role=role)
    )
    if session.scalar(statement.returning(StaffMember.tenant_id)) is None:
        raise StaffUnknown


def everybody(session: Session, tenant_id: int) -> tuple[Staff, ...]:
    """Return the store's staff who have opened the app, the account owner first and then by when they came."""
    found = session.scalars(
        select(StaffMember)
        .where(StaffMember.tenant_id == tenant_id)
        .order_by(StaffMember.account_owner.desc(), StaffMember.created_at, StaffMember.shopify_user_id)
    )
    return tuple(
        Staff(
            shopify_user_id=one.shopify_user_id,
            role=one.role,
            account_owner=one.account_owner,
            since=one.created_at,
        )
        for one in found
    )
