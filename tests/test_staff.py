"""The store's staff inside the admin: who is owner, who is viewer, and who may change that."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from shopify_app.accounts import RoleRejected, staff
from shopify_app.database import directory

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def session() -> Iterator[Session]:
    with directory() as session:
        yield session


@pytest.fixture
def tenant_id(session: Session) -> int:
    return _tenant(session, "alpha")


def _tenant(session: Session, name: str) -> int:
    statement = "INSERT INTO tenants (store_url, name, installed_at) VALUES (:url, :name, now()) RETURNING id"
    return session.scalar(text(statement), {"url": f"{name}.myshopify.com", "name": name})


def test_the_account_owner_is_owner_and_everybody_else_a_viewer(session: Session, tenant_id: int) -> None:
    owner = staff.meet(session, tenant_id, "1", account_owner=True)
    other = staff.meet(session, tenant_id, "2", account_owner=False)

    assert (owner, other) == ("owner", "viewer")
    assert staff.role_of(session, tenant_id, "1") == "owner"
    assert staff.role_of(session, tenant_id, "3") is None


def test_a_role_counts_in_its_store_only(session: Session, tenant_id: int) -> None:
    staff.meet(session, tenant_id, "1", account_owner=True)

    assert staff.role_of(session, _tenant(session, "beta"), "1") is None


def test_a_role_an_owner_gave_survives_meeting_again(session: Session, tenant_id: int) -> None:
    staff.meet(session, tenant_id, "2", account_owner=False)
    staff.change_role(session, tenant_id, "2", "analyst")

    assert staff.meet(session, tenant_id, "2", account_owner=False) == "analyst"


def test_an_account_that_changes_hands_makes_the_new_owner_owner(session: Session, tenant_id: int) -> None:
    staff.meet(session, tenant_id, "1", account_owner=True)
    staff.meet(session, tenant_id, "2", account_owner=False)

    role = staff.meet(session, tenant_id, "2", account_owner=True)

    assert role == "owner"
    told = [(one.shopify_user_id, one.role, one.account_owner) for one in staff.everybody(session, tenant_id)]
    assert told == [("2", "owner", True), ("1", "owner", False)]


def test_the_account_owners_role_is_not_ours_to_change(session: Session, tenant_id: int) -> None:
    staff.meet(session, tenant_id, "1", account_owner=True)

    with pytest.raises(staff.StaffUnknown):
        staff.change_role(session, tenant_id, "1", "viewer")


def test_staff_of_another_store_cannot_be_changed(session: Session, tenant_id: int) -> None:
    staff.meet(session, _tenant(session, "beta"), "2", account_owner=False)

    with pytest.raises(staff.StaffUnknown):
        staff.change_role(session, tenant_id, "2", "owner")


def test_a_role_there_is_not_is_rejected(session: Session, tenant_id: int) -> None:
    staff.meet(session, tenant_id, "2", account_owner=False)

    with pytest.raises(RoleRejected):
        staff.change_role(session, tenant_id, "2", "emperor")
