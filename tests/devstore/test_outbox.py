"""An outbox without a network: what is due, in which shape, and what the faults make of it."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from devstore import actions, installs, outbox, payloads
from devstore.delivery_log import RETRIES
from devstore.faults import NO_FAULTS, Faults
from devstore.outbox import Outbox
from devstore.state import Stores

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URI = "https://app.example.com/webhooks/orders"


@pytest.fixture
def box(stores, options):
    return Outbox(stores, options)


class App:
    """Takes parcels in and answers each with the next of `statuses`, the last of them for ever."""

    def __init__(self, *statuses):
        self.statuses = list(statuses) or [200]
        self.taken = []

    def __call__(self, parcel):
        self.taken.append(parcel)
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


def emit(box, store, count=1, topic="orders/create"):
    return [box.emit(store, topic, {"id": number}, event_id="event") for number in range(count)]


def numbers(parcels):
    return [json.loads(parcel.body)["id"] for parcel in parcels]


def is_signed(parcel, secret=b"hush"):
    digest = base64.b64encode(hmac.new(secret, parcel.body, hashlib.sha256).digest()).decode()
    headers = {name.lower(): value for name, value in parcel.headers.items()}
    return digest == (headers.get("x-shopify-hmac-sha256") or headers.get("shopify-hmac-sha256"))


def test_a_parcel_is_what_goes_over_the_wire(box, store, subscribe):
    subscribe(f"{URI}?again=1", name="orders")

    box.emit(store, "orders/create", {"id": 7}, event_id="event", triggered_at=AT)

    (parcel,) = box.pending(store)
    assert (parcel.path, parcel.body) == ("/webhooks/orders?again=1", b'{"id":7}')
    assert is_signed(parcel)
    assert {name: value for name, value in parcel.headers.items() if name != "X-Shopify-Hmac-Sha256"} == {
        "Content-Type": "application/json",
        "User-Agent": "Shopify-Captain-Hook",
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Shop-Domain": store.domain,
        "X-Shopify-API-Version": "2026-10",
        "X-Shopify-Webhook-Id": parcel.delivery.id,
        "X-Shopify-Event-Id": "event",
        "X-Shopify-Triggered-At": "2026-01-02T03:04:05.000Z",
        "X-Shopify-Name": "orders",
    }


def test_a_bare_address_is_the_apps_root(box, store, subscribe):
    subscribe("https://app.example.com")
    emit(box, store)

    assert box.pending(store)[0].path == "/"


def test_what_was_handed_over_is_no_longer_pending(box, store, subscribe):
    subscribe(URI)
    emit(box, store, 3)
    app = App()

    for parcel in reversed(box.pending(store)):
        box.hand_over(parcel, app)

    assert numbers(app.taken) == [2, 1, 0]
    assert box.pending(store) == []
    assert {one.state for one in box.log(store)} == {"delivered"}


def test_a_merchants_action_is_in_the_outbox_at_once(box, store, subscribe):
    subscribe(URI, topic="customers/create")

    customer = actions.perform(store, box, "create_customer", {"first_name": "Ada"})

    (parcel,) = box.pending(store)
    assert json.loads(parcel.body) == payloads.customer_body(store, customer)


def test_a_stores_clock_is_that_of_its_records_and_webhooks(box, store, subscribe):
    subscribe(URI, topic="customers/create")
    store.clock = lambda: AT + timedelta(milliseconds=5)

    customer = actions.perform(store, box, "create_customer", {})

    assert customer.created_at == AT
    assert box.pending(store)[0].headers["X-Shopify-Triggered-At"] == "2026-01-02T03:04:05.005Z"


def test_a_refused_parcel_is_pending_again_with_the_same_id(box, store, subscribe):
    subscribe(URI)
    emit(box, store)
    app = App(503, 200)

    first = box.hand_over(box.pending(store)[0], app)
    second = box.hand_over(box.pending(store)[0], app)

    assert (first.status, second.status) == (503, 200)
    assert len({parcel.headers["X-Shopify-Webhook-Id"] for parcel in app.taken}) == 1
    assert [one.status for one in box.log(store)[0].attempts] == [503, 200]


def test_the_ninth_refusal_is_the_last_and_ends_the_subscription(box, store, subscribe):
    subscribe(URI)
    emit(box, store)
    for _ in range(RETRIES + 1):
        box.hand_over(box.pending(store)[0], App(500))

    assert box.pending(store) == []
    assert box.log(store)[0].state == "failed"
    assert installs.subscriptions(store) == []


def test_a_recipient_that_raises_leaves_the_parcel_where_it_is(box, store, subscribe):
    subscribe(URI)
    emit(box, store)

    with pytest.raises(ZeroDivisionError):
        box.hand_over(box.pending(store)[0], lambda _parcel: 1 // 0)

    assert box.log(store)[0].attempts == []
    assert len(box.pending(store)) == 1


def test_what_is_pending_outlives_a_restart(box, options, stores, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(duplicate=2, garbage=1.0, seed=1))
    emit(box, store)
    before = box.pending(store)
    stores.close()

    reopened = Stores(options)
    after = Outbox(reopened, options).pending(reopened[store.domain])
    reopened.close()

    assert [parcel[1:] for parcel in after] == [parcel[1:] for parcel in before]


def test_faults_of_the_start_hold_for_every_store(stores, options):
    box = Outbox(stores, type(options)(data=options.data, shops=options.shops, faults=Faults(drop=0.5)))

    first, second = (box.faults(store) for store in stores)
    assert first.drop == second.drop == 0.5
    assert None not in {first.seed, second.seed}


def test_faults_are_those_of_one_store(box, stores, subscribe):
    first, second = stores
    installs.subscribe(second, topic="orders/create", uri=URI, api_version="2026-10")
    subscribe(URI)
    box.set_faults(first, Faults(drop=1.0))

    emit(box, first)
    emit(box, second)

    assert [len(box.pending(store)) for store in (first, second)] == [0, 1]


def test_a_duplicate_has_the_same_id_and_body_and_a_fate_of_its_own(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(duplicate=3))
    emit(box, store)
    one, two, three = box.pending(store)

    box.hand_over(two, App())
    box.hand_over(three, App(500))

    assert one.headers == two.headers == three.headers
    assert one.body == two.body == three.body
    assert [(entry.copy, entry.state) for entry in reversed(box.log(store))] == [
        (1, "pending"),
        (2, "delivered"),
        (3, "pending"),
    ]


def test_a_dropped_delivery_is_logged_and_never_due(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(drop=1.0))

    assert emit(box, store) == [[]]

    assert box.pending(store) == []
    assert [(one.state, one.retry_at, one.attempts) for one in box.log(store)] == [("dropped", None, [])]


def test_the_same_seed_drops_the_same_of_the_same_deliveries(box, store, subscribe):
    subscribe(URI)
    arrived = []
    for seed in (1, 1, 2):
        box.set_faults(store, Faults(seed=seed, drop=0.5, reorder=40))
        emit(box, store, 40)
        box.release(store)
        parcels = box.pending(store)
        arrived.append(numbers(parcels))
        for parcel in parcels:
            box.hand_over(parcel, App())

    assert arrived[0] == arrived[1] != arrived[2]
    assert 10 < len(arrived[0]) < 30
    assert arrived[0] != sorted(arrived[0])


def test_a_delay_makes_a_delivery_due_later(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(delay=(100.0, 200.0)))
    emit(box, store, 20)

    waits = [(one.delivery.retry_at - one.delivery.created_at).total_seconds() for one in box.pending(store)]

    assert waits == sorted(waits)
    assert 100 <= waits[0] < waits[-1] <= 200


def test_reordering_lets_go_as_soon_as_enough_are_held(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(seed=3, reorder=10))

    emit(box, store, 9)
    held = {one.delivery.retry_at for one in box.pending(store)}
    emit(box, store, 1)

    assert len(held) == 1
    assert (held.pop() - datetime.now(UTC)).total_seconds() > outbox.HELD_SECONDS - 5
    parcels = box.pending(store)
    assert max(one.delivery.retry_at for one in parcels) <= datetime.now(UTC)
    assert sorted(numbers(parcels)) == [0, *range(9)]
    assert numbers(parcels) != sorted(numbers(parcels))


def test_a_burst_is_due_all_at_once(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(burst=60.0, delay=(0.0, 5.0)))

    emit(box, store, 5)

    (due,) = {one.delivery.retry_at for one in box.pending(store)}
    assert 55 < (due - datetime.now(UTC)).total_seconds() <= 60


def test_a_burst_that_is_over_is_followed_by_another(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(burst=0.001))
    emit(box, store)
    first = box.pending(store)[0].delivery.retry_at
    while datetime.now(UTC) <= first:
        pass
    emit(box, store)

    assert len({one.delivery.retry_at for one in box.pending(store)}) == 2


@pytest.mark.parametrize("held", [{"reorder": 100}, {"burst": 600.0}])
def test_what_is_held_goes_when_it_is_let_go_or_the_faults_change(box, store, subscribe, held):
    subscribe(URI)
    box.set_faults(store, Faults(seed=5, **held))
    emit(box, store, 4)
    assert box.release(store) == 4
    assert box.release(store) == 0
    emit(box, store, 3)

    box.set_faults(store, NO_FAULTS)

    now = datetime.now(UTC)
    assert len(box.pending(store)) == 7
    assert all(one.delivery.retry_at <= now for one in box.pending(store))


def test_what_was_refused_while_it_was_held_waits_for_its_retry(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(burst=600.0))
    emit(box, store)
    box.hand_over(box.pending(store)[0], App(500))

    assert box.release(store) == 0


def test_garbage_is_truly_signed_and_kept_through_retries(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(seed=1, garbage=1.0, garbage_kinds=("truncated",)))
    emit(box, store)
    app = App(500, 200)

    for _ in range(2):
        box.hand_over(box.pending(store)[0], app)

    assert {parcel.body for parcel in app.taken} == {b'{"id'}
    assert all(is_signed(parcel) for parcel in app.taken)
    assert box.log(store)[0].flaws.garbage == "truncated"


def test_a_wrong_hmac_is_that_of_an_attempt_and_a_later_one_is_right(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(seed=1, wrong_hmac=0.5))
    emit(box, store, 30)
    app = App()
    while parcels := box.pending(store):
        for parcel in parcels:
            box.hand_over(parcel, lambda one: app(one) if is_signed(one) else 401)

    attempts = [len(one.attempts) for one in box.log(store)]
    assert len(app.taken) == 30
    assert 1 in attempts
    assert max(attempts) > 1


def test_a_second_subscription_is_the_same_event_under_another_id(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(second_subscription=["orders/create"]))

    emit(box, store)
    emit(box, store, topic="orders/paid")

    one, two = box.pending(store)
    assert one.headers["X-Shopify-Webhook-Id"] != two.headers["X-Shopify-Webhook-Id"]
    assert one.headers["X-Shopify-Event-Id"] == two.headers["X-Shopify-Event-Id"]
    assert (one.body, one.path) == (two.body, two.path)
    assert {parcel.headers.get("X-Shopify-Name") for parcel in (one, two)} == {None, "second"}


def test_a_second_subscription_does_not_end_with_its_failures(box, store, subscribe):
    kept = subscribe(URI)
    box.set_faults(store, Faults(second_subscription=["orders/create"]))
    emit(box, store)
    for parcel in box.pending(store):
        box.hand_over(parcel, App() if parcel.delivery.name is None else App(500))
    while parcels := box.pending(store):
        box.hand_over(parcels[0], App(500))

    assert installs.subscriptions(store) == [kept]


def test_a_configured_subscription_gets_deliveries_only_while_the_app_is_there(box, store, subscribe):
    subscribe(URI, configured=True)
    before = emit(box, store)
    here = installs.Installation(id=1, client_id="x", scopes=[], installed_at=AT)
    store.save(installs.INSTALLATION, installs.ONLY, here)

    after = emit(box, store)

    assert [len(queued) for queued in before + after] == [0, 1]


def test_bodies_are_of_the_version_asked_for(box, store, subscribe):
    subscribe(URI, topic="orders/create")
    order = next(iter(store.orders.values()))
    body = payloads.order_body(store, order)

    box.emit(store, "orders/create", body)
    box.set_faults(store, Faults(api_version="2025-01"))
    box.emit(store, "orders/create", body)
    box.set_faults(store, Faults(api_version="2025-01", topics=["orders/paid"]))
    box.emit(store, "orders/create", body)

    sent = [(one.headers["X-Shopify-API-Version"], "checkout_id" in json.loads(one.body)) for one in box.pending(store)]
    assert sent == [("2026-10", False), ("2025-01", True), ("2026-10", False)]


def test_headers_may_have_the_plain_names(box, store, subscribe):
    subscribe(URI)
    box.set_faults(store, Faults(plain_names=True))
    emit(box, store)

    (parcel,) = box.pending(store)

    assert is_signed(parcel)
    assert {name for name in parcel.headers if "hopify" in name} == {
        *("shopify-topic", "shopify-hmac-sha256", "shopify-shop-domain", "shopify-api-version"),
        *("shopify-webhook-id", "shopify-event-id", "shopify-triggered-at"),
    }


def test_a_filter_decides_over_what_would_be_sent(box, store, subscribe):
    subscribe(f"{URI}/a", filter="total:>=10")
    subscribe(f"{URI}/b", filter="Total:>=10")
    subscribe(f"{URI}/c", filter="total:>=10", include_fields=["id"])

    box.emit(store, "orders/create", {"id": 1, "total": "9.99"})
    box.emit(store, "orders/create", {"id": 2, "total": "10.00"})

    assert [(one.path[-1], *numbers([one])) for one in box.pending(store)] == [("a", 2)]


def test_logged_deliveries_are_sent_again_under_their_ids(box, store, subscribe):
    subscribe(URI)
    subscribe(URI, topic="orders/paid")
    box.set_faults(store, Faults(drop=1.0))
    emit(box, store)
    box.set_faults(store, Faults(duplicate=2, garbage=1.0))
    emit(box, store, topic="orders/paid")
    ids = {one.id for one in box.log(store)}
    for parcel in box.pending(store):
        box.hand_over(parcel, App())

    again = box.redeliver(store)

    parcels = box.pending(store)
    assert [one.topic for one in again] == ["orders/create", "orders/paid"]
    assert {parcel.headers["X-Shopify-Webhook-Id"] for parcel in parcels} == ids
    assert {parcel.body for parcel in parcels} == {b'{"id":0}'}
    assert [one.copy for one in again] == [2, 3]


def test_only_a_topic_or_what_is_recent_is_sent_again(box, store, subscribe):
    subscribe(URI)
    subscribe(URI, topic="orders/paid")
    emit(box, store)
    emit(box, store, topic="orders/paid")
    newest = box.log(store)[0].created_at

    assert [one.topic for one in box.redeliver(store, topic="orders/create")] == ["orders/create"]
    assert [one.topic for one in box.redeliver(store, since=newest)] == ["orders/paid"]
    assert box.redeliver(store, since=newest + timedelta(seconds=1)) == []


def test_the_log_stays_within_its_length_with_its_bodies(box, store, subscribe, monkeypatch):
    monkeypatch.setattr(outbox, "LOG_LENGTH", 3)
    subscribe(URI)
    emit(box, store, 3)
    for parcel in box.pending(store):
        box.hand_over(parcel, App())

    for _ in range(3):
        for one in box.redeliver(store):
            box.hand_over(box.parcel(store, one), App())
    box.redeliver(store)

    kept = store.all(outbox.BODY, bytes)
    assert len(box.log(store)) == len(kept) <= 6


def test_a_body_that_is_gone_is_missed_by_name(box, store, subscribe):
    subscribe(URI)
    ((delivery,),) = emit(box, store)
    store.drop(outbox.BODY, delivery.key)

    with pytest.raises(LookupError, match=delivery.id):
        box.parcel(store, delivery)
