"""One webhook delivery as the log keeps it, when it is tried again, and what of a body is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import httpx
import msgspec

RETRIES = 8
RETRY_WINDOW_SECONDS = 4 * 60 * 60
Garbage = Literal["malformed", "truncated", "no_object"]


class Attempt(msgspec.Struct, kw_only=True):
    """One POST: the status it was answered with, or the error; ``ms`` is how long it took."""

    at: datetime
    status: int | None
    error: str | None
    ms: int

    @property
    def succeeded(self) -> bool:
        """Whether Shopify would call it delivered."""
        return self.status is not None and httpx.codes.is_success(self.status)


class Flaws(msgspec.Struct, kw_only=True, frozen=True):
    """What is wrong with a delivery on purpose (see ``devstore.faults``); by default nothing.

    ``garbage`` is what becomes of its body, ``forged`` how many of its first attempts carry a wrong HMAC,
    ``silence`` and ``dribble`` are seconds, ``plain_names`` sends ``shopify-*`` headers.
    """

    garbage: Garbage | None = None
    forged: int = 0
    silence: float = 0.0
    dribble: float = 0.0
    plain_names: bool = False


class Delivery(msgspec.Struct, kw_only=True):
    """One webhook to one address, as the delivery log shows it; ``id`` is X-Shopify-Webhook-Id.

    Sent more than once, it is in the log more than once: ``copy`` counts from 1 and shares everything that is sent.
    """

    id: str
    topic: str
    uri: str
    event_id: str
    triggered_at: datetime
    api_version: str
    name: str | None
    subscription_id: int | None  # None: configured with the app, as compliance topics are
    size: int
    created_at: datetime
    retry_at: datetime | None
    state: Literal["pending", "delivered", "failed", "dropped"] = "pending"
    attempts: list[Attempt] = []
    copy: int = 1
    flaws: Flaws = Flaws()

    @property
    def key(self) -> str:
        """What it goes by in the log."""
        return self.id if self.copy == 1 else f"{self.id}/{self.copy}"


def retry_wait(failures: int) -> float:
    """Return the seconds to wait after so many failures (1 to RETRIES); they double, and add up to four hours."""
    return float(RETRY_WINDOW_SECONDS * 2 ** (failures - 1) / (2**RETRIES - 1))


def only_fields(value: object, fields: list[str]) -> object:
    """Return a body with nothing but ``include_fields`` (dotted paths; a list is searched in each element)."""
    if isinstance(value, list):
        return [only_fields(element, fields) for element in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for name in value:
        deeper = [field.removeprefix(f"{name}.") for field in fields if field.startswith(f"{name}.")]
        if name in fields:
            kept[name] = value[name]
        elif deeper:
            kept[name] = only_fields(value[name], deeper)
    return kept
