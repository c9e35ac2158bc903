"""Compliance requests done: exports, people and stores erased; and every order of leaving and coming back."""

import itertools
import json
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import func, select, update

from shopify_app import claims, inbox, privacy, tenants
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import privacy as module
from shopify_app.jobs.inbox import drain
from shopify_app.jobs.privacy import fulfil
from shopify_app.models import (
    Backfill,
    Claim,
    DataExport,
    Delivery,
    OfflineToken,
    Order,
    PrivacyRequest,
    Product,
    RollupState,
    Sale,
    Tenant,
)
from shopify_app.runtime import current
from shopify_app.shopify.oauth import TokenGrant
from shopify_app.shopify.shop import ShopFacts
from tests.ingest.world import bulk_order, customer, gid, line, order, refund
from tests.jobs.searching import found

SHOP, OTHER = "aurora.myshopify.com", "birch.myshopify.com"
ADA, GRACE = 7700077, 8800088
EMAIL, PHONE = "ada.lovelace@example.com", "+15550100777"
NOW = datetime.now(UTC)
INSTALLED = datetime(2026, 1, 1, tzinfo=UTC)

ADA_HERSELF = {"id": ADA, "email": EMAIL, "phone": PHONE}
REDACT = {"shop_id": 1, "shop_domain": SHOP, "customer": ADA_HERSELF, "orders_to_redact": [9001]}
REQUEST = {
    "shop_id": 1,
    "shop_domain": SHOP,
    "customer": ADA_HERSELF,
    "orders_requested": [9001],
    "data_request": {"id": 4242},
}
SHOP_REDACT = {"shop_id": 1, "shop_domain": SHOP}


@pytest.fixture
def ask(tenant_ids):
    """Takes a request down, as the webhook door does."""
    numbers = itertools.count(1)

    def receive(topic, body, *, webhook_id=None, triggered_at=None):
        arrival = privacy.Arrival(
            shop_domain=body["shop_domain"],
            topic=topic,
            webhook_id=webhook_id or f"c-{next(numbers)}",
            triggered_at=triggered_at,
            api_version="2026-10",
            payload=json.dumps(body).encode(),
            subject=body.get("data_request", {}).get("id"),
        )
        with directory() as session:
            return privacy.receive(session, arrival, datetime.now(UTC))

    return receive


def sold_to_ada(number=9001, **changes):
    ada = {"id": ADA, "email": EMAIL, "first_name": "Augusta", "last_name": "Lovelace"}
    return order(
        number,
        [line(number * 10)],
        customer=ada,
        email=EMAIL,
        phone=PHONE,
        cart_token=f"cart-{number}",
        checkout_token=f"checkout-{number}",
        **changes,
    )


def checkout_of_ada(name="checkout-9001"):
    return {
        "token": name,
        "cart_token": "cart-9001",
        "email": EMAIL,
        "phone": PHONE,
        "customer": {"id": ADA},
        "abandoned_checkout_url": f"https://{SHOP}/checkouts/{name}/recover?key=secret",
        "updated_at": "2026-03-01T12:00:00Z",
        "line_items": [],
    }


def ada_row(**changes):
    return customer(ADA, first_name="Augusta", last_name="Lovelace", email=EMAIL, phone=PHONE, **changes)


@pytest.fixture
def a_life(tenant_ids, deliver):
    """Ada and Grace have shopped at Aurora, and an Ada of the same number at Birch."""
    for shop in (SHOP, OTHER):
        deliver("customers/create", ada_row(), shop=shop)
        deliver("orders/create", sold_to_ada(), shop=shop)
    deliver("orders/create", sold_to_ada(9002))
    deliver("orders/create", order(9003, [line(90030)], customer=None, email=EMAIL.title(), phone=None))
    deliver("orders/create", order(9004, [line(90040)], customer={"id": GRACE}, email="grace@example.com"))
    deliver("customers/create", customer(GRACE, first_name="Grace", email="grace@example.com"))
    deliver("checkouts/create", checkout_of_ada())
    deliver("carts/create", {"id": "cart-9001", "token": "cart-9001", "line_items": [], "note": "for Augusta"})
    deliver("refunds/create", refund(31, 9001, [(90010, 1, "10.00", "0.00")]))
    deliver("customer.tags_added", {"customerId": gid("Customer", ADA), "tags": ["vip"]})
    deliver("customers/create", b'{"id": "broken", "email": "%s"}' % EMAIL.encode())
    drain()


