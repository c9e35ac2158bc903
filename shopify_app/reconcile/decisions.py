"""Decisions of a check: pure functions from what is held and what Shopify says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shopify_app import ingest
from shopify_app.models.reconciliations import UNFINISHED
from shopify_app.shopify import scopes
from shopify_app.shopify.differences import KINDS, Listed, Window

Key = int | str

# A day less than the sixty that Shopify shows without this scope: nothing falls out of sight while it is compared.
ALL_ORDERS = "read_all_orders"
VISIBLE = timedelta(days=59)
SETTLE = timedelta(seconds=30)  # what changed later is left to its webhook, which may still be on its way
A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Standing:
    """How far a check has come; the fields are those of the row (see :class:`shopify_app.models.Reconciliation`)."""

    id: int
    tenant_id: int
    resource: str
    mode: str
    state: str
    ceiling: datetime
    since: datetime | None = None
    after: int = 0
    checked: int = 0
    missing: int = 0
    stale: int = 0
    corrected: int = 0
    deleted: int = 0
    count_shopify: int | None = None
    count_held: int | None = None
    error: str | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do, for better or worse."""
        return self.state not in UNFINISHED

    @property
    def compared(self) -> int:
        """How many objects are known to be as Shopify has them: all of them, where the counts agree."""
        counted = self.count_shopify if self.count_shopify == self.count_held else None
        return max(self.checked, counted or 0)

    @property
    def unexplained(self) -> int:
        """How many more objects Shopify counted than we hold, after what was found is repaired."""
        return (self.count_shopify or 0) - (self.count_held or 0)

    def window(self, granted: Collection[str]) -> Window:
        """Return which objects are looked at in this state."""
        if self.state == "changes":
            return Window(self.ceiling, since=self.since)
        return Window(self.ceiling, floor=floor(self.resource, granted, self.ceiling))


@dataclass(frozen=True)
class Held:
    """What we hold of an object. ``read_at``: when, or after when, it was as the row says; None when unknown."""

    updated_at: datetime | None
    deleted_at: datetime | None
    read_at: datetime | None

    def sure(self, version: datetime) -> bool:
        """Whether the object cannot have changed again in the second of its version: that was over when it was read."""
        return self.read_at is not None and self.read_at >= version + A_SECOND


@dataclass(frozen=True)
class Comparison:
    """What differs, by key. ``unsure`` bears Shopify's time, which is in whole seconds, and may differ all the same."""

    missing: frozenset[Key] = frozenset()
    stale: frozenset[Key] = frozenset()
    unsure: frozenset[Key] = frozenset()
    wanted: tuple[tuple[int, Key], ...] = field(default=())

    def tally(self, changed: Collection[Key]) -> dict[str, int]:
        """Return how many of the objects that were read and had to be changed had been what."""
        sets = {"missing": self.missing, "stale": self.stale, "corrected": self.unsure}
        return {name: len(keys.intersection(changed)) for name, keys in sets.items()}


def floor(resource: str, granted: Collection[str], ceiling: datetime) -> datetime | None:
    """Return when the oldest objects were made that the app may see for certain, or None for all."""
    if resource != "orders" or not scopes.missing(granted, [ALL_ORDERS]):
        return None
    return ceiling - VISIBLE


def counted_window(resource: str, granted: Collection[str], now: datetime, *, since: datetime | None = None) -> Window:
    """Return which of a resource's objects can be counted on both sides at this moment, of those changed since then."""
    ceiling = (now - SETTLE).replace(microsecond=0)
    return Window(ceiling, since=since, floor=floor(resource, granted, ceiling))


def key_of(resource: str, listed: Listed) -> Key:
    """Return the key of the row that holds a listed object."""
    if resource != "checkouts":
        return listed.number
    return ingest.checkout_token(KINDS[resource].gid(listed.number), listed.url)


def compare(resource: str, told: Iterable[Listed], held: Mapping[Key, Held]) -> Comparison:
    """Compare versions. What we hold as deleted is left alone: nothing is newer than a deletion."""
    kinds: dict[str, set[Key]] = {"missing": set(), "stale": set(), "unsure": set()}
    wanted: list[tuple[int, Key]] = []
    for listed in told:
        key = key_of(resource, listed)
        kind = _difference(listed, held.get(key))
        if kind is not None:
            kinds[kind].add(key)
            wanted.append((listed.number, key))
    found = {kind: frozenset(keys) for kind, keys in kinds.items()}
    return Comparison(found["missing"], found["stale"], found["unsure"], tuple(wanted))


def _difference(listed: Listed, row: Held | None) -> str | None:
    if row is None or (row.updated_at is None and row.deleted_at is None):
        return "missing"
    if row.deleted_at is not None or row.updated_at is None or row.updated_at > listed.updated_at:
        return None
    if row.updated_at < listed.updated_at:
        return "stale"
    return None if row.sure(listed.updated_at) else "unsure"


def passed(standing: Standing, *, after: int, checked: int, **wrong: int) -> Standing:
    """The objects up to ``after`` have been compared, and repaired where they were wrong."""
    sums = {name: getattr(standing, name) + count for name, count in wrong.items()}
    return replace(standing, after=after, checked=standing.checked + checked, error=None, **sums)


def compared_changes(standing: Standing) -> Standing:
    """All that changed has been compared: what is counted is counted next."""
    return replace(standing, state="counting" if KINDS[standing.resource].counting else "done", after=0, error=None)


def counted(standing: Standing, shopify: int, held: int) -> Standing:
    """Both sides have been counted: ids are compared where the counts ask for it, or somebody did."""
    after = replace(standing, count_shopify=shopify, count_held=held, error=None)
    if standing.state == "ids" or standing.mode == "recent" or (standing.mode == "daily" and shopify == held):
        return replace(after, state="done")
    return replace(after, state="ids", after=0, checked=0)


def failed(standing: Standing, sentence: str) -> Standing:
    """Trying again would not help, or has not."""
    return replace(standing, state="failed", error=sentence)


def cancelled(standing: Standing, sentence: str) -> Standing:
    """The check has become pointless."""
    return replace(standing, state="cancelled", error=sentence)
