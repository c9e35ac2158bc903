"""Deliveries after the fact: counted, looked at, applied again and given up, of one's own store and no other."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from shopify_app import inbox, registrations
from shopify_app.database import directory, operations
from shopify_app.inbox import Choice
from shopify_app.models import Delivery, Tenant

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
BODY = b'{"id": 1}'

pytestmark = pytest.mark.usefixtures("app_context")


def store(name, **columns):
    with directory() as session:
        tenant = Tenant(store_url=f"{name}.myshopify.com", name=name, **{"installed_at": NOW, **columns})
        session.add(tenant)
        session.flush()
        return tenant.id


@pytest.fixture
def alder():
    return store("alder")


@pytest.fixture
def birch():
    return store("birch")


def put(tenant_id, number=1, *, shop="alder", **columns):
    """Keep a delivery that has got as far as `columns` say, and return its number."""
    row = {
        "tenant_id": tenant_id,
        "shop_domain": f"{shop}.myshopify.com",
        "topic": "orders/create",
        "webhook_id": f"{tenant_id}-{number}",
        "payload": BODY,
        "received_at": NOW - HOUR,
        **columns,
    }
    with directory() as session:
        return session.scalars(insert(Delivery).values(row).returning(Delivery.id)).one()


def put_dead(tenant_id, number=1, **columns):
    died = {"dead_at": NOW - HOUR, "attempts": 8, "error": "$.id: not a number", "traceback": "Traceback …"}
    return put(tenant_id, number, **died, **columns)


def put_applied(tenant_id, number=1, **columns):
    return put(tenant_id, number, **{"processed_at": NOW - HOUR, "outcome": "applied", **columns})


def states(*tenant_ids):
    with directory() as session:
        found = session.scalars(select(Delivery.id).where(Delivery.tenant_id.in_(tenant_ids)).order_by(Delivery.id))
        return [inbox.one(session, delivery_id).state for delivery_id in found.all()]


def letter(delivery_id):
    with directory() as session:
        return inbox.one(session, delivery_id)


def replay(choice=None, **settings):
    with directory() as session:
        return inbox.replay(session, choice or Choice(), **{"now": NOW, **settings})


def replay_one(delivery_id):
    with directory() as session:
        inbox.replay_one(session, delivery_id)


def discard(choice=None, **settings):
    with directory() as session:
        return inbox.discard(session, choice or Choice(), now=NOW, **settings)


def discard_one(delivery_id):
    with directory() as session:
        inbox.discard_one(session, delivery_id, now=NOW)


# ── counting ──


def test_counts_tell_each_store_what_waits_fails_and_died(alder, birch):
    put(alder, 1, received_at=NOW - 3 * HOUR)
    put(alder, 2, retry_at=NOW, attempts=1)
    put_dead(alder, 3)
    put_applied(alder, 4)
    put_dead(birch, 1, shop="birch")
    put_dead(birch, 2, shop="birch", processed_at=NOW, outcome="discarded")

    with operations() as session:
        found = inbox.counts(session)
        alone = inbox.counts_of(session, alder)

    assert found == {
        alder: inbox.Counts(waiting=2, retrying=1, dead=1, oldest_at=NOW - 3 * HOUR),
        birch: inbox.Counts(dead=1),
    }
    assert alone == found[alder]
    assert inbox.total(found.values()) == inbox.Counts(waiting=2, retrying=1, dead=2, oldest_at=NOW - 3 * HOUR)


def test_a_store_with_nothing_in_the_inbox_counts_nothing(alder):
    with operations() as session:
        assert inbox.counts(session) == {}
        assert inbox.counts_of(session, alder) == inbox.Counts()
        assert inbox.total([]) == inbox.Counts()


def test_dead_letters_are_counted_by_store_and_topic(alder, birch):
    put_dead(alder, 1)
    put_dead(alder, 2)
    put_dead(alder, 3, topic="products/update")
    put_dead(birch, 1, shop="birch")

    with operations() as session:
        found = inbox.dead_topics(session)

    assert [(one.tenant_id, one.topic, one.dead) for one in found] == [
        (alder, "orders/create", 2),
        (alder, "products/update", 1),
        (birch, "orders/create", 1),
    ]


def test_strays_are_counted_by_the_store_they_name_until_they_are_discarded(alder):
    put(None, 1, shop="cedar")
    gone = put(None, 2, shop="cedar")
    put(None, 3, shop="alder")
    discard_one(gone)

    with operations() as session:
        assert inbox.strays(session) == {"alder.myshopify.com": 1, "cedar.myshopify.com": 1}


def test_what_became_of_a_days_deliveries_is_counted_by_store(alder, birch):
    put_applied(alder, 1, received_at=NOW - 30 * HOUR)
    put_applied(alder, 2)
    put_applied(alder, 3, outcome="repeat")
    put_applied(birch, 1, shop="birch")

    with operations() as session:
        found = inbox.settled_since(session, NOW - 24 * HOUR)

    assert found == {alder: inbox.Settled(applied=1, repeats=1), birch: inbox.Settled(applied=1)}
    assert inbox.settled(found.values()) == inbox.Settled(applied=2, repeats=1)


@pytest.mark.parametrize("hours", [0, 1, 2, 5, 40, 99, 100, 101])
def test_the_first_delivery_since_a_moment_is_found_without_reading_them_all(alder, hours):
    numbers = {hour: put(alder, hour, received_at=NOW - hour * HOUR) for hour in range(100, 0, -1) if hour % 7}
    expected = [number for hour, number in numbers.items() if hour <= hours]

    with operations() as session:
        first = inbox.first_since(session, NOW - hours * HOUR)

    assert first == min(expected, default=max(numbers.values()) + 1)


# ── looking ──


def test_a_letter_tells_everything_but_the_body(alder):
    found = letter(put_dead(alder, event_id="e-1", api_version="2026-10", triggered_at=NOW - 2 * HOUR))

    assert (found.state, found.attempts, found.error, found.traceback) == (
        "dead",
        8,
        "$.id: not a number",
        "Traceback …",
    )
    assert (found.event_id, found.api_version, found.triggered_at) == ("e-1", "2026-10", NOW - 2 * HOUR)
    assert (found.forgotten, found.superseded) == (False, False)
    assert "Traceback" not in repr(found)


def test_a_number_nobody_has_is_unknown(alder):
    with pytest.raises(inbox.UnknownLetter, match="no delivery 4711"):
        letter(4711)


def test_each_state_has_its_word(alder):
    put(alder, 1)
    put(alder, 2, retry_at=NOW, attempts=1)
    put_dead(alder, 3)
    put_applied(alder, 4)
    put_applied(alder, 5, outcome="repeat")
    put_dead(alder, 6, processed_at=NOW, outcome="discarded")
    put_applied(alder, 7, outcome=None)

    assert states(alder) == ["waiting", "retrying", "dead", "applied", "repeat", "discarded", "settled"]
    assert letter(put(None, 8)).state == "quarantined"


def test_dead_letters_are_listed_latest_first_and_only_those_asked_for(alder, birch):
    first, second = put_dead(alder, 1), put_dead(alder, 2)
    other = put_dead(birch, 1, shop="birch", topic="products/update")
    put_applied(alder, 3)

    def listed(choice, limit=10):
        with directory() as session:
            return [one.id for one in inbox.dead(session, choice, limit=limit)]

    assert listed(Choice()) == [other, second, first]
    assert listed(Choice(), limit=1) == [other]
    assert listed(Choice(tenant_ids=(alder,))) == [second, first]
    assert listed(Choice(topic="products/update")) == [other]
    assert listed(Choice(tenant_ids=(alder,), topic="products/update")) == []


def test_the_quarantine_is_listed_apart(alder):
    put(alder, 1)
    stray, other = put(None, 2, shop="cedar"), put(None, 3, shop="alder")

    with directory() as session:
        assert [one.id for one in inbox.quarantined(session, shop_domain=None, limit=10)] == [other, stray]
        of_cedar = inbox.quarantined(session, shop_domain="cedar.myshopify.com", limit=10)
        assert [one.id for one in of_cedar] == [stray]
        assert inbox.dead(session, Choice(), limit=10) == []


# ── replaying ──


def test_a_replayed_delivery_is_as_if_it_had_just_arrived(alder):
    delivery_id = put_dead(alder)

    replay_one(delivery_id)

    found = letter(delivery_id)
    assert (found.state, found.attempts, found.error, found.traceback, found.outcome) == (
        "waiting",
        0,
        None,
        None,
        None,
    )
    assert (found.dead_at, found.processed_at, found.retry_at) == (None, None, None)
    with operations() as session:
        assert inbox.waiting_tenants(session, NOW, limit=5).tenant_ids == (alder,)


def test_everything_that_was_tried_is_replayed_but_what_was_discarded(alder):
    put(alder, 1)
    put(alder, 2, retry_at=NOW + HOUR, attempts=1)
    put_dead(alder, 3)
    put_applied(alder, 4)
    put_applied(alder, 5, outcome="repeat")
    put_dead(alder, 6, processed_at=NOW, outcome="discarded")

    done = replay()

    assert done.changed == 4
    assert states(alder) == ["waiting"] * 5 + ["discarded"]


def test_only_the_deliveries_asked_for_are_replayed(alder, birch):
    put_applied(alder, 1, received_at=NOW - 9 * HOUR)
    put_applied(alder, 2, received_at=NOW - 5 * HOUR)
    put_applied(alder, 3, received_at=NOW - 5 * HOUR, topic="products/update")
    put_dead(alder, 4, received_at=NOW - 5 * HOUR)
    put_applied(alder, 5, received_at=NOW - 1 * HOUR)
    put_applied(birch, 1, shop="birch", received_at=NOW - 5 * HOUR)

    between = {"since": NOW - 6 * HOUR, "until": NOW - 4 * HOUR}
    assert replay(Choice(tenant_ids=(alder,), topic="orders/create", state="dead", **between)).changed == 1
    assert states(alder) == ["applied", "applied", "applied", "waiting", "applied"]
    assert replay(Choice(tenant_ids=(alder,), topic="orders/create", **between)).changed == 1
    assert states(alder) == ["applied", "waiting", "applied", "waiting", "applied"]
    assert replay(Choice(tenant_ids=(alder,), **between)).changed == 1
    assert states(alder, birch) == ["applied", "waiting", "waiting", "waiting", "applied", "applied"]


def test_both_ends_of_a_range_belong_to_it(alder):
    put_applied(alder, received_at=NOW - HOUR)

    assert replay(Choice(since=NOW - HOUR, until=NOW - HOUR)).changed == 1


def test_what_arrives_after_the_command_is_not_meant(alder):
    put_applied(alder, received_at=NOW + timedelta(seconds=1))

    assert replay(Choice(until=NOW + HOUR)).changed == 0


def test_a_replay_goes_slice_by_slice_and_ends(alder):
    numbers = [put_applied(alder, number) for number in range(5)]

    first = replay(limit=2)
    second = replay(limit=2, after=first.last_id)
    third = replay(limit=2, after=second.last_id)
    last = replay(limit=2, after=third.last_id)

    assert [one.changed for one in (first, second, third, last)] == [2, 2, 1, 0]
    assert [first.last_id, second.last_id, third.last_id, last.last_id] == [numbers[1], numbers[3], numbers[4], None]


def test_a_count_stops_at_what_is_asked(alder):
    for number in range(5):
        put_applied(alder, number)

    with directory() as session:
        assert inbox.count(session, Choice(), most=3) == 3
        assert inbox.count(session, Choice(), most=9) == 5
        assert inbox.count(session, Choice(state="dead"), most=9) == 0


def test_forgotten_bodies_are_passed_over_and_counted(alder):
    forgotten = put_applied(alder, 1, payload=b"")
    put_applied(alder, 2)

    done = replay()

    assert (done.changed, done.forgotten) == (1, 1)
    assert states(alder) == ["applied", "waiting"]
    with pytest.raises(inbox.Refused, match="was forgotten"):
        replay_one(forgotten)


def test_requests_about_peoples_data_are_not_replayed(alder):
    request = put_applied(alder, topic="customers/redact", outcome=None)

    assert replay().changed == 0
    with pytest.raises(inbox.Refused, match="privacy due"):
        replay_one(request)


def test_what_a_store_said_of_itself_is_replayed_only_where_it_was_never_heard(alder):
    applied, dead = put_applied(alder, 1, topic="shop/update"), put_dead(alder, 2, topic="shop/update")

    assert replay().changed == 1
    assert states(alder) == ["applied", "waiting"]
    with pytest.raises(inbox.Refused, match="has said of itself since"):
        replay_one(applied)
    replay_one(dead)


def test_deliveries_of_a_claim_that_ended_are_not_replayed():
    claim = store("alder", installed_at=None, webhook_secret=b"sealed")
    applied, queued = put_applied(claim, 1), put(claim, 2)
    with directory() as session:
        registrations.supersede(session, "alder.myshopify.com", NOW)

    assert states(claim) == ["superseded", "superseded"]
    assert replay(Choice(tenant_ids=(claim,))).changed == 0
    for delivery_id in (applied, queued):
        with pytest.raises(inbox.Refused, match="registration ended"):
            replay_one(delivery_id)


def test_a_waiting_delivery_stays_as_it_is(alder):
    delivery_id = put(alder)

    replay_one(delivery_id)

    assert states(alder) == ["waiting"]


# ── the quarantine ──


def test_a_stray_of_a_store_that_has_come_since_becomes_its_own():
    stray = put(None, shop="alder")
    alder, _ = store("alder"), store("birch")

    replay_one(stray)

    assert (letter(stray).tenant_id, letter(stray).state) == (alder, "waiting")


def test_a_stray_of_a_store_that_never_came_is_refused():
    stray = put(None, shop="cedar")
    store("cedar", installed_at=None, webhook_secret=b"sealed")

    with pytest.raises(inbox.Refused, match=r"cedar\.myshopify\.com has not installed the app"):
        replay_one(stray)
    assert letter(stray).tenant_id is None


@pytest.mark.parametrize("body", [b"no json", b"[1]", b"eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0"])
def test_a_stray_that_proves_nothing_is_adopted_by_nobody(alder, body):
    stray = put(None, payload=body)

    with pytest.raises(inbox.Refused, match="proves nothing"):
        replay_one(stray)
    assert letter(stray).tenant_id is None


def test_a_range_leaves_the_quarantine_alone(alder):
    stray = put(None)

    assert replay(Choice(tenant_ids=(alder,))).changed == 0
    assert replay().changed == 0
    assert letter(stray).state == "quarantined"


# ── discarding ──


def test_discarded_dead_letters_are_settled_and_can_be_had_back(alder, birch):
    put_dead(alder, 1)
    put(alder, 2, retry_at=NOW, attempts=1)
    put_dead(birch, 1, shop="birch")

    done = discard(Choice(tenant_ids=(alder,)))

    assert done.changed == 1
    assert states(alder, birch) == ["discarded", "retrying", "dead"]
    with operations() as session:
        assert inbox.counts_of(session, alder).dead == 0
    assert replay(Choice(tenant_ids=(alder,), state="discarded")).changed == 1
    assert states(alder) == ["waiting", "retrying"]


def test_a_discard_goes_slice_by_slice(alder):
    for number in range(3):
        put_dead(alder, number)

    first = discard(limit=2)
    second = discard(limit=2, after=first.last_id)

    assert (first.changed, second.changed) == (2, 1)


def test_a_discarded_delivery_is_not_discarded_twice(alder):
    waiting, applied = put(alder, 1), put_applied(alder, 2)

    discard_one(waiting)

    for delivery_id, state in ((waiting, "discarded"), (applied, "applied")):
        with pytest.raises(inbox.Refused, match=f"it is {state} already"):
            discard_one(delivery_id)
    with pytest.raises(inbox.UnknownLetter):
        discard_one(applied + 1)


def test_a_body_is_given_as_it_came(alder):
    delivery_id = put(alder, payload=json.dumps({"id": 2**60}).encode())

    with directory() as session:
        assert json.loads(inbox.body(session, delivery_id)) == {"id": 2**60}


def test_the_role_that_watches_may_count_and_not_read_bodies(alder):
    delivery_id = put(alder)

    with operations() as session, pytest.raises(Exception, match="permission denied"):
        inbox.body(session, delivery_id)
