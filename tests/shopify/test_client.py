"""The Admin API client against a server on a real socket that says whatever a test wants said."""

import gzip
import json
import socket

import httpx
import pytest

from shopify_app.shopify import errors, wire
from shopify_app.shopify.client import ATTEMPTS, AdminClient, _wait_before_next
from tests.shopify.scripted import Reply

QUERY = "{ shop { name } }"
MUTATION = "mutation { appUninstall { app { id } } }"
SHOP = {"shop": {"name": "Some Shop"}}


def throttled(*, requested: float, available: float, rate: float) -> Reply:
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": rate}
    return Reply(
        {
            "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
            "extensions": {"cost": {"requestedQueryCost": requested, "throttleStatus": status}},
        }
    )


def failing(code: str, *, data: object = None) -> Reply:
    return Reply({"data": data, "errors": [{"message": f"because {code}", "extensions": {"code": code}}]})


def test_query_reaches_the_versioned_endpoint_with_token_and_variables(server, admin):
    server.replies = [Reply({"data": SHOP})]

    answer = admin.execute("query($id: ID!) { node(id: $id) { id } }", {"id": "gid://shopify/Shop/1"})

    (asked,) = server.asked
    assert answer == SHOP
    assert (asked.method, asked.path) == ("POST", "/admin/api/2026-10/graphql.json")
    assert asked.headers["X-Shopify-Access-Token"] == "shpat_0123"
    assert asked.json["variables"] == {"id": "gid://shopify/Shop/1"}


def test_connection_is_used_again(server, admin):
    server.otherwise = lambda _asked: Reply({"data": SHOP})

    for _ in range(5):
        admin.execute(QUERY)

    connections = admin.http._transport._pool.connections
    assert len(server.asked) == 5
    assert len(connections) == 1


def test_numbers_beyond_two_to_the_53_arrive_exactly(server, admin):
    server.replies = [Reply('{"data": {"legacyResourceId": 820982911946154509}}')]

    assert admin.execute(QUERY) == {"legacyResourceId": 820982911946154509}


