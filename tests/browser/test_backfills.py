"""Backfills as people see them: a merchant in the admin, and an operator in the console, each with a finger on them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Cookie, FrameLocator, Page, expect

from supervisor.demo import Demo
from tests.browser.test_install import install
from tests.conftest import ROOT
from tests.flows.story import BIRCH, app_url, devstore_url, rows, settled, tenant, wait_until

pytestmark = pytest.mark.browser

EMAIL = "olga@storelens.example"
PASSWORD = "fourteen letters at least"
PATIENCE = 30_000  # milliseconds
STALLED = {"resources": ["orders"], "stall_at": 20, "seconds": 1.0}
SLOW = {"seconds": 4.0}
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def faults(stack: Demo) -> Iterator[Callable[..., None]]:
    """Sets what goes wrong with the store's exports; nothing does once the test has ended."""
    address = f"{devstore_url(stack)}/_dev/stores/{BIRCH}/faults"
    sent = {"Origin": devstore_url(stack)}

    def put(**bulk: object) -> None:
        assert httpx.post(address, json={"bulk": bulk}, headers=sent, timeout=30).status_code < 300

    yield put
    assert httpx.delete(address, headers=sent, timeout=30).status_code < 300


def health(page: Page) -> FrameLocator:
    """Go to the health page by the admin's navigation."""
    app = page.frame_locator("iframe")
    app.locator("body").evaluate("() => document.querySelector('s-app-nav [href=\"/health\"]').click()")
    expect(app.get_by_role("heading", name="Data health").first).to_be_visible()
    return app


def bar(app: FrameLocator | Page, resource: str, state: str) -> None:
    """Wait until a resource's bar shows a state."""
    shown = app.locator(f'#history [data-resource="{resource}"][data-state="{state}"]')
    expect(shown).to_be_visible(timeout=PATIENCE)


def states(stack: Demo) -> list[tuple[str, str]]:
    """The resource and the state of every backfill of the store, oldest first."""
    return [(row["resource"], row["state"]) for row in rows(stack, BIRCH, "SELECT * FROM backfills ORDER BY id")]


def test_a_merchant_watches_a_backfill_cancels_it_and_tries_again(
    stack: Demo, context: BrowserContext, faults: Callable[..., None]
) -> None:
    page = context.new_page()
    install(stack, page, "Install Storelens")
    wait_until("the first backfill", lambda: settled(stack, BIRCH))
    faults(**STALLED)
    app = health(page)
    documents: list[str] = []
    page.on("request", lambda request: documents.append(request.url) if request.is_navigation_request() else None)

    app.get_by_role("button", name="Sync everything again").click()
    bar(app, "orders", "running")
    expect(app.locator('#history [data-resource="orders"]')).to_contain_text("20 records so far", timeout=PATIENCE)
    bar(app, "customers", "done")
    bar(app, "products", "done")
    expect(app.locator('#history [data-resource="customers"]')).to_contain_text("records loaded")
    assert documents == []  # all of that came without the page being loaded again

    page.reload()
    app = health(page)
    bar(app, "orders", "running")
    app.get_by_role("button", name="Cancel orders").click()
    bar(app, "orders", "cancelled")
    expect(app.locator('#history [data-resource="orders"]')).to_contain_text("Cancelled after 0 records")
    assert ("orders", "cancelled") in states(stack)

    faults()
    app.get_by_role("button", name="Try orders again").click()
    bar(app, "orders", "done")
    app.locator("#results summary").click()
    expect(app.locator("#results tbody tr").filter(has_text="Cancelled").first).to_be_visible()
    bar(app, "refunds", "done")
    wait_until("the repeated backfill", lambda: settled(stack, BIRCH))


def test_what_failed_says_why_and_what_to_do(stack: Demo, context: BrowserContext, faults: Callable[..., None]) -> None:
    page = context.new_page()
    install(stack, page, "Install Storelens")
    wait_until("the first backfill", lambda: settled(stack, BIRCH))
    faults(resources=["products"], fail_at=1, fail_code="ACCESS_DENIED", times=1)
    app = health(page)

    app.get_by_role("button", name="Sync products again").click()
    bar(app, "products", "failed")
    said = app.locator('#history [data-resource="products"] .problem').inner_text()
    app.get_by_role("button", name="Try products again").click()
    bar(app, "products", "done")

    assert "read_products" in said
    wait_until("the repeated backfill", lambda: settled(stack, BIRCH))


