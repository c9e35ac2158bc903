"""The Polaris stand-in: every element exists, fields are part of their form, overlays open, tables become lists."""

import time
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from devstore.admin import polaris_script
from supervisor.ports import free_port
from tests.devstore.serving import running

pytestmark = pytest.mark.browser

# The elements of npm's @shopify/polaris-types 1.1.0.
ELEMENTS = [
    "s-avatar",
    "s-badge",
    "s-banner",
    "s-box",
    "s-button",
    "s-button-group",
    "s-checkbox",
    "s-chip",
    "s-choice",
    "s-choice-list",
    "s-clickable",
    "s-clickable-chip",
    "s-color-field",
    "s-color-picker",
    "s-date-field",
    "s-date-picker",
    "s-divider",
    "s-drop-zone",
    "s-email-field",
    "s-empty-state",
    "s-grid",
    "s-grid-item",
    "s-heading",
    "s-icon",
    "s-image",
    "s-link",
    "s-list-item",
    "s-menu",
    "s-modal",
    "s-money-field",
    "s-number",
    "s-number-field",
    "s-option",
    "s-option-group",
    "s-ordered-list",
    "s-page",
    "s-paragraph",
    "s-password-field",
    "s-popover",
    "s-press-button",
    "s-progress",
    "s-query-container",
    "s-scroll-box",
    "s-search-field",
    "s-section",
    "s-select",
    "s-spinner",
    "s-stack",
    "s-switch",
    "s-table",
    "s-table-body",
    "s-table-cell",
    "s-table-header",
    "s-table-header-row",
    "s-table-row",
    "s-text",
    "s-text-area",
    "s-text-field",
    "s-thumbnail",
    "s-tooltip",
    "s-unordered-list",
    "s-url-field",
]
STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:"


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A server of an empty document with the script, under a strict content security policy."""
    app = Flask("polaris", static_folder=None)
    port = free_port()

    @app.get("/polaris-1.js")
    def script():
        return polaris_script(), {"Content-Type": "text/javascript"}

    @app.get("/")
    def document():
        head = '<link rel="icon" href="data:,"><script src="/polaris-1.js"></script>'
        body = f'<!doctype html><html lang="en"><head>{head}</head><body></body></html>'
        return body, {"Content-Security-Policy": STRICT}

    with running(app, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Page:
    made = browser.new_page()
    made.set_default_timeout(5000)
    return made


@pytest.fixture
def page(tab: Page, origin: str) -> Iterator[Page]:
    """The document; what the console says about it fails the test."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    tab.set_viewport_size({"width": 900, "height": 700})
    tab.on("console", listen)
    tab.goto(origin)
    yield tab
    tab.remove_listener("console", listen)
    assert complaints == []


def until(page: Page, expression: str) -> None:
    """Wait for a script's yes; the document's policy forbids the evaluation of text that Playwright's wait needs."""
    deadline = time.monotonic() + 5
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(20)


def show(page: Page, html: str) -> None:
    page.evaluate("(html) => { document.body.innerHTML = html; }", html)


def test_every_element_is_defined(page):
    missing = page.evaluate("(names) => names.filter((name) => !customElements.get(name))", ELEMENTS)

    assert missing == []
    assert len(ELEMENTS) == 62


def test_elements_can_be_made_by_script(page):
    made = page.evaluate(
        """(names) => names.filter((name) => {
            const element = document.createElement(name);
            document.body.append(element);
            return element.shadowRoot !== null && element.isConnected;
        })""",
        ELEMENTS,
    )

    assert made == ELEMENTS


def test_attributes_are_properties(page):
    show(page, '<s-badge tone="success">ok</s-badge><s-button disabled>b</s-button>')

    page.evaluate("document.querySelector('s-badge').tone = 'critical'")
    page.evaluate("document.querySelector('s-button').disabled = false")

    assert page.get_attribute("s-badge", "tone") == "critical"
    assert page.get_attribute("s-button", "disabled") is None


