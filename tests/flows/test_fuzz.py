"""Whatever is sent: no exception but a refusal by name, no 500, and nothing that was acknowledged is lost.

Two layers. The cheap one decodes a body and makes its rows, as the worker does, and holds every value against the
column it is meant for, so that PostgreSQL would take it. The dear one posts bodies with garbled headers to the app
and drains the inbox over a real PostgreSQL: what is in a row then has been applied, or says why not by the field.
"""

import random
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Integer, Numeric, Text, select
from sqlalchemy.dialects.postgresql import JSONB

from shopify_app import rollups
from shopify_app.database import db, directory, tenant_work
from shopify_app.ingest import (
    PayloadRejected,
    WebhookBody,
    baskets,
    customers,
    orders,
    products,
    refunds,
)
from shopify_app.ingest.freshness import newest
from shopify_app.ingest.reading import read
from shopify_app.jobs.inbox import drain
from shopify_app.models import Delivery, OfflineToken, Tenant
from shopify_app.shopify import compliance, notices
from shopify_app.shopify.topics import COMPLIANCE
from tests.conftest import SETTINGS
from tests.flows.fuzzing import ADDRESSES, NOW, SHOP, damaged, garbled, sound_bodies

SEED = 20261122
NOTICES = {
    "app/uninstalled": notices.ShopNotice,
    "shop/update": notices.ShopNotice,
    "app/scopes_update": notices.ScopesNotice,
    "bulk_operations/finish": notices.BulkNotice,
}
NAMED = re.compile(r"(PayloadRejected: \$|NoticeRejected: |NotThisShop: )")


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    """Sound bodies of every topic."""
    return sound_bodies(tmp_path_factory.mktemp("store"))


# ── The cheap layer ────────────────────────────────────────────────────────────────────────────────────────────────


def check(topic, payload):
    """Read a body as the worker would and hold its rows against their columns; returns what became of it."""
    if topic in NOTICES:
        return _refused(notices.NoticeRejected, notices.decode, payload, NOTICES[topic])
    if ADDRESSES[topic].endswith(COMPLIANCE):
        return _refused(compliance.ComplianceRejected, compliance.decode, topic, payload, SHOP)
    try:
        batch = read([WebhookBody(id=1, topic=topic, payload=payload, event_id="e", triggered_at=NOW, received_at=NOW)])
        for target, row in rows_of(batch):
            check_row(target, row)
    except PayloadRejected as refused:
        return "refused" if refused.pointer.startswith("$") and refused.reason else "refused for nothing"
    return "taken"


def _refused(kind, function, *arguments):
    try:
        function(*arguments)
    except kind:
        return "refused"
    return "taken"


def rows_of(batch):
    """Yield every row that a batch would write, with its target."""
    for version, body in newest(batch.customers).values():
        yield customers.FROM_WEBHOOK, customers.webhook_row(body, version)
    for version, body in newest(batch.products).values():
        yield products.FROM_WEBHOOK, products.webhook_row(body, version)
        yield from ((products.VARIANTS, row) for row in products._variant_rows(body))
        assert all(0 <= number < 2**63 for number in products._variant_ids(body))
    for version, body in newest(batch.orders).values():
        yield orders.FROM_WEBHOOK, orders.webhook_row(body, version)
        yield from ((orders.LINES, row) for row in orders.line_rows(body))
        yield from ((orders.SHIPPING_LINES, row) for row in orders.shipping_rows(body))
        yield from _refund_rows(body.refunds or ())
    yield from _refund_rows(batch.refunds)
    for edit, told_at in batch.edits:
        yield refunds.EDITS, (edit.id, edit.order_id, edit.committed_at or edit.created_at or told_at)
        yield from ((refunds.EDIT_LINES, row) for row in refunds._edited_lines(edit))
    for version, body in newest(batch.carts).values():
        yield baskets.CARTS, baskets.cart_row(body, version)
    for version, body in newest(batch.checkouts).values():
        yield baskets.CHECKOUTS, baskets.checkout_row(body, version)
    yield from _customer_parts(batch)


def _refund_rows(found):
    for refund in found:
        if refund is not None:
            yield refunds.REFUNDS, refunds._refund_row(refund, NOW)
            yield from ((refunds.LINES, row) for row in refunds._line_rows(refund))


def _customer_parts(batch):
    yield from ((customers.EMAIL_CONSENTS, row) for row in batch.email_consents)
    yield from ((customers.SMS_CONSENTS, row) for row in batch.sms_consents)
    yield from ((customers.PURCHASES, row) for row in batch.purchases)
    for change in batch.tags:
        assert 0 <= change.customer_id < 2**63
        assert not any("\0" in tag for tag in change.tags)
    for numbers in ((*batch.kept_customers,), *batch.merged_customers, *batch.deleted.values()):
        assert all(isinstance(one, str) or 0 <= one < 2**63 for one in numbers)


def check_row(target, row):
    """Hold every value of a row against its column."""
    columns = db.metadata.tables[target.table].columns
    assert len(row) == len(target.all_columns)
    for name, value in zip(target.all_columns, row, strict=True):
        if value is not None:
            problem = unfit(columns[name].type, value)
            assert problem is None, (target.table, name, problem)


def unfit(kind, value):
    """Return what is wrong with a value for a column of this type; None where PostgreSQL takes it."""
    for types, fits in FITTING:
        if isinstance(kind, types):
            return None if fits(kind, value) else f"{value!r:.100} is no {kind!r}"
    return f"a column of {kind!r} has no rule here"


