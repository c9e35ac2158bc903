"""The Admin API client against a server on a real socket that says whatever a test wants said."""

import socket

import httpx
import pytest
import structlog

from shopify_app.shopify import errors
from shopify_app.shopify.client import ATTEMPTS, AdminClient
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
    assert 0.5 <= waits[0] <= 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_error_is_tried_again_with_growing_jittered_waits(server, admin, waits, status):
    server.replies = [Reply("<html>oops", status), Reply("<html>oops", status), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP
    assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2


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
    ("status", "kind"),
    [
        (401, errors.Unauthorized),
        (402, errors.ShopFrozen),
        (403, errors.AccessDenied),
        (404, errors.NotAccepted),
        (423, errors.ShopLocked),
        (301, errors.NotAccepted),
    ],
)
def test_refusal_has_its_own_error_and_is_not_tried_again(server, admin, status, kind):
    server.replies = [Reply({"errors": "[API] Invalid API key or access token"}, status)]

    with pytest.raises(kind, match=str(status)) as caught:
        admin.execute(QUERY)

    assert type(caught.value) is kind
    assert not caught.value.retryable
    assert len(server.asked) == 1


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


@pytest.mark.parametrize("lost", [Reply(status=502), Reply({"data": {}}, cut_after=3), Reply({"data": {}}, delay=0.8)])
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
    ("code", "kind"),
    [
        ("MAX_COST_EXCEEDED", errors.QueryFailed),
        ("ACCESS_DENIED", errors.AccessDenied),
        ("SHOP_INACTIVE", errors.ShopFrozen),
        ("undefinedField", errors.QueryFailed),
    ],
)
def test_errors_without_data_are_final(server, admin, code, kind):
    server.replies = [failing(code)]

    with pytest.raises(kind, match=code) as caught:
        admin.execute(QUERY, partial=True)

    assert not caught.value.retryable
    assert len(server.asked) == 1


def test_internal_error_of_shopify_is_tried_again(server, admin):
    server.replies = [failing("INTERNAL_SERVER_ERROR"), Reply({"data": SHOP})]

    assert admin.execute(QUERY) == SHOP


def test_errors_as_one_text_are_understood(server, admin):
    server.replies = [Reply({"errors": "Not Found"})]

    with pytest.raises(errors.QueryFailed, match="Not Found"):
        admin.execute(QUERY)


def test_other_version_than_asked_is_said(server, admin):
    server.replies = [Reply({"data": SHOP}, headers={"X-Shopify-API-Version": "2027-01"})]

    with structlog.testing.capture_logs() as logged:
        admin.execute(QUERY)

    assert {
        "asked": "2026-10",
        "served": "2027-01",
        "event": "shopify.version_differs",
        "log_level": "warning",
    } in logged


def test_token_is_not_in_the_clients_text(admin):
    assert "shpat" not in repr(admin)