def test_throttled_query_waits_as_long_as_the_bucket_needs(server, admin, waits):
    server.replies = [throttled(requested=250, available=100, rate=100), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP
    assert waits == [1.5]


def test_throttled_mutation_is_sent_again_because_it_was_not_run(server, admin):
    server.replies = [throttled(requested=20, available=10, rate=100), Reply({"data": {"appUninstall": None}})]

    assert admin.execute(MUTATION) == {"appUninstall": None}


def test_throttle_that_takes_too_long_is_left_to_the_job(server, admin, waits):
    server.replies = [throttled(requested=1000, available=0, rate=10)]

    with pytest.raises(errors.Throttled) as caught:
        admin.execute(QUERY)

    assert caught.value.retryable
    assert caught.value.retry_after == 100
    assert waits == []


def test_throttle_that_never_ends_is_given_up(server, admin, waits):
    server.otherwise = lambda _asked: throttled(requested=20, available=10, rate=100)

    with pytest.raises(errors.Throttled):
        admin.execute(QUERY)

    assert len(server.asked) == ATTEMPTS
    assert waits == [pytest.approx(0.1)] * (ATTEMPTS - 1)


def test_throttle_without_its_cost_is_still_waited_for(server, admin, waits):
    server.replies = [failing("THROTTLED"), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP
    assert 0 <= waits[0] <= 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_error_is_tried_again(server, admin, waits, status):
    server.replies = [Reply("<html>oops", status), Reply("<html>oops", status), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP
    assert len(waits) == 2


@pytest.mark.parametrize(("attempt", "longest"), [(1, 1), (2, 2), (3, 4)])
def test_waits_are_spread_from_nothing_to_twice_the_longest_before(attempt, longest):
    drawn = [_wait_before_next(errors.Unavailable("503"), attempt, is_mutation=False) for _ in range(200)]

    assert 0 <= min(drawn) < 0.25 * longest
    assert 0.75 * longest < max(drawn) <= longest


def test_server_error_that_stays_is_given_up_as_unavailable(server, admin):
    server.otherwise = lambda _asked: Reply("<html>oops", 503, {"Content-Type": "text/html"})

    with pytest.raises(errors.Unavailable, match="503: an HTML page") as caught:
        admin.execute(QUERY)

    assert caught.value.retryable
    assert len(server.asked) == ATTEMPTS


def test_retry_after_of_429_is_kept(server, admin, waits):
    server.replies = [Reply("slow down", 429, {"Retry-After": "2.0"}), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP
    assert waits == [2.0]


def test_retry_after_that_is_too_long_is_left_to_the_job(server, admin, waits):
    server.replies = [Reply("slow down", 429, {"Retry-After": "600"})]

    with pytest.raises(errors.Throttled) as caught:
        admin.execute(QUERY)

    assert caught.value.retry_after == 600
    assert waits == []


@pytest.mark.parametrize("given", ["soon", "nan", "inf", ""])
def test_retry_after_that_is_no_number_is_ignored(server, admin, waits, given):
    server.replies = [Reply("slow down", 429, {"Retry-After": given}), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (401, errors.Unauthorized, "Open the app once in the store's Shopify admin"),
        (402, errors.ShopFrozen, "Its owner has to pay"),
        (403, errors.AccessDenied, "grant the access it asks for"),
        (404, errors.NotAccepted, "Shopify answered 404"),
        (423, errors.ShopLocked, "ask Shopify's support to unlock it"),
        (301, errors.NotAccepted, "Shopify answered 301"),
    ],
)
@pytest.mark.parametrize("document", [QUERY, MUTATION])
def test_refusal_has_its_own_error_says_what_to_do_and_is_not_tried_again(
    server, admin, document, status, kind, advice
):
    server.replies = [Reply({"errors": "[API] As Shopify says it"}, status)]

    with pytest.raises(kind, match=rf"Shopify answered {status}: \[API\] As Shopify says it") as caught:
        admin.execute(document)

    assert type(caught.value) is kind
    assert advice in str(caught.value)
    assert not caught.value.retryable
    assert len(server.asked) == 1


def test_suspicion_of_an_attack_is_left_to_the_job_for_a_minute(server, admin, waits):
    server.replies = [Reply("Security rejection", 430)]

    with pytest.raises(errors.Suspected, match=r"turned the request away.*Shopify answered 430") as caught:
        admin.execute(QUERY)

    assert caught.value.retryable
    assert caught.value.retry_after == 60
    assert (len(server.asked), waits) == (1, [])


@pytest.mark.parametrize("body", ["<html>maintenance</html>", '{"data": {', "[]", '"text"', "", "{}", '{"data": null}'])
def test_answer_that_is_no_graphql_answer_is_unavailable(server, admin, body):
    server.otherwise = lambda _asked: Reply(body)

    with pytest.raises(errors.Unavailable):
        admin.execute(QUERY)

    assert len(server.asked) == ATTEMPTS


def test_timeout_is_tried_again(server, admin):
    admin.http.timeout = httpx.Timeout(0.2)
    server.replies = [Reply({"data": SHOP}, delay=0.6), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP
    assert len(server.asked) == 2


def test_answer_that_trickles_is_given_up_and_asked_for_again(server, admin, monkeypatch):
    monkeypatch.setattr(wire, "LONGEST_ANSWER", 0.2)
    server.replies = [Reply({"data": SHOP}, trickle=0.02), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP
    assert len(server.asked) == 2


def test_compressed_answer_is_read(server, admin):
    content = gzip.compress(json.dumps({"data": SHOP}).encode())
    server.replies = [Reply(content, headers={"Content-Encoding": "gzip"})]

    assert admin.execute(QUERY) == SHOP


def test_answer_that_is_compressed_in_name_only_is_unavailable(server, admin):
    server.otherwise = lambda _asked: Reply({"data": SHOP}, headers={"Content-Encoding": "gzip"})

    with pytest.raises(errors.Unavailable, match="DecodingError"):
        admin.execute(QUERY)


def test_every_wait_on_the_wire_has_an_end():
    with wire.open_http() as http:
        assert None not in http.timeout.as_dict().values()


def test_connection_cut_in_the_answer_is_tried_again(server, admin):
    server.replies = [Reply({"data": SHOP}, cut_after=4), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP


def test_nobody_listening_is_unavailable(http, waits):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        admin = AdminClient(f"http://127.0.0.1:{unused.getsockname()[1]}", "2026-10", "shpat_0", http, waits.append)

        with pytest.raises(errors.Unavailable) as caught:
            admin.execute(MUTATION)

    assert not isinstance(caught.value, errors.AnswerLost)
    assert len(waits) == ATTEMPTS - 1


@pytest.mark.parametrize(
    "lost",
    [
        Reply(status=502),
        Reply({"data": {}}, cut_after=3),
        Reply({"data": {}}, delay=0.8),
        Reply("<html>maintenance"),
        Reply({"data": None}),
        failing("INTERNAL_SERVER_ERROR"),
    ],
)
def test_mutation_that_may_have_happened_is_not_sent_again(server, admin, lost):
    server.replies = [lost]

    with pytest.raises(errors.AnswerLost) as caught:
        admin.execute(MUTATION)

    assert caught.value.retryable
    assert len(server.asked) == 1


def test_errors_beside_data_carry_both(server, admin):
    server.replies = [failing("ACCESS_DENIED", data={"customer": {"id": "1", "phone": None}})]

    with pytest.raises(errors.QueryFailed, match="because ACCESS_DENIED") as caught:
        admin.execute(QUERY)

    assert caught.value.data == {"customer": {"id": "1", "phone": None}}
    assert caught.value.codes == {"ACCESS_DENIED"}


def test_partial_answer_is_returned_when_asked_for(server, admin):
    server.replies = [failing("ACCESS_DENIED", data={"customer": None}), Reply({"data": SHOP})]

    incomplete = admin.execute(QUERY, partial=True)
    complete = admin.execute(QUERY, partial=True)

    assert incomplete.data == {"customer": None}
    assert [error["message"] for error in incomplete.errors] == ["because ACCESS_DENIED"]
    assert (complete.data, complete.errors) == (SHOP, ())


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        ("MAX_COST_EXCEEDED", errors.QueryFailed, ""),
        ("ACCESS_DENIED", errors.AccessDenied, "grant the access it asks for"),
        ("SHOP_INACTIVE", errors.ShopFrozen, "Its owner has to pay"),
        ("undefinedField", errors.QueryFailed, ""),
    ],
)
def test_errors_without_data_are_final_and_say_what_to_do(server, admin, code, kind, advice):
    server.replies = [failing(code)]

    with pytest.raises(kind, match=code) as caught:
        admin.execute(QUERY, partial=True)

    assert advice in str(caught.value)
    assert not caught.value.retryable
    assert len(server.asked) == 1


def test_internal_error_of_shopify_is_tried_again(server, admin):
    server.replies = [failing("INTERNAL_SERVER_ERROR"), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP


def test_internal_error_beside_data_is_tried_again(server, admin):
    server.replies = [failing("INTERNAL_SERVER_ERROR", data={"shop": None}), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP


def test_internal_error_beside_a_mutations_data_is_not(server, admin):
    server.replies = [failing("INTERNAL_SERVER_ERROR", data={"appUninstall": None})]

    with pytest.raises(errors.QueryFailed):
        admin.execute(MUTATION)

    assert len(server.asked) == 1


def test_errors_as_one_text_are_understood(server, admin):
    server.replies = [Reply({"errors": "Not Found"})]

    with pytest.raises(errors.QueryFailed, match="Not Found"):
        admin.execute(QUERY)


def test_other_version_than_asked_is_said_once_and_remembered(server, admin, logged):
    server.otherwise = lambda _asked: Reply({"data": SHOP}, headers={"X-Shopify-API-Version": "2027-01"})

    for _ in range(3):
        admin.execute(QUERY)

    assert logged == [
        {"asked": "2026-10", "served": "2027-01", "event": "shopify.version_differs", "log_level": "warning"}
    ]
    assert admin.traffic.served == {"2026-10": "2027-01"}


def test_version_that_was_asked_for_is_nothing_to_say(server, admin, logged):
    server.replies = [Reply({"data": SHOP}, headers={"X-Shopify-API-Version": "2026-10"}), Reply({"data": SHOP})]

    admin.execute(QUERY)
    admin.execute(QUERY)

    assert logged == []
    assert admin.traffic.served == {}


def test_token_is_not_in_the_clients_text(admin):
    assert "shpat" not in repr(admin)
