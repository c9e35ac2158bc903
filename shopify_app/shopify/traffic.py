"""What a process knows of its calls to Shopify: how fast each store may be asked, and which versions answered.

A store's limit is a bucket of points that refills (https://shopify.dev/docs/api/usage/limits). Other processes draw
on the same bucket, so what is known of it is a forecast: it spares most refusals, and Shopify's word settles the rest.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shopify_app.shopify.errors import Throttled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shopify_app.shopify.answers import Cost

AT_ONCE = 4  # calls of one process to one store; the rest wait, so that no store takes all connections
MOST_STORES = 2000  # whose pace is remembered; a forgotten one costs a THROTTLED answer at worst
LONGEST_WAIT = 30.0  # seconds for one wait; a job that would wait longer is better put back in its queue
SHORTEST_WAIT = 0.001  # below this, it is the rounding of a division


@dataclass
class Spent:
    """What calls cost so far: how many were sent, points that Shopify charged, seconds spent waiting for a turn."""

    calls: int = 0
    cost: float = 0.0
    waited: float = 0.0


class Pace:
    """One store's bucket of points, what its queries cost the last time, and how many calls are under way.

    Safe to use from several threads. ``clock`` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._bucket: Cost | None = None
        self._level = 0.0
        self._at = 0.0
        self._promised = 0.0  # points of those who wait or are under way
        self._costs: dict[str, float] = {}

    @contextmanager
    def turn(self, document: str, pause: Callable[[float], None]) -> Iterator[float]:
        """Wait until the store may be asked ``document``; within, the call is under way. Gives the seconds waited.

        Raises:
            Throttled: it would take more than ``LONGEST_WAIT``, or more than ``pause`` agrees to.
        """
        began = self._clock()
        with self._points(document, pause), self._place():
            yield self._clock() - began

    def learn(self, document: str, cost: Cost) -> None:
        """Take down what Shopify said after a call."""
        with self._lock:
            self._bucket, self._level, self._at = cost, cost.available, self._clock()
            self._costs[document] = cost.requested

    @contextmanager
    def _points(self, document: str, pause: Callable[[float], None]) -> Iterator[None]:
        cost, seconds = self._promise(document)
        try:
            if seconds >= SHORTEST_WAIT:
                pause(seconds)
            yield
        finally:
            with self._lock:
                self._promised -= cost

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=LONGEST_WAIT):
            raise Throttled("Too many calls to the store are under way.", retry_after=1.0)
        try:
            yield
        finally:
            self._places.release()

    def _promise(self, document: str) -> tuple[float, float]:
        """Stand in line for the points of a document; return them and the seconds until they are there."""
        with self._lock:
            cost, bucket = self._costs.get(document, 0.0), self._bucket
            if bucket is None or cost > bucket.maximum:
                return 0.0, 0.0  # nothing is known, or no waiting helps: Shopify will say
            now = self._clock()
            self._level = min(bucket.maximum, self._level + (now - self._at) * bucket.rate)
            self._at = now
            seconds = (cost + self._promised - self._level) / bucket.rate
            if seconds > LONGEST_WAIT:
                raise Throttled("The store's rate limit is used up.", retry_after=seconds)
            self._promised += cost
        return cost, seconds


class Traffic:
    """What one process knows of all its calls. ``served`` holds, by version asked for, the other one that answered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._paces: OrderedDict[str, Pace] = OrderedDict()
        self.served: dict[str, str] = {}

    def pace(self, origin: str) -> Pace:
        """Return the pace of the store that answers at ``origin``."""
        with self._lock:
            found = self._paces.pop(origin, None) or Pace(self._clock)
            self._paces[origin] = found
            if len(self._paces) > MOST_STORES:
                self._paces.popitem(last=False)
        return found

    def notice(self, asked: str, served: str) -> bool:
        """Take down which version answered; return whether this is news: another one than asked for, the first time."""
        if served == asked:
            return False
        with self._lock:
            before, self.served[asked] = self.served.get(asked), served
        return before != served
