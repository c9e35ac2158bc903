"""What leaves the database of an error: its cause, and nothing of the row."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from shopify_app.database import directory
from shopify_app.jobs.faults import describe


def test_an_error_of_our_own_is_described_by_its_text():
    assert describe(KeyError("oops")) == "KeyError: 'oops'"


def test_a_database_error_says_nothing_of_the_row_it_is_about(app_context):
    insert = text("INSERT INTO accounts (email, password_hash) VALUES (:email, 'x'), (:email, 'x')")

    with pytest.raises(IntegrityError) as caught, directory() as session:
        session.execute(insert, {"email": "ada@example.com"})

    assert "ada@example.com" in str(caught.value)
    assert "ada@example.com" not in describe(caught.value)
    assert describe(caught.value).startswith("IntegrityError: duplicate key value")


def test_a_database_error_without_a_diagnosis_is_described_by_its_kind():
    error = DBAPIError("SELECT :email", {"email": "ada@example.com"}, psycopg.OperationalError("gone: ada@example.com"))

    assert describe(error) == "DBAPIError"
