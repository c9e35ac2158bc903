"""Where the faults of bulk operations and of the API stand: how many operations and requests have met them."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from devstore.faults import NO_FAULTS, Faults
from devstore.faults_bulk import NO_API_FAULTS, NO_BULK_FAULTS, ApiFaults, BulkFaults

if TYPE_CHECKING:
    from devstore.state import Store


class Trouble:
    """The faults of one store since they were set; ``number`` tells them from those before."""

    def __init__(self, settings: Faults, number: int) -> None:
        """Begin at the first operation and the first request."""
        self.faults = settings.seeded()
        self.number = number
        self._operations = self._requests = self._hit = 0

    def for_operation(self, resource: str | None) -> BulkFaults:
        """Return what goes wrong with the next operation over a resource."""
        faults = self.faults.bulk
        if not faults.concern(resource):
            return NO_BULK_FAULTS
        self._operations += 1
        return NO_BULK_FAULTS if faults.times is not None and self._operations > faults.times else faults

    def for_request(self, names: frozenset[str]) -> ApiFaults:
        """Return what goes wrong with the next request whose operation and root fields have these names."""
        faults = self.faults.api
        if not faults.meddles or not faults.concern(names) or (faults.times is not None and self._hit >= faults.times):
            return NO_API_FAULTS
        self._requests += 1
        if Random(f"{self.faults.seed}:api:{self._requests}").random() >= faults.share:
            return NO_API_FAULTS
        self._hit += 1
        return faults


class Troubles:
    """The faults of all stores of one devstore, and how often each bulk file has been downloaded."""

    def __init__(self, settings: Faults = NO_FAULTS) -> None:
        """Let this go wrong in every store."""
        self._initial = settings
        self._of: dict[str, Trouble] = {}
        self._downloads: Counter[int] = Counter()
        self._lock = threading.Lock()

    def set_faults(self, store: Store, settings: Faults) -> None:
        """Let this go wrong in a store from now on."""
        with self._lock:
            self._of[store.domain] = Trouble(settings, self._trouble(store).number + 1)

    def api(self, store: Store) -> tuple[ApiFaults, int]:
        """Return what goes wrong with all requests to a store, and the number of the setting."""
        with self._lock:
            trouble = self._trouble(store)
            return trouble.faults.api, trouble.number

    def for_operation(self, store: Store, resource: str | None) -> BulkFaults:
        """Return what goes wrong with the next operation of a store."""
        with self._lock:
            return self._trouble(store).for_operation(resource)

    def for_request(self, store: Store, names: frozenset[str]) -> ApiFaults:
        """Return what goes wrong with the next request to a store."""
        with self._lock:
            return self._trouble(store).for_request(names)

    def downloads(self, operation_id: int) -> int:
        """Return how often the file of an operation has been asked for."""
        with self._lock:
            return self._downloads[operation_id]

    def count_download(self, operation_id: int) -> int:
        """Count one more download and return how many there were before."""
        with self._lock:
            self._downloads[operation_id] += 1
            return self._downloads[operation_id] - 1

    def _trouble(self, store: Store) -> Trouble:
        return self._of.setdefault(store.domain, Trouble(self._initial, 0))
