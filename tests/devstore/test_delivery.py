"""Webhooks over real sockets: what is sent, when it is sent again, and what outlives a restart."""

import base64
import dataclasses
import hashlib
import hmac
import itertools
import json
import socket
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from devstore import delivery, installs, outbox
from devstore.delivery import Deliveries
from devstore.delivery_log import RETRIES, only_fields, retry_wait
from devstore.faults import Faults
from devstore.options import AppRegistration
from devstore.state import Stores

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FAST = 10_000_000.0  # four hours in about a millisecond


@pytest.fixture
def send(stores, options):
    """Starts deliveries with changed options; all are closed before their stores."""
    started = []

    def start(**changes):
        started.append(Deliveries(stores, dataclasses.replace(options, **{"time_scale": FAST, **changes})))
        return started[-1]

    yield start
    for one in started:
        one.close()


def settle(deliveries, store, state):
    """Wait until the newest delivery is in `state`."""
    deadline = time.monotonic() + 10
    while deliveries.log(store)[0].state != state:
        assert time.monotonic() < deadline, deliveries.log(store)[0]
        time.sleep(0.01)
    return deliveries.log(store)[0]


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_webhook_carries_every_header_and_a_true_hmac(send, store, subscribe, receiver):
    subscribe(f"{receiver.url}/webhooks/orders", name="orders")
    deliveries = send()

    (queued,) = deliveries.emit(store, "orders/create", {"id": 1, "é": "ü"}, event_id="event", triggered_at=AT)
    settle(deliveries, store, "delivered")

    (request,) = receiver.requests
    sent = {name.lower(): value for name, value in request["headers"].items()}
    digest = hmac.new(b"hush", request["body"], hashlib.sha256).digest()
    assert {name: value for name, value in sent.items() if name.startswith("x-shopify-")} == {
        "x-shopify-topic": "orders/create",
        "x-shopify-hmac-sha256": base64.b64encode(digest).decode(),
        "x-shopify-shop-domain": store.domain,
        "x-shopify-api-version": "2026-10",
        "x-shopify-webhook-id": queued.id,
        "x-shopify-event-id": "event",
        "x-shopify-triggered-at": "2026-01-02T03:04:05.678Z",
        "x-shopify-name": "orders",
    }
    assert (sent["content-type"], sent["user-agent"]) == ("application/json", "Shopify-Captain-Hook")
    assert (request["path"], json.loads(request["body"])) == ("/webhooks/orders", {"id": 1, "é": "ü"})


