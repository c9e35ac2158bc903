"""What goes over the wire for a delivery: its address, its body as it is sent, and its headers."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from devstore import faults, signing
from devstore.delivery_log import Delivery

if TYPE_CHECKING:
    from devstore.installs import Subscription
    from devstore.state import Store


class Parcel(NamedTuple):
    """The next attempt at a delivery."""

    store: Store
    delivery: Delivery
    body: bytes
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """Where in the app it goes."""
        parts = urlsplit(self.delivery.uri)
        return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def pack(store: Store, delivery: Delivery, kept: bytes, secret: str) -> Parcel:
    """Return the next attempt at a delivery whose true body is ``kept``, flawed as was drawn for it."""
    body = faults.broken(kept, delivery.flaws.garbage)
    forged = len(delivery.attempts) < delivery.flaws.forged
    headers = _headers(store, delivery, signing.webhook_hmac(body, f"not {secret}" if forged else secret))
    if delivery.flaws.plain_names:
        headers = {name.lower().removeprefix("x-"): value for name, value in headers.items()}
    always = {"Content-Type": "application/json", "User-Agent": "Shopify-Captain-Hook"}
    return Parcel(store, delivery, body, {**always, **headers})


def addressed(target: Subscription, event_id: str, triggered_at: datetime, size: int) -> Delivery:
    """Return a new delivery to a subscription, with an id of its own, due at once."""
    now = datetime.now(UTC)
    return Delivery(
        id=str(uuid.uuid4()),
        topic=target.topic,
        uri=target.uri,
        event_id=event_id,
        triggered_at=triggered_at,
        api_version=target.api_version,
        name=target.name,
        subscription_id=None if target.configured else target.id,
        size=size,
        created_at=now,
        retry_at=now,
    )


def _headers(store: Store, delivery: Delivery, hmac: str) -> dict[str, str]:
    headers = {
        "X-Shopify-Topic": delivery.topic,
        "X-Shopify-Hmac-Sha256": hmac,
        "X-Shopify-Shop-Domain": store.domain,
        "X-Shopify-API-Version": delivery.api_version,
        "X-Shopify-Webhook-Id": delivery.id,
        "X-Shopify-Event-Id": delivery.event_id,
        "X-Shopify-Triggered-At": delivery.triggered_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return {**headers, "X-Shopify-Name": delivery.name} if delivery.name else headers
