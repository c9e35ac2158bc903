"""The App Bridge stand-in in a real frame of another site: tokens, fetch, the bounce, the menu and the address bar."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from devstore import installs, signing
from supervisor.ports import free_port
from tests.devstore.serving import (
    CLIENT_ID,
    SECRET,
    SHOP,
    framed_app,
    install,
    made_devstore,
    running,
    small_options,
)

pytestmark = pytest.mark.browser

ADMIN = f"/store/aurora-outfitters/apps/{CLIENT_ID}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A devstore with the app installed, and the app it frames."""
    port, app_port = free_port(), free_port()
    options = small_options(tmp_path_factory.mktemp("devstore"), port=port, app_port=app_port)
    app = framed_app(options.origin)
    with made_devstore(options) as devstore, running(devstore, "localhost", port), running(app, "127.0.0.1", app_port):
        store = install(devstore)

        def uninstall() -> None:
            with devstore.app_context():
                installs.uninstall(store)

        yield SimpleNamespace(admin=options.origin, app=options.app.url, framed=app, store=store, uninstall=uninstall)


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Page:
    made = browser.new_page(locale="en-US")
    made.set_default_timeout(5000)
    return made


@pytest.fixture
def top(tab: Page, served: SimpleNamespace) -> Page:
    """A tab that shows nothing yet."""
    served.framed.config["SEEN"].clear()
    tab.goto("about:blank")
    return tab


@pytest.fixture
def said(tab: Page) -> Iterator[list[str]]:
    """What the console says."""
    words: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        words.append(message.text)

    tab.on("console", listen)
    yield words
    tab.remove_listener("console", listen)


def open_app(top: Page, served: SimpleNamespace, path: str = ""):
    """Open the app in the admin and return the frame, once App Bridge knows its surroundings."""
    top.goto(f"{served.admin}{ADMIN}{path}")
    top.frame_locator("#app-frame").locator("#where").wait_for()
    frame = top.frame("app-iframe")
    frame.evaluate("shopify.ready")
    return frame


def claims(token: str) -> dict[str, object]:
    return jwt.decode(token, OctKey.import_key(SECRET)).claims


def test_the_frame_is_launched_with_signed_parameters(top, served):
    frame = open_app(top, served, "/orders?range=30&tag=a%2Fb")

    query = dict(parse_qsl(urlsplit(frame.url).query))
    assert set(query) == {
        "range",
        "tag",
        "embedded",
        "hmac",
        "host",
        "id_token",
        "locale",
        "session",
        "shop",
        "timestamp",
    }
    assert query["hmac"] == signing.query_hmac(query, SECRET)
    assert query["shop"] == SHOP
    assert claims(query["id_token"])["dest"] == f"https://{SHOP}"
    assert urlsplit(frame.url).path == "/orders"


def test_managed_install_ends_in_the_app(top, served):
    served.uninstall()
    top.goto(f"{served.admin}/store/aurora-outfitters")

    top.get_by_role("link", name="Install Framed", exact=True).click()
    top.get_by_role("button", name="Install app").click()

    expect(top).to_have_url(f"{served.admin}{ADMIN}")
    expect(top.frame_locator("#app-frame").locator("#where")).to_contain_text("id_token=")


def test_id_token_is_for_this_app_and_store(top, served):
    frame = open_app(top, served)

    token = frame.evaluate("shopify.idToken()")

    held = claims(token)
    assert (held["aud"], held["dest"], held["iss"]) == (CLIENT_ID, f"https://{SHOP}", f"https://{SHOP}/admin")
    assert held["exp"] - held["iat"] == 60


def test_id_token_is_kept_until_it_is_about_to_expire(top, served):
    frame = open_app(top, served)

    first = frame.evaluate("shopify.idToken()")
    again = frame.evaluate("shopify.idToken()")
    late = frame.evaluate("{ const now = Date.now(); Date.now = () => now + 56_000; shopify.idToken() }")

    assert first == again
    assert late != first


def test_id_token_is_refused_outside_the_admin(top, served):
    top.goto(served.app)

    with pytest.raises(Exception, match="not inside the admin"):
        top.evaluate("shopify.idToken()")

    assert top.evaluate("shopify.environment.embedded") is False


def test_fetch_to_the_app_carries_token_and_language(top, served):
    frame = open_app(top, served)

    heard = frame.evaluate("fetch('/api/echo').then((response) => response.json())")

    token = heard["headers"]["authorization"].removeprefix("Bearer ")
    assert claims(token)["aud"] == CLIENT_ID
    assert heard["headers"]["accept-language"] == "en"


def test_fetch_keeps_an_authorization_of_its_own(top, served):
    frame = open_app(top, served)

    heard = frame.evaluate("fetch('/api/echo', {headers: {Authorization: 'Basic x'}}).then((r) => r.json())")

    assert heard["headers"]["authorization"] == "Basic x"


