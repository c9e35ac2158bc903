"""Which of two versions is newer: the table, the laws behind it, and SQL that says the same."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shopify_app.database import directory
from shopify_app.ingest.freshness import PLACEHOLDER, Version, current_sql, is_newer, newer_sql, newest

EARLY = datetime(2026, 3, 1, tzinfo=UTC)
LATE = EARLY + timedelta(seconds=1)

TABLE = [
    ("nothing is held", Version(EARLY), None, True),
    ("updated later", Version(LATE), Version(EARLY), True),
    ("updated earlier", Version(EARLY), Version(LATE), False),
    ("updated earlier but told later", Version(EARLY, LATE), Version(LATE, EARLY), False),
    ("the same delivery again", Version(EARLY, EARLY), Version(EARLY, EARLY), False),
    ("the same second, event later", Version(EARLY, LATE), Version(EARLY, EARLY), True),
    ("the same second, event earlier", Version(EARLY, EARLY), Version(EARLY, LATE), False),
    ("the same second, event unknown", Version(EARLY), Version(EARLY, EARLY), False),
    ("a webhook over a bulk line of the same second", Version(EARLY), Version(EARLY, backfill_id=3), True),
    ("a bulk line over a webhook of the same second", Version(EARLY, backfill_id=3), Version(EARLY), False),
    ("a bulk line over an older webhook", Version(LATE, backfill_id=3), Version(EARLY, LATE), True),
    ("the same bulk line again", Version(EARLY, backfill_id=3), Version(EARLY, backfill_id=3), False),
    ("the same bulk line of a later backfill", Version(EARLY, backfill_id=4), Version(EARLY, backfill_id=3), True),
    ("the same bulk line of an earlier backfill", Version(EARLY, backfill_id=3), Version(EARLY, backfill_id=4), False),
    ("a deletion", Version(deleted_at=LATE), Version(LATE, LATE), True),
    ("a late update of what was deleted", Version(LATE, LATE), Version(EARLY, deleted_at=EARLY), False),
    ("a deletion again", Version(deleted_at=LATE), Version(deleted_at=EARLY), False),
    ("without any time over a placeholder", Version(), Version(backfill_id=PLACEHOLDER), True),
    ("without any time again", Version(), Version(), False),
    ("text times of bulk lines", Version("2026-03-01T00:00:01Z", backfill_id=1), Version(EARLY), True),
]

instants = st.none() | st.sampled_from([EARLY, LATE])
versions = st.builds(
    Version,
    updated_at=instants,
    triggered_at=instants,
    deleted_at=st.none() | st.just(LATE),
    backfill_id=st.none() | st.integers(0, 2),
)


@pytest.mark.parametrize(("incoming", "held", "newer"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_table_of_decisions(incoming, held, newer):
    assert is_newer(incoming, held) is newer


@given(versions)
def test_nothing_is_newer_than_itself(version):
    assert not is_newer(version, version)


@given(versions, versions, versions)
def test_being_newer_is_an_order_until_something_is_deleted(first, second, third):
    if is_newer(first, second) and is_newer(second, third) and not first.deleted_at:
        assert is_newer(first, third)


@given(st.permutations([Version(EARLY, EARLY), Version(EARLY, LATE), Version(LATE), Version(LATE, backfill_id=1)]))
def test_the_newest_of_a_batch_does_not_depend_on_its_order(arrived):
    kept = newest((1, version, version) for version in arrived)

    assert kept == {1: (Version(LATE), Version(LATE))}


def test_of_two_equal_versions_in_a_batch_the_later_is_kept():
    kept = newest([(1, Version(EARLY), "first"), (1, Version(EARLY), "second")])

    assert kept[1][1] == "second"


def test_sql_decides_as_python_does(app_context):
    pairs = []

    @settings(max_examples=300, derandomize=True, database=None)
    @given(versions, versions)
    def collect(incoming, held):
        pairs.append((incoming, held))

    collect()
    values = {}
    for name, versions_of in (("incoming", [pair[0] for pair in pairs]), ("held", [pair[1] for pair in pairs])):
        for place, column in enumerate(Version._fields):
            values[f"{name}_{column}"] = [version[place] for version in versions_of]
    with directory() as session:
        decided = session.execute(text(STATEMENT), values).all()

    assert [row.newer for row in decided] == [is_newer(incoming, held) for incoming, held in pairs]
    assert {row.newer for row in decided} == {True, False}
    for row, (incoming, held) in zip(decided, pairs, strict=True):
        if incoming.deleted_at is None:
            assert row.current == (held.deleted_at is None and not is_newer(held, incoming))


def _columns(alias):
    arrays = ", ".join(
        f"CAST(:{alias}_{column} AS {'bigint' if column == 'backfill_id' else 'timestamptz'}[])"
        for column in Version._fields
    )
    return f"unnest({arrays}) WITH ORDINALITY AS {alias} ({', '.join(Version._fields)}, place)"


STATEMENT = f"""
    SELECT {newer_sql("incoming", "held")} AS newer, {current_sql("incoming", "held")} AS current
    FROM {_columns("incoming")} JOIN {_columns("held")} USING (place) ORDER BY place
"""  # noqa: S608 built of constants
