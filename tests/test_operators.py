"""Operators: logins, one-time codes, slowing down."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from shopify_app import operators
from shopify_app.crypto import Vault
from shopify_app.database import operations
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
