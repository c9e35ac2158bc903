"""Decisions of a backfill: pure functions from what is held and what Shopify says to how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shopify_app.backfill.sentences import AGAIN, BARE, CAUSES, ERASED, KEPT, SCOPES, TELL
from shopify_app.backfill.windows import EVERYTHING, Window
from shopify_app.models.backfills import UNFINISHED

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection

    from shopify_app.shopify.bulk import Operation

MOST_OPERATIONS = 3  # exports of one window whose file is wrong or gone
EMPTY_HANDED = 2  # exports of one window that ended badly and delivered nothing, before it is halved
STALLED = timedelta(minutes=30)  # without a further object an export is given up
LONGEST = timedelta(days=10)  # Shopify's own limit for an export
PATIENCE = timedelta(days=1)  # with what may pass

IN_PROGRESS = frozenset({"CREATED", "RUNNING", "CANCELING"})
DENIED, TIMEOUT, STUCK = "ACCESS_DENIED", "TIMEOUT", "STALLED"


@dataclass(frozen=True)
class Standing:
    """How far a backfill has come; the fields are those of the row (see :class:`shopify_app.models.Backfill`)."""

    id: int
    tenant_id: int
    run_id: uuid.UUID
    resource: str
    state: str
    operation_id: str | None = None
    objects_total: int | None = None
    objects_read: int = 0
    lines_staged: int = 0
    objects_before: int = 0
    rows_written: int = 0
    byte_offset: int = 0
    cursor: str | None = None
    attempts: int = 0
    error: str | None = None
    note: str | None = None
    since: datetime | None = None
    window: Window = EVERYTHING
    windows_left: tuple[Window, ...] = ()
    ended_as: str | None = None
    asked_at: datetime | None = None
    moved_at: datetime | None = None
    troubled_at: datetime | None = None
    cancel_asked_at: datetime | None = None
    count_shopify: int | None = None
    count_held: int | None = None
    reconciliation_id: int | None = None
    asked_by: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do, for better or worse."""
        return self.state not in UNFINISHED


# ── an export ───────────────────────────────────────────────────────────────────────────────────────────────────────


def requested(standing: Standing, operation_id: str, now: datetime) -> Standing:
    """Shopify has accepted the export."""
    begun = replace(standing, state="requested", operation_id=operation_id, asked_at=standing.asked_at or now)
    return _calm(replace(begun, moved_at=now))


def polled(standing: Standing, operation: Operation, now: datetime) -> Standing:
    """Shopify has said how the export is doing. One that ended badly is loaded as far as it was delivered."""
    moved_at = now if operation.object_count != standing.objects_total else standing.moved_at
    told = _calm(replace(standing, objects_total=operation.object_count, moved_at=moved_at))
    if operation.status in IN_PROGRESS:
        return replace(told, state="running", ended_as=STUCK if _stuck(told, now) else None)
    if operation.status == "COMPLETED":
        # A file that is not there is an export without rows.
        return replace(told, state="loading" if operation.url else "verifying", ended_as=None)
    return replace(told, state="loading", ended_as=operation.error_code or operation.status)


def _stuck(standing: Standing, now: datetime) -> bool:
    stalled = standing.moved_at is not None and now - standing.moved_at > STALLED
    return stalled or (standing.asked_at is not None and now - standing.asked_at > LONGEST)


def loaded(standing: Standing, *, lines: int, staged: int, rows: int, byte_offset: int) -> Standing:
    """A batch of the file has been written; the next one begins at ``byte_offset``."""
    return _calm(
        replace(
            standing,
            objects_read=standing.objects_read + lines,
            lines_staged=standing.lines_staged + staged,
            rows_written=standing.rows_written + rows,
            byte_offset=byte_offset,
        )
    )


def detailed(standing: Standing, *, orders: Collection[int], rows: int) -> Standing:
    """The details of some orders have been written; the next ones have higher ids."""
    return _calm(
        replace(
            standing,
            objects_read=standing.objects_read + len(orders),
            rows_written=standing.rows_written + rows,
            cursor=str(max(orders)),
        )
    )


def detailed_all(standing: Standing, bare: int) -> Standing:
    """Every order has been asked for; ``bare`` refunds are still known by their amounts only."""
    note = BARE.format(bare) if bare else None
    return _calm(replace(standing, state="done", objects_total=standing.objects_read, note=note))


def verified(standing: Standing) -> Standing:
    """All of a file has been read: its window is done if that is as much as Shopify counted, and the next one follows.

    After the last one the operation is forgotten, and what remains is to compare what is held with what Shopify holds.
    """
    if not standing.objects_total == standing.objects_read == standing.lines_staged:
        return again(
            standing,
            f"Shopify counted {standing.objects_total} lines of {_what(standing)}; its file held"
            f" {standing.objects_read}, and {standing.lines_staged} of them could be taken in.",
        )
    if not standing.windows_left:
        return _calm(replace(standing, operation_id=None))
    before = standing.objects_before + standing.objects_read
    window, *left = standing.windows_left
    return _planned(replace(standing, objects_before=before, window=window, windows_left=tuple(left), attempts=0))


