"""The databases that tests are given."""

import psycopg

from tests.conftest import EMPTY


def test_an_emptied_database_has_no_rows_and_counts_from_one_again(postgres):
    postgres.drop_database("emptied")
    url = postgres.create_database("emptied", owner="emptied_owner")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE parents (id bigserial PRIMARY KEY)")
        connection.execute("CREATE TABLE children (parent_id bigint REFERENCES parents)")
        connection.execute("INSERT INTO parents DEFAULT VALUES")
        connection.execute("INSERT INTO children SELECT id FROM parents")

    with psycopg.connect(url) as connection:
        connection.execute(EMPTY)

    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO parents DEFAULT VALUES")
        rows = connection.execute("SELECT id, (SELECT count(*) FROM children) FROM parents").fetchall()
    assert rows == [(1, 0)]
    postgres.drop_database("emptied")


def test_a_template_is_migrated_and_copied_with_its_owner(own_database):
    with psycopg.connect(own_database.owner_url) as connection:
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()

    assert owners == [("storelens_owner",)]


def test_the_login_owns_nothing(database):
    with psycopg.connect(database.login_url) as connection:
        owned = connection.execute("SELECT count(*) FROM pg_tables WHERE tableowner = current_user").fetchone()

    assert owned == (0,)
