"""The overview and the data health page: what they show, to whom, and how they keep up."""

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text

from config import WEBHOOKS_OF_APP
from shopify_app.database import directory, tenant_work
from shopify_app.models import Backfill, Delivery, WebhookSubscription
from shopify_app.runtime import EXTENSION
from tests.web.conftest import DOCUMENT, FETCH, FRAME, OTHER_STORE, STORE, World, log_in
from tests.web.seeds import GOODS, seed_sales

Pages = Callable[..., str]
END = date(2026, 11, 22)
WEEK = "range=custom&from=2026-11-16&to=2026-11-22&compare=previous_period"


@pytest.fixture
def seeded(app: Flask, world: World) -> World:
    with app.app_context():
        seed_sales(world.alpha, END)
    return world


@pytest.fixture
def embedded(id_token: Callable[..., str]) -> Callable[[str], dict[str, str]]:
    return lambda store: {**FETCH, "Authorization": f"Bearer {id_token(store)}"}


def value_of(page: str, figure: str) -> str:
    return re.search(rf'data-figure="{figure}" data-value="([^"]*)"', page)[1]


def plan(tenant_id: int, **states: str) -> None:
    """Put a backfill of each resource named into the state given."""
    run_id = uuid.uuid4()
    with tenant_work(tenant_id) as session:
        for resource, state in states.items():
            error = "Shopify ended the export as FAILED." if state == "failed" else None
            row = {"tenant_id": tenant_id, "run_id": run_id, "resource": resource, "state": state, "error": error}
            session.execute(insert(Backfill), {**row, "objects_total": 100, "objects_read": 40})


# ── the overview ──


def test_the_figures_are_those_of_the_sales(client: FlaskClient, seeded: World) -> None:
    log_in(client, "alice@example.com")

    page = client.get(f"/?{WEEK}", headers=DOCUMENT).text

    # Days 0 to 6 back: 1, 2, 3, 4, 1, 2, 3 orders of 40, 55, 70, 85, 100, 115, 130; orders 9 (85) is returned.
    gross = 40 + 2 * 55 + 3 * 70 + 4 * 85 + 100 + 2 * 115 + 3 * 130
    assert float(value_of(page, "gross_sales")) == gross
    assert float(value_of(page, "discounts")) == gross / 10
    assert float(value_of(page, "returns")) == 85 * 0.9
    assert float(value_of(page, "net_sales")) == pytest.approx(gross * 0.9 - 85 * 0.9)
    assert float(value_of(page, "orders")) == 16
    assert float(value_of(page, "shipping")) == 80
    assert float(value_of(page, "taxes")) == pytest.approx(gross / 20 - 85 / 20)
    assert float(value_of(page, "average_order_value")) == pytest.approx(gross * 0.9 / 16)
    assert float(value_of(page, "returning_customer_rate")) == 1


def test_every_figure_says_how_it_is_defined(client: FlaskClient, seeded: World) -> None:
    log_in(client, "alice@example.com")

    page = client.get("/", headers=DOCUMENT).text

    for figure in ("total_sales", "net_sales", "orders", "average_order_value", "returning_customer_rate"):
        definition = page.split(f'id="define-{figure}"')[1].split("<p>")[1].split("</p>")[0]
        assert len(definition) > 20


def test_the_admin_and_a_login_show_the_same_figures(
    client: FlaskClient, app: Flask, seeded: World, embedded: Callable[[str], dict[str, str]]
) -> None:
    log_in(client, "alice@example.com")

    outside = client.get(f"/?{WEEK}", headers=DOCUMENT).text
    inside = app.test_client().get(f"/?{WEEK}", headers=embedded(STORE)).text

    figures = re.findall(r'data-figure="\w+" data-value="[^"]*"', outside)
    assert len(figures) == 12
    assert re.findall(r'data-figure="\w+" data-value="[^"]*"', inside) == figures


def test_a_store_sees_nothing_of_another(
    client: FlaskClient, seeded: World, embedded: Callable[[str], dict[str, str]]
) -> None:
    page = client.get(f"/?{WEEK}", headers=embedded(OTHER_STORE)).text

    assert float(value_of(page, "total_sales")) == 0
    assert not any(title in page for title in GOODS)
    assert "example.com" not in page


