"""Keeping a delivery: once, for the tenant it is for or for nobody, on disk before anybody is told."""

import threading
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import select, text

from shopify_app import inbox
from shopify_app.database import db, directory
from shopify_app.inbox import arrivals
from shopify_app.models import Delivery, PrivacyRequest, Tenant
from shopify_app.runtime import current

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHOP = "aurora.myshopify.com"
STRANGER = "stranger.myshopify.com"

pytestmark = pytest.mark.usefixtures("app_context")


def store(shop, **columns):
    with directory() as session:
        tenant = Tenant(store_url=shop, name=shop, **{"installed_at": NOW, **columns})
        session.add(tenant)
        session.flush()
        return tenant.id


@pytest.fixture
def tenant_id():
    return store(SHOP)


def receive(webhook_id="w-1", shop=SHOP, payload=b'{"id":1}', claim_id=None, triggered_at=NOW):
    incoming = inbox.Incoming(
        shop_domain=shop,
        topic="orders/create",
        webhook_id=webhook_id,
        event_id=None,
        triggered_at=triggered_at,
        api_version="2026-10",
        payload=payload,
        claim_id=claim_id,
    )
    return current().direct.run(lambda line: inbox.receive(line, incoming))


def rows():
    with directory() as session:
        found = list(session.scalars(select(Delivery).order_by(Delivery.id)))
        session.expunge_all()
        return found


def test_a_delivery_is_kept_as_it_came(tenant_id):
    body = b'{"id": 9007199254740993, "note": "caf\xc3\xa9 \\u0000 \xf0\x9f\x9b\x8d"}'

    assert receive(payload=body) is True

    (row,) = rows()
    assert (row.tenant_id, row.shop_domain, row.topic, row.webhook_id) == (tenant_id, SHOP, "orders/create", "w-1")
    assert (row.event_id, row.triggered_at, row.api_version, row.payload) == (None, NOW, "2026-10", body)
    assert (row.processed_at, row.dead_at, row.attempts) == (None, None, 0)


def test_a_delivery_without_a_time_is_kept_without_one(tenant_id):
    receive(triggered_at=None)

    assert rows()[0].triggered_at is None


def test_repeat_delivery_is_stored_once(tenant_id):
    assert receive() is True
    assert receive(payload=b"{}") is False

    assert [row.payload for row in rows()] == [b'{"id":1}']