FORM = """
<form><s-text-field label="Name" name="name" value="Ada"></s-text-field>
<s-select label="Period" name="period"><s-option value="7">Week</s-option>
<s-option value="30" selected>Month</s-option></s-select>
<s-checkbox label="Tests" name="tests" value="yes" checked></s-checkbox>
<s-switch label="Digest" name="digest"></s-switch>
<s-choice-list label="Zone" name="zone"><s-choice value="a">A</s-choice><s-choice value="b" selected>B</s-choice>
</s-choice-list><s-money-field label="Goal" name="goal" value="12.50"></s-money-field>
<s-text-area label="Note" name="note" value="n"></s-text-area><s-date-field label="Day" name="day" value="2026-11-01">
</s-date-field><s-button type="submit">Save</s-button><s-button type="reset">Undo</s-button></form>
"""
VALUES = "Object.fromEntries(new FormData(document.querySelector('form')))"
WRITTEN = {
    "name": "Ada",
    "period": "30",
    "tests": "yes",
    "zone": "b",
    "goal": "12.50",
    "note": "n",
    "day": "2026-11-01",
}


def test_fields_are_part_of_their_form(page):
    show(page, FORM)

    assert page.evaluate(VALUES) == WRITTEN


def test_fields_are_found_by_label_and_edited(page):
    show(page, FORM)

    page.get_by_label("Name").fill("Grace")
    page.get_by_label("Period").select_option("7")
    page.get_by_label("Tests").uncheck()
    page.get_by_role("switch", name="Digest").check()
    page.get_by_role("radio", name="A", exact=True).check()

    edited = {"name": "Grace", "period": "7", "zone": "a", "digest": "on"}
    assert page.evaluate(VALUES) == {key: value for key, value in WRITTEN.items() if key != "tests"} | edited


def test_reset_button_brings_back_what_was_written(page):
    show(page, FORM)
    page.get_by_label("Name").fill("Grace")

    page.get_by_role("button", name="Undo").click()

    until(page, f"({VALUES}).name === 'Ada'")


@pytest.mark.parametrize("how", ["button", "enter"])
def test_form_is_submitted_by_its_button_and_by_enter(page, how):
    show(page, FORM)
    page.evaluate(
        "document.querySelector('form').addEventListener('submit', (e) => { e.preventDefault(); window.sent = 1; })"
    )

    if how == "button":
        page.get_by_role("button", name="Save").click()
    else:
        page.get_by_label("Name").press("Enter")

    until(page, "window.sent === 1")


def test_required_field_without_value_holds_the_form_back(page):
    show(page, '<form><s-text-field label="Name" name="name" required></s-text-field></form>')

    assert page.evaluate("document.querySelector('form').checkValidity()") is False
    page.get_by_label("Name").fill("Ada")
    assert page.evaluate("document.querySelector('form').checkValidity()") is True


def test_disabled_button_does_nothing(page):
    show(page, FORM.replace('type="submit"', 'type="submit" disabled'))
    page.evaluate("document.querySelector('form').addEventListener('submit', () => { window.sent = 1; })")

    page.evaluate("document.querySelector('s-button').click()")
    page.evaluate("new Promise((resolve) => setTimeout(resolve, 30))")

    assert page.evaluate("window.sent") is None


def test_changes_are_announced_on_the_element(page):
    show(page, FORM)
    page.evaluate("""for (const type of ['input', 'change']) document.querySelector('s-text-field')
        .addEventListener(type, (event) => { (window.heard ??= []).push([type, event.target.value]); })""")

    page.get_by_label("Name").fill("Grace")
    page.get_by_label("Name").blur()

    assert page.evaluate("window.heard") == [["input", "Grace"], ["change", "Grace"]]


