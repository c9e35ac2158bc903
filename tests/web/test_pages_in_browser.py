"""The pages in Chromium: framed by another site, followed by fetch, kept up to date, readable on a phone."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Frame, Page
from sqlalchemy import text
from werkzeug.serving import make_server

from shopify_app.database import tenant_work
from tests.shopify.scripted import Asked, Reply, Scripted
from tests.web.conftest import PASSWORD, STORE, World
from tests.web.seeds import seed_sales

pytestmark = pytest.mark.browser

# The part of App Bridge these tests need: a token on every fetch of the app's own.
BRIDGE = """
const plain = window.fetch.bind(window);
window.fetch = (input, init) => {
  const request = new Request(input, init);
  const headers = new Headers(request.headers);
  headers.set("Authorization", "Bearer %s");
  return plain(new Request(request, { headers }));
};
"""


@pytest.fixture
def elsewhere(shopify: Scripted) -> str:
    """The scripted Shopify under another host name than the app's: to a browser, another site."""
    return shopify.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def environ(environ: dict[str, str], elsewhere: str) -> dict[str, str]:
    return {**environ, "SHOPIFY_ADMIN_ORIGIN": elsewhere, "SHOPIFY_CDN_ORIGIN": elsewhere}


@pytest.fixture
def address(app: Flask, world: World) -> Iterator[str]:
    """Where the app answers over a real socket, with 75 days of sales in the first store."""
    with app.app_context():
        seed_sales(world.alpha, datetime.now(ZoneInfo("America/New_York")).date())
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=[1280, 390])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": request.param, "height": 800})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained about."""
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Page:
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


@pytest.fixture
def frame(page: Page, address: str, elsewhere: str, shopify: Scripted, id_token: Callable[..., str]) -> Frame:
    """The app inside a page of another site, as the admin shows it; Polaris stays away."""
    source = f"{address}/?shop={STORE}&host=YWRtaW4&embedded=1&hmac=0&timestamp=1&id_token={id_token()}"
    admin = f'<body><iframe name="app" width="100%" height="700" src="{source}"></iframe>'
    bridge = BRIDGE % id_token(exp=int(datetime.now(UTC).timestamp()) + 600)
    usual = shopify.otherwise

    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/store/"):
            return Reply(admin, headers={"Content-Type": "text/html"})
        if asked.path.endswith("/admin/oauth/access_token"):
            return usual(asked)
        body = bridge if asked.path.endswith("app-bridge.js") else ""
        return Reply(body, headers={"Content-Type": "text/javascript"})

    shopify.otherwise = answer
    page.goto(f"{elsewhere}/store/alpha/apps/storelens")
    frame = page.frame("app")
    assert frame is not None
    frame.wait_for_selector('[data-figure="total_sales"]')
    return frame


def test_pages_in_the_admin_are_followed_without_leaving_the_document(
    page: Page, frame: Frame, complaints: list[str]
) -> None:
    documents: list[str] = []
    page.on("request", lambda request: documents.append(request.url) if request.is_navigation_request() else None)

    frame.click("s-link[href='/settings']")
    frame.wait_for_selector("text=Invite somebody")
    settings = frame.evaluate("location.href")
    frame.click("s-link[href='/health']")
    frame.wait_for_selector("text=Connection with Shopify")
    frame.evaluate("history.back()")
    frame.wait_for_selector("text=Invite somebody")

    assert documents == []
    assert "/settings?" in settings
    assert f"shop={STORE}" in settings
    assert "id_token" not in settings
    assert frame.title() == "Settings · Storelens"
    assert complaints == []


def test_a_form_in_the_admin_is_sent_and_its_answer_shown(frame: Frame) -> None:
    frame.click("s-link[href='/settings']")
    frame.fill("[name=email]", "dora@example.com")
    frame.click("text=Create invitation")

    link = frame.wait_for_selector("#invitation-link")

    assert link is not None
    assert "/invitations/" in link.input_value()


def test_another_range_is_chosen_in_the_admin(frame: Frame) -> None:
    frame.select_option("[name=range]", "last_7_days")
    frame.select_option("[name=compare]", "none")
    frame.click("text=Apply")

    frame.wait_for_selector("svg:not(:has(.compared))")

    assert "range=last_7_days" in frame.evaluate("location.search")
    assert frame.locator(".band").count() == 7


def test_new_figures_appear_on_an_open_page(app: Flask, world: World, frame: Frame) -> None:
    with app.app_context(), tenant_work(world.alpha) as session:
        session.execute(text("UPDATE day_totals SET orders = 1000"))
        session.execute(text("UPDATE rollup_states SET version = version + 1"))

    frame.wait_for_selector('[data-figure="orders"][data-value="30000"]', timeout=30_000)


def test_an_opened_definition_stays_open_through_an_update(app: Flask, world: World, frame: Frame) -> None:
    frame.click("#define-orders summary")
    with app.app_context(), tenant_work(world.alpha) as session:
        session.execute(text("UPDATE day_totals SET orders = 1000"))
        session.execute(text("UPDATE rollup_states SET version = version + 1"))

    frame.wait_for_selector('[data-figure="orders"][data-value="30000"]', timeout=30_000)

    assert frame.locator("#define-orders[open]").count() == 1


def test_a_page_is_readable_without_polaris(frame: Frame) -> None:
    assert frame.locator("h1:visible").inner_text() == "Overview"
    assert frame.locator("h2:visible").count() >= 5
    assert frame.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_chart_reads_out_its_days_by_key(frame: Frame) -> None:
    frame.focus(".chart svg")
    frame.press(".chart svg", "ArrowRight")
    last = frame.inner_text(".readout")
    frame.press(".chart svg", "ArrowLeft")

    assert frame.inner_text(".readout") != last
    assert "$" in last


def test_a_member_works_outside_the_admin_without_scrolling_sideways(
    page: Page, address: str, complaints: list[str]
) -> None:
    page.goto(f"{address}/health")
    page.fill("[name=email]", "alice@example.com")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    page.wait_for_url("**/health")

    for path in ("/", "/health", "/settings"):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    page.click("text=Log out")

    page.wait_for_url("**/login")
    assert complaints == []
