"""Everything the local Shopify's Admin API can do wrong, and what becomes of the query or mutation that meets it."""

import httpx
import pytest

from devstore import installs
from devstore import tokens as granted
from shopify_app.shopify import approval, errors, wire
from shopify_app.shopify.client import ATTEMPTS, AdminClient
from supervisor.ports import free_port
from tests.devstore import serving

QUERY = "query Names { shop { name } customers(first: 2) { nodes { id firstName } } }"
MUTATION = """mutation Stop { bulkOperationCancel(id: "gid://shopify/BulkOperation/1") { userErrors { message } } }"""
DOCUMENTS = {"query": QUERY, "mutation": MUTATION}
DONE = None


@pytest.fixture(scope="module")
def devstore(tmp_path_factory):
    """A devstore's origin, and a token to ask its first store with."""
    port = free_port()
    with serving.made_devstore(serving.small_options(tmp_path_factory.mktemp("devstore"), port=port)) as app:
        store = serving.install(app)
        with app.app_context():
            token = granted.acquire(store, list(installs.installation(store).scopes)).access.token
        with serving.running(app, "localhost", port):
            yield f"http://localhost:{port}", token


@pytest.fixture
def go_wrong(devstore):
    """Sets what goes wrong with the API from now on."""
    control = f"{devstore[0]}/_dev/stores/{serving.SHOP}/faults"

    def set_faults(**api):
        httpx.post(control, json={"seed": 1, "api": api}).raise_for_status()

    yield set_faults
    httpx.delete(control).raise_for_status()


@pytest.fixture
def admin(devstore, http, waits):
    """A client that waits for nothing."""
    origin, token = devstore
    return AdminClient(f"{origin}/stores/{serving.SHOP}", "2026-10", token, http, waits.append)


TABLE = [
    # what goes wrong once, what becomes of a query, what becomes of a mutation
    ({"status": 500}, DONE, errors.AnswerLost),
    ({"status": 502}, DONE, errors.AnswerLost),
    ({"status": 503}, DONE, errors.AnswerLost),
    ({"status": 504}, DONE, errors.AnswerLost),
    ({"status": 429}, DONE, DONE),
    ({"status": 429, "retry_after": 2.0}, DONE, DONE),
    ({"status": 429, "retry_after": 600}, errors.Throttled, errors.Throttled),
    ({"status": 401}, errors.Unauthorized, errors.Unauthorized),
    ({"status": 402}, errors.ShopFrozen, errors.ShopFrozen),
    ({"status": 403}, errors.AccessDenied, errors.AccessDenied),
    ({"status": 404}, errors.NotAccepted, errors.NotAccepted),
    ({"status": 423}, errors.ShopLocked, errors.ShopLocked),
    ({"status": 430}, errors.Suspected, errors.Suspected),
    ({"close": "before"}, DONE, errors.AnswerLost),
    ({"close": "after"}, DONE, errors.AnswerLost),
    ({"slow": 1.5}, DONE, errors.AnswerLost),
    ({"html": True}, DONE, errors.AnswerLost),
    ({"code": "THROTTLED"}, DONE, DONE),
    ({"code": "INTERNAL_SERVER_ERROR"}, DONE, errors.AnswerLost),
    ({"code": "SHOP_INACTIVE"}, errors.ShopFrozen, errors.ShopFrozen),
    ({"code": "ACCESS_DENIED"}, errors.AccessDenied, errors.AccessDenied),
    ({"code": "MAX_COST_EXCEEDED"}, errors.QueryFailed, errors.QueryFailed),
]


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize(("api", "of_query", "of_mutation"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_what_happens_once_is_overcome_or_named(admin, go_wrong, kind, api, of_query, of_mutation):
    admin.http.timeout = httpx.Timeout(1.0)
    go_wrong(times=1, **api)
    expected = of_query if kind == "query" else of_mutation

    if expected is DONE:
        assert admin.execute(DOCUMENTS[kind])
        assert admin.spent.calls == 2
    else:
        with pytest.raises(errors.ShopifyError) as caught:
            admin.execute(DOCUMENTS[kind])
        assert type(caught.value) is expected
        assert admin.spent.calls == 1


@pytest.mark.parametrize(
    ("api", "kind"),
    [
        ({"status": 500}, errors.Unavailable),
        ({"status": 429}, errors.Throttled),
        ({"close": "before"}, errors.Unavailable),
        ({"html": True}, errors.Unavailable),
        ({"code": "THROTTLED"}, errors.Throttled),
        ({"code": "INTERNAL_SERVER_ERROR"}, errors.Unavailable),
    ],
)
def test_what_does_not_pass_is_given_up_as_something_to_try_later(admin, go_wrong, api, kind):
    go_wrong(**api)

    with pytest.raises(errors.ShopifyError) as caught:
        admin.execute(QUERY)

    assert type(caught.value) is kind
    assert caught.value.retryable
    assert admin.spent.calls == ATTEMPTS


def test_random_trouble_is_ridden_out(admin, go_wrong):
    go_wrong(share=0.25, status=503)

    for _ in range(20):
        assert admin.execute(QUERY)["customers"]["nodes"]

    assert admin.spent.calls > 20


def test_empty_bucket_is_waited_for_in_earnest(devstore, http, go_wrong):
    origin, token = devstore
    go_wrong(plan="Standard", drained=True)
    with wire.open_http() as patient:
        admin = AdminClient(f"{origin}/stores/{serving.SHOP}", "2026-10", token, patient)

        for _ in range(3):
            admin.execute(MUTATION)

    # Ten points each, at a hundred a second.
    assert admin.spent.waited >= 0.1


def test_field_that_is_not_approved_is_null_and_named(admin, go_wrong):
    go_wrong(unapproved=["Customer.firstName"])

    answer = admin.execute(QUERY)

    assert [node["firstName"] for node in answer["customers"]["nodes"]] == [None, None]
    assert admin.unapproved == {"customers.firstName"}


def test_type_that_is_not_approved_is_a_failure_that_names_it(admin, go_wrong):
    go_wrong(unapproved=["Customer"])

    with pytest.raises(errors.NotApproved, match="not approved the app to read customers"):
        admin.execute(QUERY)


@pytest.mark.parametrize(
    ("resource", "names", "named"),
    [
        ("customers", [], ()),
        ("customers", ["Customer.firstName", "Customer.defaultEmailAddress"],
         ("customers.firstName", "customers.defaultEmailAddress")),
        ("customers", ["Customer"], ("customers",)),
        ("orders", ["Order.email"], ("orders.email",)),
        ("orders", ["Customer"], ("orders.customer",)),
        ("checkouts", ["Customer"], ("abandonedCheckouts.customer",)),
        ("products", ["Product"], ()),
    ],
)  # fmt: skip
def test_what_an_export_would_leave_out_without_a_word_is_told(admin, go_wrong, resource, names, named):
    go_wrong(unapproved=names)

    assert approval.unapproved(admin, resource) == named


def test_approval_that_cannot_be_asked_for_is_a_failure(admin, go_wrong):
    go_wrong(status=402)

    with pytest.raises(errors.ShopFrozen):
        approval.unapproved(admin, "customers")


def test_version_that_is_no_more_is_noticed(admin, go_wrong):
    go_wrong(version="2026-07")

    admin.execute(QUERY)

    assert admin.traffic.served == {"2026-10": "2026-07"}
