"""A store's cut-off, and the clock's look at what was left behind: cheap, in slices, and one store at a time."""

from datetime import timedelta

import flask_migrate
import psycopg
import pytest
from sqlalchemy import text

from config import Config
from shopify_app import abandonment, claims
from shopify_app.abandonment import CutOffRejected, Swept
from shopify_app.app import create_app
from shopify_app.database import directory, tenant_work
from shopify_app.models import Cart, Checkout, Tenant
from shopify_app.runtime import current
from tests.ingest.world import T0, World

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(app_context):
    """Two stores and a stranger, all empty."""
    return World.made()


def fill(tenant_id, count=3, *, judged_by=60):
    """Leave carts and checkouts behind, each a minute after the other, from T0 on."""
    moments = [T0 + number * MINUTE for number in range(count)]
    with tenant_work(tenant_id) as session:
        for number, at in enumerate(moments):
            waits = {"seen_at": [at], "idle_since": at, "judged_by": judged_by, "updated_at": at}
            session.add(Cart(tenant_id=tenant_id, shopify_id=f"c{number}", units=1, **waits))
            session.add(Checkout(tenant_id=tenant_id, token=f"k{number}", email="ada@example.com", **waits))


def sweep(tenant_id, minutes, limit=100):
    with tenant_work(tenant_id) as session:
        return abandonment.sweep(session, tenant_id, T0 + minutes * MINUTE, limit)


def change(tenant_id, minutes):
    with directory() as session:
        return abandonment.change_cut_off(session, tenant_id, minutes, T0)


def cut_off(tenant_id):
    with directory() as session:
        return abandonment.cut_off(session, tenant_id)