def fulfil_all():
    """Do whatever is due, at once."""
    with operations() as session:
        session.execute(update(Claim).where(Claim.kind == claims.PRIVACY).values(due_at=INSTALLED))
        due = claims.due(session, (claims.PRIVACY,), NOW, 100)
    for item in due:
        fulfil(tenant_id=item.tenant_id, request_id=item.subject)


def requests():
    with directory() as session:
        rows = list(session.scalars(select(PrivacyRequest).order_by(PrivacyRequest.id)))
        session.expunge_all()
        return rows


def totals(tenant_id):
    names = ("gross", "discounts", "returns", "shipping", "taxes", "quantity")
    with tenant_work(tenant_id) as session:
        return tuple(session.execute(select(func.count(), *(func.sum(getattr(Sale, name)) for name in names))).one())


# ── taking down ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_due_in_thirty_days_and_taken_down_once(tenant_id, ask):
    assert ask("customers/redact", REDACT, webhook_id="c-1")
    assert not ask("customers/redact", REDACT, webhook_id="c-1")

    (request,) = requests()
    assert (request.tenant_id, request.topic, request.completed_at) == (tenant_id, "customers/redact", None)
    assert request.due_at - request.received_at == timedelta(days=30)


def test_the_drain_leaves_requests_to_their_claims(tenant_id, ask, work_off):
    ask("customers/data_request", REQUEST)

    drain()
    assert requests()[0].completed_at is None
    work_off()

    assert requests()[0].completed_at is not None


def test_a_request_of_a_shop_that_is_not_known_is_done_at_once_and_its_body_is_not_kept(app_context, ask):
    ask("customers/redact", REDACT | {"shop_domain": "gamma.myshopify.com"})

    (request,) = requests()
    assert (request.tenant_id, request.outcome, request.rows_affected) == (None, "Nothing of this shop is held.", None)
    assert request.completed_at is not None
    with directory() as session:
        assert session.scalars(select(Delivery.id)).all() == []


# ── exports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_export_holds_everything_of_one_customer_and_nothing_of_others(tenant_id, a_life, ask):
    ask("customers/data_request", REQUEST)

    fulfil_all()

    with tenant_work(tenant_id) as session:
        content = json.loads(session.scalars(select(DataExport.content)).one())
    assert [row["email"] for row in content["customers"]] == [EMAIL]
    assert sorted(row["shopify_id"] for row in content["orders"]) == [9001, 9002, 9003]
    assert [row["token"] for row in content["checkouts"]] == ["checkout-9001"]
    assert [row["shopify_id"] for row in content["carts"]] == ["cart-9001"]
    assert {row["order_shopify_id"] for row in content["order_lines"]} == {9001, 9002, 9003}
    assert [row["shopify_id"] for row in content["refunds"]] == [31]
    assert "carts/create" in {row["topic"] for row in content["webhooks"]}
    assert "grace" not in json.dumps(content).lower()
    assert requests()[0].outcome == "An export waits for the merchant."


def test_a_customer_nothing_is_held_of_gets_an_export_that_says_so(tenant_id, ask):
    ask("customers/data_request", REQUEST)

    fulfil_all()

    with tenant_work(tenant_id) as session:
        content = json.loads(session.scalars(select(DataExport.content)).one())
    assert content["orders"] == content["customers"] == content["webhooks"] == []


# ── erasing people ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def erased(tenant_id, a_life, ask):
    ask("customers/data_request", REQUEST)
    fulfil_all()
    ask("customers/redact", REDACT)
    fulfil_all()
    assert [request.outcome for request in requests()][1] == "The customer was erased."


