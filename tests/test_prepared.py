"""What is prepared on a connection outlives a transaction that went wrong."""

from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, OperationalError

from shopify_app import statements
from shopify_app.database import directory, tenant_work
from shopify_app.statements import column, copy, put_off

OFTEN = 8  # the driver would prepare what it is asked that often


class Wrong(Exception):
    pass


def test_a_rollback_leaves_our_prepared_statements_alone(app_context):
    def ask():
        with directory() as session:
            return column(session, "SELECT CAST(:number AS bigint)", {"number": 7})

    def fail():
        with directory() as session:
            session.execute(text("SELECT 1"))
            raise Wrong

    for _ in range(OFTEN):
        with directory() as session:
            session.execute(text("SELECT 1"))
    assert ask() == [7]

    with pytest.raises(Wrong):
        fail()

    assert ask() == [7]


# ── what is put off ─────────────────────────────────────────────────────────────────────────────────────────────────

MARK = "INSERT INTO applied_events (tenant_id, digest, inbox_id) VALUES (:tenant, CAST(:digest AS uuid), :number)"
MARKS = "SELECT inbox_id FROM applied_events ORDER BY inbox_id"
WRONG = "SELECT 1 / CAST(:number AS bigint)"


@pytest.fixture
def tenant_id(app_context):
    return 7


@pytest.fixture
def mark(tenant_id):
    def mark(session, number):
        put_off(session, MARK, {"tenant": tenant_id, "digest": str(UUID(int=number)), "number": number})

    return mark


def test_what_is_put_off_is_seen_by_the_next_statement_whoever_runs_it(tenant_id, mark):
    with tenant_work(tenant_id) as session:
        mark(session, 1)
        assert column(session, MARKS, {}) == [1]
        mark(session, 2)
        assert session.scalars(text(MARKS)).all() == [1, 2]


def test_what_is_put_off_before_a_copy_runs_before_it(tenant_id, mark):
    with tenant_work(tenant_id) as session:
        session.execute(text("CREATE TEMPORARY TABLE heard (number bigint) ON COMMIT DROP"))
        put_off(session, "INSERT INTO heard SELECT count(*) FROM heard", {})
        copy(session, "heard", "7\n")
        assert column(session, "SELECT number FROM heard ORDER BY number", {}) == [0, 7]


def test_what_is_put_off_last_is_committed(tenant_id, mark):
    with tenant_work(tenant_id) as session:
        mark(session, 1)
        mark(session, 2)

    with tenant_work(tenant_id) as session:
        assert column(session, MARKS, {}) == [1, 2]


def test_what_is_put_off_is_undone_with_the_rest(tenant_id, mark):
    def fail():
        with tenant_work(tenant_id) as session:
            mark(session, 1)
            raise Wrong

    with pytest.raises(Wrong):
        fail()

    with tenant_work(tenant_id) as session:
        assert column(session, MARKS, {}) == []


@pytest.mark.parametrize("ending", ["a statement", "the commit"])
def test_what_fails_of_what_is_put_off_fails_what_comes_next_and_leaves_nothing(tenant_id, mark, ending):
    def fail():
        with tenant_work(tenant_id) as session:
            mark(session, 1)
            put_off(session, WRONG, {"number": 0})
            mark(session, 2)
            if ending == "a statement":
                column(session, MARKS, {})

    with pytest.raises(DataError, match="division by zero"):
        fail()

    with tenant_work(tenant_id) as session:
        assert column(session, MARKS, {}) == []


def test_a_connection_that_breaks_under_what_is_put_off_is_told_as_what_it_is(tenant_id, mark, postgres):
    def fail():
        with tenant_work(tenant_id) as session:
            (backend,) = column(session, "SELECT pg_backend_pid()", {})
            mark(session, 1)
            with psycopg.connect(postgres.url, autocommit=True) as killer:
                killer.execute("SELECT pg_terminate_backend(%s)", [backend])
            column(session, MARKS, {})

    with pytest.raises(OperationalError):
        fail()

    with tenant_work(tenant_id) as session:
        assert column(session, MARKS, {}) == []


@pytest.mark.parametrize("waits_for", ["a statement", "a copy"])
def test_a_wait_that_is_interrupted_leaves_no_answer_for_the_next_to_read(tenant_id, mark, monkeypatch, waits_for):
    def interrupted(_line):
        raise Wrong

    def fail():
        with tenant_work(tenant_id) as session:
            session.execute(text("CREATE TEMPORARY TABLE heard (number bigint) ON COMMIT DROP"))
            if waits_for == "a statement":
                mark(session, 1)
            with monkeypatch.context() as patch:
                patch.setattr(statements, "_next_result", interrupted)
                if waits_for == "a statement":
                    column(session, MARKS, {})
                else:
                    copy(session, "heard", "7\n")

    with pytest.raises(Wrong):
        fail()

    with tenant_work(tenant_id) as session:
        assert column(session, MARKS, {}) == []
