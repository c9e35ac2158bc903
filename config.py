"""Every setting of Storelens, in one frozen dataclass. Standard library only, so that anything may read it."""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

API_VERSION = re.compile(r"\d{4}-(01|04|07|10)|unstable")
SCOPE = re.compile(r"[a-z_]+")
DEFAULT_SCOPES = "read_customer_merge,read_customers,read_orders,read_products"
OPTIONAL_SCOPES = "read_all_orders"
WEBHOOKS_OF_SHOP, WEBHOOKS_OF_APP = "shop", "app"


class ConfigError(Exception):
    """A setting is missing or malformed; the message is one sentence that names it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one deployment, checked. Make one with :meth:`from_env`."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    token_keys: tuple[str, ...] = field(repr=False)
    app_url: str
    shopify_api_key: str
    shopify_api_secret: str = field(repr=False)
    shopify_api_secret_previous: str | None = field(default=None, repr=False)
    database_owner_url: str | None = field(default=None, repr=False)
    shopify_api_version: str = "2026-10"
    shopify_scopes: tuple[str, ...] = tuple(DEFAULT_SCOPES.split(","))
    shopify_optional_scopes: tuple[str, ...] = tuple(OPTIONAL_SCOPES.split(","))
    webhook_subscriptions: str = WEBHOOKS_OF_SHOP
    standalone_registration: bool = False
    inbox_retention_days: int = 30
    shopify_shop_origin: str = "https://{shop}"
    shopify_admin_origin: str = "https://admin.shopify.com"
    shopify_cdn_origin: str = "https://cdn.shopify.com"
    port: int = 8000

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Read and check every setting.

        Raises:
            ConfigError: a required setting is missing, or one is malformed; the message names it.
        """
        env = _Settings(os.environ if environ is None else environ)
        return cls(
            database_url=env.url("DATABASE_URL", ("postgresql", "postgres")),
            database_owner_url=env.url("DATABASE_OWNER_URL", ("postgresql", "postgres"), default="") or None,
            redis_url=env.url("REDIS_URL", ("redis", "rediss", "unix")),
            secret_key=env.long_secret("SECRET_KEY"),
            token_keys=env.fernet_keys("TOKEN_KEYS"),
            app_url=env.origin("APP_URL"),
            shopify_api_key=env.required("SHOPIFY_API_KEY"),
            shopify_api_secret=env.required("SHOPIFY_API_SECRET"),
            shopify_api_secret_previous=env.optional("SHOPIFY_API_SECRET_PREVIOUS", "") or None,
            shopify_api_version=env.matching("SHOPIFY_API_VERSION", API_VERSION, cls.shopify_api_version),
            shopify_scopes=env.scopes("SHOPIFY_SCOPES", DEFAULT_SCOPES),
            shopify_optional_scopes=env.scopes("SHOPIFY_OPTIONAL_SCOPES", OPTIONAL_SCOPES),
            webhook_subscriptions=env.choice("WEBHOOK_SUBSCRIPTIONS", (WEBHOOKS_OF_SHOP, WEBHOOKS_OF_APP)),
            standalone_registration=env.choice("STANDALONE_REGISTRATION", ("off", "on")) == "on",
            inbox_retention_days=env.days("INBOX_RETENTION_DAYS", cls.inbox_retention_days),
            shopify_shop_origin=env.shop_origin("SHOPIFY_SHOP_ORIGIN", cls.shopify_shop_origin),
            shopify_admin_origin=env.origin("SHOPIFY_ADMIN_ORIGIN", cls.shopify_admin_origin),
            shopify_cdn_origin=env.origin("SHOPIFY_CDN_ORIGIN", cls.shopify_cdn_origin),
            port=env.port("PORT", cls.port),
        )

    @property
    def api_secrets(self) -> tuple[str, ...]:
        """The client secrets that may have signed what reaches us: the current one, then the previous one."""
        previous = self.shopify_api_secret_previous
        return (self.shopify_api_secret, previous) if previous else (self.shopify_api_secret,)

    @property
    def secure(self) -> bool:
        """Whether people reach the app over TLS, so that cookies may ask for it."""
        return self.app_url.startswith("https://")

    def shop_origin(self, store_url: str) -> str:
        """Return where Shopify answers for the store, ``https://<store>`` in production."""
        return self.shopify_shop_origin.replace("{shop}", store_url)