WORDS = (EMAIL, EMAIL.title(), "Augusta", PHONE, "15550100777", ADA)


def places_of_aurora(postgres, database, tenant_id):
    """Return where anything of Ada stands outside Birch's rows, after Birch is emptied."""
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("DELETE FROM inbox WHERE shop_domain = %s", [OTHER])
        (other,) = connection.execute("SELECT id FROM tenants WHERE store_url = %s", [OTHER]).fetchone()
        connection.execute(f"SET LOCAL app.tenant_id = '{other:d}'")
        for table in reversed(Tenant.metadata.sorted_tables):
            if table.info["table_class"] == "tenant":
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
        connection.execute("DELETE FROM tenants WHERE id = %s", [other])
    places = {word: found(postgres, database, word) for word in WORDS}
    return {word: of for word, of in places.items() if of}


def test_an_erased_customer_is_in_no_column_of_any_table(tenant_id, erased, postgres, database):
    assert found(postgres, database, "Grace")

    assert places_of_aurora(postgres, database, tenant_id) == {}


def test_before_the_erasure_the_search_finds_the_customer(tenant_id, a_life, postgres, database):
    places = places_of_aurora(postgres, database, tenant_id)

    assert {"customers.email", "orders.email", "checkouts.email", "inbox.payload"} <= places[EMAIL]
    assert {"customers.shopify_id", "orders.customer_shopify_id", "sales.customer_shopify_id"} <= places[ADA]


def test_another_stores_customer_of_the_same_number_stays(tenant_ids, erased):
    with tenant_work(tenant_ids[1]) as session:
        assert session.scalars(select(Order.email)).all() == [EMAIL]


def test_orders_stay_as_nobodys_and_every_total_stays(tenant_id, a_life, ask):
    before = totals(tenant_id)
    ask("customers/redact", REDACT)

    fulfil_all()

    assert totals(tenant_id) == before
    with tenant_work(tenant_id) as session:
        owners = dict(session.execute(select(Order.shopify_id, Order.customer_shopify_id)).all())
        assert owners == {9001: None, 9002: None, 9003: None, 9004: GRACE}
        assert set(session.scalars(select(Sale.customer_shopify_id))) == {None, GRACE}


def test_the_totals_are_refreshed_so_that_no_open_page_names_the_customer(tenant_id, erased, work_off):
    with tenant_work(tenant_id) as session:
        before = session.scalars(select(RollupState.version)).one()

    work_off()

    with tenant_work(tenant_id) as session:
        assert session.scalars(select(RollupState.version)).one() > before


LATE = [
    ("customers/update", ada_row(updated_at="2026-11-01T00:00:00Z")),
    ("customers/delete", {"id": ADA}),
    ("customers_email_marketing_consent/update", {"customer_id": ADA, "email_address": EMAIL}),
    ("customers_marketing_consent/update", {"id": ADA, "phone": PHONE}),
    ("customers/purchasing_summary", {"customerId": gid("Customer", ADA), "numberOfOrders": 3}),
    ("customer.tags_added", {"customerId": gid("Customer", ADA), "tags": ["Augusta"]}),
    (
        "customers/merge",
        {
            "admin_graphql_api_customer_kept_id": gid("Customer", GRACE),
            "admin_graphql_api_customer_deleted_id": gid("Customer", ADA),
            "status": "completed",
        },
    ),
    ("orders/updated", sold_to_ada(updated_at="2026-11-01T00:00:00Z")),
    ("orders/create", sold_to_ada(9005)),
    ("orders/create", order(9006, [line(90060)], customer=None, email=EMAIL)),
    ("orders/create", order(9007, [line(90070)], customer=None, email=None, phone="+1 555-010-0777")),
    ("orders/updated", order(9002, [line(90020)], customer=None, email=None, note="from Augusta")),
    ("checkouts/update", checkout_of_ada("checkout-late")),
    ("refunds/create", refund(32, 9002) | {"note": "Augusta"}),
]