def test_a_chart_comes_with_its_table(client: FlaskClient, seeded: World) -> None:
    log_in(client, "alice@example.com")

    page = client.get(f"/?{WEEK}", headers=DOCUMENT).text

    assert page.count('class="band"') == 7
    assert "<title" in page.split("<svg")[1]
    assert "<desc" in page.split("<svg")[1]
    table = page.split('id="sales-table"')[1].split("</table>")[0]
    assert table.count("<tr>") == 8
    assert "Nov 16, 2026" in table
    assert "Nov 9, 2026" in table


def test_without_a_comparison_nothing_is_compared(client: FlaskClient, seeded: World) -> None:
    log_in(client, "alice@example.com")

    page = client.get("/?range=last_7_days&compare=none", headers=DOCUMENT).text

    assert "Compared with" not in page
    assert 'class="compared"' not in page


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("range=custom&from=2026-11-22&to=2026-11-01", "The range ends before it starts."),
        ("range=custom&from=x&to=2026-11-01", "The dates are not days of the calendar."),
        ("range=custom&from=0001-01-01&to=0001-01-02", "The dates are not days of the calendar."),
        ("range=eternity", "There is no range called"),
        ("compare=nothing", "There is no comparison called"),
    ],
)
def test_a_range_that_cannot_be_shown_is_said_so_beside_the_last_30_days(
    client: FlaskClient, world: World, query: str, problem: str
) -> None:
    log_in(client, "alice@example.com")

    response = client.get(f"/?{query}", headers=DOCUMENT)

    assert response.status_code == 200
    assert problem in response.text
    assert 'value="last_30_days" selected' in response.text


def test_a_fragment_that_changed_nothing_is_answered_304(client: FlaskClient, app: Flask, seeded: World) -> None:
    log_in(client, "alice@example.com")
    address = f"/overview/fragment?{WEEK}"
    tag = client.get(address, headers=FETCH).headers["ETag"]

    same = client.get(address, headers={**FETCH, "If-None-Match": tag})
    with app.app_context(), tenant_work(seeded.alpha) as session:
        session.execute(text("UPDATE rollup_states SET version = version + 1"))
    changed = client.get(address, headers={**FETCH, "If-None-Match": tag})

    assert (same.status_code, same.text) == (304, "")
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
    assert changed.text.lstrip().startswith("<div")


def test_a_page_knows_the_version_of_its_fragment(client: FlaskClient, seeded: World) -> None:
    log_in(client, "alice@example.com")
    page = client.get(f"/?{WEEK}", headers=DOCUMENT).text
    address = re.search('data-fragment="([^"]+)"', page)[1].replace("&amp;", "&")
    version = re.search('data-version="([^"]+)"', page)[1].replace("&#34;", '"')

    response = client.get(address, headers={**FETCH, "If-None-Match": version})

    assert response.status_code == 304


def test_another_store_has_another_version(
    client: FlaskClient, seeded: World, embedded: Callable[[str], dict[str, str]]
) -> None:
    tags = {client.get("/overview/fragment", headers=embedded(store)).headers["ETag"] for store in (STORE, OTHER_STORE)}

    assert len(tags) == 2


# ── the first backfill, as the overview shows it ──


def test_a_backfill_under_way_shows_how_far_it_is_and_is_looked_at_often(
    client: FlaskClient, app: Flask, world: World
) -> None:
    with app.app_context():
        plan(world.alpha, customers="done", products="loading", orders="running", refunds="planned")
    log_in(client, "alice@example.com")

    page = client.get("/", headers=DOCUMENT).text

    assert 'data-resource="products" data-state="loading"' in page
    assert "40 of 100 records loaded" in page
    assert 'max="100" value="40"' in page
    assert 'data-every="2000"' in page


def test_a_finished_backfill_leaves_the_overview_alone(client: FlaskClient, app: Flask, world: World) -> None:
    with app.app_context():
        plan(world.alpha, customers="done", orders="done")
    log_in(client, "alice@example.com")

    page = client.get("/", headers=DOCUMENT).text

    assert 'id="progress"' not in page
    assert 'data-every="4000"' in page


def test_a_failed_backfill_says_what_is_missing_and_what_to_do(client: FlaskClient, app: Flask, world: World) -> None:
    with app.app_context():
        plan(world.alpha, customers="done", orders="failed")
    log_in(client, "alice@example.com")

    page = client.get("/", headers=DOCUMENT).text

    assert "Shopify ended the export as FAILED." in page
    assert 'href="/health"' in page.split('id="progress"')[1]