def states(world, tenant_id, table="carts"):
    rows = world.rows(table, tenant=tenant_id)
    return [(row["status"], row["abandoned_at"] and (row["abandoned_at"] - T0) // MINUTE) for row in rows]


def claimed(session):
    query = text("SELECT tenant_id FROM claims WHERE kind = :kind ORDER BY 1")
    return list(session.execute(query, {"kind": claims.ABANDONMENT}).scalars())


def test_only_what_is_due_is_judged_and_the_next_moment_is_told(world):
    fill(world.alpha)

    assert sweep(world.alpha, 61) == Swept(judged=4, due_at=T0 + 62 * MINUTE)

    assert states(world, world.alpha) == [("abandoned", 60), ("abandoned", 61), ("active", None)]
    assert states(world, world.alpha, "checkouts") == [("abandoned", 60), ("abandoned", 61), ("open", None)]


def test_nothing_is_judged_twice(world):
    fill(world.alpha)

    assert sweep(world.alpha, 500) == Swept(judged=6, due_at=None)
    assert sweep(world.alpha, 500) == Swept(judged=0, due_at=None)


def test_more_than_a_batch_is_due_again_at_once(world):
    fill(world.alpha)

    first = sweep(world.alpha, 500, limit=2)
    second = sweep(world.alpha, 500, limit=2)

    assert first == Swept(judged=4, due_at=T0 + 500 * MINUTE)
    assert second == Swept(judged=2, due_at=None)
    assert {status for status, _ in states(world, world.alpha)} == {"abandoned"}


def test_a_store_without_baskets_has_nothing_due(world):
    fill(world.alpha)

    assert sweep(world.stranger, 500) == Swept(judged=0, due_at=None)


def test_each_store_goes_by_its_own_cut_off_and_no_other_store_is_touched(world):
    fill(world.alpha)
    fill(world.beta)
    change(world.alpha, "30")
    before = world.everything(world.beta)

    sweep(world.alpha, 31)

    assert states(world, world.alpha) == [("abandoned", 30), ("abandoned", 31), ("active", None)]
    assert world.everything(world.beta) == before
    sweep(world.beta, 31)
    assert {status for status, _ in states(world, world.beta)} == {"active"}


@pytest.mark.parametrize(("minutes", "status", "at"), [("30", "abandoned", 30), ("500", "active", None)])
def test_another_cut_off_judges_what_was_judged_before(world, minutes, status, at):
    fill(world.alpha, 1)
    sweep(world.alpha, 100)
    assert states(world, world.alpha) == [("abandoned", 60)]

    change(world.alpha, minutes)
    sweep(world.alpha, 100)

    assert states(world, world.alpha) == [(status, at)]


def test_judging_anew_goes_on_where_it_was_interrupted(world):
    fill(world.alpha, 5)
    sweep(world.alpha, 500)
    change(world.alpha, "120")

    judged = [sweep(world.alpha, 500, limit=2).judged for _ in range(4)]

    assert judged == [4, 4, 2, 0]
    assert [at for _, at in states(world, world.alpha)] == [120, 121, 122, 123, 124]


def test_what_was_never_judged_is(world):
    fill(world.alpha, 1, judged_by=0)

    assert sweep(world.alpha, 10) == Swept(judged=2, due_at=T0 + 60 * MINUTE)


@pytest.mark.parametrize("typed", ["5", "60", " 90 ", "43200"])
def test_a_cut_off_is_kept_and_claims_judging_anew(world, typed):
    with directory() as session:
        session.get_one(Tenant, world.alpha).abandonment_minutes = 61

    assert change(world.alpha, typed)

    assert cut_off(world.alpha) == int(typed)
    assert cut_off(world.beta) == 60
    with directory() as session:
        assert claimed(session) == [world.alpha]


def test_the_same_cut_off_again_asks_for_nothing(world):
    assert not change(world.alpha, "60")

    with directory() as session:
        assert claimed(session) == []


@pytest.mark.parametrize(
    "typed", ["", "4", "43201", "0", "-60", "60.5", "1h", "６０", "²", "9" * 5000, "60\x00", "nan", "1e3"]
)
def test_what_is_no_cut_off_is_refused_with_the_bounds(world, typed):
    with pytest.raises(CutOffRejected, match="from 5 to 43200"):
        change(world.alpha, typed)

    assert cut_off(world.alpha) == 60


def test_the_clocks_questions_read_indexes_only(world):
    """With the planner kept from reading whole tables it finds an index for each part, and sorts no table."""
    fill(world.alpha, 20)
    with tenant_work(world.alpha) as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
        plans = []
        for kind in abandonment.KINDS:
            question = text("EXPLAIN " + abandonment._DUE.format(table=kind.table, key=kind.key))
            values = {"tenant": world.alpha, "now": T0, "limit": 10}
            plans.append("\n".join(session.execute(question, values).scalars()))

    for kind, plan in zip(abandonment.KINDS, plans, strict=True):
        assert f"ix_{kind.table}_idle" in plan
        assert plan.count(f"ix_{kind.table}_judged") == 2
        assert f"Seq Scan on {kind.table}" not in plan


BEFORE, HERE = "0007_reconciliation", "0008_abandonment"


def test_what_was_held_before_is_judged_by_when_it_was_last_touched(own_database, environ):
    """As a plain owner, whom row-level security binds, and for every store."""
    database = {"DATABASE_URL": own_database.login_url, "DATABASE_OWNER_URL": own_database.owner_url}
    app = create_app(Config.from_env({**environ, **database}))
    with app.app_context():
        flask_migrate.downgrade(revision=BEFORE)
        with psycopg.connect(own_database.owner_url) as connection:
            for tenant_id in (1, 2):
                connection.execute(
                    "INSERT INTO tenants (id, store_url, name) VALUES (%s, %s, 'x')", [tenant_id, f"s{tenant_id}"]
                )
                connection.execute(f"SET LOCAL app.tenant_id = '{tenant_id}'")
                connection.execute(HELD_CARTS, [tenant_id, T0, tenant_id, T0])
                connection.execute(HELD_CHECKOUTS, [tenant_id, T0, tenant_id, T0, tenant_id, T0])
        flask_migrate.upgrade(revision=HERE)
        with psycopg.connect(own_database.owner_url) as connection:
            due = connection.execute("SELECT tenant_id FROM claims WHERE kind = 'abandonment' ORDER BY 1").fetchall()
            connection.execute("SET LOCAL app.tenant_id = '2'")
            held = connection.execute(LOOK).fetchall()
        current().close()

    assert due == [(1,), (2,)]
    assert held == [
        ("empty", 0, 1, 0),
        ("full", 1, 0, 0),
        ("known", 1, 0, 0),
        ("listed", 1, 0, 0),
        ("nobody's", 0, 1, 0),
    ]


HELD_CARTS = """
    INSERT INTO carts (tenant_id, shopify_id, units, updated_at)
    VALUES (%s, 'full', 2, %s), (%s, 'empty', NULL, %s)
"""
HELD_CHECKOUTS = """
    INSERT INTO checkouts (tenant_id, token, email, backfill_id, updated_at)
    VALUES (%s, 'known', 'ada@example.com', NULL, %s), (%s, 'listed', NULL, 7, %s), (%s, 'nobody''s', NULL, NULL, %s)
"""
LOOK = """
    SELECT shopify_id COLLATE "C" AS name, cardinality(seen_at), cardinality(seen_bare_at), judged_by FROM carts
    UNION ALL SELECT token, cardinality(seen_at), cardinality(seen_bare_at), judged_by FROM checkouts ORDER BY 1
"""