def test_link_goes_where_it_says_unless_the_page_handles_it(page, origin):
    show(page, '<s-link href="/?followed">Go</s-link><s-button href="/?handled">Stay</s-button>')
    page.evaluate("document.querySelector('s-button').addEventListener('click', (event) => event.preventDefault())")

    page.get_by_role("link", name="Stay").click()
    assert page.url == f"{origin}/"
    page.get_by_role("link", name="Go").click()

    page.wait_for_url("**/?followed")


def test_modal_opens_and_closes_by_command(page):
    show(
        page,
        """<s-button commandFor="m" command="--show">Open</s-button><s-modal id="m" heading="Sure?">Body
        <s-button slot="primary-action" commandFor="m" command="--hide">Yes</s-button></s-modal>""",
    )

    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("dialog", name="Sure?")).to_be_visible()
    page.get_by_role("button", name="Yes").click()

    expect(page.get_by_role("dialog")).to_be_hidden()


def test_popover_opens_beside_its_button(page):
    show(page, '<s-button commandFor="p">More</s-button><s-popover id="p"><s-text>Inside</s-text></s-popover>')

    page.get_by_role("button", name="More").click()

    expect(page.get_by_text("Inside")).to_be_visible()
    button, popover = page.locator("s-button").bounding_box(), page.locator("s-popover").bounding_box()
    assert popover["y"] >= button["y"] + button["height"]


def test_dismissed_banner_is_gone_and_says_so(page):
    show(page, '<s-banner heading="News" dismissible>text</s-banner>')
    page.evaluate("document.querySelector('s-banner').addEventListener('dismiss', () => { window.dismissed = 1; })")

    page.get_by_role("button", name="Dismiss").click()

    expect(page.locator("s-banner")).to_be_hidden()
    assert page.evaluate("window.dismissed") == 1


TABLE = """<s-table><s-table-header-row><s-table-header listSlot="primary">Customer</s-table-header>
<s-table-header format="currency">Sales</s-table-header></s-table-header-row><s-table-body>
<s-table-row><s-table-cell>Ada</s-table-cell><s-table-cell>$3.00</s-table-cell></s-table-row></s-table-body></s-table>"""


def test_table_has_the_roles_of_a_table(page):
    show(page, TABLE)

    expect(page.get_by_role("table").get_by_role("columnheader")).to_have_count(2)
    expect(page.get_by_role("cell").nth(1)).to_contain_text("$3.00")


def test_amounts_are_aligned_at_the_end_of_their_column(page):
    show(page, TABLE)

    align = "(element) => getComputedStyle(element).textAlign"
    assert page.locator("s-table-cell").nth(1).evaluate(align) == "end"
    assert page.locator("s-table-cell").nth(0).evaluate(align) == "start"


def test_table_is_a_list_where_there_is_little_room(page):
    page.set_viewport_size({"width": 390, "height": 700})
    show(page, TABLE)

    expect(page.locator("s-table-header-row")).to_be_hidden()
    expect(page.locator("s-table-cell .label").nth(1)).to_have_text("Sales")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_grid_follows_the_room_it_has(page):
    show(
        page,
        """<s-query-container><s-grid gridTemplateColumns="@container (inline-size > 500px) 1fr 1fr 1fr, 1fr">
        <s-box>a</s-box><s-box>b</s-box><s-box>c</s-box></s-grid></s-query-container>""",
    )
    columns = "getComputedStyle(document.querySelector('s-grid')).gridTemplateColumns.split(' ').length"

    assert page.evaluate(columns) == 3
    page.set_viewport_size({"width": 390, "height": 700})
    assert page.evaluate(columns) == 1


def test_headings_are_nested_by_section(page):
    show(
        page, '<s-page heading="Overview"><s-section heading="Sales"><s-heading>By day</s-heading></s-section></s-page>'
    )

    levels = [(1, "Overview"), (2, "Sales"), (3, "By day")]
    for level, name in levels:
        expect(page.get_by_role("heading", level=level, name=name)).to_be_visible()