@pytest.mark.parametrize(("topic", "body"), LATE, ids=[f"{topic}-{place}" for place, (topic, _) in enumerate(LATE)])
def test_a_late_delivery_brings_nobody_back(tenant_id, erased, deliver, postgres, database, topic, body):
    deliver(topic, body)
    drain()

    assert places_of_aurora(postgres, database, tenant_id) == {}
    with directory() as session:
        assert session.scalars(select(Delivery.processed_at).order_by(Delivery.id.desc())).first() is not None


def test_a_late_order_still_counts(tenant_id, erased, deliver):
    before = totals(tenant_id)[0]

    deliver("orders/create", sold_to_ada(9005))
    drain()

    assert totals(tenant_id)[0] == before + 1


def test_deliveries_that_wait_during_the_erasure_lose_their_bodies_too(
    tenant_id, a_life, ask, deliver, postgres, database
):
    for topic, body in LATE:
        deliver(topic, body)
    ask("customers/redact", REDACT)

    fulfil_all()
    assert "still being worked off" in requests()[0].outcome
    drain()
    fulfil_all()

    assert requests()[0].outcome == "The customer was erased."
    assert places_of_aurora(postgres, database, tenant_id) == {}


def test_somebody_who_comes_back_as_a_new_customer_is_one(tenant_id, erased, deliver):
    deliver("orders/create", order(9010, [line(90100)], customer={"id": 9900099}, email=EMAIL))
    drain()

    with tenant_work(tenant_id) as session:
        assert session.scalars(select(Order.email).where(Order.shopify_id == 9010)).one() == EMAIL


def test_a_backfill_brings_nobody_back(tenant_id, erased, postgres, database):
    key = module.ingest.tombstone_key(current().config.secret_key)
    lines = {
        "customers": [{"id": gid("Customer", ADA), "firstName": "Augusta", "updatedAt": "2026-11-01T00:00:00Z"}],
        "orders": [
            bulk_order(9001, updatedAt="2026-11-01T00:00:00Z", customer={"id": gid("Customer", ADA)}, email=EMAIL),
            bulk_order(9011, customer=None, email=EMAIL),
        ],
        "checkouts": [
            {"id": gid("AbandonedCheckout", 5), "customer": {"id": gid("Customer", ADA)}, "abandonedCheckoutUrl": None}
        ],
    }
    for resource, records in lines.items():
        with tenant_work(tenant_id) as session:
            encoded = [json.dumps(record).encode() for record in records]
            store = session.get_one(Tenant, tenant_id)
            told = module.ingest.read_bulk_lines(resource, encoded, 7)
            module.ingest.apply_bulk_lines(session, store, told, NOW, key)

    assert places_of_aurora(postgres, database, tenant_id) == {}
    with tenant_work(tenant_id) as session:
        assert 9011 in session.scalars(select(Order.shopify_id)).all()


def test_a_request_for_data_that_waits_is_not_erased_before_it_is_done(tenant_id, a_life, ask):
    ask("customers/redact", REDACT)
    ask("customers/data_request", REQUEST)

    fulfil_all()

    assert [request.completed_at is not None for request in requests()] == [True, True]


def test_a_failure_is_tried_again_until_it_is_done(tenant_id, a_life, ask, monkeypatch):
    ask("customers/redact", REDACT)

    def broken(*_args, **_kwargs):
        raise RuntimeError("oops")

    with monkeypatch.context() as patch:
        patch.setattr(privacy, "erase", broken)
        fulfil_all()
    assert requests()[0].completed_at is None
    with operations() as session:
        assert session.scalars(select(Claim.error).where(Claim.kind == claims.PRIVACY)).one() == "RuntimeError: oops"

    fulfil_all()

    assert requests()[0].outcome == "The customer was erased."


def test_a_request_that_was_done_is_not_done_again(tenant_id, ask):
    ask("customers/redact", REDACT)
    fulfil_all()

    fulfil(tenant_id=tenant_id, request_id=requests()[0].id)

    with operations() as session:
        assert session.scalars(select(Claim.kind).where(Claim.kind == claims.PRIVACY)).all() == []


