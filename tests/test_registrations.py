"""Claims: made without proof, kept apart, and ended when the real store installs."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from shopify_app import claims, registrations, tenants
from shopify_app.crypto import Vault
from shopify_app.database import directory
from shopify_app.runtime import current

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STORE = "alpha.myshopify.com"

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def session() -> Iterator[Session]:
    with directory() as session:
        yield session


@pytest.fixture
def vault() -> Vault:
    return current().vault


def claim(session: Session, vault: Vault, store_url: str = STORE, **values: str) -> registrations.Registered:
    good = {
        "store_url": store_url,
        "name": "Alpha",
        "email": "mallory@example.com",
        "password_hash": "a hash",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
    }
    return registrations.register(session, registrations.Application(**{**good, **values}), vault)


def test_a_claim_is_a_tenant_that_has_not_installed_and_its_secret_is_sealed(session: Session, vault: Vault) -> None:
    made = claim(session, vault)

    row = session.execute(text("SELECT * FROM tenants")).one()
    assert (row.id, row.store_url, row.currency, row.time_zone) == (made.tenant_id, STORE, "EUR", "Europe/Berlin")
    assert row.installed_at is None
    assert made.webhook_secret.encode() not in bytes(row.webhook_secret)
    assert made.webhook_secret not in repr(made)
    assert tenants.find(session, STORE) is None


def test_a_claims_account_is_unproven_and_belongs_nowhere(session: Session, vault: Vault) -> None:
    claim(session, vault)

    assert session.scalar(text("SELECT count(*) FROM accounts WHERE verified_at IS NULL")) == 1
    assert session.scalar(text("SELECT count(*) FROM memberships")) == 0


def test_a_known_address_is_left_as_it_is(session: Session, vault: Vault) -> None:
    session.execute(
        text("INSERT INTO accounts (email, password_hash, verified_at) VALUES ('alice@example.com', 'hers', now())")
    )

    claim(session, vault, email="alice@example.com", password_hash="his")

    assert session.scalars(text("SELECT password_hash FROM accounts")).all() == ["hers"]


def test_any_number_of_people_may_claim_a_store(session: Session, vault: Vault) -> None:
    first, second = claim(session, vault), claim(session, vault)

    assert first.tenant_id != second.tenant_id
    assert registrations.secrets_of(session, STORE, vault) == {
        first.tenant_id: first.webhook_secret,
        second.tenant_id: second.webhook_secret,
    }


def test_the_oldest_claims_are_compared_and_no_more_than_ten(session: Session, vault: Vault) -> None:
    made = [claim(session, vault).tenant_id for _ in range(11)]

    assert list(registrations.secrets_of(session, STORE, vault)) == made[:10]


def test_a_store_that_installed_is_no_claim(session: Session, vault: Vault) -> None:
    made = claim(session, vault)
    session.execute(text("UPDATE tenants SET installed_at = now()"))

    assert registrations.find(session, made.tenant_id, vault) is None
    assert registrations.secrets_of(session, STORE, vault) == {}


def test_the_real_store_ends_every_claim_of_it_and_no_other(session: Session, vault: Vault) -> None:
    first, second = claim(session, vault), claim(session, vault)
    other = claim(session, vault, "beta.myshopify.com")

    ended = registrations.supersede(session, STORE, NOW)
    again = registrations.supersede(session, STORE, NOW)

    assert (ended, again) == (2, 0)
    assert registrations.secrets_of(session, STORE, vault) == {}
    for made in (first, second):
        assert registrations.find(session, made.tenant_id, vault).webhook_secret is None
    assert registrations.find(session, other.tenant_id, vault).webhook_secret == other.webhook_secret
    assert session.scalar(text("SELECT count(*) FROM tenants WHERE webhook_secret IS NOT NULL")) == 1


def test_a_claims_queued_deliveries_and_work_end_with_it(session: Session, vault: Vault) -> None:
    made, other = claim(session, vault), claim(session, vault, "beta.myshopify.com")
    for tenant_id in (made.tenant_id, other.tenant_id):
        session.execute(
            text(
                "INSERT INTO inbox (tenant_id, shop_domain, topic, webhook_id, payload)"
                " VALUES (:id, 'x', 'orders/create', :webhook_id, '{}')"
            ),
            {"id": tenant_id, "webhook_id": str(tenant_id)},
        )
        claims.put(session, claims.ROLLUPS, tenant_id, due_at=NOW)

    registrations.supersede(session, STORE, NOW)

    rows = session.execute(text("SELECT tenant_id, processed_at, error FROM inbox ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [
        (made.tenant_id, NOW, registrations.SUPERSEDED),
        (other.tenant_id, None, None),
    ]
    assert session.scalars(text("SELECT tenant_id FROM claims")).all() == [other.tenant_id]