def test_a_delivery_that_arrives_on_many_connections_at_once_is_stored_once(app, tenant_id):
    answers = []

    def arrive():
        with app.app_context():
            answers.append(receive())

    threads = [threading.Thread(target=arrive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [False] * 7 + [True]
    assert len(rows()) == 1


def test_the_same_id_from_another_shop_is_another_delivery(tenant_id):
    assert receive() is True
    assert receive(shop=STRANGER) is True


def test_a_delivery_of_an_unknown_shop_is_nobodys(tenant_id):
    receive(shop=STRANGER)

    assert [row.tenant_id for row in rows()] == [None]


def test_a_store_that_was_only_named_and_never_installed_gets_no_deliveries():
    store(SHOP, installed_at=None)

    receive()

    assert [row.tenant_id for row in rows()] == [None]


def test_a_store_that_left_still_gets_its_deliveries():
    tenant_id = store(SHOP, uninstalled_at=NOW)

    receive()

    assert [row.tenant_id for row in rows()] == [tenant_id]


# ── claims ──


def test_a_claim_gets_its_delivery_and_nothing_of_the_real_store(tenant_id):
    claim_id = store(SHOP, installed_at=None)

    assert receive(claim_id=claim_id) is True
    assert receive() is True

    assert [(row.tenant_id, row.webhook_id) for row in rows()] == [
        (claim_id, f"claim {claim_id}: w-1"),
        (tenant_id, "w-1"),
    ]


@pytest.mark.parametrize("columns", [{"installed_at": NOW}, {"installed_at": None, "superseded_at": NOW}])
def test_nothing_is_kept_for_a_claim_that_is_none_any_more(columns):
    assert receive(claim_id=store(SHOP, **columns)) is False

    assert rows() == []


def test_a_claims_body_that_is_no_object_is_not_kept_at_all(tenant_id):
    assert receive(claim_id=store(SHOP, installed_at=None), payload=b"no") is False

    assert rows() == []


# ── quarantine ──

NO_OBJECTS = [
    *(b"", b"not json", b"[1]", b'"text"', b"{", b'{"id": 1} {}', b"\xff{}", b"\xef\xbb\xbf{}"),
    *(b'{"id": 01}', b'{"id": "\xff"}', b'{"\xff": 1}', b'{"id": "\\ud800"}'),
    b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


@pytest.mark.parametrize("body", NO_OBJECTS, ids=range(len(NO_OBJECTS)))
def test_a_body_that_is_no_object_is_nobodys(tenant_id, body):
    assert receive(payload=body)

    assert [(row.tenant_id, row.payload) for row in rows()] == [(None, body)]


def test_a_shops_quarantine_has_a_quota(tenant_id, monkeypatch, caplog):
    monkeypatch.setattr(arrivals, "MOST_OF_SHOP", 2)

    kept = [receive(f"w-{number}", payload=b"no") for number in range(4)]
    other = receive("w-1", shop="birch.myshopify.com", payload=b"no")

    assert kept == [True, True, False, False]
    assert other
    assert "a delivery was not kept" in caplog.text


def test_all_quarantines_together_have_a_quota(tenant_id, monkeypatch):
    monkeypatch.setattr(arrivals, "MOST_IN_ALL", 2)

    kept = [receive("w-1", shop=f"shop-{number}.myshopify.com", payload=b"no") for number in range(3)]

    assert kept == [True, True, False]


def test_a_full_quarantine_keeps_no_delivery_of_a_known_shop_out(tenant_id, monkeypatch):
    monkeypatch.setattr(arrivals, "MOST_OF_SHOP", 0)
    monkeypatch.setattr(arrivals, "MOST_IN_ALL", 0)

    assert receive()


def test_nothing_is_kept_of_a_shop_that_was_erased():
    with directory() as session:
        asked = {"shop_domain": SHOP, "topic": "shop/redact", "webhook_id": "r", "received_at": NOW, "due_at": NOW}
        session.add(PrivacyRequest(**asked, completed_at=NOW, rows_affected=3))

    assert receive() is False
    assert receive(shop=STRANGER) is True


# ── what a 200 is worth ──


def test_a_delivery_is_on_disk_before_anybody_is_told_whatever_the_servers_default():
    def settings(line):
        names = ("synchronous_commit", "role", "TimeZone", "statement_timeout")
        return [line.ask(f"SHOW {name}", [])[0][0] for name in names]

    with db.engine.connect() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "off"  # the tests' server: see NOT_DURABLE

    assert current().direct.run(settings) == [b"on", b"storelens_app", b"UTC", b"3s"]


def test_text_that_postgresql_cannot_hold_is_refused_and_not_cut_off(tenant_id):
    with pytest.raises(psycopg.DataError, match="NUL"):
        receive("w-1\0 and more")

    assert receive("w-2")
    assert [row.webhook_id for row in rows()] == ["w-2"]


def test_what_postgresql_objects_to_leaves_the_line_usable(tenant_id):
    direct = current().direct

    with pytest.raises(psycopg.errors.DivisionByZero):
        direct.run(lambda line: line.ask("SELECT 1 / $1::int", ["0"]))

    assert direct.run(lambda line: line.ask("SELECT 1 / $1::int", ["1"])) == [(b"1",)]


def test_lines_that_broke_while_they_were_idle_are_not_noticed(tenant_id, postgres, database):
    receive("w-1")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.name])

    assert receive("w-2") is True

    assert [row.webhook_id for row in rows()] == ["w-1", "w-2"]


def test_a_statement_that_waits_too_long_for_a_lock_is_given_up(tenant_id, postgres, database, monkeypatch):
    direct = current().direct

    with psycopg.connect(database.owner_url) as other:
        other.execute("LOCK TABLE inbox")
        with pytest.raises(psycopg.OperationalError):
            direct.run(lambda line: line.ask("SET statement_timeout = 100", []) + line.ask("SELECT FROM inbox", []))


def test_a_server_that_takes_no_writes_is_left_for_one_that_does(tenant_id):
    direct, lines = current().direct, []

    def write(line):
        lines.append(line)
        line.ask("SET default_transaction_read_only = on", [])
        line.ask("DELETE FROM inbox", [])

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        direct.run(write)

    assert receive()
    assert lines[0].broken
