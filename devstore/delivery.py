"""Webhooks on their way out: real HTTP POSTs, Shopify's timeouts and retries, and a log that survives a restart.

https://shopify.dev/docs/apps/build/webhooks: connect within 1 s, whole request within 5 s, only 2xx is success,
redirects are not followed; eight retries over four hours, with the payload and address of the first attempt.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING

import httpx
import structlog

from devstore import slow
from devstore.delivery_log import Attempt
from devstore.outbox import Outbox

if TYPE_CHECKING:
    from devstore.delivery_log import Delivery
    from devstore.options import Options
    from devstore.parcels import Parcel
    from devstore.state import Store, Stores

CONNECT_SECONDS = 1.0
TOTAL_SECONDS = 5.0
SENDERS = 8
IDLE_SECONDS = 1.5  # a connection idle for longer may just be closing at the other end

log = structlog.get_logger()


class Deliveries(Outbox):
    """Sends webhooks from a few threads. Neither order nor promptness is promised, as with Shopify."""

    def __init__(self, stores: Stores, options: Options) -> None:
        """Take up what was pending when the last process ended, and start the senders."""
        super().__init__(stores, options)
        self._due: list[tuple[datetime, int, Store, Delivery]] = []
        self._ticket = itertools.count()
        self._busy = 0
        self._closing = threading.Event()
        self._client = httpx.Client(
            timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=SENDERS, keepalive_expiry=IDLE_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )
        for store in stores:
            for delivery in reversed(self.log(store)):
                if delivery.state == "pending":
                    self._schedule(store, delivery)
        self._threads = [threading.Thread(target=self._send_due, daemon=True) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is being sent and nothing is due; False when that took longer than ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(self._at_rest, timeout)

    def close(self) -> None:
        """Let the attempts under way finish and stop; what is pending goes on after the next start."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _schedule(self, store: Store, delivery: Delivery) -> None:
        with self._changed:
            due = delivery.retry_at or datetime.now(UTC)
            heapq.heappush(self._due, (due, next(self._ticket), store, delivery))
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
            while not self._closing.is_set():
                wait = (self._due[0][0] - datetime.now(UTC)).total_seconds() if self._due else None
                if wait is not None and wait <= 0:
                    due, _, store, delivery = heapq.heappop(self._due)
                    if due == delivery.retry_at:  # else it was let go before its time
                        self._busy += 1
                        return store, delivery
                    self._changed.notify_all()  # nothing may be due any more, which is what somebody waits for
                else:
                    self._changed.wait(wait)
            return None

    def _send(self, store: Store, delivery: Delivery) -> None:
        parcel = self.parcel(store, delivery)
        self.book(parcel, self._post(parcel))

    def _post(self, parcel: Parcel) -> Attempt:
        at, started, status, error = datetime.now(UTC), time.monotonic(), None, None
        try:
            status = self._status(parcel, started + TOTAL_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL, HTTPException, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        return Attempt(at=at, status=status, error=error, ms=round((time.monotonic() - started) * 1000))

    def _status(self, parcel: Parcel, deadline: float) -> int:
        flaws = parcel.delivery.flaws
        if flaws.silence or flaws.dribble:
            return slow.post(parcel, CONNECT_SECONDS, deadline, self._closing.wait)
        try:
            return self._exchange(parcel, deadline)
        except httpx.RemoteProtocolError:
            # A kept connection that the app closed in the same moment says nothing about the app; once more, afresh.
            return self._exchange(parcel, deadline)

    def _exchange(self, parcel: Parcel, deadline: float) -> int:
        uri, body, headers = parcel.delivery.uri, parcel.body, parcel.headers
        with self._client.stream("POST", uri, content=body, headers=headers) as response:
            for _ in response.iter_raw():
                _check(deadline)
            _check(deadline)
            return response.status_code


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        message = f"no whole answer within {TOTAL_SECONDS:.0f} s"
        raise httpx.ReadTimeout(message)
