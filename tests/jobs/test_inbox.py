"""Draining the inbox: what is applied, what is set aside, and what a store's own notices change."""

import json
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from shopify_app import backfill, claims, ingest, jobs
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import inbox as module
from shopify_app.jobs import rollups as rollup_jobs
from shopify_app.jobs.inbox import drain
from shopify_app.jobs.turns import DIED
from shopify_app.models import Backfill, DayTotal, Delivery, OfflineToken, Product, Tenant

NOW = datetime.now(UTC)
SHOP = "aurora.myshopify.com"
SHOP_NUMBER = 548380009
SHOP_GID = f"gid://shopify/Shop/{SHOP_NUMBER}"


@pytest.fixture(autouse=True)
def numbered(tenant_id):
    """Shopify's own number of the first store."""
    with directory() as session:
        session.execute(update(Tenant).where(Tenant.id == tenant_id).values(shopify_id=SHOP_NUMBER))


def product(number, title="A shirt", updated_at="2026-11-01T10:00:00Z"):
    return {"id": number, "title": title, "created_at": updated_at, "updated_at": updated_at, "variants": []}


def titles(tenant_id):
    with tenant_work(tenant_id) as session:
        return dict(session.execute(select(Product.shopify_id, Product.title)).all())


def inbox_rows():
    with directory() as session:
        rows = list(session.scalars(select(Delivery).order_by(Delivery.id)))
        session.expunge_all()
        return rows


def tenant(tenant_id):
    with directory() as session:
        found = session.get_one(Tenant, tenant_id)
        session.expunge(found)
        return found


def due(*kinds):
    with operations() as session:
        return [(item.kind, item.tenant_id, item.subject) for item in claims.due(session, kinds, datetime.now(UTC), 10)]


def test_what_was_delivered_is_applied_and_marked_processed(tenant_id, deliver):
    deliver("products/create", product(1))
    deliver("products/update", product(1, "A better shirt", "2026-11-02T10:00:00Z"))

    drain()

    assert titles(tenant_id) == {1: "A better shirt"}
    assert all(row.processed_at and row.outcome == "applied" for row in inbox_rows())


def test_each_tenant_gets_its_own_deliveries(tenant_ids, deliver):
    deliver("products/create", product(1, "Aurora's"))
    deliver("products/create", product(1, "Birch's"), shop="birch.myshopify.com")

    drain()

    assert [titles(tenant_id) for tenant_id in tenant_ids] == [{1: "Aurora's"}, {1: "Birch's"}]


def test_more_than_a_batch_is_drained_at_once(tenant_id, deliver, monkeypatch):
    monkeypatch.setattr(jobs.turns, "BATCH", 3)
    for number in range(8):
        deliver("products/create", product(number))

    drain()

    assert len(titles(tenant_id)) == 8


def test_a_long_drain_gives_other_work_its_turn_and_comes_back(tenant_id, deliver, work_off, monkeypatch):
    monkeypatch.setattr(jobs.turns, "BATCH", 1)
    monkeypatch.setattr(module, "SLICE", 0.0)
    for number in range(3):
        deliver("products/create", product(number))

    drain()
    assert len(titles(tenant_id)) == 1
    work_off()

    assert len(titles(tenant_id)) == 3


@pytest.mark.parametrize("bad", [b"{}", b'{"id": "no number"}'])
def test_a_delivery_that_cannot_be_read_fails_alone(tenant_id, deliver, bad):
    for number in range(1, 6):
        deliver("products/create", product(number))
        if number == 3:
            deliver("products/create", bad)

    drain()

    assert sorted(titles(tenant_id)) == [1, 2, 3, 4, 5]
    failed = [row for row in inbox_rows() if row.processed_at is None]
    assert [(bytes(row.payload), row.attempts) for row in failed] == [(bad, 1)]
    assert failed[0].error.startswith("PayloadRejected: ")
    assert failed[0].retry_at > NOW


