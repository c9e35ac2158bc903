"""Both ways to install, again and again: one tenant, one set of subscriptions."""

from __future__ import annotations

import httpx
import psycopg
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from supervisor.demo import Demo
from tests.flows.story import BIRCH, act, client_id, devstore_url, rows, settled, tenant, wait_until

pytestmark = pytest.mark.browser
STORE = "birch-and-bloom"
ORDERS = "SELECT shopify_id FROM orders"


@pytest.mark.parametrize("leave", [False, True], ids=["without leaving", "after uninstalling"])
def test_both_ways_work_twice_in_a_row(stack: Demo, context: BrowserContext, leave: bool) -> None:  # noqa: FBT001
    page = context.new_page()

    for link in ("Install Storelens from a link", "Install Storelens"):
        for _ in range(2):
            install(stack, page, link)
            wait_until("the backfill", lambda: settled(stack, BIRCH))
            if leave:
                uninstall(stack, page)
    if leave:
        install(stack, page, "Install Storelens")
        wait_until("the backfill", lambda: settled(stack, BIRCH))

    assert tenants_of(stack, BIRCH) == 1
    registered = rows(stack, BIRCH, "SELECT topic, error FROM webhook_subscriptions")
    assert len(registered) > 25
    assert [row for row in registered if row["error"]] == []
    order = act(stack, BIRCH, "place_order")
    wait_until("the order", lambda: order["id"] in [row["shopify_id"] for row in rows(stack, BIRCH, ORDERS)])
    assert deliveries_since(stack, BIRCH, order["created_at"]).count("orders/create") == 1


def install(stack: Demo, page: Page, link: str) -> None:
    """Install by one of the two links of the store's home; a consent that was given is not asked for again."""
    page.goto(f"{devstore_url(stack)}/store/{STORE}")
    addresses = {
        "Install Storelens from a link": f"{stack.environ['APP_URL']}/auth/install?shop={BIRCH}",
        "Install Storelens": f"{devstore_url(stack)}/stores/{BIRCH}/admin/oauth/install?client_id={client_id(stack)}",
    }
    page.goto(addresses[link])
    if page.get_by_role("button", name="Install").is_visible():
        page.get_by_role("button", name="Install").click()
    page.wait_for_url(f"**/store/{STORE}/apps/{client_id(stack)}**")
    expect(page.frame_locator("iframe").get_by_role("heading", name="Overview").first).to_be_visible()


def uninstall(stack: Demo, page: Page, shop: str = BIRCH) -> None:
    """Remove the app from the store, and wait until the app has heard of it."""
    page.goto(f"{devstore_url(stack)}/store/{shop.partition('.')[0]}")
    page.get_by_role("button", name="Uninstall").click()
    expect(page.get_by_role("link", name="Install Storelens from a link")).to_be_visible()

    def left() -> bool:
        found = tenant(stack, shop)
        return found is not None and found["uninstalled_at"] is not None

    wait_until("the uninstall", left)


def tenants_of(stack: Demo, shop: str) -> int:
    """How many tenants the app has for a store."""
    with psycopg.connect(stack.environ["DATABASE_URL"], options="-c role=storelens_app") as connection:
        (count,) = connection.execute("SELECT count(*) FROM tenants WHERE store_url = %s", [shop]).fetchone() or (0,)
    return int(count)


def deliveries_since(stack: Demo, shop: str, moment: str) -> list[str]:
    """The topics of the webhooks that devstore has sent since a moment."""
    answer = httpx.get(f"{devstore_url(stack)}/_dev/stores/{shop}/deliveries.json", timeout=30).json()
    return [one["topic"] for one in answer["deliveries"] if one["triggered_at"][:19] >= moment[:19]]
