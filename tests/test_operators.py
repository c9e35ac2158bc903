"""Operators: logins, one-time codes, slowing down, and what they see of the tenants."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from shopify_app import operators
from shopify_app.crypto import Vault
from shopify_app.database import directory, operations
from shopify_app.models import Tenant
from shopify_app.operators import console
from shopify_app.runtime import current

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMAIL = "olga@storelens.example"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def session() -> Iterator[Session]:
    with operations() as session:
        yield session


@pytest.fixture
def vault() -> Vault:
    return current().vault


@pytest.fixture
def seed(session: Session, vault: Vault) -> operators.Seed:
    seed = operators.new_seed(EMAIL)
    operators.create(session, email=EMAIL, password_hash="a hash", seed=seed, vault=vault, by="root")
    return seed


@pytest.fixture
def operator_id(session: Session, seed: operators.Seed) -> int:
    return session.scalar(text("SELECT id FROM operators"))


def actions(session: Session) -> list[tuple[str, str]]:
    return [tuple(row) for row in session.execute(text("SELECT operator, action FROM audit_entries ORDER BY id"))]


# ── being an operator ──


def test_the_seed_is_kept_sealed_and_its_address_is_what_an_authenticator_reads(
    session: Session, vault: Vault, seed: operators.Seed
) -> None:
    kept = bytes(session.scalar(text("SELECT totp_secret FROM operators")))

    assert seed.secret.encode() not in kept
    assert vault.decrypt(kept) == seed.secret
    assert pyotp.parse_uri(seed.uri).secret == seed.secret
    assert seed.secret not in repr(seed)


def test_an_address_is_one_operators_only(session: Session, vault: Vault, seed: operators.Seed) -> None:
    with pytest.raises(operators.OperatorExists):
        operators.create(session, email=EMAIL.upper(), password_hash="x", seed=seed, vault=vault, by="root")


def test_disabling_ends_open_logins_and_is_on_record(session: Session, operator_id: int) -> None:
    token = operators.open_session(session, operator_id=operator_id, step=1, now=NOW)

    operators.disable(session, email=EMAIL.upper(), by="root", now=NOW)

    assert operators.identify(session, token, NOW) is None
    assert operators.attempt(session, EMAIL, NOW) is None
    assert operators.open_session(session, operator_id=operator_id, step=9, now=NOW) is None
    assert actions(session) == [("root", operators.CREATE), (EMAIL, operators.LOGIN), ("root", operators.DISABLE)]
    assert [one.disabled_at for one in operators.everybody(session)] == [NOW]


@pytest.mark.parametrize("email", ["nobody@storelens.example", EMAIL])
def test_whom_nobody_knows_or_who_is_disabled_cannot_be_disabled(session: Session, seed: object, email: str) -> None:
    operators.disable(session, email=EMAIL, by="root", now=NOW)

    with pytest.raises(operators.OperatorUnknown):
        operators.disable(session, email=email, by="root", now=NOW)


# ── one-time codes ──


@pytest.mark.parametrize(("seconds", "fits"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_code_fits_within_half_a_minute_of_its_time(seconds: int, fits: bool) -> None:  # noqa: FBT001 - a table
    totp = pyotp.TOTP(pyotp.random_base32())
    code = totp.at(NOW + timedelta(seconds=seconds))

    step = operators.code_step(totp.secret, code, NOW)

    assert (step is not None) == fits


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "é", "0" * 1000])
def test_what_is_no_code_fits_never(code: str) -> None:
    assert operators.code_step(SECRET, code, NOW) is None


def test_a_code_typed_with_a_space_fits() -> None:
    code = pyotp.TOTP(SECRET).at(NOW)

    assert operators.code_step(SECRET, f"{code[:3]} {code[3:]}", NOW) is not None


def test_a_code_and_those_before_it_work_once(session: Session, operator_id: int) -> None:
    tokens = [operators.open_session(session, operator_id=operator_id, step=step, now=NOW) for step in (7, 7, 6, 8)]

    assert [token is not None for token in tokens] == [True, False, False, True]


# ── logins ──


def test_a_login_lasts_eight_hours(session: Session, operator_id: int) -> None:
    token = operators.open_session(session, operator_id=operator_id, step=1, now=NOW)

    fresh = operators.identify(session, token, NOW + timedelta(hours=8, seconds=-1))

    assert fresh.email == EMAIL
    assert operators.identify(session, token, NOW + timedelta(hours=8)) is None
    assert operators.identify(session, "invented", NOW) is None


def test_a_closed_login_is_nobodys_and_closing_it_again_is_no_deed(session: Session, operator_id: int) -> None:
    token = operators.open_session(session, operator_id=operator_id, step=1, now=NOW)

    operators.close_session(session, token, NOW)
    operators.close_session(session, token, NOW)

    assert operators.identify(session, token, NOW) is None
    assert actions(session).count((EMAIL, operators.LOGOUT)) == 1


def test_the_sixth_attempt_waits_and_the_wait_grows_to_a_minute(session: Session, operator_id: int) -> None:
    now, waits = NOW, []
    for _ in range(14):
        began = now
        while operators.attempt(session, EMAIL, now) is None:
            now += timedelta(seconds=1)
        waits.append((now - began).total_seconds())

    assert waits == [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_a_login_ends_the_slowing_down(session: Session, operator_id: int) -> None:
    for _ in range(5):
        operators.attempt(session, EMAIL, NOW)
    later = NOW + timedelta(seconds=5)
    operators.open_session(session, operator_id=operator_id, step=1, now=later)

    assert operators.attempt(session, EMAIL, later) is not None


def test_attempts_are_forgotten_after_an_hour(session: Session, operator_id: int) -> None:
    for _ in range(5):
        operators.attempt(session, EMAIL, NOW)

    assert operators.attempt(session, EMAIL, NOW) is None
    assert operators.attempt(session, EMAIL, NOW + operators.REMEMBERED) is not None


def test_an_attempt_as_nobody_leaves_no_trace(session: Session) -> None:
    assert operators.attempt(session, "nobody@storelens.example", NOW) is None
    assert actions(session) == []


# ── what they see ──


def tenant(name: str, **columns: object) -> int:
    statement = insert(Tenant).values(store_url=f"{name}.myshopify.com", name=name, **columns)
    with directory() as session:
        return session.scalar(statement.returning(Tenant.id))


def deliver(tenant_id: int, webhook_id: str, *, processed: bool = False) -> None:
    query = text(
        "INSERT INTO inbox (tenant_id, shop_domain, topic, webhook_id, payload, processed_at)"
        " VALUES (:id, 'alpha.myshopify.com', 'orders/create', :webhook_id, '{}', :processed_at)"
    )
    values = {"id": tenant_id, "webhook_id": webhook_id, "processed_at": NOW if processed else None}
    with directory() as session:
        session.execute(query, values)


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"installed_at": NOW}, "installed"),
        ({"installed_at": NOW, "uninstalled_at": NOW}, "uninstalled"),
        ({"installed_at": NOW, "uninstalled_at": NOW, "disabled_at": NOW}, "disabled"),
        ({}, "claimed"),
        ({"superseded_at": NOW}, "superseded"),
    ],
)
def test_a_tenants_state_is_said_in_a_word(session: Session, columns: dict[str, object], state: str) -> None:
    tenant("alpha", **columns)

    assert [one.state for one in console.tenant_states(session)] == [state]


def test_tenants_are_told_by_name_with_what_waits_for_each(session: Session) -> None:
    beta, alpha = tenant("beta", installed_at=NOW), tenant("Alpha", installed_at=NOW)
    deliver(alpha, "1")
    deliver(alpha, "2")
    deliver(alpha, "3", processed=True)
    deliver(beta, "4")
    session.execute(text("UPDATE inbox SET dead_at = now() WHERE id IN (SELECT max(id) FROM inbox)"))

    found = console.tenant_states(session)

    assert [(one.name, one.waiting, one.dead) for one in found] == [("Alpha", 2, 0), ("beta", 0, 1)]


@pytest.mark.parametrize(("failed_at", "word"), [(None, "alive"), (NOW, "refused")])
def test_a_token_is_alive_or_refused_or_there_is_none(session: Session, failed_at: datetime | None, word: str) -> None:
    alpha = tenant("alpha", installed_at=NOW)
    tenant("beta", installed_at=NOW)
    query = text(
        "INSERT INTO offline_tokens (tenant_id, access_token, scopes, obtained_at, failed_at)"
        " VALUES (:id, 'x', '{}', now(), :failed_at)"
    )
    with directory() as apart:
        apart.execute(query, {"id": alpha, "failed_at": failed_at})

    assert [one.token for one in console.tenant_states(session)] == [word, "none"]
