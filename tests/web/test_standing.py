"""What people of a store see when it is disabled, not connected, or has granted less than it might."""

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from config import DEFAULT_SCOPES, OPTIONAL_SCOPES
from shopify_app.database import directory, operations
from tests.shopify.scripted import Scripted
from tests.web.conftest import DOCUMENT, FETCH, FRAME, STORE, log_in

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def change(app: Flask):
    """Runs a statement on the first store's rows."""

    def run(statement: str, **values: object) -> None:
        with app.app_context():
            with_rights = operations if "disabled_at" in statement else directory
            with with_rights() as session:
                session.execute(text(statement), {"shop": STORE, **values})

    return run


DISABLE = "UPDATE tenants SET disabled_at = now() WHERE store_url = :shop"
REFUSE = """
UPDATE offline_tokens SET failed_at = now(), failure = 'dead'
WHERE tenant_id = (SELECT id FROM tenants WHERE store_url = :shop)
"""
GRANT = """
UPDATE offline_tokens SET scopes = string_to_array(:scopes, ',')
WHERE tenant_id = (SELECT id FROM tenants WHERE store_url = :shop)
"""


def embedded(client: FlaskClient, id_token, path: str = "/"):
    return client.get(f"{path}?shop={STORE}&embedded=1&id_token={id_token()}", headers=FRAME)


def test_a_disabled_store_is_told_so_in_the_admin_and_shopify_is_not_asked(
    client: FlaskClient, id_token, change, shopify: Scripted
) -> None:
    change(DISABLE)
    change(REFUSE)

    page = embedded(client, id_token)
    script = client.get("/", headers={**FETCH, "Authorization": f"Bearer {id_token()}"})

    assert (page.status_code, script.status_code) == (403, 403)
    assert "has been stopped for this store" in page.text
    assert "frame-ancestors 'none'" not in page.headers["Content-Security-Policy"]
    assert shopify.asked == []


def test_a_disabled_store_is_told_so_outside_the_admin(client: FlaskClient, change) -> None:
    log_in(client, "alice@example.com")
    change(DISABLE)

    page = client.get("/", headers=DOCUMENT)

    assert page.status_code == 403
    assert "has been stopped for this store" in page.text


def test_an_enabled_store_is_served_again(client: FlaskClient, id_token, change) -> None:
    change(DISABLE)
    change(DISABLE.replace("now()", "NULL"))

    assert embedded(client, id_token).status_code == 200


def test_a_dead_token_is_shown_on_both_pages_outside_the_admin(client: FlaskClient, change) -> None:
    log_in(client, "alice@example.com")
    change(REFUSE)

    overview, health = (client.get(path, headers=DOCUMENT).text for path in ("/", "/health"))

    assert "Storelens is not connected" in overview
    for page in (overview, health):
        assert "from the Shopify admin once to renew it" in " ".join(page.split())


def test_a_dead_token_is_replaced_by_the_merchants_visit(client: FlaskClient, id_token, change) -> None:
    change(REFUSE)

    page = embedded(client, id_token)

    assert page.status_code == 200
    assert "Storelens is not connected" not in page.text


def test_orders_of_sixty_days_only_are_explained_with_the_way_to_all(
    client: FlaskClient, id_token, change, config
) -> None:
    change(GRANT, scopes=DEFAULT_SCOPES)

    page = embedded(client, id_token, "/health").text

    address = page.split('id="optional-scopes"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")
    query = parse_qs(urlsplit(address).query)
    assert "last 60 days of orders" in page
    assert address.startswith(f"{config.shop_origin(STORE)}/admin/oauth/install?")
    assert (query["optional_scopes"], query["client_id"]) == ([OPTIONAL_SCOPES], [config.shopify_api_key])
    assert "lacking-scopes" not in page


def test_a_store_that_granted_everything_is_told_nothing(client: FlaskClient, id_token, change) -> None:
    change(GRANT, scopes=f"{DEFAULT_SCOPES},{OPTIONAL_SCOPES}")

    page = embedded(client, id_token, "/health").text

    assert "optional-scopes" not in page
    assert "lacking-scopes" not in page


def test_write_access_is_read_access_too(client: FlaskClient, id_token, change) -> None:
    change(GRANT, scopes=DEFAULT_SCOPES.replace("read_", "write_"))

    assert "lacking-scopes" not in embedded(client, id_token, "/health").text


def test_a_scope_the_store_did_not_grant_is_named(client: FlaskClient, id_token, change) -> None:
    change(GRANT, scopes="read_orders,read_products,read_customers")

    page = embedded(client, id_token, "/health").text

    assert "<code>read_customer_merge</code>" in page.split('id="lacking-scopes"')[1].split("</p>")[0]
