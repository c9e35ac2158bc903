"""How migrations reach the database: as its owner, one process at a time, and never waiting long for a lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

from shopify_app.database import db
from shopify_app.runtime import current

# Any number, as long as no other program on the server locks the same one.
ADVISORY_LOCK = 5_210_118_114
LOCK_TIMEOUT = "5s"


def run() -> None:
    """Run the migrations under an advisory lock; a statement that cannot get its lock in time fails at once."""
    config = current().config
    url = config.database_owner_url or config.database_url
    engine = create_engine("postgresql+psycopg://" + url.partition("://")[2], poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.commit()
        context.configure(
            connection=connection, target_metadata=db.metadata, compare_type=True, transaction_per_migration=True
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