# ── data health ──


def test_the_health_page_tells_what_arrived_and_what_was_refused(client: FlaskClient, app: Flask, world: World) -> None:
    with app.app_context():
        plan(world.alpha, customers="done")
        with tenant_work(world.alpha) as session:
            topics = [("orders/create", None), ("customers/merge", "The store has not granted read_customer_merge.")]
            rows = [{"tenant_id": world.alpha, "topic": topic, "uri": "/", "error": error} for topic, error in topics]
            session.execute(insert(WebhookSubscription), rows)
        deliver(world.alpha, "orders/create", processed_at=datetime.now(UTC))
        deliver(world.beta, "products/update")
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert "Connected" in page
    assert "(orders/create)" in page
    assert "products/update" not in page
    assert "1 of 2 topics" in page
    assert "read_customer_merge" in page


def test_topics_not_listened_to_are_named_where_shopify_has_them_from_the_apps_own_file(
    client: FlaskClient, app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = app.extensions[EXTENSION]
    by_app = replace(held, config=replace(held.config, webhook_subscriptions=WEBHOOKS_OF_APP))
    monkeypatch.setitem(app.extensions, EXTENSION, by_app)
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert page.count("Not listening to") == 1
    assert "Not listening to customers/merge. The store has not granted the access scope read_customer_merge" in page


def test_deliveries_that_wait_or_could_not_be_applied_are_counted(
    client: FlaskClient, app: Flask, world: World
) -> None:
    with app.app_context():
        deliver(world.alpha, "orders/create")
        deliver(world.alpha, "orders/updated", dead_at=datetime.now(UTC))
        deliver(world.beta, "orders/updated", dead_at=datetime.now(UTC))
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert "1 being applied" in page
    assert "1 could not be applied" in page


def deliver(tenant_id: int, topic: str, **columns: datetime) -> None:
    row = {
        "tenant_id": tenant_id,
        "shop_domain": STORE,
        "topic": topic,
        "webhook_id": uuid.uuid4().hex,
        "payload": b"{}",
    }
    with directory() as session:
        delivery = insert(Delivery).values(row).returning(Delivery.id)
        number = session.scalar(delivery)
        for name, value in columns.items():
            session.connection().exec_driver_sql("RESET ROLE")
            statement = text(f"UPDATE inbox SET {name} = :value WHERE id = :id")  # noqa: S608 a column named by the test
            session.execute(text("SET LOCAL ROLE storelens_clock"))
            session.execute(statement, {"value": value, "id": number})


def test_a_store_whose_access_ended_is_told_how_to_renew_it(client: FlaskClient, app: Flask, world: World) -> None:
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE offline_tokens SET failed_at = now(), failure = 'refused'"))
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert "Not connected" in page


def test_a_days_end_is_the_stores_own(client: FlaskClient, app: Flask, world: World) -> None:
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE tenants SET time_zone = 'Pacific/Kiritimati'"))
    log_in(client, "alice@example.com")

    page = client.get("/?range=today", headers=DOCUMENT).text

    today = (datetime.now(UTC) + timedelta(hours=14)).date()
    assert f'value="{today.isoformat()}"' in page


def test_a_framed_document_loads_app_bridge_first_and_polaris_after_it(
    client: FlaskClient, world: World, id_token: Callable[..., str]
) -> None:
    page = client.get(f"/?shop={STORE}&id_token={id_token()}", headers=FRAME).text

    scripts = re.findall(r'<script src="([^"]+)"( defer)?>', page)
    assert scripts[0] == ("https://cdn.shopify.test/shopifycloud/app-bridge.js", "")
    assert scripts[1] == ("https://cdn.shopify.test/shopifycloud/polaris-1.js", "")
    assert '<meta name="shopify-api-key" content="client-id-of-the-tests">' in page
    assert "<s-app-nav>" in page


def test_a_page_outside_the_admin_loads_nothing_of_shopifys(client: FlaskClient, world: World) -> None:
    log_in(client, "alice@example.com")

    page = client.get("/", headers=DOCUMENT).text

    assert "shopifycloud" not in page
    assert "<s-" not in page