# ── leaving and coming back ─────────────────────────────────────────────────────────────────────────────────────────


def uninstalled_body(shop=SHOP):
    return {"id": 1, "name": "Aurora", "myshopify_domain": shop}


def install(now):
    facts = ShopFacts(
        store_url=SHOP,
        shopify_id=1,
        name="Aurora",
        email=None,
        currency="USD",
        time_zone="UTC",
        plan=None,
        scopes=frozenset({"read_orders"}),
    )
    grant = TokenGrant(access_token="shpat_new", scopes=facts.scopes, expires_in=3600)
    with directory() as session:
        return tenants.install(session, facts=facts, grant=grant, vault=current().vault, now=now).id


def test_an_uninstall_ends_all_work_that_needs_a_token_and_keeps_the_data(tenant_id, a_life, deliver):
    with tenant_work(tenant_id) as session:
        run = Backfill(tenant_id=tenant_id, run_id=uuid.uuid4(), resource="orders", state="running")
        session.add(run)
        session.flush()
        claims.put(session, claims.BACKFILL, tenant_id, run.id, due_at=NOW)
        claims.put(session, claims.ORDER_DETAILS, tenant_id, 9001, due_at=NOW)
        claims.put(session, claims.SETTLE, tenant_id, due_at=NOW)
    deliver("app/uninstalled", uninstalled_body(), triggered_at=NOW)

    drain()

    with tenant_work(tenant_id) as session:
        ended = session.execute(select(Backfill.state, Backfill.error)).one()
        assert tuple(ended) == ("cancelled", "The store has uninstalled the app.")
        assert session.get(OfflineToken, tenant_id) is None
        assert len(session.scalars(select(Order.shopify_id)).all()) == 4
        kinds = (claims.BACKFILL, claims.ORDER_DETAILS, claims.SETTLE)
        assert session.scalars(select(Claim.kind).where(Claim.kind.in_(kinds))).all() == []


def test_a_store_that_comes_back_finds_its_data_and_reads_what_it_missed(tenant_id, a_life, deliver):
    deliver("app/uninstalled", uninstalled_body(), triggered_at=NOW)
    drain()

    again = install(NOW + timedelta(hours=1))

    assert again == tenant_id
    with operations() as session:
        assert session.scalars(select(Claim.kind).where(Claim.kind == claims.SETTLE)).all() == [claims.SETTLE]
    with tenant_work(tenant_id) as session:
        assert len(session.scalars(select(Order.shopify_id)).all()) == 4


def test_an_erased_store_is_in_no_column_of_any_table_but_the_audit(
    tenant_ids, a_life, ask, deliver, postgres, database
):
    deliver("app/uninstalled", uninstalled_body(), triggered_at=NOW)
    drain()
    ask("shop/redact", SHOP_REDACT, triggered_at=NOW + timedelta(days=2))

    fulfil_all()

    assert found(postgres, database, SHOP) == {"privacy_requests.shop_domain"}
    assert found(postgres, database, "Aurora") == {"privacy_requests.shop_domain"}
    assert found(postgres, database, "Grace") == set()
    (request,) = requests()
    assert (request.outcome, request.rows_affected > 20) == ("Everything of this installation was erased.", True)
    with tenant_work(tenant_ids[1]) as session:
        assert session.scalars(select(Order.shopify_id)).all() == [9001]


def test_nothing_is_kept_of_late_deliveries_of_an_erased_store(tenant_id, a_life, ask, deliver, postgres, database):
    deliver("app/uninstalled", uninstalled_body(), triggered_at=NOW)
    drain()
    ask("shop/redact", SHOP_REDACT, triggered_at=NOW + timedelta(days=2))
    fulfil_all()

    late = inbox.Incoming(
        shop_domain=SHOP,
        topic="orders/updated",
        webhook_id="late",
        event_id=None,
        triggered_at=NOW,
        api_version=None,
        payload=json.dumps(sold_to_ada()).encode(),
    )
    assert not current().direct.run(lambda line: inbox.receive(line, late))

    assert found(postgres, database, SHOP) == {"privacy_requests.shop_domain"}


