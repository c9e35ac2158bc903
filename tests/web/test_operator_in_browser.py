"""The operators' pages in Chromium: nothing runs over the edge of a desk's or a phone's screen, and buttons work."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from sqlalchemy import insert
from werkzeug.serving import make_server

from shopify_app import logins, operators
from shopify_app.database import directory, operations
from shopify_app.models import Delivery
from shopify_app.runtime import current
from tests.web.conftest import World

pytestmark = pytest.mark.browser

EMAIL = "olga@storelens.example"
PASSWORD = "fourteen letters at least"
TRACE = 'Traceback (most recent call last):\n  File "shopify_app/ingest/orders.py", line 120, in rows\n' + "x" * 300
ERRORS = ("$.total_price: expected a decimal, got 'twelve'", "KeyError: " + "a_name_without_any_space_" * 6)
OVERFLOWS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def letters(app: Flask, world: World) -> list[int]:
    """Dead letters of both stores."""
    now = datetime.now(UTC)
    rows = [
        {
            "tenant_id": tenant_id,
            "shop_domain": f"{shop}.myshopify.com",
            "topic": ("orders/create", "customers_email_marketing_consent/update")[number % 2],
            "webhook_id": f"b54557e4-bdd9-4b37-8a5f-bf7d70bcd0{number}",
            "event_id": f"98880550-7158-44d4-b7cd-2c97c8a091{number}",
            "payload": b"{}",
            "received_at": now - timedelta(hours=number + 1),
            "dead_at": now,
            "attempts": 8,
            "error": ERRORS[number % 2],
            "traceback": TRACE,
        }
        for number, (tenant_id, shop) in enumerate(2 * [(world.alpha, "alpha"), (world.beta, "beta")], start=10)
    ]
    with app.app_context(), directory() as session:
        return list(session.scalars(insert(Delivery).values(rows).returning(Delivery.id)))


@pytest.fixture(params=[1280, 390])
def page(request: pytest.FixtureRequest, app: Flask, browser: Browser, address: str) -> Iterator[Page]:
    """A page of an operator who has just logged in."""
    seed = operators.new_seed(EMAIL)
    with app.app_context(), operations() as session:
        hashed = logins.hash_password(PASSWORD)
        operators.create(session, email=EMAIL, password_hash=hashed, seed=seed, vault=current().vault, by="root")
    context = browser.new_context(viewport={"width": request.param, "height": 800})
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(f"{address}/operator/login")
    page.fill("[name=email]", EMAIL)
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=code]", pyotp.TOTP(seed.secret).now())
    page.click("text=Log in")
    page.wait_for_selector("text=How they are doing")
    yield page
    context.close()


def test_letters_are_looked_at_replayed_and_discarded(page: Page, letters: list[int]) -> None:
    page.click("nav >> text=Dead letters")
    page.wait_for_selector("text=4 dead letters")
    overflows = {"list": page.evaluate(OVERFLOWS)}
    page.click(f"text='{letters[0]}'")
    page.wait_for_selector("h2:has-text('Traceback')")
    overflows["letter"] = page.evaluate(OVERFLOWS)
    page.click("button:text-is('Replay')")
    page.wait_for_selector(f"text=Delivery {letters[0]} will be applied again.")
    page.select_option("[name=store]", "beta.myshopify.com")
    page.click("text=Show")
    page.click("text=Discard all 2")
    page.wait_for_selector("text=Discard 2 deliveries?")
    overflows["question"] = page.evaluate(OVERFLOWS)
    page.click("button:has-text('Discard 2 deliveries')")
    page.wait_for_selector("text=2 deliveries will not be applied.")
    overflows["nothing left"] = page.evaluate(OVERFLOWS)

    assert page.inner_text("#dead-letters").endswith("No dead letters of beta.myshopify.com. Show all")
    assert overflows == {"list": 0, "letter": 0, "question": 0, "nothing left": 0}


def test_the_first_page_fits_too_and_says_when_nothing_died(page: Page, world: World) -> None:
    assert page.evaluate(OVERFLOWS) == 0

    page.click("nav >> text=Dead letters")

    page.wait_for_selector("text=Every delivery that came was applied")
    assert page.evaluate(OVERFLOWS) == 0
