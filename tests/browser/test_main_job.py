"""The whole main job, as people do it: install from a link, watch the history arrive, read the numbers, log in outside.

Every figure shown is compared with what devstore computes from its own records by a path of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page, expect

from supervisor.demo import Demo
from tests.browser.test_install import uninstall
from tests.flows.story import AURORA, act, app_url, client_id, devstore_url, report, settled, tenant, wait_until

pytestmark = pytest.mark.browser

FIGURES = {
    "total_sales": "total_sales",
    "net_sales": "net_sales",
    "orders": "orders",
    "average_order_value": "aov",
    "returning_customer_rate": "returning_customer_rate",
    "gross_sales": "gross_sales",
    "discounts": "discounts",
    "returns": "returns",
    "shipping": "shipping",
    "taxes": "taxes",
}
PASSWORD = "a long enough password"


@pytest.fixture
def slow_exports(stack: Demo) -> Iterator[None]:
    """Exports of the store take as long as a page needs to be seen before they end."""
    address = f"{devstore_url(stack)}/_dev/stores/{AURORA}/faults"
    sent = {"Origin": devstore_url(stack)}
    assert httpx.post(address, json={"bulk": {"seconds": 8}}, headers=sent, timeout=30).status_code == 200
    yield
    assert httpx.delete(address, headers=sent, timeout=30).status_code < 300


@pytest.fixture
def console(context: BrowserContext) -> Iterator[list[str]]:
    """What pages complain about; a test that asks for it fails when they do."""
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: said.append(str(error.error)))
    yield said
    assert said == []


@pytest.mark.usefixtures("slow_exports")
def test_a_merchant_installs_reads_right_numbers_and_logs_in_outside(
    stack: Demo, context: BrowserContext, console: list[str]
) -> None:
    assert console == []
    page = context.new_page()
    known = tenant(stack, AURORA)
    if known and known["uninstalled_at"] is None:  # another story came first
        uninstall(stack, page, AURORA)

    install_from_link(stack, page)
    app = page.frame_locator("iframe")
    expect(app.get_by_role("heading", name="Overview").first).to_be_visible()
    expect(app.locator("#progress [data-resource]")).to_have_count(5)
    wait_until("the backfill", lambda: settled(stack, AURORA))
    expect(app.locator("#progress")).to_have_count(0)
    for choice in ("last_30_days", "last_90_days", "last_365_days"):
        choose(app, choice)
        compare(stack, app)

    choose(app, "last_30_days")
    before = shown(app)
    act(stack, AURORA, "place_order")
    orders = int(before["orders"]) + 1
    expect(app.locator(f'[data-figure="orders"][data-value="{orders}"]').first).to_be_attached(timeout=5_000)
    wait_until("the order's consequences", lambda: settled(stack, AURORA))
    compare(stack, app)

    link = invite(app, "ada@example.com")
    outside = context.new_page()
    join(outside, link)
    compare(stack, outside)
    log_in_again(stack, outside)
    compare(stack, outside)


def install_from_link(stack: Demo, page: Page) -> None:
    """From devstore's list of stores through the consent page into the frame."""
    page.goto(devstore_url(stack))
    page.get_by_role("link", name="Aurora Outfitters").first.click()
    page.get_by_role("link", name="Install Storelens from a link").click()
    page.get_by_role("button", name="Install").click()
    page.wait_for_url(f"**/store/aurora-outfitters/apps/{client_id(stack)}**")


def choose(app: FrameLocator | Page, preset: str) -> None:
    """Choose a range and wait until the page shows it."""
    app.locator("select[name=range]").select_option(preset)
    app.get_by_role("button", name="Apply").click()
    expect(app.locator("[data-fragment]")).to_have_attribute("data-fragment", re.compile(rf"range={preset}\b"))


def shown(app: FrameLocator | Page) -> dict[str, str]:
    """The figures on the page, unrounded, by name."""
    found = app.locator("[data-figure]")
    expect(found.first).to_be_attached()
    pairs = found.evaluate_all("all => all.map(one => [one.dataset.figure, one.dataset.value])")
    return dict(pairs)


def table(card: Locator) -> list[list[str]]:
    """The cells of a card's table."""
    rows = card.locator("tbody tr")
    return rows.evaluate_all("all => all.map(row => [...row.cells].map(cell => cell.innerText.trim()))")


def compare(stack: Demo, app: FrameLocator | Page) -> None:
    """Hold every figure of the page against devstore's own."""
    start_on, end_on = (app.locator(f"input[name={name}]").input_value() for name in ("from", "to"))
    truth = report(stack, AURORA, start_on, end_on)
    page = shown(app)
    for name, theirs in FIGURES.items():
        ours, wanted = Decimal(page[name]), Decimal(str(truth[theirs]))
        assert abs(ours - wanted) < Decimal("0.000001"), (name, ours, wanted, start_on, end_on)
    app.locator("#sales-table summary").click()
    days = table(app.locator("#sales-table"))
    app.locator("#sales-table summary").click()
    assert [(orders, money(total)) for _, orders, total, *_ in days] == [
        (f"{day['orders']:,}", Decimal(day["total_sales"])) for day in truth["sales_by_day"]
    ]
    compare_tops(app, truth)


def compare_tops(app: FrameLocator | Page, truth: dict[str, Any]) -> None:
    """Hold both top tables against devstore's."""
    customers = table(app.locator("#top-customers"))
    products = table(app.locator("#top-products"))
    assert [(name.split("\n")[0], orders, money(net)) for name, orders, net in customers] == [
        (one["name"], f"{one['orders']:,}", Decimal(one["net_sales"])) for one in truth["top_customers"]
    ]
    assert [(title, units, money(net)) for title, units, net in products] == [
        (one["title"], f"{one['units']:,}", Decimal(one["net_sales"])) for one in truth["top_products"]
    ]


def money(text: str) -> Decimal:
    """The amount that a page shows as `-$1,234.56`."""
    return Decimal(text.replace("$", "").replace(",", "").replace("−", "-"))


def invite(app: FrameLocator, email: str) -> str:
    """Invite somebody from inside the admin and return the link that is shown once."""
    app.locator("body").evaluate("() => document.querySelector('s-app-nav [href=\"/settings\"]').click()")
    app.get_by_label("Email").fill(email)
    app.get_by_label("Role").select_option("owner")
    app.get_by_role("button", name="Create invitation").click()
    return app.locator("#invitation-link").input_value()


def join(page: Page, link: str) -> None:
    """Take the invitation, choosing a password."""
    page.goto(link)
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button").first.click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def log_in_again(stack: Demo, page: Page) -> None:
    """Log out, and in again at /login."""
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{app_url(stack)}/login")
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main form button").first.click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