def test_a_mistake_of_our_own_sets_aside_only_what_it_concerns(tenant_id, deliver, monkeypatch):
    apply = ingest.apply_batch

    def mistaken(session, tenant, batch, *rest, **options):
        if any(b"cursed" in delivery.payload for delivery in batch.deliveries):
            raise KeyError("cursed")
        return apply(session, tenant, batch, *rest, **options)

    monkeypatch.setattr(ingest, "apply_batch", mistaken)
    for number in range(1, 5):
        deliver("products/create", product(number, "cursed" if number == 2 else "fine"))

    drain()

    assert sorted(titles(tenant_id)) == [1, 3, 4]
    assert [row.error for row in inbox_rows()] == [None, "KeyError: 'cursed'", None, None]
    assert "in mistaken" in inbox_rows()[1].traceback


def test_a_database_in_trouble_is_no_deliverys_fault(tenant_id, deliver, monkeypatch):
    deliver("products/create", product(1))

    def broken(*_args, **_options):
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "apply_batch", broken)
        with pytest.raises(OperationalError):
            drain()

    assert [(row.error, row.processed_at) for row in inbox_rows()] == [(None, None)]
    drain()
    assert titles(tenant_id) == {1: "A shirt"}


def test_a_tenant_whose_turn_another_worker_has_is_left_to_it(tenant_ids, deliver):
    deliver("products/create", product(1))
    deliver("products/create", product(1), shop="birch.myshopify.com")
    other = uuid.uuid4()
    with operations() as session:
        claims.seize(session, claims.TURN, tenant_ids[:1], other, now=datetime.now(UTC), lease_for=timedelta(minutes=1))

    drain()

    assert [len(titles(tenant_id)) for tenant_id in tenant_ids] == [0, 1]
    with operations() as session:
        claims.let_go(session, claims.TURN, other)
    drain()
    assert [len(titles(tenant_id)) for tenant_id in tenant_ids] == [1, 1]


def test_what_another_worker_applied_meanwhile_is_not_applied_again(tenant_id, deliver, monkeypatch):
    deliver("products/create", product(1))
    deliver("products/create", product(2))
    finish = module.inbox.finish

    def overtaken(session, tenant_id, ids, now):
        monkeypatch.setattr(module.inbox, "finish", finish)
        finish(session, tenant_id, ids[:1], now)
        return finish(session, tenant_id, ids, now)

    monkeypatch.setattr(module.inbox, "finish", overtaken)
    drain()

    assert titles(tenant_id) == {2: "A shirt"}


def test_a_turn_is_smaller_after_each_death_and_ends_with_the_one_to_blame(tenant_id, deliver, monkeypatch):
    monkeypatch.setattr(jobs.turns, "BATCH", 8)
    sizes = []
    finish = module.inbox.finish
    monkeypatch.setattr(module.inbox, "finish", lambda *args: sizes.append(len(args[2])) or finish(*args))
    for number in range(10):
        deliver("products/create", product(number))
    for _ in range(2):
        _die_holding(tenant_id)

    drain()

    # The dead worker may have had two turns of one in hand, the one it applied and the one it had read ahead.
    assert sizes == [1, 1, 8]
    assert len(titles(tenant_id)) == 10

    deliver("products/create", product(11))
    deliver("products/create", product(12))
    for _ in range(3):
        _die_holding(tenant_id)
    drain()

    assert sorted(titles(tenant_id)) == [*range(10), 12]
    assert [row.error for row in inbox_rows() if row.error] == [DIED]


def test_a_bystander_is_not_blamed_for_what_workers_died_of(tenant_ids, deliver, monkeypatch):
    monkeypatch.setattr(jobs.turns, "BATCH", 8)
    for number in range(3):
        deliver("products/create", product(number))
        deliver("products/create", product(number), shop="birch.myshopify.com")
    _die_holding(*tenant_ids)
    for _ in range(4):
        _die_holding(tenant_ids[1])

    drain()
    assert [len(titles(tenant_id)) for tenant_id in tenant_ids] == [3, 0]
    drain()

    assert [len(titles(tenant_id)) for tenant_id in tenant_ids] == [3, 2]
    assert [row.tenant_id for row in inbox_rows() if row.error == DIED] == [tenant_ids[1]]
    assert due(claims.TURN) == []


