"""Looks for a word in every column of every table, as somebody whom no policy binds."""

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

COLUMNS = """
    SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns AS c
    JOIN information_schema.tables AS t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' ORDER BY 1, 2
"""


def found(postgres, database, word):
    """Return the columns ("table.column") in which the word, or the whole number, stands."""
    url = make_url(postgres.url).set(database=database.name).render_as_string(hide_password=False)
    pattern = r"(?<![0-9])" + str(word).replace(".", r"\.").replace("+", r"\+") + r"(?![0-9])"
    with psycopg.connect(url) as connection:
        columns = connection.execute(COLUMNS).fetchall()
        assert len(columns) > 100
        return {f"{table}.{name}" for table, name, kind in columns if _holds(connection, table, name, kind, pattern)}


def _holds(connection, table, name, kind, pattern):
    column = sql.Identifier(name)
    readable = sql.SQL("encode({}, 'escape')") if kind == "bytea" else sql.SQL("CAST({} AS text)")
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} ~* {})").format(
        sql.Identifier(table), readable.format(column), sql.Literal(pattern)
    )
    return connection.execute(statement).fetchone()[0]
