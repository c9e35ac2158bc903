"""Refreshing totals: the claim goes with the work, and comes back with a failure."""

from datetime import UTC, date, datetime

import pytest

from shopify_app import claims, rollups
from shopify_app.database import operations, tenant_work
from shopify_app.jobs.rollups import refresh

NOW = datetime.now(UTC)


@pytest.fixture
def dirty(tenant_id):
    with tenant_work(tenant_id) as session:
        rollups.mark(session, tenant_id, [date(2026, 11, 1), date(2026, 11, 2)])
        claims.put(session, claims.ROLLUPS, tenant_id, due_at=NOW)
    return tenant_id


def due():
    with operations() as session:
        return claims.due(session, (claims.ROLLUPS,), NOW, 10)


def state(tenant_id):
    with tenant_work(tenant_id) as session:
        return rollups.state(session)


def test_dirty_days_are_recomputed_and_the_claim_is_gone(dirty):
    assert state(dirty).waiting == 2

    refresh(tenant_id=dirty)

    assert (state(dirty).version, state(dirty).waiting) == (1, 0)
    assert due() == []


def test_a_refresh_that_fails_leaves_its_claim(dirty, monkeypatch):
    def broken(*_args):
        raise RuntimeError("no")

    monkeypatch.setattr(rollups, "refresh", broken)
    with pytest.raises(RuntimeError, match="no"):
        refresh(tenant_id=dirty)

    assert len(due()) == 1
    assert state(dirty).waiting == 2


def test_refreshing_twice_is_harmless(dirty):
    refresh(tenant_id=dirty)
    refresh(tenant_id=dirty)

    assert state(dirty).version == 1
