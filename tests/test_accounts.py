"""What the rooms of people decide, without a request."""

import time
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


@pytest.mark.parametrize("given", ["a@b.co", " Alice@Example.COM ", "x+y.z@sub.example-shop.com", "o'neil@example.com"])
def test_an_address_is_kept_in_lower_case(given: str) -> None:
    assert accounts.email_address(given) == given.strip().lower()


@pytest.mark.parametrize(
    "given", ["", "alice", "alice@", "@b.co", "a@b", "a b@c.co", "a@b..co", "a@-b.co", "a@b.co\n.x", "a" * 65 + "@b.co"]
)
def test_what_is_no_address_is_rejected(given: str) -> None:
    with pytest.raises(accounts.EmailRejected):
        accounts.email_address(given)


def test_a_password_fits_only_its_own_hash() -> None:
    known = accounts.Credentials(
        account_id=1, email="a@b.co", password_hash=accounts.hash_password("correct horse battery")
    )

    assert accounts.password_fits(known, "correct horse battery")
    assert not accounts.password_fits(known, "correct horse batterz")
    assert not accounts.password_fits(None, "correct horse battery")


def test_a_hash_that_is_none_fits_nothing() -> None:
    known = accounts.Credentials(account_id=1, email="a@b.co", password_hash="not a hash")

    assert not accounts.password_fits(known, "correct horse battery")


def test_an_unknown_address_takes_as_long_as_a_wrong_password() -> None:
    known = accounts.Credentials(account_id=1, email="a@b.co", password_hash=accounts.hash_password("correct horse"))

    def cost(credentials: accounts.Credentials | None) -> float:
        began = time.process_time()
        accounts.password_fits(credentials, "something else")
        return time.process_time() - began

    nobody, somebody = (min(cost(who) for _ in range(3)) for who in (None, known))
    assert nobody > somebody / 3


@pytest.mark.parametrize("password", ["123456789", "x" * 257])
def test_a_password_of_the_wrong_length_is_rejected(password: str) -> None:
    with pytest.raises(accounts.PasswordRejected):
        accounts.hash_password(password)


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
