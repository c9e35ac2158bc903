"""What a merchant reads about the comparisons with Shopify, and asking for one."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text

from shopify_app import operators
from shopify_app.database import directory, tenant_work
from shopify_app.models import DriftSummary, Reconciliation
from shopify_app.reconcile import Standing
from shopify_app.web import checks
from shopify_app.web.formats import Formats
from tests.web.conftest import DOCUMENT, FETCH, World, claims_of, csrf_of, log_in
from tests.web.test_operator import enter, seed  # noqa: F401 - a fixture, which pytest finds by this name

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = "Storelens; the next full check looks into it."
AGAIN = "It is tried again within the hour."
THREE_FAULTS = (
    "Checked 40 orders 20 minutes ago: 1 was missing, 2 were outdated and 1 was deleted in Shopify; all repaired."
)
ENGLISH = Formats("en", "USD", "UTC")


def sentence(**values: object) -> tuple[str, str]:
    row = {"id": 1, "tenant_id": 1, "resource": "orders", "mode": "asked", "state": "done", "ceiling": NOW}
    ended = {"finished_at": NOW - timedelta(minutes=20)}
    (told,) = checks.told([Standing(**{**row, **ended, **values})], ENGLISH, NOW)
    return told.state, told.sentence


def record(tenant_id: int, **values: object) -> None:
    row = {"tenant_id": tenant_id, "resource": "orders", "mode": "asked", "state": "done", "ceiling": NOW}
    with tenant_work(tenant_id) as session:
        session.execute(insert(Reconciliation), {**row, "finished_at": datetime.now(UTC), **values})


@pytest.mark.parametrize(
    ("values", "state", "words"),
    [
        (
            {"checked": 12, "count_shopify": 12431, "count_held": 12431},
            "right",
            "Checked 12,431 orders 20 minutes ago: all match.",
        ),
        (
            {"checked": 40, "missing": 3, "stale": 1},
            "repaired",
            "Checked 40 orders 20 minutes ago: 3 were missing and 1 was outdated; all repaired.",
        ),
        (
            {"checked": 40, "missing": 1, "stale": 2, "deleted": 1},
            "repaired",
            THREE_FAULTS,
        ),
        (
            {"checked": 40, "count_shopify": 43, "count_held": 40},
            "open",
            f"Checked 40 orders 20 minutes ago. Shopify counts 3 more than {LATER}",
        ),
        (
            {"checked": 40, "missing": 2, "count_shopify": 39, "count_held": 40},
            "open",
            f"Checked 40 orders 20 minutes ago. 2 were missing; repaired. Shopify counts 1 fewer than {LATER}",
        ),
        (
            {"state": "failed", "error": "Access denied for orders field."},
            "stopped",
            f"The check of orders ended 20 minutes ago without a result: Access denied for orders field. {AGAIN}",
        ),
        (
            {"checked": 5, "resource": "checkouts", "finished_at": NOW - timedelta(seconds=30)},
            "right",
            "Checked 5 recently changed abandoned checkouts a moment ago: all match.",
        ),
        (
            {"checked": 5, "corrected": 2, "finished_at": NOW - timedelta(hours=1)},
            "right",
            "Checked 5 orders 1 hour ago: all match.",
        ),
        ({"checked": 5, "finished_at": NOW - timedelta(days=3)}, "right", "Checked 5 orders 3 days ago: all match."),
    ],
)
def test_a_check_is_told_in_a_sentence(values: dict[str, object], state: str, words: str) -> None:
    assert sentence(**values) == (state, words)


def test_a_store_that_was_never_compared_is_told_when_it_will_be(client: FlaskClient, world: World) -> None:
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert "Nothing has been compared with Shopify yet." in page
    assert "Carts are left out" in page


def test_a_store_sees_its_own_checks_alone(client: FlaskClient, app: Flask, world: World) -> None:
    with app.app_context():
        record(world.alpha, checked=777)
        record(world.alpha, resource="products", state="changes", finished_at=None)
        record(world.beta, resource="customers", checked=888)
    log_in(client, "alice@example.com")

    page = client.get("/health", headers=DOCUMENT).text

    assert "Checked 777 orders a moment ago: all match." in page
    assert "Being checked for the first time: products." in page
    assert "888" not in page
    assert "Check now" not in page


def test_an_owner_asks_for_a_check(client: FlaskClient, app: Flask, world: World) -> None:
    log_in(client, "alice@example.com")

    response = client.post("/health/check", data={"csrf_token": csrf_of(client, "/health")}, headers=DOCUMENT)

    assert (response.status_code, response.location) == (303, "/health")
    with app.app_context(), tenant_work(world.alpha) as session:
        planned = session.execute(text("SELECT resource, mode FROM reconciliations ORDER BY resource"))
        assert [tuple(row) for row in planned] == [
            (resource, "asked") for resource in ("checkouts", "customers", "orders", "products")
        ]
    assert [claim for claim in claims_of(app) if claim[0] == "reconcile"] == [("reconcile", world.alpha)] * 4


def test_an_owner_asks_for_a_check_inside_the_admin(client: FlaskClient, app: Flask, world: World, id_token) -> None:
    headers = {**FETCH, "Authorization": f"Bearer {id_token()}"}

    page = client.get("/health", headers=headers).text
    response = client.post("/health/check", headers=headers)

    assert 'action="/health/check"' in page
    assert response.status_code == 303
    assert [claim for claim in claims_of(app) if claim[0] == "reconcile"] == [("reconcile", world.alpha)] * 4


def test_a_viewer_may_not_ask_for_a_check(client: FlaskClient, app: Flask, world: World) -> None:
    log_in(client, "bob@example.com")

    response = client.post("/health/check", data={"csrf_token": csrf_of(client, "/settings")}, headers=DOCUMENT)

    assert response.status_code == 403
    assert "An owner of the store can ask for a check." in client.get("/health", headers=DOCUMENT).text
    assert not [claim for claim in claims_of(app) if claim[0] == "reconcile"]


def test_a_form_without_its_token_starts_nothing(client: FlaskClient, app: Flask, world: World) -> None:
    log_in(client, "alice@example.com")

    response = client.post("/health/check", headers=DOCUMENT)

    assert response.status_code in {400, 403}
    assert not [claim for claim in claims_of(app) if claim[0] == "reconcile"]


def test_operators_see_what_the_last_checks_found(
    client: FlaskClient,
    app: Flask,
    world: World,
    seed: operators.Seed,  # noqa: F811
) -> None:
    rows = [
        {"tenant_id": world.alpha, "resource": "orders", "state": "done", "checked": 41, "missing": 7},
        {"tenant_id": world.beta, "resource": "orders", "state": "failed", "error": "Shopify answered 403"},
    ]
    with app.app_context(), directory() as session:
        for row in rows:
            session.execute(insert(DriftSummary), {**row, "planned_at": NOW, "finished_at": NOW})

    enter(client, seed)
    page = client.get("/operator/drift", headers=DOCUMENT).text

    drift = page.split('id="drift"')[1]
    assert drift.index("beta.myshopify.com") < drift.index("alpha.myshopify.com")
    assert "Failed: Shopify answered 403" in drift
    assert '<td class="amount">41</td>' in drift
    assert "2026-11-22 12:00" in drift


def test_operators_see_that_nothing_was_compared_yet(
    client: FlaskClient,
    world: World,
    seed: operators.Seed,  # noqa: F811
) -> None:
    enter(client, seed)
    page = client.get("/operator/drift", headers=DOCUMENT).text

    assert "No store has been compared with Shopify yet." in page
