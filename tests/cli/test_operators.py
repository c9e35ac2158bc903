"""The operators' commands."""

import re

import pyotp
import pytest
from flask import Flask
from sqlalchemy import text

from shopify_app import operators
from shopify_app.database import operations

EMAIL = "olga@storelens.example"
WORDS = "fourteen letters at least"


def run(app: Flask, *arguments: str, password: str = WORDS, again: str | None = None):
    typed = f"{password}\n{password if again is None else again}\n"
    return app.test_cli_runner().invoke(args=["operators", *arguments], input=typed)


def test_a_created_operator_is_shown_the_seed_once_and_it_is_on_record(app: Flask) -> None:
    result = run(app, "create", EMAIL.upper())

    assert result.exit_code == 0
    seed = re.search(r"^  ([A-Z2-7]{32})$", result.output, re.MULTILINE)[1]
    assert pyotp.parse_uri(re.search(r"otpauth://\S+", result.output)[0]).secret == seed
    assert WORDS not in result.output
    with app.app_context(), operations() as session:
        assert session.scalars(text("SELECT action FROM audit_entries")).all() == [operators.CREATE]
        assert session.scalars(text("SELECT email FROM operators")).all() == [EMAIL]


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [("no address", WORDS, "not an email address"), (EMAIL, "thirteen char", "at least 14 characters")],
)
def test_what_is_no_address_or_too_short_a_password_is_refused(
    app: Flask, email: str, password: str, said: str
) -> None:
    result = run(app, "create", email, password=password)

    assert result.exit_code == 1
    assert said in result.output


def test_a_password_that_is_mistyped_makes_nobody(app: Flask) -> None:
    result = run(app, "create", EMAIL, again="something else, long enough")

    assert result.exit_code == 1
    assert "There are no operators yet" in run(app, "list").output


def test_an_operator_is_made_once(app: Flask) -> None:
    run(app, "create", EMAIL)

    result = run(app, "create", EMAIL)

    assert result.exit_code == 1
    assert "is an operator already" in result.output


def test_operators_are_listed_with_those_who_were_disabled(app: Flask) -> None:
    run(app, "create", EMAIL)
    run(app, "create", "zoe@storelens.example")

    disabled = run(app, "disable", EMAIL)
    result = run(app, "list")

    assert disabled.exit_code == 0
    lines = result.output.splitlines()
    assert "olga@storelens.example" in lines[0]
    assert "disabled" in lines[0]
    assert "may log in" in lines[1]


def test_nobody_cannot_be_disabled(app: Flask) -> None:
    result = run(app, "disable", "nobody@storelens.example")

    assert result.exit_code == 1
    assert "not an operator who may log in" in result.output