def test_fetch_to_another_origin_carries_no_token(top, served):
    frame = open_app(top, served)
    elsewhere = served.app.replace("127.0.0.1", "localhost")

    heard = frame.evaluate("(url) => fetch(url).then((r) => r.json())", f"{elsewhere}/api/echo")

    assert "authorization" not in heard["headers"]


def test_stale_session_is_retried_once_with_a_fresh_token_and_the_same_body(top, served):
    frame = open_app(top, served)

    heard = frame.evaluate("fetch('/api/stale', {method: 'POST', body: 'a=1'}).then((r) => r.json())")

    first, second = served.framed.config["SEEN"]
    assert first != second
    assert (heard["method"], heard["body"]) == ("POST", "a=1")


def test_refusal_without_the_retry_header_is_not_retried(top, served):
    frame = open_app(top, served)

    status = frame.evaluate("fetch('/api/refused').then((response) => response.status)")

    assert status == 401
    assert len(served.framed.config["SEEN"]) == 1


def test_reauthorize_header_leaves_the_frame(top, served):
    frame = open_app(top, served)

    frame.evaluate("void fetch('/api/outside')")

    top.wait_for_url(f"{served.app}/left")


def test_open_top_leaves_the_frame_without_a_click(top, served):
    frame = open_app(top, served)

    frame.evaluate("void window.open('/left', '_top')")

    top.wait_for_url(f"{served.app}/left")


def test_admin_link_of_the_app_opens_the_record(top, served):
    frame = open_app(top, served)
    order = max(served.store.orders)

    frame.evaluate("(id) => void window.open(`shopify:admin/orders/${id}`, '_top')", order)

    top.wait_for_url(f"{served.admin}/store/aurora-outfitters/orders/{order}")


def test_navigation_without_token_comes_back_through_the_bounce(top, served):
    frame = open_app(top, served)

    frame.evaluate("location.assign('/guarded?range=7')")

    frame.wait_for_url(re.compile("/guarded.*id_token="))
    query = dict(parse_qsl(urlsplit(frame.url).query))
    assert set(query) == {"range", "embedded", "host", "id_token", "locale", "shop"}
    assert query["range"] == "7"
    assert claims(query["id_token"])["aud"] == CLIENT_ID


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/x", "javascript:alert(1)"])
def test_bounce_does_not_leave_the_app(top, served, target):
    frame = open_app(top, served)

    with top.expect_event("console", lambda message: "leaves the app" in message.text):
        frame.evaluate("(to) => location.assign(`/bounce?shopify-reload=${encodeURIComponent(to)}`)", target)

    assert urlsplit(frame.url).path == "/bounce"


def test_menu_is_shown_in_the_sidebar_without_its_home(top, served):
    open_app(top, served, "/orders/12")

    links = top.locator("#app-nav a")
    expect(links).to_have_text(["Orders", "Settings"])
    expect(links.nth(0)).to_have_attribute("aria-current", "page")
    expect(top.locator("#app-home")).not_to_have_attribute("aria-current", "page")
    expect(top.frame_locator("#app-frame").locator("s-app-nav")).to_be_hidden()


def test_menu_click_loads_the_page_in_the_frame(top, served):
    open_app(top, served)

    top.locator("#app-nav").get_by_text("Orders").click()

    expect(top.frame_locator("#app-frame").locator("h1")).to_have_text("orders")
    expect(top).to_have_url(f"{served.admin}{ADMIN}/orders")


def test_menu_click_can_be_handled_by_the_app(top, served):
    frame = open_app(top, served)
    frame.evaluate("""document.addEventListener('click', (event) => {
        const link = event.target.closest('s-app-nav [href]');
        if (!link) return;
        event.preventDefault();
        history.pushState({}, '', link.getAttribute('href'));
        document.getElementById('where').textContent = 'swapped';
    })""")

    top.locator("#app-nav").get_by_text("Settings").click()

    expect(top.frame_locator("#app-frame").locator("#where")).to_have_text("swapped")
    expect(top).to_have_url(f"{served.admin}{ADMIN}/settings")
    expect(top.locator("#app-nav").get_by_text("Settings")).to_have_attribute("aria-current", "page")


def test_address_follows_the_app_without_launch_parameters(top, served):
    frame = open_app(top, served, "/orders?range=30")
    expect(top).to_have_url(f"{served.admin}{ADMIN}/orders?range=30")

    frame.evaluate("history.pushState({}, '', '/settings?tab=2&id_token=x')")

    expect(top).to_have_url(f"{served.admin}{ADMIN}/settings?tab=2")


def test_reload_of_the_admin_opens_the_same_page_of_the_app(top, served):
    frame = open_app(top, served)
    frame.evaluate("history.pushState({}, '', '/settings?tab=2')")
    expect(top).to_have_url(f"{served.admin}{ADMIN}/settings?tab=2")

    top.reload()

    expect(top.frame_locator("#app-frame").locator("#where")).to_contain_text("/settings?tab=2")