def ended(standing: Standing, first: datetime, now: datetime) -> Standing:
    """An export ended badly, and what it delivered is loaded: the rest is asked for, in halves or once more as it is.

    Nothing of the resource was changed before ``first``.
    """
    how = standing.ended_as or "FAILED"
    cause = f"Shopify's export of {_what(standing)} ended as {how}: {CAUSES.get(how, 'see its documentation')}."
    if how == DENIED:
        return failed(standing, f"{cause} {KEPT} {_grant(standing)}")
    if how != TIMEOUT and not standing.objects_read and standing.attempts + 1 < EMPTY_HANDED:
        return _once_more(standing, cause)
    if halves := standing.window.halves(first, now):
        smaller = replace(standing, window=halves[0], windows_left=(halves[1], *standing.windows_left), attempts=0)
        return _planned(smaller, f"{cause} It is asked for again in halves.")
    return again(standing, cause)


def again(standing: Standing, cause: str) -> Standing:
    """A window has to be asked for once more, or it has been asked for often enough."""
    if standing.attempts + 1 < MOST_OPERATIONS:
        return _once_more(standing, cause)
    told = f" Asking for it {MOST_OPERATIONS} times did not help. {KEPT} {AGAIN}"
    support = f" If that does not help, give Shopify's support the export's number: {standing.operation_id}."
    return failed(standing, cause + told + (support if standing.operation_id else ""))


def _once_more(standing: Standing, cause: str) -> Standing:
    return _planned(replace(standing, attempts=standing.attempts + 1), f"{cause} It is asked for again.")


def _planned(standing: Standing, error: str | None = None) -> Standing:
    return replace(
        standing,
        state="planned",
        operation_id=None,
        objects_total=None,
        objects_read=0,
        lines_staged=0,
        byte_offset=0,
        cursor=None,
        ended_as=None,
        asked_at=None,
        moved_at=None,
        troubled_at=None,
        error=error,
    )


# ── the proof ───────────────────────────────────────────────────────────────────────────────────────────────────────


def counted(standing: Standing, shopify: int | None, held: int | None) -> Standing:
    """Both sides have been counted, where that resource can be; a difference leaves it to be mended."""
    told = _calm(replace(standing, count_shopify=shopify, count_held=held))
    return replace(told, state="done") if shopify == held else told


def mended(standing: Standing, shopify: int | None, held: int | None, erased: int = 0) -> Standing:
    """What differed has been compared object by object and repaired: now the counts agree, or something is wrong.

    At most ``erased`` objects are left out for good: Shopify still counts customers whose data was erased here.
    """
    told = counted(standing, shopify, held)
    lacking = (shopify or 0) - (held or 0)
    if told.finished:
        return told
    if 0 < lacking <= erased:
        return replace(told, state="done", note=" ".join(filter(None, (told.note, ERASED.format(lacking)))))
    return failed(
        told,
        f"Shopify counts {shopify} {standing.resource}, and Storelens holds {held}, also after every one of them was"
        f" compared. {AGAIN} {TELL}",
    )


def left_to(standing: Standing, check: int | None) -> Standing:
    """The difference is left to a check, or that has gone and the difference is looked for again."""
    return _calm(replace(standing, reconciliation_id=check))


def unproven(standing: Standing, reason: str) -> Standing:
    """Counts differed, and the check that was to mend it came to no end."""
    return failed(
        standing,
        f"Shopify counts {standing.count_shopify} {standing.resource}, and Storelens holds {standing.count_held};"
        f" comparing them did not go to its end: {reason} {AGAIN}",
    )


# ── ends and waits ──────────────────────────────────────────────────────────────────────────────────────────────────


def hindered(standing: Standing, sentence: str, now: datetime) -> Standing:
    """Something is in the way that may pass; for longer than a day it has not."""
    since = standing.troubled_at or now
    if now - since <= PATIENCE:
        return replace(standing, error=sentence, troubled_at=since)
    return failed(standing, f"For {PATIENCE.total_seconds() / 3600:.0f} hours: {sentence} {KEPT} {AGAIN}")


def refused(standing: Standing, said: str, advice: str) -> Standing:
    """Shopify does not do what is asked, and will not as things are; ``advice`` says what may help, where known."""
    advice = advice or f"{KEPT} {AGAIN} {TELL}"
    return failed(standing, said if advice in said else f"{said} {advice}")


def failed(standing: Standing, sentence: str) -> Standing:
    """Trying again would not help, or has not."""
    return replace(standing, state="failed", error=sentence, troubled_at=None)


def cancelled(standing: Standing, sentence: str) -> Standing:
    """The backfill has become pointless, or somebody wants no more of it."""
    return replace(standing, state="cancelled", error=sentence, troubled_at=None)


def stopped(standing: Standing) -> Standing:
    """Somebody asked for its end."""
    lines = standing.objects_before + standing.objects_read
    return cancelled(standing, f"It was cancelled after {lines} lines. {KEPT} Sync again for the rest.")


def _calm(standing: Standing) -> Standing:
    return replace(standing, error=None, troubled_at=None)


def _what(standing: Standing) -> str:
    return f"{standing.resource} {standing.window}"


def _grant(standing: Standing) -> str:
    return (
        f"It takes the access scope {SCOPES[standing.resource]}, and for customers' data Shopify's approval: open the"
        " app in the Shopify admin and allow what it asks for, then sync again."
    )