def _is_amount(kind, value):
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return False
    return amount.is_finite() and abs(amount) < 10 ** (kind.precision - kind.scale)


def _is_json(_kind, value):
    msgspec.json.decode(value)
    return not re.search(r"(?<!\\)(\\\\)*\\u0000", value)


FITTING = (
    (BigInteger, lambda _, value: -(2**63) <= int(value) < 2**63),
    (Integer, lambda _, value: -(2**31) <= int(value) < 2**31),
    (Numeric, _is_amount),
    (DateTime, lambda _, value: value.utcoffset() is not None and 1800 <= value.astimezone(UTC).year <= 2200),
    (ARRAY, lambda _, value: value.encode() and value.startswith("{")),
    (JSONB, _is_json),
    (Boolean, lambda _, value: isinstance(value, bool)),
    (Text, lambda _, value: value.encode() is not None),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(rng=st.randoms(use_true_random=False), data=st.data())
def test_a_damaged_body_is_taken_or_refused_by_name(bodies, rng, data):
    topic = data.draw(st.sampled_from(sorted(bodies)))
    payload = damaged(rng, rng.choice(bodies[topic]))

    assert check(topic, payload) in {"taken", "refused"}


def test_every_sound_body_is_taken(bodies):
    assert {check(topic, payload) for topic, payloads in bodies.items() for payload in payloads} == {"taken"}


# ── The dear layer ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def tenant_id(app):
    """The made-up store, installed."""
    installed = datetime(2020, 1, 1, tzinfo=UTC)
    with app.app_context(), directory() as session:
        tenant = Tenant(store_url=SHOP, name="Aurora", time_zone="America/New_York", installed_at=installed)
        session.add(tenant)
        session.flush()
        token = {"access_token": b"sealed", "obtained_at": installed, "scopes": ["read_orders"]}
        session.add(OfflineToken(tenant_id=tenant.id, **token))
        return tenant.id


def send(client, bodies, rng, numbers):
    """Post deliveries; returns how many got which answer, and the bodies that were acknowledged."""
    topics, statuses, acknowledged = sorted(bodies), Counter(), []
    for number in numbers:
        topic = rng.choice(topics)
        body = rng.choice(bodies[topic])
        body = damaged(rng, body) if rng.random() < 0.5 else body
        headers = garbled(rng, topic, body, number, SETTINGS["SHOPIFY_API_SECRET"])
        answer = client.post(ADDRESSES[topic], data=body, headers=headers)
        statuses[answer.status_code] += 1
        assert answer.status_code == 200 or 400 <= answer.status_code < 500, (headers, body)
        if answer.status_code == 200:
            acknowledged.append(body)
    return statuses, acknowledged


def kept(app):
    """Return all rows of the inbox."""
    with app.app_context(), directory() as session:
        rows = list(session.scalars(select(Delivery).order_by(Delivery.id)))
        session.expunge_all()
        return rows


def settle(app, tenant_id):
    """Drain until every delivery was tried; what is left of the totals is refreshed."""
    with app.app_context():
        while True:
            drain()
            untried = select(Delivery.id).where(
                Delivery.tenant_id == tenant_id, Delivery.processed_at.is_(None), Delivery.error.is_(None)
            )
            with directory() as session:
                if session.scalar(untried.limit(1)) is None:
                    break
        with tenant_work(tenant_id) as session:
            rollups.refresh(session, session.get_one(Tenant, tenant_id), datetime.now(UTC))


def fuzz_the_door(app, client, bodies, tenant_id, count):
    """Send and drain `count` deliveries; returns the answers and what became of what was kept."""
    statuses, acknowledged = send(client, bodies, random.Random(SEED), range(count))
    rows = kept(app)
    assert not set(acknowledged) - {bytes(row.payload) for row in rows}
    settle(app, tenant_id)
    return statuses, outcomes(kept(app))


def outcomes(rows):
    """Count what became of deliveries; each was applied, is in quarantine, or says what is wrong with which field."""
    found = Counter()
    for row in rows:
        if row.tenant_id is None:
            found["quarantined"] += 1
        elif row.processed_at is not None:
            found["applied"] += 1
        else:
            assert NAMED.match(row.error), (row.topic, row.error, bytes(row.payload)[:2_000])
            found["refused"] += 1
    return found


def test_damaged_deliveries_are_answered_kept_and_worked_off(app, client, bodies, tenant_id):
    statuses, became = fuzz_the_door(app, client, bodies, tenant_id, 150)

    assert sum(statuses.values()) == 150
    assert set(became) == {"applied", "refused", "quarantined"}


@pytest.mark.long
def test_a_hundred_thousand_damaged_deliveries(app, client, bodies, tenant_id, capsys):
    """96,000 bodies are read and held against the columns; 4,000 go through the door, with headers, and the drain."""
    rng, topics, read_bodies = random.Random(SEED), sorted(bodies), Counter()
    for _ in range(96_000):
        topic = rng.choice(topics)
        payload = damaged(rng, rng.choice(bodies[topic]))
        try:
            read_bodies[check(topic, payload)] += 1
        except Exception as error:
            error.add_note(f"{topic}: {payload[:4_000]!r}")
            raise
    statuses, became = fuzz_the_door(app, client, bodies, tenant_id, 4_000)

    assert sum(read_bodies.values()) + sum(statuses.values()) == 100_000
    assert min(read_bodies["taken"], read_bodies["refused"]) > 10_000
    with capsys.disabled():
        print(f"\nread {dict(read_bodies)}; answered {dict(statuses)}; became {dict(became)}")  # noqa: T201
