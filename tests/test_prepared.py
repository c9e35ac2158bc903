"""What is prepared on a connection outlives a transaction that went wrong."""

import pytest
from sqlalchemy import text

from shopify_app.database import directory
from shopify_app.statements import column

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
