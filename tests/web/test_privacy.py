"""The privacy page: for owners, with the file inside the page."""

import base64
import json
import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from shopify_app import privacy
from shopify_app.database import directory, tenant_work
from shopify_app.models import DataExport, PrivacyRequest
from shopify_app.shopify.compliance import Person
from tests.web.conftest import DOCUMENT, STORE, csrf_of, log_in

NOW = datetime.now(UTC)


@pytest.fixture
def export_id(app, world):
    """An export of Alpha's customer 77."""
    arrival = privacy.Arrival(
        shop_domain=STORE,
        topic="customers/data_request",
        webhook_id="c-1",
        triggered_at=None,
        api_version=None,
        payload=b"{}",
        subject=4242,
    )
    with app.app_context():
        with directory() as session:
            privacy.receive(session, arrival, NOW)
            request_id = session.scalars(select(PrivacyRequest.id)).one()
        with tenant_work(world.alpha) as session:
            request = privacy.open_request(session, world.alpha, request_id)
            held = privacy.find(session, world.alpha, Person(id=77), ())
            privacy.export(session, request, held, customer=77, now=NOW)
            return session.scalars(select(DataExport.id)).one()


def open_file(client, export_id):
    data = {"csrf_token": csrf_of(client, "/settings")}
    return client.post(f"/privacy/exports/{export_id}", data=data, headers=DOCUMENT)


def test_an_owner_sees_what_waits_and_when_it_is_due(client, export_id):
    log_in(client, "alice@example.com")

    page = client.get("/privacy", headers=DOCUMENT)

    assert page.status_code == 200
    assert "Open the file of request 4242" in page.text


def test_an_owner_gets_the_file_and_its_opening_is_noted(client, app, world, export_id):
    log_in(client, "alice@example.com")

    page = open_file(client, export_id)

    link = re.search(r'href="data:application/json;base64,([^"]+)" download="customer-data-\d+\.json"', page.text)
    assert json.loads(base64.b64decode(link[1]))["customer_id"] == 77
    assert page.headers["Cache-Control"].find("no-store") >= 0
    with app.app_context(), tenant_work(world.alpha) as session:
        assert session.scalars(select(DataExport.downloaded_at)).one() is not None
    assert "First opened" in client.get("/privacy", headers=DOCUMENT).text


def test_a_viewer_sees_nothing_of_it(client, export_id):
    log_in(client, "bob@example.com")

    assert client.get("/privacy", headers=DOCUMENT).status_code == 403
    assert open_file(client, export_id).status_code == 403


def test_a_file_that_is_not_there_does_not_exist(client, export_id):
    log_in(client, "alice@example.com")

    assert open_file(client, export_id + 1).status_code == 404


def test_operators_list_what_is_due(app, export_id):
    runner = app.test_cli_runner()

    listed = runner.invoke(args=["privacy", "due"]).output

    assert STORE in listed
    assert "customers/data_request" in listed
    assert "Not begun." in listed


def test_operators_are_told_that_nothing_is_due(app, world):
    assert app.test_cli_runner().invoke(args=["privacy", "due"]).output == "Nothing is due.\n"
