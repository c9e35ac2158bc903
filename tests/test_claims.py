"""Work that is due: one taker at a time, nothing asked for twice, nothing lost when a worker dies."""

from datetime import UTC, datetime, timedelta

import pytest

from shopify_app import claims
from shopify_app.claims import BACKFILL, ROLLUPS, LeaseLost
from shopify_app.database import operations

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=15)
LATER = NOW + timedelta(seconds=16)

pytestmark = pytest.mark.usefixtures("app_context")


def put(kind=BACKFILL, tenant_id=1, subject=7, due_at=NOW):
    with operations() as session:
        claims.put(session, kind, tenant_id, subject, due_at=due_at)


def take(now=NOW, limit=10, **narrowed):
    with operations() as session:
        return claims.take(session, (BACKFILL, ROLLUPS), limit, now, LEASE, **narrowed)


def due(now=NOW):
    with operations() as session:
        return [(item.kind, item.tenant_id, item.subject) for item in claims.due(session, (BACKFILL, ROLLUPS), now, 10)]


def test_work_put_twice_is_taken_once():
    put()
    put()

    taken = take()

    assert [(claim.kind, claim.tenant_id, claim.subject, claim.attempts) for claim in taken] == [(BACKFILL, 1, 7, 1)]
    assert take() == []


def test_work_is_not_taken_before_it_is_due():
    put(due_at=NOW + timedelta(seconds=1))

    assert due() == []
    assert take() == []
    assert len(take(NOW + timedelta(seconds=1))) == 1


def test_asking_earlier_makes_waiting_work_due_earlier_and_asking_later_changes_nothing():
    put(due_at=NOW + timedelta(hours=1))
    put(due_at=NOW)
    put(due_at=NOW + timedelta(hours=2))

    assert due() == [(BACKFILL, 1, 7)]


def test_the_longest_due_work_is_taken_first():
    put(subject=1, due_at=NOW)
    put(subject=2, due_at=NOW - timedelta(minutes=1))

    assert [claim.subject for claim in take(limit=1)] == [2]


def test_taking_can_be_narrowed_to_a_tenant_and_a_subject():
    put(tenant_id=1, subject=1)
    put(tenant_id=1, subject=2)
    put(tenant_id=2, subject=1)

    taken = take(tenant_id=1, subject=2)

    assert [(claim.tenant_id, claim.subject) for claim in taken] == [(1, 2)]


def test_two_takers_at_the_same_moment_get_different_work():
    put(subject=1)
    put(subject=2)

    with operations() as first, operations() as second:
        one = claims.take(first, (BACKFILL,), 1, NOW, LEASE)
        other = claims.take(second, (BACKFILL,), 10, NOW, LEASE)

    assert {claim.subject for claim in one} | {claim.subject for claim in other} == {1, 2}
    assert len(one) == len(other) == 1


def test_a_lease_that_ran_out_is_taken_by_somebody_else_and_lost_to_its_first_holder():
    put()
    (dead,) = take()

    (alive,) = take(LATER)

    assert alive.attempts == 2
    with pytest.raises(LeaseLost), operations() as session:
        claims.hold(session, dead, now=LATER, lease_for=LEASE)
    with pytest.raises(LeaseLost), operations() as session:
        claims.done(session, dead)
    with pytest.raises(LeaseLost), operations() as session:
        claims.postpone(session, dead, due_at=LATER)


def test_a_lease_that_is_held_is_not_taken():
    put()
    (taken,) = take()

    with operations() as session:
        claims.hold(session, taken, now=NOW + timedelta(seconds=10), lease_for=LEASE)

    assert take(LATER) == []


def test_work_that_is_done_is_gone():
    put()
    (taken,) = take()

    with operations() as session:
        assert claims.done(session, taken) is True

    assert due(LATER) == []


def test_work_asked_for_while_it_was_being_done_is_due_again():
    put()
    (taken,) = take()
    put(due_at=NOW)

    with operations() as session:
        assert claims.done(session, taken) is False

    (again,) = take(NOW + timedelta(seconds=1))
    assert again.attempts == 1


def test_postponed_work_waits_and_remembers_its_failures():
    put()
    (taken,) = take()

    with operations() as session:
        claims.postpone(session, taken, due_at=NOW + timedelta(minutes=1), error="Shopify was away")

    assert take() == []
    (again,) = take(NOW + timedelta(minutes=1))
    assert again.attempts == 2


def test_work_postponed_without_an_error_starts_its_attempts_anew():
    put()
    (taken,) = take()

    with operations() as session:
        claims.postpone(session, taken, due_at=NOW)

    (again,) = take()
    assert again.attempts == 1


def test_work_asked_for_while_leased_is_not_postponed_past_that():
    put()
    (taken,) = take()
    put(due_at=NOW + timedelta(seconds=3))

    with operations() as session:
        claims.postpone(session, taken, due_at=NOW + timedelta(hours=1))

    assert due(NOW + timedelta(seconds=3)) == [(BACKFILL, 1, 7)]


def test_withdrawn_work_is_gone_and_its_holder_finds_out():
    put()
    (taken,) = take()

    with operations() as session:
        claims.withdraw(session, BACKFILL, 1, 7)

    assert due(LATER) == []
    with pytest.raises(LeaseLost), operations() as session:
        claims.done(session, taken)


def test_putting_nothing_does_nothing():
    with operations() as session:
        claims.put_all(session, BACKFILL, 1, (), due_at=NOW)

    assert due() == []
