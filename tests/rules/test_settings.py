"""Every setting is read from the environment, described, and refused by name when it is wrong."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config import Config, ConfigError

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "DATABASE_URL": "postgresql://login@127.0.0.1/storelens",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "SECRET_KEY": "s" * 32,
    "TOKEN_KEYS": Fernet.generate_key().decode(),
    "APP_URL": "https://storelens.example",
    "SHOPIFY_API_KEY": "key",
    "SHOPIFY_API_SECRET": "hush",
}
MALFORMED = {
    "DATABASE_URL": "mysql://localhost/db",
    "DATABASE_OWNER_URL": "localhost:5432",
    "REDIS_URL": "localhost:6379",
    "SECRET_KEY": "short",
    "TOKEN_KEYS": "not-a-key",
    "APP_URL": "https://storelens.example/app",
    "SHOPIFY_API_VERSION": "2026-11",
    "SHOPIFY_SCOPES": "read_orders,WRITE",
    "SHOPIFY_OPTIONAL_SCOPES": "read all orders",
    "WEBHOOK_SUBSCRIPTIONS": "both",
    "SHOPIFY_SHOP_ORIGIN": "https://shop",
    "SHOPIFY_ADMIN_ORIGIN": "admin.shopify.com",
    "SHOPIFY_CDN_ORIGIN": "ftp://cdn.shopify.com",
    "PORT": "eighty",
    "INBOX_RETENTION_DAYS": "0",
    "STANDALONE_REGISTRATION": "yes",
}


def test_good_settings_are_taken() -> None:
    config = Config.from_env({**GOOD, "SHOPIFY_API_SECRET_PREVIOUS": "old", "PORT": "9000"})

    assert config.api_secrets == ("hush", "old")
    assert config.port == 9000
    assert config.shop_origin("alder.myshopify.com") == "https://alder.myshopify.com"


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_setting_is_named(name: str) -> None:
    environ = {key: value for key, value in GOOD.items() if key != name}

    with pytest.raises(ConfigError, match=rf"^{name} .*\.$"):
        Config.from_env(environ)


@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_a_malformed_setting_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} "):
        Config.from_env({**GOOD, name: MALFORMED[name]})


def test_every_setting_is_described() -> None:
    described = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))

    assert described == {field.name.upper() for field in fields(Config)}


def test_secrets_are_not_in_the_representation() -> None:
    config = Config.from_env({**GOOD, "SHOPIFY_API_SECRET": "shpss_0123", "DATABASE_URL": "postgresql://u:pw@h/d"})

    assert "shpss_0123" not in repr(config)
    assert ":pw@" not in repr(config)
