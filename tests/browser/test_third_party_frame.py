"""The app in the admin's frame, where it is another site's guest: without a cookie, and nowhere else than there."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Cookie, Route, expect

from supervisor.demo import Demo
from tests.browser.test_install import install
from tests.browser.test_main_job import choose, invite
from tests.flows.story import BIRCH, app_url, devstore_url, settled, wait_until

pytestmark = pytest.mark.browser

OUTSIDE, GUEST = "https://outside.example/", "https://guest.example/"
REMEMBER = "() => { document.cookie = 'known=1; SameSite=None; Secure'; return document.cookie }"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A person's browser that gives a frame of another site no cookies, as one in incognito mode does."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context
    context.close()


def test_this_browser_keeps_no_cookie_of_another_sites_frame(context: BrowserContext) -> None:
    def serve(route: Route) -> None:
        page = f'<iframe src="{GUEST}"></iframe>' if route.request.url == OUTSIDE else "a guest"
        cookie = {"Set-Cookie": "sent=1; SameSite=None; Secure"}
        route.fulfill(status=200, content_type="text/html", headers=cookie, body=page)

    context.route("https://*.example/", serve)
    page = context.new_page()

    page.goto(OUTSIDE)
    guest = page.frames[1]
    guest.wait_for_load_state()

    assert guest.evaluate(REMEMBER) == ""
    assert page.evaluate("document.cookie") == "sent=1"  # while the site one is on may have some


def test_the_app_works_as_another_sites_guest_without_cookies(stack: Demo, context: BrowserContext) -> None:
    sent_cookies: list[str] = []
    ours = app_url(stack)
    context.on(
        "request",
        lambda request: (
            sent_cookies.append(request.url)
            if request.url.startswith(ours) and request.frame.parent_frame and "cookie" in request.all_headers()
            else None
        ),
    )
    page = context.new_page()

    install(stack, page, "Install Storelens")
    wait_until("the backfill", lambda: settled(stack, BIRCH))
    app = page.frame_locator("iframe")
    choose(app, "last_90_days")
    link = invite(app, "frame@example.com")
    app.locator("body").evaluate("() => document.querySelector('s-app-nav [href=\"/health\"]').click()")
    expect(app.get_by_role("heading", name="Data health").first).to_be_visible()
    page.reload()
    expect(app.get_by_role("heading").first).to_be_visible()

    assert urlsplit(devstore_url(stack)).hostname != urlsplit(ours).hostname
    assert link.startswith(f"{ours}/invitations/")
    assert sent_cookies == []
    assert [cookie for cookie in context.cookies() if _is_of(cookie, ours)] == []


def _is_of(cookie: Cookie, origin: str) -> bool:
    return cookie.get("domain") == urlsplit(origin).hostname


@pytest.fixture
def bait() -> Iterator[Callable[[str], str]]:
    """Serves, at an origin that is neither the store's nor the admin's, a page that frames an address."""
    framed: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f'<!doctype html><p>bait</p><iframe src="{framed[-1]}"></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    def serve(address: str) -> str:
        framed.append(address)
        return f"http://localhost:{server.server_port}/"

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield serve
        server.shutdown()


@pytest.mark.parametrize("path", ["/?shop={shop}&embedded=1", "/settings", "/login", "/auth/bounce?shopify-reload=/"])
def test_no_other_site_can_frame_a_page(
    stack: Demo, context: BrowserContext, bait: Callable[[str], str], path: str
) -> None:
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))

    page.goto(bait(app_url(stack) + path.format(shop=BIRCH)))
    wait_until("the refusal", lambda: page.wait_for_timeout(50) or complaints, patience=10)

    assert any("frame-ancestors" in text for text in complaints), complaints
