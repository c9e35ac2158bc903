"""A backfill in a browser that runs no scripts: the page asks for itself anew, and its buttons are plain forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from shopify_app import backfill
from shopify_app.database import tenant_work
from shopify_app.models import Tenant
from tests.web.conftest import PASSWORD, World
from tests.web.test_operator_in_browser import OVERFLOWS, address  # noqa: F401 - a fixture

pytestmark = pytest.mark.browser


@pytest.fixture(params=[1280, 390])
def page(request: pytest.FixtureRequest, browser: Browser, address: str, world: World) -> Iterator[Page]:  # noqa: F811
    """The page of an owner who has logged in, without scripts."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": request.param, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/login?next=/health")
    page.fill("[name=email]", "alice@example.com")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    yield page
    context.close()


def move(app: Flask, tenant_id: int, **changes: object) -> None:
    """Write what a worker found out of the store's customers."""
    with app.app_context(), tenant_work(tenant_id) as session:
        (found,) = backfill.progress(session)
        standing = backfill.read(session, tenant_id, found.id)
        backfill.write(session, replace(standing, **changes), datetime.now(UTC))


def test_it_is_watched_cancelled_and_tried_again(app: Flask, world: World, page: Page) -> None:
    with app.app_context(), tenant_work(world.alpha) as session:
        backfill.start(session, session.get_one(Tenant, world.alpha), ["customers"], datetime.now(UTC))
    move(app, world.alpha, state="loading", objects_total=50_000, objects_read=12_345)

    page.reload()
    shown = page.inner_text("[data-resource=customers]")
    asks_anew = page.locator("head meta[http-equiv=refresh]").count()
    overflows = [page.evaluate(OVERFLOWS)]
    page.click("text=Cancel")
    stopping = page.inner_text("[data-resource=customers]")
    move(app, world.alpha, state="cancelled", error="It was cancelled. What was loaded before stays.")
    page.reload()
    ended = page.inner_text("[data-resource=customers]")
    overflows.append(page.evaluate(OVERFLOWS))
    page.click("text=Try again")

    assert "12,345 of 50,000 records loaded" in shown
    assert asks_anew == 1
    assert "Being cancelled, 12,345 records loaded" in stopping
    assert "Cancelled after 12,345 records" in ended
    assert "What was loaded before stays." in ended
    assert "Waiting for its turn" in page.inner_text("[data-resource=customers]")
    assert overflows == [0, 0]