def test_a_big_store_keeps_nobody_waiting_longer_than_a_turn(tenant_ids, deliver, monkeypatch):
    monkeypatch.setattr(jobs.turns, "BATCH", 2)
    order = []
    apply = module._apply
    monkeypatch.setattr(module, "_apply", lambda turn, *rest: order.append(turn.tenant_id) or apply(turn, *rest))
    for number in range(8):
        deliver("products/create", product(number))
    deliver("products/create", product(1), shop="birch.myshopify.com")

    drain()

    assert order == [tenant_ids[0], tenant_ids[1], *tenant_ids[:1] * 3]


def test_more_tenants_than_a_round_takes_on_are_all_served(tenant_ids, deliver, monkeypatch):
    monkeypatch.setattr(jobs.turns, "TENANTS", 1)
    monkeypatch.setattr(jobs.turns, "BATCH", 1)
    for number in range(3):
        deliver("products/create", product(number))
        deliver("products/create", product(number), shop="birch.myshopify.com")

    drain()

    assert [len(titles(tenant_id)) for tenant_id in tenant_ids] == [3, 3]
    assert due(claims.TURN) == []


def test_one_event_through_two_subscriptions_is_applied_once(tenant_id, deliver):
    for _ in range(2):
        deliver("products/update", product(1), event_id="e-1")
    drain()
    deliver("products/update", product(1), event_id="e-1")
    deliver("products/update", product(2), event_id="e-1")
    deliver("products/create", product(1), event_id="e-1")
    deliver("products/update", product(1, "A better shirt", "2026-11-02T10:00:00Z"), event_id="e-1")

    drain()

    assert [row.outcome for row in inbox_rows()] == ["applied", "repeat", "repeat", "applied", "applied", "applied"]
    assert titles(tenant_id) == {1: "A better shirt", 2: "A shirt"}


def test_the_same_event_id_of_another_store_is_another_event(tenant_ids, deliver):
    deliver("products/update", product(1), event_id="e-1")
    deliver("products/update", product(1), event_id="e-1", shop="birch.myshopify.com")

    drain()

    assert [row.outcome for row in inbox_rows()] == ["applied", "applied"]


def test_nothing_waiting_is_no_work(tenant_id):
    drain()

    assert inbox_rows() == []


def test_totals_of_a_busy_store_wait_for_the_end_and_where_that_fails_for_the_clock(
    tenant_id, deliver, monkeypatch, reference
):
    sample = json.loads((reference / "payloads" / "docs-2026-04__orders_create.json").read_bytes())
    monkeypatch.setattr(jobs.turns, "BATCH", 1)
    for number in range(2):
        deliver("orders/create", sample | {"id": 450789469 + number, "test": False})
    states = []

    def broken(**_kwargs):
        with tenant_work(tenant_id) as session:
            states.append(module.rollups.state(session))
        raise OperationalError("SELECT 1", {}, Exception("deadlock detected"))

    with monkeypatch.context() as patch:
        patch.setattr(rollup_jobs, "refresh", broken)
        drain()

    assert [(state.version, state.waiting) for state in states] == [(1, 1)]
    assert due(claims.ROLLUPS) == [(claims.ROLLUPS, tenant_id, 0)]
    assert all(row.processed_at for row in inbox_rows())


def test_an_order_is_in_the_totals_as_soon_as_it_is_applied(tenant_id, deliver, reference):
    deliver("orders/create", (reference / "payloads" / "docs-2026-04__orders_create.json").read_bytes())

    drain()

    assert due(claims.ROLLUPS) == []
    with tenant_work(tenant_id) as session:
        assert module.rollups.state(session).version == 1


