"""Webhooks that are due: the log, what becomes of each delivery on purpose, and who takes it out.

:class:`devstore.delivery.Deliveries` is an outbox that sends by itself, over HTTP. A test that wants to be the network
uses an :class:`Outbox` instead, without sockets, threads or waiting::

    outbox = Outbox(stores, options)
    installs.subscribe(store, topic="orders/create", uri="https://app/webhooks/orders", api_version="2026-10")
    outbox.set_faults(store, Faults(seed=1, drop=0.1, duplicate=2))
    actions.perform(store, outbox, "place_order", {"customer_id": "new"})
    for parcel in outbox.pending(store):  # or in any other order
        outbox.hand_over(parcel, post)

where ``post(parcel)`` returns ``client.post(parcel.path, data=parcel.body, headers=parcel.headers).status_code``.

``pending`` gives everything that is neither delivered nor given up, soonest first and whatever its time; a parcel that
is never handed over, or whose recipient raises, just stays. An answer that is no 2xx is a failed attempt, as in
Shopify: the next ``pending`` has the delivery again, with the same id and body, until the ninth failure.
"""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from devstore import faults, filters, installs
from devstore.delivery_log import RETRIES, Attempt, Delivery, Flaws, only_fields, retry_wait
from devstore.parcels import Parcel, addressed, pack
from devstore.payloads_versions import in_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from devstore.faults import Faults
    from devstore.installs import Subscription
    from devstore.options import Options
    from devstore.state import Store, Stores

LOG_LENGTH = 2000  # per shop
HELD_SECONDS = 30.0  # what waits to be shuffled goes out after so long, whatever else comes
DELIVERY = "delivery"
BODY = "delivery_body"
COMPLIANCE_TOPICS = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
COMPLIANCE_PATH = "/webhooks/compliance"


class Turn:
    """Where a store's faults stand: how many deliveries met them, and what they hold back."""

    def __init__(self, settings: Faults) -> None:
        """Begin at the first delivery."""
        self.faults = settings.seeded()
        self._number = self._releases = 0
        self._held: list[Delivery] = []
        self._ends_at = datetime.min.replace(tzinfo=UTC)

    def next_fate(self, topic: str) -> faults.Fate:
        """Return what becomes of the next delivery."""
        self._number += 1
        return faults.fate(self.faults, topic, self._number)

    def holds(self, topic: str) -> bool:
        """Tell whether deliveries of a topic are held back."""
        return self.faults.concern(topic) and bool(self.faults.burst or self.faults.reorder)

    def hold(self, deliveries: list[Delivery]) -> bool:
        """Hold deliveries until what is held goes at the latest; tell whether there are now enough to shuffle."""
        now = datetime.now(UTC)
        if self._ends_at <= now:
            self._ends_at = now + timedelta(seconds=self.faults.burst or HELD_SECONDS)
            self._held = []
        for one in deliveries:
            one.retry_at = max(self._ends_at, one.retry_at or now)
        self._held += deliveries
        return 0 < self.faults.reorder <= len(self._held)

    def let_go(self) -> list[Delivery]:
        """Make everything held back due now, in the order it is to go, and return it."""
        now = datetime.now(UTC)
        held = [one for one in self._held if not one.attempts and one.retry_at and one.retry_at > now]
        self._held, self._ends_at = [], now
        if self.faults.reorder:
            self._releases += 1
            held = faults.shuffled(self.faults, held, self._releases)
        for place, delivery in enumerate(held):
            delivery.retry_at = now + timedelta(microseconds=place)
        return held


