"""GraphQL requests that go wrong on purpose."""

import time

import httpx
import pytest

COUNT = "query Counted { ordersCount { count } }"
SHOP = "query Named { shop { name } }"
EXPENSIVE = "{ orders(first: 100) { nodes { id customer { id } } } }"


@pytest.mark.parametrize("status", [401, 402, 403, 404, 423, 429, 430, 500, 502, 503])
def test_a_status_is_answered_once(app, status):
    app.faults(api={"status": status, "times": 1})

    answers = [app.post(COUNT).status_code for _ in range(3)]

    assert answers == [status, 200, 200]


def test_a_limit_says_when_to_come_again(app):
    app.faults(api={"status": 429, "retry_after": 2, "times": 1})

    answer = app.post(COUNT)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2.0")


def test_a_share_of_the_requests_fails_and_the_seed_says_which(app):
    def statuses():
        app.faults(seed=7, api={"status": 503, "share": 0.3})
        return [app.post(SHOP).status_code for _ in range(60)]

    first, second = statuses(), statuses()

    assert first == second
    assert 8 < first.count(503) < 30
    assert set(first) == {200, 503}


def test_only_the_requests_named_go_wrong(app):
    app.faults(api={"only": ["Named", "ordersCount"], "status": 500})

    assert app.post("{ ordersCount { count } }").status_code == 500
    assert app.post(SHOP).status_code == 500
    assert app.post("query Other { productsCount { count } }").status_code == 200
    assert app.post("{").status_code == 200


def test_an_answer_is_slow(app):
    app.faults(api={"slow": 0.4, "times": 1})
    began = time.monotonic()

    answer = app.post(COUNT)

    assert time.monotonic() - began > 0.35
    assert answer.json()["data"]["ordersCount"]["count"] == len(app.store.orders)


@pytest.mark.parametrize(("close", "started"), [("before", 0), ("after", 1)])
def test_a_connection_closes_before_or_after_a_mutation_was_carried_out(app, close, started):
    app.faults(api={"close": close, "times": 1, "only": ["bulkOperationRunQuery"]})

    with pytest.raises(httpx.RemoteProtocolError):
        app.run("orders")

    running = app.ask("{ bulkOperations(first: 5) { nodes { id } } }")["bulkOperations"]["nodes"]
    assert len(running) == started
    assert app.exported("orders")["status"] == "COMPLETED"


def test_a_page_of_html_is_answered(app):
    app.faults(api={"html": True, "times": 1})

    answer = app.post(COUNT)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert app.post(COUNT).json()["data"]


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "SHOP_INACTIVE", "ACCESS_DENIED"])
def test_an_error_without_data_is_answered(app, code):
    app.faults(api={"code": code, "times": 1})

    answer = app.post(COUNT)

    assert answer.status_code == 200
    assert "data" not in answer.json()
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == [code]


@pytest.mark.parametrize(
    ("question", "points"), [(COUNT, 1), (EXPENSIVE, 202), ("mutation { appUninstall { app { id } } }", 10), ("{", 10)]
)
def test_a_throttled_answer_tells_of_an_empty_bucket(app, question, points):
    app.faults(api={"code": "THROTTLED", "plan": "Standard"})

    body = app.post(question).json()

    assert body["errors"] == [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
    assert body["extensions"]["cost"] == {
        "requestedQueryCost": points,
        "actualQueryCost": None,
        "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 0, "restoreRate": 100.0},
    }


@pytest.mark.parametrize(("plan", "rate"), [("Standard", 100), ("Advanced", 200), ("Plus", 1000), ("Enterprise", 2000)])
def test_the_plan_sets_the_bucket(app, plan, rate):
    app.faults(api={"plan": plan})

    status = app.post(COUNT).json()["extensions"]["cost"]["throttleStatus"]

    assert (status["restoreRate"], status["maximumAvailable"]) == (rate, rate * 20)


def test_a_drained_bucket_throttles_until_it_has_filled_again(app):
    app.faults(api={"plan": "Standard", "drained": True})

    refused = app.post(EXPENSIVE).json()
    block = refused["extensions"]["cost"]
    wait = (block["requestedQueryCost"] - block["throttleStatus"]["currentlyAvailable"]) / 100
    time.sleep(wait + 0.05)
    answered = app.post(EXPENSIVE).json()

    assert refused["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert 1 < wait < 2.1
    assert "errors" not in answered


def test_clearing_the_faults_gives_the_store_its_own_bucket_back(app):
    own = app.post(COUNT).json()["extensions"]["cost"]["throttleStatus"]["restoreRate"]
    app.faults(api={"plan": "Standard", "drained": True})

    app.faults()

    status = app.post(COUNT).json()["extensions"]["cost"]["throttleStatus"]
    assert status["restoreRate"] == own != 100


def test_unapproved_fields_are_null_beside_errors_with_their_path(app):
    app.faults(api={"unapproved": ["Customer.lastName", "CustomerPhoneNumber"]})

    body = app.post(
        "{ customers(first: 1) { nodes { id lastName defaultPhoneNumber { phoneNumber } firstName } } }"
    ).json()

    (node,) = body["data"]["customers"]["nodes"]
    assert (node["lastName"], node["defaultPhoneNumber"]) == (None, None)
    assert node["firstName"]
    assert {tuple(error["path"]): error["message"].partition(".")[0] for error in body["errors"]} == {
        ("customers", "nodes", 0, "lastName"): "This app is not approved to use the lastName field",
        ("customers", "nodes", 0, "defaultPhoneNumber"): (
            "This app is not approved to access the CustomerPhoneNumber object"
        ),
    }


def test_an_unapproved_type_is_null_wherever_it_is(app):
    app.faults(api={"unapproved": ["Customer"]})

    body = app.post('{ orders(first: 1, query: "customer_id:>0") { nodes { id customer { id } } } }').json()

    assert body["data"]["orders"]["nodes"][0]["customer"] is None
    assert body["errors"][0]["path"] == ["orders", "nodes", 0, "customer"]


def test_another_version_answers_than_was_asked(app):
    app.faults(api={"version": "2027-04"})

    assert app.post(COUNT).headers["X-Shopify-API-Version"] == "2027-04"


def test_faults_are_the_stores_own(app):
    app.faults(api={"status": 500})

    other = app.http.get(f"{app.origin}/_dev/stores/birch-and-bloom.myshopify.com/faults").json()

    assert other["api"]["status"] is None
    assert app.post(COUNT).status_code == 500
    app.http.delete(f"{app.origin}/_dev/stores/{app.store.domain}/faults")
    assert app.post(COUNT).status_code == 200


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ({"bulk": {"fail_at": -1}}, "Expected `int` >= 0 - at `$.bulk.fail_at`"),
        ({"bulk": {"fail_code": "BORED"}}, "Invalid enum value 'BORED' - at `$.bulk.fail_code`"),
        ({"bulk": {"resources": ["refunds"]}}, "Invalid enum value 'refunds'"),
        ({"bulk": {"explode": 1}}, "Object contains unknown field `explode` - at `$.bulk`"),
        ({"api": {"status": 200}}, "Expected `int` >= 400 - at `$.api.status`"),
        ({"api": {"share": 2}}, "Expected `float` <= 1.0 - at `$.api.share`"),
        ({"api": {"version": "soon"}}, "Expected `str` matching regex"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(app, groups, why):
    answer = app.control("faults", **groups)

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(why)
