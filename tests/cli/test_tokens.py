"""``flask tokens rotate``: afterwards the old key opens nothing, and the new one everything."""

import dataclasses

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import LargeBinary, text

from config import Config
from shopify_app import resealing, tenants
from shopify_app.app import create_app
from shopify_app.crypto import CannotUnseal, Vault
from shopify_app.database import db, directory, operations
from shopify_app.runtime import current

NEW = Fernet.generate_key().decode()
# What is kept as bytes and is not sealed: hashes, bodies and exports.
NOT_SEALED = {"payload", "token_hash", "content", "digest"}


@pytest.fixture
def rotated(config):
    """The app after the new key was put before the old one."""
    made = create_app(dataclasses.replace(config, token_keys=(NEW, *config.token_keys)))
    yield made
    with made.app_context():
        current().close()
        for engine in db.engines.values():
            engine.dispose()


def test_every_sealed_column_is_sealed_anew(app, rotated, config: Config, install):
    tenant_id = install()
    old = Vault(config.token_keys)
    with app.app_context():
        with directory() as session:
            session.execute(text("UPDATE tenants SET webhook_secret = :sealed"), {"sealed": old.encrypt("whsec")})
        with operations() as session:
            session.execute(
                text(
                    "INSERT INTO operators (email, password_hash, totp_secret) VALUES ('o@example.com', '-', :sealed)"
                ),
                {"sealed": old.encrypt("seed")},
            )

    result = rotated.test_cli_runner().invoke(args=["tokens", "rotate"])

    assert result.exit_code == 0, result.output
    assert [line.split(": ") for line in result.output.splitlines()] == [
        ["offline_tokens.access_token", "1"],
        ["offline_tokens.refresh_token", "1"],
        ["tenants.webhook_secret", "1"],
        ["operators.totp_secret", "1"],
    ]
    new = Vault([NEW])
    with app.app_context():
        with directory() as session:
            held = tenants.token(session, tenant_id, new)
            secret = session.scalar(text("SELECT webhook_secret FROM tenants"))
            with pytest.raises(CannotUnseal):
                tenants.token(session, tenant_id, old)
        with operations() as session:
            seed = session.scalar(text("SELECT totp_secret FROM operators"))
    assert (held.access_token, held.refresh_token) == ("shpat_1", "shprt_1")
    assert (new.decrypt(secret), new.decrypt(seed)) == ("whsec", "seed")


def test_many_are_sealed_some_at_a_time(rotated, install, monkeypatch):
    monkeypatch.setattr(resealing, "AT_ONCE", 2)
    for name in ("alder", "birch", "cedar", "dogwood", "elm"):
        install(name)

    result = rotated.test_cli_runner().invoke(args=["tokens", "rotate"])

    assert "offline_tokens.access_token: 5" in result.output


def test_value_that_no_key_opens_ends_it_with_a_sentence(app, rotated, install):
    install()
    with app.app_context(), directory() as session:
        sealed = Vault([Fernet.generate_key().decode()]).encrypt("shpat_lost")
        session.execute(text("UPDATE offline_tokens SET access_token = :sealed"), {"sealed": sealed})

    result = rotated.test_cli_runner().invoke(args=["tokens", "rotate"])

    assert result.exit_code == 1
    assert "TOKEN_KEYS no longer holds" in result.output
    assert "shpat" not in result.output


def test_every_column_of_bytes_is_rotated_or_known_not_to_be_sealed(app):
    columns = {
        f"{table.name}.{column.name}"
        for table in db.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.name not in NOT_SEALED
    }

    assert columns == {sealed.name for sealed in (*resealing.OF_TENANTS, *resealing.OF_OPERATORS)}