class Outbox:
    """Queues webhooks and keeps their log; neither order nor promptness is promised, as with Shopify."""

    def __init__(self, stores: Stores, options: Options) -> None:
        """Read the logs; what was pending when the last process ended still is."""
        self._options = options
        self._changed = threading.Condition()
        self._turns = {store.domain: Turn(options.faults) for store in stores}
        self._logs = {
            store.domain: {one.key: one for one in store.all(DELIVERY, Delivery).values()} for store in stores
        }
        # Times and amounts are text already; the few amounts Shopify writes as numbers come as Decimal.
        self._encoder = msgspec.json.Encoder(decimal_format="number")

    def faults(self, store: Store) -> Faults:
        """Return what goes wrong in a store, with the seed it follows from."""
        return self._turns[store.domain].faults

    def set_faults(self, store: Store, settings: Faults) -> Faults:
        """Let other things go wrong from now on; what was held goes out, as it was drawn."""
        self.release(store)
        self._turns[store.domain] = turn = Turn(settings)
        return turn.faults

    def emit(
        self,
        store: Store,
        topic: str,
        body: dict[str, Any],
        *,
        event_id: str | None = None,
        triggered_at: datetime | None = None,
    ) -> list[Delivery]:
        """Queue what each subscription of the installed app gets; compliance topics go to the app's own URL.

        ``event_id`` is shared by everything one merchant action caused; ``triggered_at`` is aware, now by default.
        """
        event, at = event_id or str(uuid.uuid4()), triggered_at or store.moment()
        queued = []
        for target in self._targets(store, topic):
            sent = in_version(store, topic, body, target.api_version)
            kept: Any = only_fields(sent, target.include_fields) if target.include_fields else sent
            if filters.passes(target.filter, kept):
                encoded = self._encoder.encode(kept)
                queued += self._befall(store, addressed(target, event, at, len(encoded)), encoded)
        self._trim(store)
        return queued

    def log(self, store: Store) -> list[Delivery]:
        """Return the delivery log of a store, newest first, at most LOG_LENGTH (plus whatever is pending)."""
        with self._changed:
            return list(reversed(self._logs[store.domain].values()))

    def pending(self, store: Store) -> list[Parcel]:
        """Return the next attempt at everything that is neither delivered nor given up, soonest first."""
        waiting = [one for one in reversed(self.log(store)) if one.state == "pending"]
        return [self.parcel(store, one) for one in sorted(waiting, key=lambda one: one.retry_at or one.created_at)]

    def hand_over(self, parcel: Parcel, recipient: Callable[[Parcel], int]) -> Attempt:
        """Give a parcel to ``recipient``, who answers with a status, and book the attempt."""
        attempt = Attempt(at=datetime.now(UTC), status=recipient(parcel), error=None, ms=0)
        self.book(parcel, attempt)
        return attempt

    def release(self, store: Store) -> int:
        """Let everything go that faults hold back; return how many deliveries that were."""
        with self._changed:
            freed = self._turns[store.domain].let_go()
        for delivery in freed:
            store.save(DELIVERY, delivery.key, delivery)
            self._schedule(store, delivery)
        return len(freed)

    def redeliver(self, store: Store, topic: str | None = None, since: datetime | None = None) -> list[Delivery]:
        """Send what the log has again, dropped or not, oldest first and without faults: the same ids and bodies.

        Only of ``topic``, and only what was first queued at or after ``since``, where these are given.
        """
        latest = {one.id: one for one in reversed(self.log(store))}
        queued = []
        for one in latest.values():
            if topic in {None, one.topic} and (since is None or one.created_at >= since):
                now = datetime.now(UTC)
                clean: dict[str, Any] = {"state": "pending", "attempts": [], "flaws": Flaws(), "retry_at": now}
                again = msgspec.structs.replace(one, copy=one.copy + 1, **clean)
                self._keep(store, again, self._body(store, one))
                self._schedule(store, again)
                queued.append(again)
        self._trim(store)
        return queued

    def parcel(self, store: Store, delivery: Delivery) -> Parcel:
        """Return what the next attempt at a delivery sends; raises LookupError where its body is gone."""
        return pack(store, delivery, self._body(store, delivery), self._options.app.signing_secret)

    def book(self, parcel: Parcel, attempt: Attempt) -> None:
        """Note an attempt in the log: delivered, to be tried again, or given up."""
        store, delivery = parcel.store, parcel.delivery
        delivery.attempts = [*delivery.attempts, attempt]
        delivery.retry_at = None
        if attempt.succeeded:
            delivery.state = "delivered"
        elif len(delivery.attempts) > RETRIES:
            delivery.state = "failed"
        else:
            wait = retry_wait(len(delivery.attempts)) / self._options.time_scale
            delivery.retry_at = datetime.now(UTC) + timedelta(seconds=wait)
        store.save(DELIVERY, delivery.key, delivery)
        if delivery.state == "pending":
            self._schedule(store, delivery)
        elif delivery.state == "failed" and delivery.subscription_id is not None:
            # As Shopify does after eight failed retries with a subscription made through the API.
            installs.drop_subscription(store, delivery.subscription_id)

    def _schedule(self, store: Store, delivery: Delivery) -> None:
        """Take note that a delivery is due at its ``retry_at``; an outbox waits to be asked."""

    def _targets(self, store: Store, topic: str) -> Iterable[Subscription]:
        settings = self.faults(store)
        found = installs.subscriptions_for(store, topic)
        if topic in COMPLIANCE_TOPICS:
            found = [_compliance_target(store, topic, self._options.app.url)] if installs.was_installed(store) else []
        if found and topic in settings.second_subscription:
            found = [*found, msgspec.structs.replace(found[0], name="second", configured=True)]
        if settings.api_version and settings.concern(topic):
            found = [msgspec.structs.replace(one, api_version=settings.api_version) for one in found]
        return found

    def _befall(self, store: Store, delivery: Delivery, body: bytes) -> list[Delivery]:
        """Let a new delivery meet its fate; return the copies of it that will be sent."""
        turn = self._turns[store.domain]
        with self._changed:
            fate = turn.next_fate(delivery.topic)
        delivery.flaws = fate.flaws
        if fate.dropped:
            delivery.state, delivery.retry_at = "dropped", None
            self._keep(store, delivery, body)
            return []
        copies = [
            msgspec.structs.replace(delivery, copy=copy, retry_at=delivery.created_at + timedelta(seconds=delay))
            for copy, delay in enumerate(fate.delays, start=1)
        ]
        with self._changed:
            full = turn.holds(delivery.topic) and turn.hold(copies)
        for one in copies:
            self._keep(store, one, body)
            self._schedule(store, one)
        if full:
            self.release(store)
        return copies

    def _keep(self, store: Store, delivery: Delivery, body: bytes) -> None:
        store.save(BODY, delivery.key, body)
        store.save(DELIVERY, delivery.key, delivery)
        with self._changed:
            self._logs[store.domain][delivery.key] = delivery

    def _body(self, store: Store, delivery: Delivery) -> bytes:
        body = store.load(BODY, delivery.key, bytes)
        if body is None:
            message = f"delivery {delivery.key} has no body"
            raise LookupError(message)
        return body

    def _trim(self, store: Store) -> None:
        with self._changed:
            kept = self._logs[store.domain]
            surplus = max(len(kept) - LOG_LENGTH, 0)
            old = [one.key for one in list(kept.values())[:surplus] if one.state != "pending"]
            for key in old:
                del kept[key]
        for key in old:
            store.drop(DELIVERY, key)
            store.drop(BODY, key)


def _compliance_target(store: Store, topic: str, app_url: str) -> Subscription:
    """Return where a compliance topic goes: it is configured with the app, so there is no subscription to delete."""
    return installs.Subscription(
        id=0,
        topic=topic,
        uri=f"{app_url}{COMPLIANCE_PATH}",
        api_version="2026-10",
        created_at=store.shop.created_at,
        updated_at=store.shop.created_at,
        configured=True,
    )