def test_back_returns_to_the_page_before(top, served):
    frame = open_app(top, served, "/orders")
    frame.evaluate("history.pushState({}, '', '/settings')")
    expect(top).to_have_url(f"{served.admin}{ADMIN}/settings")

    top.go_back()

    expect(top).to_have_url(f"{served.admin}{ADMIN}/orders")


def test_words_of_another_window_are_ignored(top, served):
    open_app(top, served)
    expect(top.locator("#app-nav a")).to_have_count(2)
    forged = {"channel": "devstore-bridge", "type": "nav", "detail": {"links": []}}

    top.evaluate("(message) => window.postMessage(message, '*')", forged)
    top.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")

    expect(top.locator("#app-nav a")).to_have_count(2)


def test_toast_is_shown_by_the_admin_and_answers_its_action(top, served):
    frame = open_app(top, served)

    frame.evaluate("shopify.toast.show('Saved', {action: 'Undo', onAction: () => { window.undone = true; }})")
    expect(top.locator(".toast")).to_contain_text("Saved")
    top.get_by_role("button", name="Undo").click()

    frame.wait_for_function("window.undone")


def test_toast_goes_when_it_is_dismissed(top, served):
    frame = open_app(top, served)
    frame.evaluate("shopify.toast.show('Saved', {onDismiss: () => { window.gone = true; }})")

    top.get_by_role("button", name="Dismiss").click()

    frame.wait_for_function("window.gone")
    expect(top.locator(".toast")).to_have_count(0)


def test_loading_bar_follows_the_app(top, served):
    frame = open_app(top, served)

    frame.evaluate("shopify.loading(true)")
    expect(top.locator("#loading")).to_be_visible()
    frame.evaluate("shopify.loading(false)")

    expect(top.locator("#loading")).to_be_hidden()


def test_save_bar_submits_the_form_that_changed(top, served):
    frame = open_app(top, served)
    frame.evaluate("""{
        document.body.insertAdjacentHTML('beforeend', '<form data-save-bar><input name="n" aria-label="N"></form>');
        const form = document.querySelector('form');
        form.addEventListener('submit', (event) => { event.preventDefault(); window.saved = form.elements.n.value; });
    }""")

    top.frame_locator("#app-frame").get_by_label("N").fill("7")
    top.locator("#save-bar").get_by_text("Save", exact=True).click()

    frame.wait_for_function("window.saved === '7'")
    expect(top.locator("#save-bar")).to_be_hidden()


def test_unsaved_changes_keep_the_merchant_on_the_page(top, served):
    frame = open_app(top, served)
    frame.evaluate("document.body.insertAdjacentHTML('beforeend', '<form data-save-bar id=f></form>')")
    frame.evaluate("shopify.saveBar.show('f')")
    expect(top.locator("#save-bar")).to_be_visible()

    top.locator("#app-nav").get_by_text("Orders").click()
    with pytest.raises(Exception, match="unsaved changes"):
        frame.evaluate("shopify.saveBar.leaveConfirmation()")

    assert urlsplit(frame.url).path == "/"


def test_optional_scope_is_granted_when_the_merchant_approves(top, served):
    frame = open_app(top, served)
    before = frame.evaluate("shopify.scopes.query()")

    frame.evaluate("void shopify.scopes.request(['read_all_orders']).then((answer) => { window.answer = answer; })")
    top.get_by_role("button", name="Approve").click()
    frame.wait_for_function("window.answer")

    answer = frame.evaluate("window.answer")
    assert "read_all_orders" not in before["granted"]
    assert answer["result"] == "granted-all"
    assert "read_all_orders" in answer["detail"]["granted"]
    after = frame.evaluate("shopify.scopes.revoke(['read_all_orders'])")
    assert "read_all_orders" not in after["detail"]["granted"]


def test_declined_scopes_stay_ungranted(top, served):
    frame = open_app(top, served)

    frame.evaluate("void shopify.scopes.request(['read_all_orders']).then((answer) => { window.answer = answer; })")
    top.get_by_role("button", name="Decline").click()
    frame.wait_for_function("window.answer")

    answer = frame.evaluate("window.answer")
    assert answer["result"] == "declined-all"
    assert "read_all_orders" not in answer["detail"]["granted"]


def test_script_that_is_not_first_is_reported(top, served, said):
    open_app(top, served, "/late")

    assert any("must be the first" in text for text in said)


def test_page_of_another_app_is_reported(top, served, said):
    open_app(top, served, "/impostor")

    assert any("the admin opened" in text for text in said)


def test_web_vitals_are_reported_when_the_page_is_hidden(top, served):
    frame = open_app(top, served)

    frame.evaluate("""shopify.webVitals.onReport((report) => { window.report = report; }).then(() => {
        Object.defineProperty(document, 'visibilityState', {value: 'hidden'});
        document.dispatchEvent(new Event('visibilitychange'));
    })""")

    names = {metric["name"] for metric in frame.evaluate("window.report.metrics")}
    assert "CLS" in names