def test_an_uninstalled_app_forgets_its_token(tenant_ids, deliver):
    deliver("app/uninstalled", {"myshopify_domain": SHOP}, triggered_at=NOW)

    drain()

    assert tenant(tenant_ids[0]).uninstalled_at == NOW
    assert tenant(tenant_ids[1]).uninstalled_at is None
    with directory() as session:
        assert session.scalars(select(OfflineToken.tenant_id)).all() == [tenant_ids[1]]


def test_an_uninstall_from_before_the_latest_install_changes_nothing(tenant_id, deliver):
    deliver("app/uninstalled", {"myshopify_domain": SHOP}, triggered_at=datetime(2025, 12, 31, tzinfo=UTC))

    drain()

    assert tenant(tenant_id).uninstalled_at is None
    assert inbox_rows()[0].processed_at is not None


def test_other_scopes_are_recorded_and_the_store_is_settled_anew(tenant_id, deliver):
    deliver("app/scopes_update", {"shop_id": SHOP_GID, "current": ["read_products"]})

    drain()

    with directory() as session:
        assert session.get_one(OfflineToken, tenant_id).scopes == ["read_products"]
    assert due(claims.SETTLE) == [(claims.SETTLE, tenant_id, 0)]


def test_history_under_way_is_ended_by_other_scopes_so_that_it_is_read_anew(tenant_id, deliver):
    with tenant_work(tenant_id) as session:
        backfill.start(session, session.get_one(Tenant, tenant_id), ("products",), datetime.now(UTC))
    deliver("app/scopes_update", {"shop_id": SHOP_GID, "current": ["read_all_orders", "read_orders"]})

    drain()

    with tenant_work(tenant_id) as session:
        state, error = session.execute(select(Backfill.state, Backfill.error)).one()
    assert (state, error) == ("cancelled", "Other access was granted meanwhile; it is read anew.")
    assert due(claims.SETTLE, claims.BACKFILL) == [(claims.SETTLE, tenant_id, 0)]


def test_scopes_told_of_late_do_not_undo_those_granted_since(tenant_id, deliver):
    for scopes, minutes in ((["read_products"], 10), (["read_orders", "read_products"], 5)):
        deliver(
            "app/scopes_update", {"shop_id": SHOP_GID, "current": scopes}, triggered_at=NOW + timedelta(minutes=minutes)
        )

    drain()

    with directory() as session:
        assert session.get_one(OfflineToken, tenant_id).scopes == ["read_products"]


def test_facts_told_of_late_do_not_undo_newer_ones(tenant_id, deliver):
    named = {"id": SHOP_NUMBER, "name": "Aurora Ltd", "updated_at": "2026-11-20T10:00:00Z"}
    deliver("shop/update", named, triggered_at=NOW)
    deliver("shop/update", named | {"name": "Aurora", "updated_at": "2026-11-19T10:00:00Z"}, triggered_at=NOW)

    drain()

    assert tenant(tenant_id).name == "Aurora Ltd"


def test_the_same_scopes_settle_nothing(tenant_id, deliver):
    deliver("app/scopes_update", {"shop_id": SHOP_GID, "current": ["read_products", "read_orders", "read_customers"]})

    drain()

    assert due(claims.SETTLE) == []


def test_a_shops_new_facts_are_taken_down_and_what_it_leaves_out_is_kept(tenant_id, deliver):
    deliver("shop/update", {"myshopify_domain": SHOP, "name": "Aurora Ltd", "currency": "EUR", "primary_locale": "de"})

    drain()

    shop = tenant(tenant_id)
    assert (shop.name, shop.email, shop.currency, shop.locale, shop.time_zone) == (
        "Aurora Ltd",
        None,
        "EUR",
        "de",
        "UTC",
    )


