"""What follows, for a backfill, from what Shopify says of its export: pure decisions, case by case."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shopify_app import backfill
from shopify_app.backfill import Standing, Window
from shopify_app.backfill.decisions import LONGEST, MOST_OPERATIONS, PATIENCE, STALLED
from shopify_app.backfill.sentences import CAUSES
from shopify_app.backfill.windows import MOST_SPLITS, packed, unpacked
from shopify_app.shopify.bulk import Operation

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FIRST = datetime(2024, 11, 22, 12, 0, tzinfo=UTC)
OPERATION = "gid://shopify/BulkOperation/1"
RUNNING = Standing(
    id=1,
    tenant_id=1,
    run_id=uuid.UUID(int=1),
    resource="orders",
    state="running",
    operation_id=OPERATION,
    asked_at=NOW - timedelta(minutes=5),
    moved_at=NOW - timedelta(minutes=1),
)
LOADING = replace(
    RUNNING, state="loading", objects_total=10, objects_read=6, lines_staged=6, rows_written=6, byte_offset=600
)


def operation(status="COMPLETED", count=10, url="https://storage.example/1.jsonl", error_code=None, partial=None):
    return Operation(
        id=OPERATION,
        status=status,
        error_code=error_code,
        object_count=count,
        root_object_count=count,
        file_size=None,
        url=url,
        partial_url=partial,
    )


def ended(standing, first=FIRST, now=NOW):
    return backfill.ended(standing, first, now)


@pytest.mark.parametrize(
    ("said", "state", "total"),
    [
        (operation("CREATED", 0, None), "running", 0),
        (operation("RUNNING", 4, None), "running", 4),
        (operation("CANCELING", 4, None), "running", 4),
        (operation("COMPLETED", 10), "loading", 10),
        (operation("COMPLETED", 0, None), "verifying", 0),
    ],
)
def test_a_poll_moves_a_backfill_as_far_as_its_operation_is(said, state, total):
    after = backfill.polled(RUNNING, said, NOW)

    assert (after.state, after.objects_total, after.error, after.ended_as) == (state, total, None, None)


@pytest.mark.parametrize(
    ("status", "code", "how"),
    [
        ("FAILED", "TIMEOUT", "TIMEOUT"),
        ("FAILED", "ACCESS_DENIED", "ACCESS_DENIED"),
        ("FAILED", None, "FAILED"),
        ("CANCELED", None, "CANCELED"),
        ("EXPIRED", None, "EXPIRED"),
    ],
)
def test_what_an_operation_delivered_before_it_ended_badly_is_loaded(status, code, how):
    after = backfill.polled(RUNNING, operation(status, 3, None, code, partial="https://storage.example/part"), NOW)

    assert (after.state, after.ended_as) == ("loading", how)


@pytest.mark.parametrize(
    ("changed", "count", "stuck"),
    [
        ({"moved_at": NOW - STALLED}, 4, False),
        ({"moved_at": NOW - STALLED - timedelta(seconds=1)}, 4, True),
        ({"moved_at": NOW - STALLED - timedelta(seconds=1)}, 5, False),
        ({"asked_at": NOW - LONGEST - timedelta(seconds=1)}, 5, True),
    ],
)
def test_an_operation_that_adds_nothing_for_long_or_runs_for_days_is_stuck(changed, count, stuck):
    standing = replace(RUNNING, objects_total=4, **changed)

    after = backfill.polled(standing, operation("RUNNING", count, None), NOW)

    assert after.ended_as == ("STALLED" if stuck else None)


def test_a_batch_moves_the_counts_and_the_byte():
    after = backfill.loaded(LOADING, lines=4, staged=4, rows=3, byte_offset=1000)

    assert (after.objects_read, after.lines_staged, after.rows_written, after.byte_offset) == (10, 10, 9, 1000)


def test_details_move_the_count_and_the_cursor():
    after = backfill.detailed(replace(LOADING, resource="refunds"), orders=[5, 9, 7], rows=4)

    assert (after.objects_read, after.cursor) == (9, "9")


def test_a_window_whose_lines_are_all_there_leaves_the_whole_to_be_counted():
    after = backfill.verified(replace(LOADING, state="verifying", objects_read=10, lines_staged=10))

    assert (after.state, after.operation_id, after.objects_read) == ("verifying", None, 10)


def test_a_window_that_is_done_is_followed_by_the_next():
    rest = (Window(NOW, None, 1), Window(None, NOW, 2))
    standing = replace(LOADING, state="verifying", objects_read=10, lines_staged=10, windows_left=rest, attempts=1)

    after = backfill.verified(standing)

    assert (after.state, after.window, after.windows_left) == ("planned", rest[0], rest[1:])
    assert (after.objects_before, after.objects_read, after.byte_offset, after.attempts) == (10, 0, 0, 0)
    assert after.rows_written == standing.rows_written


@pytest.mark.parametrize(
    ("read", "staged"), [(9, 9), (11, 11), (10, 9)], ids=["fewer lines", "more lines", "a line not taken in"]
)
def test_a_file_that_does_not_hold_what_was_counted_is_asked_for_again_from_the_first_byte(read, staged):
    after = backfill.verified(replace(LOADING, state="verifying", objects_read=read, lines_staged=staged))

    assert (after.state, after.objects_read, after.byte_offset, after.attempts) == ("planned", 0, 0, 1)
    assert f"Shopify counted 10 lines of orders of all time; its file held {read}, and {staged} of them" in after.error


def test_a_file_that_never_holds_what_was_counted_is_a_failure_that_names_both_numbers():
    after = backfill.verified(replace(LOADING, state="verifying", attempts=MOST_OPERATIONS - 1))

    assert after.state == "failed"
    assert "counted 10 lines" in after.error
    assert "held 6" in after.error
    assert OPERATION in after.error


def test_an_operation_that_took_too_long_is_asked_for_again_in_halves_at_once():
    after = ended(replace(LOADING, ended_as="TIMEOUT", objects_read=0))

    middle = FIRST + (NOW - FIRST) / 2
    assert (after.state, after.operation_id, after.attempts) == ("planned", None, 0)
    assert after.window == Window(None, middle, 1)
    assert after.windows_left == (Window(middle, None, 1),)
    assert "ended as TIMEOUT: it took Shopify too long. It is asked for again in halves." in after.error


def test_an_operation_that_delivered_a_part_is_asked_for_again_in_halves():
    after = ended(replace(LOADING, ended_as="INTERNAL_SERVER_ERROR"))

    assert (after.window.splits, len(after.windows_left), after.rows_written) == (1, 1, 6)


@pytest.mark.parametrize("how", ["INTERNAL_SERVER_ERROR", "EXPIRED", "CANCELED", "STALLED", "FAILED"])
def test_an_operation_that_delivered_nothing_is_asked_for_once_more_and_then_in_halves(how):
    empty = replace(LOADING, ended_as=how, objects_read=0)

    once = ended(empty)
    twice = ended(replace(empty, attempts=once.attempts))

    assert (once.state, once.window, once.attempts) == ("planned", Window(), 1)
    assert twice.window.splits == 1


def test_a_refused_access_is_not_asked_for_again_and_names_what_to_grant():
    after = ended(replace(LOADING, ended_as="ACCESS_DENIED"))

    assert after.state == "failed"
    assert "read_orders" in after.error
    assert "sync again" in after.error


@pytest.mark.parametrize(
    "window",
    [Window(NOW - timedelta(hours=1), NOW), Window(FIRST, NOW, MOST_SPLITS)],
    ids=["an hour", "split often"],
)
def test_a_window_that_cannot_be_split_further_is_asked_for_some_times_and_then_given_up(window):
    standing = replace(LOADING, ended_as="TIMEOUT", window=window)

    again = ended(standing)
    last = ended(replace(standing, attempts=MOST_OPERATIONS - 1))

    assert (again.state, again.window) == ("planned", window)
    assert last.state == "failed"
    assert all(part in last.error for part in ("TIMEOUT", str(window), OPERATION, "Sync again later", "is kept"))


def test_every_way_an_operation_ends_has_its_cause_in_words():
    for how in CAUSES:
        assert CAUSES[how] in ended(replace(LOADING, ended_as=how)).error


@pytest.mark.parametrize(
    "window", [Window(), Window(FIRST), Window(None, NOW), Window(FIRST, NOW)], ids=["all", "from", "until", "between"]
)
def test_halves_meet_and_keep_the_ends_open(window):
    first, second = window.halves(FIRST, NOW)

    assert (first.since, second.until) == (window.since, window.until)
    assert first.until == second.since
    assert FIRST < first.until < NOW
    assert first.until.microsecond == 0
    assert first.splits == second.splits == 1


def test_windows_survive_being_kept_in_a_row():
    windows = (Window(), Window(FIRST, NOW, 3), Window(None, FIRST, 1))

    assert unpacked(packed(windows)) == windows


def test_a_window_says_which_changes_it_means():
    told = [str(window) for window in (Window(), Window(FIRST), Window(None, NOW), Window(FIRST, NOW))]

    assert told == [
        "of all time",
        "from 2024-11-22 12:00 UTC on",
        "from the beginning to 2026-11-22 12:00 UTC",
        "from 2024-11-22 12:00 UTC to 2026-11-22 12:00 UTC",
    ]


@pytest.mark.parametrize(("theirs", "ours"), [(7, 7), (0, 0), (None, None)])
def test_counts_that_agree_or_cannot_be_had_end_a_backfill(theirs, ours):
    after = backfill.counted(replace(RUNNING, state="verifying"), theirs, ours)

    assert (after.state, after.count_shopify, after.count_held) == ("done", theirs, ours)


def test_counts_that_differ_leave_it_unfinished():
    after = backfill.counted(replace(RUNNING, state="verifying"), 7, 6)

    assert (after.state, after.count_shopify, after.count_held) == ("verifying", 7, 6)


def test_counts_that_agree_after_the_repair_end_a_backfill_and_others_fail_it_naming_both():
    standing = replace(RUNNING, state="verifying")

    assert backfill.mended(standing, 7, 7).state == "done"
    after = backfill.mended(standing, 7, 6)
    assert after.state == "failed"
    assert after.error.startswith("Shopify counts 7 orders, and Storelens holds 6,")
    assert "Sync again later." in after.error


def test_customers_who_were_erased_here_and_are_counted_there_are_no_failure_and_told_of():
    standing = replace(RUNNING, resource="customers", state="verifying", note="A note.")

    few = backfill.mended(standing, 7, 5, erased=2)
    more = backfill.mended(standing, 7, 4, erased=2)
    surplus = backfill.mended(standing, 7, 8, erased=2)

    assert few.state == "done"
    assert few.note == "A note. Customers whose data was erased on request, and whom Shopify still counts: 2."
    assert (more.state, surplus.state) == ("failed", "failed")


def test_a_standstill_is_told_with_its_length():
    assert f"{STALLED.total_seconds() / 60:.0f} minutes" in CAUSES["STALLED"]


def test_trouble_that_passes_is_told_and_forgotten_and_for_a_day_is_a_failure():
    first = backfill.hindered(RUNNING, "Shopify has trouble.", NOW)
    later = backfill.hindered(first, "Shopify has trouble.", NOW + PATIENCE)
    last = backfill.hindered(first, "Shopify has trouble.", NOW + PATIENCE + timedelta(seconds=1))

    assert (first.state, first.error, first.troubled_at) == ("running", "Shopify has trouble.", NOW)
    assert (later.state, later.troubled_at) == ("running", NOW)
    assert last.state == "failed"
    assert last.error.startswith("For 24 hours: Shopify has trouble.")
    calm = backfill.polled(first, operation("RUNNING", 1, None), NOW)
    assert (calm.error, calm.troubled_at) == (None, None)


def test_a_backfill_that_is_cancelled_says_how_far_it_came():
    after = backfill.stopped(replace(LOADING, objects_before=4))

    assert after.state == "cancelled"
    assert after.error.startswith("It was cancelled after 10 lines. What was loaded before is kept.")


@pytest.mark.parametrize(
    ("state", "finished"), [("loading", False), ("done", True), ("failed", True), ("cancelled", True)]
)
def test_finished_means_nothing_is_left_to_do(state, finished):
    assert replace(LOADING, state=state).finished is finished
