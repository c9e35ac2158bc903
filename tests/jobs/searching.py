"""Looks for a word in every column of every table, as somebody whom no policy binds."""

import itertools

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
        tables = [_read(table, of, pattern) for table, of in itertools.groupby(columns, key=lambda column: column[0])]
        return {place for (places,) in connection.execute(sql.SQL(" UNION ALL ").join(tables)) for place in places}


def _read(table, columns, pattern):
    """Return a query for the columns of a table in which the pattern is found, as one row; it reads the table once."""
    places = [_place(table, name, kind, pattern) for _, name, kind in columns]
    return sql.SQL("SELECT array_remove(ARRAY[{}], NULL) FROM {}").format(
        sql.SQL(", ").join(places), sql.Identifier(table)
    )


def _place(table, name, kind, pattern):
    readable = sql.SQL("encode({}, 'escape')") if kind == "bytea" else sql.SQL("CAST({} AS text)")
    return sql.SQL("CASE WHEN bool_or({} ~* {}) THEN {} END").format(
        readable.format(sql.Identifier(name)), sql.Literal(pattern), sql.Literal(f"{table}.{name}")
    )