def test_a_subscription_without_name_sends_none(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send()

    deliveries.emit(store, "orders/create", {})
    settle(deliveries, store, "delivered")

    assert "x-shopify-name" not in {name.lower() for name in receiver.requests[0]["headers"]}


def test_the_oldest_unrevoked_secret_signs(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send(app=AppRegistration(client_secret="new", previous_secret="old"))

    deliveries.emit(store, "orders/create", {"id": 1})
    settle(deliveries, store, "delivered")

    (request,) = receiver.requests
    digest = hmac.new(b"old", request["body"], hashlib.sha256).digest()
    assert request["headers"]["X-Shopify-Hmac-Sha256"] == base64.b64encode(digest).decode()


def test_each_subscription_to_the_topic_gets_its_own_delivery(send, store, subscribe, receiver):
    for path in ("/a", "/b"):
        subscribe(f"{receiver.url}{path}")
    subscribe(f"{receiver.url}/other", topic="orders/updated")
    deliveries = send()

    queued = deliveries.emit(store, "orders/create", {})
    deliveries.wait()

    assert sorted(request["path"] for request in receiver.requests) == ["/a", "/b"]
    assert len({one.id for one in queued}) == 2
    assert len({one.event_id for one in queued}) == 1


def test_nothing_is_sent_where_nobody_subscribed(send, stores, subscribe, receiver):
    first, second = stores
    subscribe(receiver.url)
    deliveries = send()

    assert deliveries.emit(second, "orders/create", {}) == []
    assert deliveries.emit(first, "orders/paid", {}) == []


def test_decimals_are_sent_as_numbers(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send()

    deliveries.emit(store, "orders/create", {"subtotal": Decimal("89.90")})
    settle(deliveries, store, "delivered")

    assert receiver.requests[0]["body"] == b'{"subtotal":89.90}'


def test_only_the_included_fields_are_sent(send, store, subscribe, receiver):
    subscribe(receiver.url, include_fields=["id", "lines.price"])
    deliveries = send()

    deliveries.emit(store, "orders/create", {"id": 1, "lines": [{"price": "2", "sku": "x"}], "note": "secret"})
    settle(deliveries, store, "delivered")

    assert json.loads(receiver.requests[0]["body"]) == {"id": 1, "lines": [{"price": "2"}]}


def test_fields_inside_what_is_no_object_are_left_as_they_are():
    assert only_fields({"a": None, "b": {"c": 1, "d": 2}}, ["a.x", "b.c"]) == {"a": None, "b": {"c": 1}}


@pytest.mark.parametrize("status", [201, 204, 299])
def test_every_2xx_is_a_success(send, store, subscribe, receiver, status):
    receiver.statuses = [status]
    subscribe(receiver.url)
    deliveries = send()

    deliveries.emit(store, "orders/create", {})

    assert [one.status for one in settle(deliveries, store, "delivered").attempts] == [status]


def test_a_failure_is_retried_with_the_same_id_and_body(send, store, subscribe, receiver):
    receiver.statuses = [500, 302, 404, 200]
    subscribe(receiver.url)
    deliveries = send()

    deliveries.emit(store, "orders/create", {"id": 1})
    done = settle(deliveries, store, "delivered")

    assert [one.status for one in done.attempts] == [500, 302, 404, 200]
    assert len({request["headers"]["X-Shopify-Webhook-Id"] for request in receiver.requests}) == 1
    assert len({request["body"] for request in receiver.requests}) == 1
    assert {request["path"] for request in receiver.requests} == {"/"}


def test_after_eight_retries_the_delivery_has_failed_and_the_subscription_is_gone(send, store, subscribe, receiver):
    receiver.statuses = [503]
    kept = subscribe(f"{receiver.url}/other", topic="orders/updated")
    subscribe(receiver.url)
    deliveries = send()

    deliveries.emit(store, "orders/create", {})
    failed = settle(deliveries, store, "failed")

    assert len(failed.attempts) == len(receiver.requests) == RETRIES + 1 == 9
    assert failed.retry_at is None
    assert installs.subscriptions(store) == [kept]


def test_retries_wait_twice_as_long_each_time_and_four_hours_in_all():
    waits = [retry_wait(failures) for failures in range(1, RETRIES + 1)]

    assert sum(waits) == pytest.approx(4 * 60 * 60)
    assert all(later == pytest.approx(2 * earlier) for earlier, later in itertools.pairwise(waits))


def test_a_retry_waits_its_time(send, store, subscribe, receiver):
    receiver.statuses = [500]
    subscribe(receiver.url)
    deliveries = send(time_scale=1.0)

    deliveries.emit(store, "orders/create", {})
    deliveries.wait()
    (pending,) = deliveries.log(store)

    assert (pending.state, len(pending.attempts)) == ("pending", 1)
    assert 55 < (pending.retry_at - pending.created_at).total_seconds() < 60


@pytest.mark.parametrize("uri", ["http://127.0.0.1:{port}/", "pubsub://project:topic", "http://[broken"])
def test_an_address_that_cannot_be_reached_is_an_error_in_the_log(send, store, subscribe, uri):
    subscribe(uri.format(port=closed_port()))
    deliveries = send(time_scale=1.0)

    deliveries.emit(store, "orders/create", {})
    deliveries.wait()

    (attempt,) = deliveries.log(store)[0].attempts
    assert attempt.status is None
    assert attempt.error


def test_an_app_slower_than_allowed_has_failed(send, store, subscribe, receiver, monkeypatch):
    monkeypatch.setattr(delivery, "TOTAL_SECONDS", 0.2)
    receiver.delay = 1.0
    subscribe(receiver.url)
    deliveries = send(time_scale=1.0)

    deliveries.emit(store, "orders/create", {})
    deliveries.wait()

    (attempt,) = deliveries.log(store)[0].attempts
    assert "Timeout" in attempt.error
    assert attempt.ms < 900


def test_the_limits_are_shopifys():
    assert (delivery.CONNECT_SECONDS, delivery.TOTAL_SECONDS) == (1.0, 5.0)


def test_what_was_pending_goes_on_after_a_restart(send, options, stores, store, subscribe, receiver):
    receiver.statuses = [500, 200]
    subscribe(receiver.url)
    first = send(time_scale=100.0)
    first.emit(store, "orders/create", {"id": 1})
    first.wait()
    first.close()
    stores.close()

    reopened = Stores(options)
    second = Deliveries(reopened, options)
    done = settle(second, reopened[store.domain], "delivered")
    second.close()
    reopened.close()

    assert [one.status for one in done.attempts] == [500, 200]
    assert len({request["headers"]["X-Shopify-Webhook-Id"] for request in receiver.requests}) == 1


def test_the_log_keeps_only_so_many_but_everything_pending(send, store, subscribe, receiver, monkeypatch):
    monkeypatch.setattr(outbox, "LOG_LENGTH", 3)
    subscribe(receiver.url)
    subscribe(f"http://127.0.0.1:{closed_port()}", topic="orders/paid")
    deliveries = send(time_scale=1.0)
    deliveries.emit(store, "orders/paid", {})

    for number in range(6):
        deliveries.emit(store, "orders/create", {"id": number})
        deliveries.wait()
    kept = deliveries.log(store)

    assert [one.topic for one in kept].count("orders/create") == 3
    assert kept[-1].topic == "orders/paid"
    assert len(store.all(outbox.DELIVERY, outbox.Delivery)) == len(store.all(outbox.BODY, bytes)) == 4


def test_the_log_loses_nothing_as_long_as_there_is_room(send, store, subscribe, receiver, monkeypatch):
    monkeypatch.setattr(outbox, "LOG_LENGTH", 4)
    subscribe(receiver.url)
    deliveries = send()

    for number in range(4):
        deliveries.emit(store, "orders/create", {"id": number})
        deliveries.wait()

    assert len(deliveries.log(store)) == 4


def test_compliance_topics_follow_the_app_even_after_it_was_uninstalled(send, store, receiver):
    deliveries = send(app=AppRegistration(url=receiver.url))
    before = deliveries.emit(store, "shop/redact", {})
    gone = installs.Installation(id=1, client_id="x", scopes=[], installed_at=AT, uninstalled_at=AT)
    store.save(installs.INSTALLATION, installs.ONLY, gone)

    deliveries.emit(store, "shop/redact", {"shop_id": 1})
    settle(deliveries, store, "delivered")

    assert before == []
    assert [request["path"] for request in receiver.requests] == ["/webhooks/compliance"]


def test_a_failed_compliance_webhook_deletes_no_subscription(send, store, subscribe, receiver):
    receiver.statuses = [500]
    kept = subscribe(receiver.url)
    here = installs.Installation(id=1, client_id="x", scopes=[], installed_at=AT)
    store.save(installs.INSTALLATION, installs.ONLY, here)
    deliveries = send(app=AppRegistration(url=receiver.url))

    deliveries.emit(store, "customers/redact", {})
    settle(deliveries, store, "failed")

    assert installs.subscriptions(store) == [kept]


def test_a_sender_survives_what_nobody_foresaw(send, store, subscribe, receiver, monkeypatch, caplog):
    monkeypatch.setattr(delivery, "SENDERS", 1)
    subscribe(receiver.url)
    deliveries = send()
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "parcel", lambda *_arguments: 1 / 0)
        deliveries.emit(store, "orders/create", {})
        deliveries.wait()

    deliveries.emit(store, "orders/create", {"id": 2})
    settle(deliveries, store, "delivered")

    assert "ZeroDivisionError" in caplog.text


def test_a_kept_connection_the_app_closed_is_no_failure(send, store, subscribe):
    with socket.create_server(("127.0.0.1", 0)) as server:
        subscribe(f"http://127.0.0.1:{server.getsockname()[1]}/")
        deliveries = send(time_scale=1.0)
        deliveries.emit(store, "orders/create", {})
        hung_up, _ = server.accept()
        hung_up.recv(65536)
        hung_up.close()
        answered, _ = server.accept()
        answered.recv(65536)
        answered.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        done = settle(deliveries, store, "delivered")
        answered.close()

    assert [one.status for one in done.attempts] == [200]


def test_copies_and_deliveries_sent_again_arrive_with_one_id(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send(faults=Faults(duplicate=3))
    (first, *_) = deliveries.emit(store, "orders/create", {"id": 1})
    deliveries.wait()

    deliveries.redeliver(store)
    deliveries.wait()

    assert [request["headers"]["X-Shopify-Webhook-Id"] for request in receiver.requests] == [first.id] * 4
    assert {one.state for one in deliveries.log(store)} == {"delivered"}


def test_what_is_held_is_sent_once_it_is_let_go_and_only_once(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send(faults=Faults(burst=600.0))
    for number in range(5):
        deliveries.emit(store, "orders/create", {"id": number})
    deliveries.wait()
    before = len(receiver.requests)

    deliveries.release(store)
    deliveries.wait()

    assert before == 0
    assert sorted(json.loads(request["body"])["id"] for request in receiver.requests) == list(range(5))


def test_a_held_delivery_goes_out_by_itself_when_its_burst_is_over(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send(faults=Faults(burst=0.3))
    started = time.monotonic()

    deliveries.emit(store, "orders/create", {"id": 1})
    settle(deliveries, store, "delivered")

    assert time.monotonic() - started >= 0.3


def test_a_let_go_delivery_is_not_sent_again_when_its_first_time_comes(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send(faults=Faults(burst=0.2))
    deliveries.emit(store, "orders/create", {"id": 1})
    held_until = deliveries.log(store)[0].retry_at

    deliveries.release(store)
    while datetime.now(UTC) <= held_until:
        deliveries.wait()
    deliveries.wait()

    assert len(receiver.requests) == 1


def test_a_slow_network_is_silent_then_trickles_the_same_request(send, store, subscribe, receiver):
    subscribe(f"{receiver.url}/webhooks/orders?again=1")
    deliveries = send(faults=Faults(silence=0.2, dribble=0.2))
    (queued,) = deliveries.emit(store, "orders/create", {"id": 1, "note": "x" * 100})

    (attempt,) = settle(deliveries, store, "delivered").attempts

    (request,) = receiver.requests
    digest = hmac.new(b"hush", request["body"], hashlib.sha256).digest()
    assert request["headers"]["X-Shopify-Hmac-Sha256"] == base64.b64encode(digest).decode()
    assert (request["path"], len(request["body"])) == ("/webhooks/orders?again=1", queued.size)
    assert (attempt.status, attempt.ms >= 390) == (200, True)


def test_a_body_without_bytes_can_be_slow_too(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send(faults=Faults(seed=1, silence=0.01, garbage=1.0, garbage_kinds=("truncated",)))
    (queued,) = deliveries.emit(store, "orders/create", {})
    settle(deliveries, store, "delivered")

    assert (queued.size, receiver.requests[0]["body"]) == (2, b"{")


@pytest.mark.parametrize("delay", [0.0, 1.0])
def test_an_app_that_cannot_be_reached_or_is_late_over_a_slow_network_has_failed(
    send, store, subscribe, receiver, monkeypatch, delay
):
    monkeypatch.setattr(delivery, "TOTAL_SECONDS", 0.2)
    receiver.delay = delay
    subscribe(receiver.url if delay else f"http://127.0.0.1:{closed_port()}/")
    deliveries = send(time_scale=1.0, faults=Faults(silence=0.01))

    deliveries.emit(store, "orders/create", {})
    deliveries.wait()

    (attempt,) = deliveries.log(store)[0].attempts
    assert attempt.status is None
    assert ("TimeoutError" if delay else "ConnectionRefusedError") in attempt.error


def test_closing_does_not_wait_for_a_slow_network(send, store, subscribe, receiver):
    subscribe(receiver.url)
    deliveries = send(faults=Faults(silence=600.0))
    deliveries.emit(store, "orders/create", {})
    while deliveries.wait(0):
        time.sleep(0.01)
    started = time.monotonic()

    deliveries.close()

    assert time.monotonic() - started < 5
