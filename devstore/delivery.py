"""Webhooks on their way out: real HTTP POSTs, Shopify's timeouts and retries, and a log that survives a restart.

https://shopify.dev/docs/apps/build/webhooks: connect within 1 s, whole request within 5 s, only 2xx is success,
redirects are not followed; eight retries over four hours, with the payload and address of the first attempt.
"""

from __future__ import annotations

import heapq
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import httpx
import msgspec
import structlog

from devstore import installs, signing
from devstore.delivery_log import RETRIES, Attempt, Delivery, only_fields, retry_wait

if TYPE_CHECKING:
    from devstore.installs import Subscription
    from devstore.options import Options
    from devstore.state import Store, Stores

CONNECT_SECONDS = 1.0
TOTAL_SECONDS = 5.0
SENDERS = 8
LOG_LENGTH = 2000  # per shop
IDLE_SECONDS = 1.5  # a connection idle for longer may just be closing at the other end
DELIVERY = "delivery"
BODY = "delivery_body"
COMPLIANCE_TOPICS = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
COMPLIANCE_PATH = "/webhooks/compliance"

log = structlog.get_logger()


class Deliveries:
    """Sends webhooks from a few threads. Neither order nor promptness is promised, as with Shopify."""

    def __init__(self, stores: Stores, options: Options) -> None:
        """Read the logs, take up what was pending when the last process ended, and start the senders."""
        self._options = options
        self._logs = {store.domain: store.all(DELIVERY, Delivery) for store in stores}
        self._due: list[tuple[datetime, str, Store, Delivery]] = []
        self._busy = 0
        self._closing = False
        self._changed = threading.Condition()
        self._client = httpx.Client(
            timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=SENDERS, keepalive_expiry=IDLE_SECONDS),
            headers={"User-Agent": "Shopify-Captain-Hook", "Content-Type": "application/json"},
            follow_redirects=False,
            trust_env=False,
        )
        # Times and amounts are text already; the few amounts Shopify writes as numbers come as Decimal.
        self._encoder = msgspec.json.Encoder(decimal_format="number")
        for store in stores:
            for delivery in self._logs[store.domain].values():
                if delivery.state == "pending":
                    self._schedule(store, delivery)
        self._threads = [threading.Thread(target=self._send_due, daemon=True) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def emit(
        self,
        store: Store,
        topic: str,
        body: dict[str, Any],
        *,
        event_id: str | None = None,
        triggered_at: datetime | None = None,
    ) -> list[Delivery]:
        """Queue one delivery per subscription of the installed app; compliance topics go to the app's own URL.

        ``event_id`` is shared by everything one merchant action caused; ``triggered_at`` is aware, now by default.
        """
        event, at = event_id or str(uuid.uuid4()), triggered_at or datetime.now(UTC)
        queued = []
        for target in self._targets(store, topic):
            kept = only_fields(body, target.include_fields) if target.include_fields else body
            queued.append(self._queue(store, target, event, at, self._encoder.encode(kept)))
        self._trim(store)
        return queued

    def log(self, store: Store) -> list[Delivery]:
        """Return the delivery log of a store, newest first, at most LOG_LENGTH (plus whatever is pending)."""
        with self._changed:
            return list(reversed(self._logs[store.domain].values()))

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is being sent and nothing is due; False when that took longer than ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(self._at_rest, timeout)

    def close(self) -> None:
        """Let the attempts under way finish and stop; what is pending goes on after the next start."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _targets(self, store: Store, topic: str) -> list[Subscription]:
        if topic not in COMPLIANCE_TOPICS:
            return installs.subscriptions_for(store, topic)
        if not installs.was_installed(store):
            return []
        return [_compliance_target(store, topic, self._options.app.url)]

    def _queue(self, store: Store, target: Subscription, event_id: str, at: datetime, body: bytes) -> Delivery:
        delivery = Delivery(
            id=str(uuid.uuid4()),
            topic=target.topic,
            uri=target.uri,
            event_id=event_id,
            triggered_at=at,
            api_version=target.api_version,
            name=target.name,
            subscription_id=target.id or None,
            size=len(body),
            created_at=datetime.now(UTC),
            retry_at=datetime.now(UTC),
        )
        store.save(BODY, delivery.id, body)
        store.save(DELIVERY, delivery.id, delivery)
        with self._changed:
            self._logs[store.domain][delivery.id] = delivery
        self._schedule(store, delivery)
        return delivery

    def _trim(self, store: Store) -> None:
        with self._changed:
            kept = self._logs[store.domain]
            surplus = max(len(kept) - LOG_LENGTH, 0)
            old = [one.id for one in list(kept.values())[:surplus] if one.state != "pending"]
            for id_ in old:
                del kept[id_]
        for id_ in old:
            store.drop(DELIVERY, id_)

    def _schedule(self, store: Store, delivery: Delivery) -> None:
        with self._changed:
            heapq.heappush(self._due, (delivery.retry_at or datetime.now(UTC), delivery.id, store, delivery))
            self._changed.notify_all()

    def _at_rest(self) -> bool:
        return not self._busy and not (self._due and self._due[0][0] <= datetime.now(UTC))

    def _send_due(self) -> None:
        """Send whatever falls due, until closed (one of several threads)."""
        while True:
            found = self._next()
            if found is None:
                return
            try:
                self._send(*found)
            except Exception:
                # A sender that dies would stop all webhooks in silence; the delivery stays pending.
                log.exception("delivery failed to be attempted", delivery=found[1].id)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self) -> tuple[Store, Delivery] | None:
        with self._changed:
            while not self._closing:
                wait = (self._due[0][0] - datetime.now(UTC)).total_seconds() if self._due else None
                if wait is not None and wait <= 0:
                    self._busy += 1
                    return heapq.heappop(self._due)[2:]
                self._changed.wait(wait)
            return None

    def _send(self, store: Store, delivery: Delivery) -> None:
        body = store.load(BODY, delivery.id, bytes)
        if body is None:
            message = f"delivery {delivery.id} has no body"
            raise LookupError(message)
        attempt = self._post(delivery, body, self._headers(store, delivery, body))
        delivery.attempts = [*delivery.attempts, attempt]
        if attempt.succeeded:
            self._finish(store, delivery, "delivered")
        elif len(delivery.attempts) > RETRIES:
            self._give_up(store, delivery)
        else:
            self._retry(store, delivery)

    def _post(self, delivery: Delivery, body: bytes, headers: dict[str, str]) -> Attempt:
        at, started, status, error = datetime.now(UTC), time.monotonic(), None, None
        try:
            status = self._status(delivery.uri, body, headers, started + TOTAL_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = f"{type(failure).__name__}: {failure}"
        return Attempt(at=at, status=status, error=error, ms=round((time.monotonic() - started) * 1000))

    def _status(self, uri: str, body: bytes, headers: dict[str, str], deadline: float) -> int:
        try:
            return self._exchange(uri, body, headers, deadline)
        except httpx.RemoteProtocolError:
            # A kept connection that the app closed in the same moment says nothing about the app; once more, afresh.
            return self._exchange(uri, body, headers, deadline)

    def _exchange(self, uri: str, body: bytes, headers: dict[str, str], deadline: float) -> int:
        with self._client.stream("POST", uri, content=body, headers=headers) as response:
            for _ in response.iter_raw():
                _check(deadline)
            _check(deadline)
            return response.status_code

    def _headers(self, store: Store, delivery: Delivery, body: bytes) -> dict[str, str]:
        headers = {
            "X-Shopify-Topic": delivery.topic,
            "X-Shopify-Hmac-Sha256": signing.webhook_hmac(body, self._options.app.signing_secret),
            "X-Shopify-Shop-Domain": store.domain,
            "X-Shopify-API-Version": delivery.api_version,
            "X-Shopify-Webhook-Id": delivery.id,
            "X-Shopify-Event-Id": delivery.event_id,
            "X-Shopify-Triggered-At": delivery.triggered_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        return {**headers, "X-Shopify-Name": delivery.name} if delivery.name else headers

    def _retry(self, store: Store, delivery: Delivery) -> None:
        wait = retry_wait(len(delivery.attempts)) / self._options.time_scale
        delivery.retry_at = datetime.now(UTC) + timedelta(seconds=wait)
        store.save(DELIVERY, delivery.id, delivery)
        self._schedule(store, delivery)

    def _give_up(self, store: Store, delivery: Delivery) -> None:
        """Log the failure and, as Shopify does after eight failed retries, delete the API-made subscription."""
        self._finish(store, delivery, "failed")
        if delivery.subscription_id is not None:
            installs.drop_subscription(store, delivery.subscription_id)

    def _finish(self, store: Store, delivery: Delivery, state: Literal["delivered", "failed"]) -> None:
        delivery.state = state
        delivery.retry_at = None
        store.save(DELIVERY, delivery.id, delivery)
        store.drop(BODY, delivery.id)


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        message = f"no whole answer within {TOTAL_SECONDS:.0f} s"
        raise httpx.ReadTimeout(message)


def _compliance_target(store: Store, topic: str, app_url: str) -> Subscription:
    """Return where a compliance topic goes: it is configured with the app, so there is no subscription to delete."""
    return installs.Subscription(
        id=0,
        topic=topic,
        uri=f"{app_url}{COMPLIANCE_PATH}",
        api_version="2026-10",
        created_at=store.shop.created_at,
        updated_at=store.shop.created_at,
    )
