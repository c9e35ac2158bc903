"""A long job's share of its worker: how long it lasts, and the lease under it."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from shopify_app import claims
from shopify_app.database import operations
from shopify_app.jobs import slices
from shopify_app.jobs.queues import DRAIN, TICK, Queues
from shopify_app.jobs.slices import GIVEN_UP, Work
from shopify_app.models import Claim
from shopify_app.runtime import current

NOW = datetime.now(UTC)
TAKEN = claims.Taken(claims.BACKFILL, 1, 1, 1, uuid.UUID(int=1), NOW)


@pytest.mark.parametrize(
    ("left", "somebody_waits", "over"),
    [
        (60.0, False, False),
        (60.0, True, False),
        (GIVEN_UP - 0.5, False, False),
        (GIVEN_UP - 0.5, True, True),
        (-0.1, False, True),
    ],
)
def test_a_slice_ends_with_its_time_or_soon_when_somebody_waits(left, somebody_waits, over, app_context):
    if somebody_waits:
        current().queues.enqueue(DRAIN)

    assert Work(TAKEN, time.monotonic() + left).over is over


def test_the_clock_cuts_no_slice_short(app_context):
    current().queues.enqueue(TICK)

    assert not current().queues.anything_waits()


def test_nobody_is_known_to_wait_where_redis_does_not_answer():
    assert not Queues("redis://127.0.0.1:1/0").anything_waits()


@pytest.fixture
def taken(tenant_id, monkeypatch):
    monkeypatch.setattr(slices, "LEASE", timedelta(seconds=30))
    monkeypatch.setattr(slices, "RENEW_EVERY", 0.02)
    with operations() as session:
        claims.put(session, claims.BACKFILL, tenant_id, 1, due_at=NOW)
    return slices.take(claims.BACKFILL, tenant_id, 1)


def leased_until():
    with operations() as session:
        return session.scalar(select(Claim.leased_until))


def wait_until(holds):
    give_up_at = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_a_lease_lives_as_long_as_its_worker(taken):
    before = leased_until()

    with slices.kept(taken):
        wait_until(lambda: leased_until() > before)

    after = leased_until()
    time.sleep(0.1)
    assert leased_until() == after


def test_a_claim_that_was_given_back_is_not_taken_up_again_by_its_lease(taken):
    with slices.kept(taken):
        with operations() as session:
            claims.postpone(session, taken, due_at=NOW)
        time.sleep(0.1)

        assert leased_until() is None


def test_a_renewal_that_fails_is_tried_again(taken, monkeypatch):
    before, extend, failures = leased_until(), claims.extend, []

    def fails_first(*args, **how):
        if not failures:
            failures.append(None)
            raise OperationalError("", {}, Exception("away"))
        return extend(*args, **how)

    monkeypatch.setattr(claims, "extend", fails_first)
    with slices.kept(taken):
        wait_until(lambda: leased_until() > before)

    assert failures


def test_one_claim_is_taken_once(taken, tenant_id):
    assert slices.take(claims.BACKFILL, tenant_id, 1) is None