def test_another_time_zone_puts_sales_on_other_days(tenant_id, deliver, reference):
    sample = json.loads((reference / "payloads" / "docs-2026-04__orders_create.json").read_bytes())
    deliver("orders/create", sample | {"test": False, "processed_at": "2026-03-01T12:00:00Z"})
    drain()
    before = _days(tenant_id)

    deliver("shop/update", {"id": SHOP_NUMBER, "iana_timezone": "Pacific/Kiritimati"})
    drain()

    assert tenant(tenant_id).time_zone == "Pacific/Kiritimati"
    assert date(2026, 3, 1) in before
    assert date(2026, 3, 1) not in _days(tenant_id)
    assert date(2026, 3, 2) in _days(tenant_id)


def test_a_time_zone_nobody_knows_is_not_taken(tenant_id, deliver):
    deliver("shop/update", {"id": SHOP_NUMBER, "iana_timezone": "Mars/Olympus"})

    drain()

    assert tenant(tenant_id).time_zone == "UTC"


def test_a_finished_operation_makes_its_backfill_due(tenant_id, deliver):
    gid = "gid://shopify/BulkOperation/7"
    with tenant_work(tenant_id) as session:
        waiting = Backfill(
            tenant_id=tenant_id, run_id=uuid.uuid4(), resource="orders", state="running", operation_id=gid
        )
        session.add(waiting)
        session.flush()
        backfill_id = waiting.id
        claims.put(session, claims.BACKFILL, tenant_id, backfill_id, due_at=NOW + timedelta(hours=1))
    assert due(claims.BACKFILL) == []

    deliver("bulk_operations/finish", {"admin_graphql_api_id": gid, "status": "completed"})
    deliver("bulk_operations/finish", {"admin_graphql_api_id": "gid://shopify/BulkOperation/8"})
    drain()

    assert due(claims.BACKFILL) == [(claims.BACKFILL, tenant_id, backfill_id)]


def test_a_notice_that_cannot_be_read_is_set_aside(tenant_id, deliver):
    deliver("app/scopes_update", {"shop_id": SHOP_GID, "previous": []})

    drain()

    assert "current" in inbox_rows()[0].error


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("app/uninstalled", {}),
        ("app/uninstalled", {"id": 1}),
        ("app/uninstalled", {"id": 1, "myshopify_domain": None}),
        ("app/uninstalled", {"id": SHOP_NUMBER, "myshopify_domain": "birch.myshopify.com"}),
        ("shop/update", {"name": "Theirs"}),
        ("shop/update", {"id": 1, "name": "Theirs"}),
        ("app/scopes_update", {"shop_id": "gid://shopify/Shop/1", "current": []}),
        ("app/scopes_update", {"current": []}),
    ],
)
def test_a_notice_that_does_not_name_the_shop_changes_nothing(tenant_id, deliver, topic, body):
    before = tenant(tenant_id)

    deliver(topic, body)
    drain()

    after = tenant(tenant_id)
    assert (after.uninstalled_at, after.name) == (None, before.name)
    with directory() as session:
        assert len(session.get_one(OfflineToken, tenant_id).scopes) == 3
    (row,) = inbox_rows()
    assert row.processed_at is None
    assert row.error.startswith(("NotThisShop", "NoticeRejected"))


@pytest.mark.parametrize("topic", ["app/uninstalled", "shop/update"])
def test_a_notice_without_an_address_names_the_shop_by_its_number(tenant_id, deliver, reference, topic):
    name = topic.replace("/", "_")
    sample = (reference / "payloads" / f"docs-2026-04__{name}.json").read_bytes()
    assert json.loads(sample)["myshopify_domain"] is None

    deliver(topic, sample, triggered_at=NOW)
    drain()

    assert inbox_rows()[0].processed_at is not None


def _days(tenant_id):
    with tenant_work(tenant_id) as session:
        return list(session.scalars(select(DayTotal.day_on).order_by(DayTotal.day_on)))


def _die_holding(*tenant_ids):
    """Take tenants' turns as a worker does, and let the lease run out."""
    with operations() as session:
        claims.seize(session, claims.TURN, tenant_ids, uuid.uuid4(), now=NOW, lease_for=timedelta(0))