@dataclass(frozen=True)
class _Settings:
    """Typed reads of an environment; each failure names the setting."""

    environ: Mapping[str, str]

    def optional(self, name: str, default: str) -> str:
        return self.environ.get(name, "").strip() or default

    def required(self, name: str) -> str:
        if value := self.optional(name, ""):
            return value
        message = f"{name} is not set; every setting is described in docs/settings.md."
        raise ConfigError(message)

    def matching(self, name: str, pattern: re.Pattern[str], default: str) -> str:
        value = self.optional(name, default)
        if pattern.fullmatch(value):
            return value
        message = f"{name} is {value!r}, which is not of the form {pattern.pattern}."
        raise ConfigError(message)

    def url(self, name: str, schemes: tuple[str, ...], default: str | None = None) -> str:
        value = self.required(name) if default is None else self.optional(name, default)
        # SQLAlchemy's way of naming a driver in the scheme is accepted and dropped: the driver is ours to choose.
        scheme = value.partition("://")[0].partition("+")[0]
        if value == default:
            return value
        if scheme in schemes and "://" in value:
            return f"{scheme}://{value.partition('://')[2]}"
        message = f"{name} must be a URL that starts with {schemes[0]}://."
        raise ConfigError(message)

    def origin(self, name: str, default: str | None = None) -> str:
        value = self.required(name) if default is None else self.optional(name, default)
        parts = urlsplit(value)
        if parts.scheme in {"http", "https"} and parts.netloc and not (parts.path.strip("/") or parts.query):
            return f"{parts.scheme}://{parts.netloc}"
        message = f"{name} is {value!r}; it must be an origin such as https://example.com, without a path."
        raise ConfigError(message)

    def shop_origin(self, name: str, default: str) -> str:
        value = self.optional(name, default).rstrip("/")
        if urlsplit(value).scheme in {"http", "https"} and value.count("{shop}") == 1:
            return value
        message = f"{name} is {value!r}; it must be a URL that holds {{shop}} once, such as https://{{shop}}."
        raise ConfigError(message)

    def long_secret(self, name: str) -> str:
        value = self.required(name)
        if len(value) >= 32:  # noqa: PLR2004 - 32 characters is what a 16-byte secret needs in hex
            return value
        message = f"{name} is shorter than 32 characters; `openssl rand -hex 32` makes a good one."
        raise ConfigError(message)

    def fernet_keys(self, name: str) -> tuple[str, ...]:
        keys = tuple(key.strip() for key in self.required(name).split(",") if key.strip())
        for key in keys:
            if not _is_fernet_key(key):
                message = (
                    f"{name} holds a key that is not 32 bytes in URL-safe base64 (as Fernet.generate_key() makes)."
                )
                raise ConfigError(message)
        return keys

    def scopes(self, name: str, default: str) -> tuple[str, ...]:
        scopes = tuple(sorted({scope.strip() for scope in self.optional(name, default).split(",") if scope.strip()}))
        for scope in scopes:
            if not SCOPE.fullmatch(scope):
                message = f"{name} holds {scope!r}, which is not an access scope."
                raise ConfigError(message)
        return scopes

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.optional(name, choices[0])
        if value in choices:
            return value
        message = f"{name} is {value!r}; it must be one of {', '.join(choices)}."
        raise ConfigError(message)

    def days(self, name: str, default: int) -> int:
        value = self.optional(name, str(default))
        if value.isascii() and value.isdecimal() and 0 < len(value) < 5 and int(value) > 0:  # noqa: PLR2004 - 27 years
            return int(value)
        message = f"{name} is {value!r}, which is not a number of days from 1 to 9999."
        raise ConfigError(message)

    def port(self, name: str, default: int) -> int:
        value = self.optional(name, str(default))
        if value.isdecimal() and 0 < int(value) < 65536:  # noqa: PLR2004 - TCP's range
            return int(value)
        message = f"{name} is {value!r}, which is not a TCP port."
        raise ConfigError(message)


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == 32  # noqa: PLR2004 - Fernet's key size
    except (binascii.Error, ValueError):
        return False
