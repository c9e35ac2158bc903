"""Protected customer data that Shopify has not approved the app for: null, named, and never taken for absence."""

import graphql
import pytest

from shopify_app.shopify import errors
from shopify_app.shopify.approval import APPROVAL_QUERIES
from tests.shopify.scripted import Reply

QUERY = "{ customers { nodes { id phone } } }"
SEE = "See https://partners.shopify.com/123/apps/456/customer_data for more details."


def unapproved(*path, what="access the Customer object"):
    """An error as the documentation shows it, without a code."""
    return {"message": f"This app is not approved to {what}. {SEE}", "path": list(path)}


def partly(data, *found):
    return Reply({"data": data, "errors": list(found)})


def test_unapproved_fields_are_null_and_named_once(server, admin):
    data = {"customers": {"nodes": [{"id": "1", "phone": None}, {"id": "2", "phone": None}]}}
    phone = "use the phoneNumber field"
    server.replies = [
        partly(data, *(unapproved("customers", "nodes", at, "phone", what=phone) for at in range(2))),
    ]

    assert admin.execute(QUERY) == data
    assert admin.unapproved == {"customers.phone"}


def test_unapproved_fields_add_up_over_calls(server, admin):
    server.replies = [
        partly({"customer": {"phone": None}}, unapproved("customer", "phone")),
        partly({"order": {"email": None}}, unapproved("order", "email", what="use the email field")),
        Reply({"data": {"shop": {}}}),
    ]

    for _ in range(3):
        admin.execute(QUERY)

    assert admin.unapproved == {"customer.phone", "order.email"}


@pytest.mark.parametrize(
    ("data", "path", "named"),
    [
        ({"customer": None}, ["customer"], "customer"),
        ({"nodes": [None]}, ["nodes", 0], "Customer"),
        ({"customers": {"nodes": [None]}}, ["customers", "nodes", 0], "customers"),
        ({"customers": {"nodes": None}}, ["customers", "nodes"], "customers"),
        ({"customers": {"edges": [{"node": None}]}}, ["customers", "edges", 0, "node"], "customers"),
        ({"customer": None}, None, "Customer"),
        (None, ["customer"], "customer"),
    ],
)
def test_objects_that_are_missing_whole_are_a_failure_that_names_them(server, admin, data, path, named):
    """Null where an object should be would read like an object that was deleted."""
    server.replies = [partly(data, {**unapproved(), "path": path})]

    with pytest.raises(
        errors.NotApproved, match=f"not approved the app to read {named}. .*Partner Dashboard"
    ) as caught:
        admin.execute(QUERY)

    assert caught.value.fields == (named,)
    assert not caught.value.retryable
    assert isinstance(caught.value, errors.AccessDenied)


def test_other_error_beside_an_unapproved_field_is_still_a_failure(server, admin):
    denied = {"message": "Access denied for email field.", "path": ["customer", "email"]}
    server.replies = [partly({"customer": {"email": None, "phone": None}}, unapproved("customer", "phone"), denied)]

    with pytest.raises(errors.QueryFailed, match="Access denied for email"):
        admin.execute(QUERY)

    assert admin.unapproved == {"customer.phone"}


def test_partial_answer_tells_unapproved_fields_from_other_errors(server, admin):
    other = {"message": "Something else", "path": ["customer", "orders"]}
    data = {"customer": None}
    server.replies = [partly(data, unapproved("customer"), other)]

    answer = admin.execute(QUERY, partial=True)

    assert answer.data == data
    assert answer.unapproved == ("customer",)
    assert len(answer.errors) == 2


@pytest.mark.parametrize("resource", APPROVAL_QUERIES)
def test_query_for_approval_is_valid_against_shopifys_schema(schema, resource):
    assert graphql.validate(schema, graphql.parse(APPROVAL_QUERIES[resource])) == []
