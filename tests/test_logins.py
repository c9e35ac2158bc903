"""What counts as an address and as a password, and how long refusing takes."""

import time

import pytest

from shopify_app import logins


@pytest.mark.parametrize("given", ["a@b.co", " Alice@Example.COM ", "x+y.z@sub.example-shop.com", "o'neil@example.com"])
def test_an_address_is_kept_in_lower_case(given: str) -> None:
    assert logins.email_address(given) == given.strip().lower()


@pytest.mark.parametrize(
    "given", ["", "alice", "alice@", "@b.co", "a@b", "a b@c.co", "a@b..co", "a@-b.co", "a@b.co\n.x", "a" * 65 + "@b.co"]
)
def test_what_is_no_address_is_rejected(given: str) -> None:
    with pytest.raises(logins.EmailRejected):
        logins.email_address(given)


def test_a_password_fits_only_its_own_hash() -> None:
    known = logins.hash_password("correct horse battery")

    assert logins.fits(known, "correct horse battery")
    assert not logins.fits(known, "correct horse batterz")
    assert not logins.fits(None, "correct horse battery")


def test_a_hash_that_is_none_fits_nothing() -> None:
    assert not logins.fits("not a hash", "correct horse battery")


def test_an_unknown_address_takes_as_long_as_a_wrong_password() -> None:
    known = logins.hash_password("correct horse")

    def cost(password_hash: str | None) -> float:
        began = time.process_time()
        logins.fits(password_hash, "something else")
        return time.process_time() - began

    nobody, somebody = (min(cost(who) for _ in range(3)) for who in (None, known))
    assert nobody > somebody / 3


@pytest.mark.parametrize("password", ["123456789", "x" * 257])
def test_a_password_of_the_wrong_length_is_rejected(password: str) -> None:
    with pytest.raises(logins.PasswordRejected):
        logins.hash_password(password)


def test_a_longer_minimum_can_be_asked_for() -> None:
    with pytest.raises(logins.PasswordRejected, match="at least 14"):
        logins.hash_password("x" * 13, shortest=14)
