"""What the room of people decides, without a request."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from shopify_app import accounts
from shopify_app.database import directory

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def session() -> Iterator[Session]:
    with directory() as session:
        yield session


def new_tenant(session: Session, name: str) -> int:
    statement = "INSERT INTO tenants (store_url, name, installed_at) VALUES (:url, :name, now()) RETURNING id"
    return session.scalar(text(statement), {"url": f"{name}.myshopify.com", "name": name})


@pytest.fixture
def tenant_id(session: Session) -> int:
    return new_tenant(session, "alpha")


@pytest.fixture
def account_id(session: Session, tenant_id: int) -> int:
    token = accounts.invite(
        session, tenant_id=tenant_id, email="alice@example.com", role="owner", invited_by="42", now=NOW
    )
    return accounts.accept(session, token, password_hash="a hash", now=NOW)[0]


def test_a_session_identifies_its_account_until_it_expires(session: Session, tenant_id: int, account_id: int) -> None:
    token = accounts.open_session(session, account_id=account_id, tenant_id=tenant_id, now=NOW)

    fresh = accounts.identify(session, token, NOW + accounts.SESSION_LASTS - timedelta(seconds=1))
    stale = accounts.identify(session, token, NOW + accounts.SESSION_LASTS)

    assert fresh is not None
    assert (fresh.account_id, fresh.tenant_id, fresh.role) == (account_id, tenant_id, "owner")
    assert stale is None


def test_a_closed_session_identifies_nobody(session: Session, tenant_id: int, account_id: int) -> None:
    token = accounts.open_session(session, account_id=account_id, tenant_id=tenant_id, now=NOW)

    accounts.close_session(session, token, NOW)
    accounts.close_session(session, "unknown", NOW)

    assert accounts.identify(session, token, NOW) is None


def test_an_invitation_lasts_seven_days(session: Session, tenant_id: int) -> None:
    token = accounts.invite(
        session, tenant_id=tenant_id, email="dora@example.com", role="viewer", invited_by="42", now=NOW
    )

    assert accounts.invitation(session, token, NOW + timedelta(days=7, seconds=-1)).role == "viewer"
    with pytest.raises(accounts.InvitationSpent):
        accounts.invitation(session, token, NOW + timedelta(days=7))


def test_an_account_that_appeared_meanwhile_stops_an_invitation(
    session: Session, tenant_id: int, account_id: int
) -> None:
    token = accounts.invite(
        session, tenant_id=tenant_id, email="alice@example.com", role="viewer", invited_by="42", now=NOW
    )

    with pytest.raises(accounts.InvitationSpent):
        accounts.accept(session, token, password_hash="another hash", now=NOW)


def test_an_account_that_is_missing_stops_an_invitation(session: Session, tenant_id: int) -> None:
    token = accounts.invite(
        session, tenant_id=tenant_id, email="dora@example.com", role="viewer", invited_by="42", now=NOW
    )

    with pytest.raises(accounts.InvitationSpent):
        accounts.accept(session, token, password_hash=None, now=NOW)


def test_a_login_starts_in_a_store_that_still_has_the_app(session: Session, tenant_id: int, account_id: int) -> None:
    second = new_tenant(session, "beta")
    token = accounts.invite(
        session, tenant_id=second, email="alice@example.com", role="viewer", invited_by="42", now=NOW
    )
    accounts.accept(session, token, password_hash=None, now=NOW)
    session.execute(text("UPDATE tenants SET uninstalled_at = now() WHERE id = :id"), {"id": tenant_id})

    assert accounts.first_store(session, account_id) == second


def test_people_are_members_first_and_then_the_invited(session: Session, tenant_id: int, account_id: int) -> None:
    for email in ("zoe@example.com", "adam@example.com"):
        accounts.invite(session, tenant_id=tenant_id, email=email, role="viewer", invited_by="42", now=NOW)

    found = accounts.people(session, tenant_id, NOW)

    assert [person.email for person in found] == ["alice@example.com", "adam@example.com", "zoe@example.com"]
    assert found[0].joined_at is not None
    assert found[1].expires_at == NOW + timedelta(days=7)
