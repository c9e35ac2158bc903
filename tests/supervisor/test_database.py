"""The databases that tests are given."""

import psycopg
import pytest
from sqlalchemy.engine import make_url

from supervisor.postgres import embedded_postgres
from tests.emptying import SMALL, Emptying


@pytest.fixture
def family(postgres):
    """The URL, for its owner, of a database with two tables, of which one refers to the other."""
    postgres.drop_database("emptied")
    url = postgres.create_database("emptied", owner="emptied_owner")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE parents (id bigserial PRIMARY KEY, name text)")
        connection.execute("CREATE TABLE children (parent_id bigint REFERENCES parents)")
    yield url
    postgres.drop_database("emptied")


@pytest.fixture(params=["its owner", "a superuser"])
def emptying(request, postgres, family):
    """Empties that database."""
    above = make_url(postgres.url).set(database="emptied").render_as_string(hide_password=False)
    made = Emptying(family if request.param == "its owner" else above)
    yield made
    made.close()


def fill(url, rows=1):
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO parents (name) SELECT repeat('x', 1000) FROM generate_series(1, %s)", [rows])
        connection.execute("INSERT INTO children SELECT id FROM parents")


@pytest.mark.parametrize("rows", [1, 2 * SMALL // 1000])
def test_an_emptied_database_has_no_rows_and_counts_from_one_again(family, emptying, rows):
    for _ in range(2):
        fill(family, rows)
        emptying()

    with psycopg.connect(family) as connection:
        connection.execute("INSERT INTO parents DEFAULT VALUES")
        found = connection.execute("SELECT id, (SELECT count(*) FROM children) FROM parents").fetchall()
        size = connection.execute("SELECT pg_relation_size('parents')").fetchone()
    assert found == [(1, 0)]
    assert size < (SMALL,)


def test_who_is_still_connected_as_a_database_is_emptied_commits_nothing_afterwards(family, emptying):
    left = psycopg.connect(family)
    left.execute("INSERT INTO parents DEFAULT VALUES")

    emptying()

    with pytest.raises(psycopg.OperationalError):
        left.commit()
    left.close()
    with psycopg.connect(family) as connection:
        assert connection.execute("SELECT count(*) FROM parents").fetchone() == (0,)


def test_a_database_is_emptied_after_its_server_was_away_too(make_directory):
    with embedded_postgres(make_directory(), durable=False) as server:
        url = server.create_database("emptied", owner="emptied_owner")
        empty = Emptying(make_url(server.url).set(database="emptied").render_as_string(hide_password=False))
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE parents (id bigserial PRIMARY KEY)")
        empty()
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO parents DEFAULT VALUES")

        server.stop()
        server.start()
        empty()

        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM parents").fetchone() == (0,)
        empty.close()


def test_a_template_is_migrated_and_copied_with_its_owner(own_database):
    with psycopg.connect(own_database.owner_url) as connection:
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()

    assert owners == [("storelens_owner",)]


def test_the_login_owns_nothing(database):
    with psycopg.connect(database.login_url) as connection:
        owned = connection.execute("SELECT count(*) FROM pg_tables WHERE tableowner = current_user").fetchone()

    assert owned == (0,)