@pytest.fixture(scope="module")
def secret(stack: Demo) -> str:
    """The secret of an operator's one-time codes, as the command shows it once."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "operators", "create", EMAIL]
    environ = {**os.environ, **stack.environ}
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    done = subprocess.run(
        command, cwd=ROOT, env=environ, input=typed, capture_output=True, text=True, check=False, timeout=60
    )
    found = re.search(r"^  ([A-Z2-7]{32})$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout + done.stderr
    return found[1]


@pytest.fixture(scope="module")
def login(stack: Demo, browser: Browser, secret: str) -> list[Cookie]:
    """The cookies of an operator's login. One for all tests: a one-time code is good once."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{app_url(stack)}/operator")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("One-time code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible(timeout=PATIENCE)
    cookies = context.cookies()
    context.close()
    return cookies


@pytest.fixture
def console(stack: Demo, context: BrowserContext, login: list[Cookie]) -> Page:
    """The console, as an operator who has logged in sees it."""
    context.add_cookies([dict(cookie) for cookie in login])
    return context.new_page()


def test_an_operator_starts_cancels_and_repeats_a_backfill(
    stack: Demo, context: BrowserContext, console: Page, faults: Callable[..., None]
) -> None:
    merchant = context.new_page()
    install(stack, merchant, "Install Storelens")
    wait_until("the first backfill", lambda: settled(stack, BIRCH))
    faults(resources=["products"], stall_at=1, seconds=1.0)

    console.goto(f"{app_url(stack)}/operator/tenants/{tenant(stack, BIRCH)['id']}")
    for name in ("Customers", "Orders", "Checkouts"):
        console.locator("#start").get_by_label(name).uncheck()
    console.get_by_role("button", name="Start…").click()
    expect(console.get_by_role("heading", name="Start a backfill of")).to_be_visible()
    console.get_by_label("Reason").fill("to see it stall")
    console.get_by_role("button", name="Start the backfill").click()
    expect(console.get_by_role("status").first).to_contain_text("The backfill of products is under way.")
    running = console.locator('#backfills > * > table tr[data-state="running"]')
    expect(running).to_be_visible(timeout=PATIENCE)
    number = running.get_attribute("data-backfill")

    console.get_by_role("navigation", name="Pages").get_by_role("link", name="Backfills").click()
    console.get_by_role("link", name=re.compile("Under way 1")).click()
    console.get_by_role("link", name=f"Cancel backfill {number}").click()
    console.get_by_role("button", name="Cancel the backfill").click()
    expect(console.get_by_role("status").first).to_contain_text(f"Backfill {number} is being cancelled.")
    row = console.locator(f'tr[data-backfill="{number}"]')
    expect(row).to_have_attribute("data-state", "cancelled", timeout=PATIENCE)

    faults()
    console.get_by_role("link", name=f"Repeat backfill {number}").click()
    console.get_by_role("button", name="Start it again").click()
    done = console.locator("tr[data-backfill]").filter(has_text="Products").filter(has_text=EMAIL)
    expect(done).to_have_attribute("data-state", "done", timeout=PATIENCE)

    console.get_by_role("link", name="Queues").click()
    expect(console.locator("#workers tbody tr").first).to_be_visible()
    console.get_by_role("link", name="Audit").click()
    deeds = console.locator("[data-action]").evaluate_all("all => all.map(one => one.dataset.action)")
    told = [deed for deed in deeds if deed.startswith("backfill")]
    assert told == ["backfill retried", "backfill cancelled", "backfill started"]
    expect(console.locator("[data-action='backfill started']").first).to_contain_text("to see it stall")
    wait_until("everything", lambda: settled(stack, BIRCH))


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_of_the_console_runs_over_the_edge(stack: Demo, console: Page, width: int) -> None:
    console.set_viewport_size({"width": width, "height": 800})
    paths = ("", f"/tenants/{tenant(stack, BIRCH)['id']}", "/backfills", "/queues", "/dead-letters", "/drift", "/audit")

    over = {}
    for path in paths:
        console.goto(f"{app_url(stack)}/operator{path}")
        over[path] = console.evaluate(WIDE)

    assert over == dict.fromkeys(paths, 0)