def test_rows_that_would_stay_undo_the_erasure(tenant_id, a_life, ask, deliver, monkeypatch):
    deliver("app/uninstalled", uninstalled_body(), triggered_at=NOW)
    drain()
    ask("shop/redact", SHOP_REDACT, triggered_at=NOW + timedelta(days=2))
    counted = privacy.leaving._counts
    monkeypatch.setattr(privacy.leaving, "_counts", lambda *args: counted(*args) | {"orders": 1})

    fulfil_all()

    assert requests()[0].completed_at is None
    with operations() as session:
        error = session.scalars(select(Claim.error).where(Claim.kind == claims.PRIVACY)).one()
    assert error == "RowsLeft: rows are left in orders"
    with directory() as session:
        assert session.get(Tenant, tenant_id) is not None


HOUR = timedelta(hours=1)


def expected(story):
    """Tell what a story of events, in the order they truly happened, ends in: (data is held, app is installed)."""
    held, installed = True, True
    for event in story:
        if event == "uninstall":
            installed = False
        elif event == "install":
            installed = True
        elif not installed:
            held = False
    return held, installed


PAIRS = (("uninstall", "redact"), ("redact", "uninstall"))
# How messages may arrive: as things happen, or after all has happened, in either order, each twice in a row or in turn.
ARRIVALS = ("in time", *(pair * 2 for pair in PAIRS), *((a, a, b, b) for a, b in PAIRS))


@pytest.mark.parametrize("arrival", ARRIVALS, ids=str)
@pytest.mark.parametrize("story", list(itertools.permutations(("uninstall", "redact", "install"))), ids="-".join)
def test_every_order_of_leaving_and_returning_ends_right(story, arrival, tenant_id, ask, deliver_again):
    start = NOW - timedelta(days=30)
    _stock(tenant_id, start)
    times = {event: start + (place + 1) * HOUR for place, event in enumerate(story)}
    # A store that was erased before it came back has sent its messages by then: there is only one order for that.
    last = story[-1] == "install"
    sequence = [event for event in story for _ in range(2)]
    if arrival != "in time":
        sequence = [*arrival, "install"] if last else ["install", *arrival]

    for event in sequence:
        _happens(event, times, ask, deliver_again)

    assert _state() == expected(story)


@pytest.fixture
def deliver_again(app_context):
    def keep(topic, body, webhook_id, triggered_at):
        incoming = inbox.Incoming(
            shop_domain=SHOP,
            topic=topic,
            webhook_id=webhook_id,
            event_id=None,
            triggered_at=triggered_at,
            api_version=None,
            payload=json.dumps(body).encode(),
        )
        current().direct.run(lambda line: inbox.receive(line, incoming))

    return keep


def _stock(tenant_id, installed_at):
    with tenant_work(tenant_id) as session:
        session.execute(update(Tenant).where(Tenant.id == tenant_id).values(installed_at=installed_at, shopify_id=1))
        session.add(Product(tenant_id=tenant_id, shopify_id=1, title="A tent"))


def _happens(event, times, ask, deliver_again):
    if event == "install":
        install(times["install"])
    elif event == "uninstall":
        deliver_again("app/uninstalled", uninstalled_body(), "uninstall", times["uninstall"])
    else:
        ask("shop/redact", SHOP_REDACT, webhook_id="redact", triggered_at=times["redact"])
    _settle_messages()


def _settle_messages():
    drain()
    fulfil_all()


def _state():
    with directory() as session:
        row = session.execute(select(Tenant.id, Tenant.uninstalled_at).where(Tenant.store_url == SHOP)).one_or_none()
    if row is None:
        return False, False
    with tenant_work(row.id) as session:
        return bool(session.scalars(select(Product.shopify_id)).all()), row.uninstalled_at is None
