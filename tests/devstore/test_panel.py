"""The merchant's panel in a browser: its forms act on the store and show the webhooks that went out."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page, expect

from devstore import installs
from devstore.installs import Subscription
from supervisor.ports import free_port
from tests.devstore.serving import (
    framed_app,
    install,
    made_devstore,
    running,
    small_options,
)

pytestmark = pytest.mark.browser

TOPICS = (
    "orders/create",
    "orders/updated",
    "orders/cancelled",
    "refunds/create",
    "customers/update",
    "checkouts/create",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A devstore whose app listens to TOPICS."""
    port, app_port = free_port(), free_port()
    options = small_options(tmp_path_factory.mktemp("devstore"), port=port, app_port=app_port)
    app = framed_app(options.origin)
    with made_devstore(options) as devstore, running(devstore, "localhost", port), running(app, "127.0.0.1", app_port):
        store = install(devstore)
        for topic in TOPICS:
            installs.save_subscription(store, subscription(store, topic, f"{options.app.url}/hooks"))
        yield SimpleNamespace(home=f"{options.origin}/store/aurora-outfitters", store=store)


def subscription(store, topic: str, uri: str) -> Subscription:
    at = store.now()
    return Subscription(id=store.next_id(), topic=topic, uri=uri, api_version="2026-10", created_at=at, updated_at=at)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    made = browser.new_page(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(8000)
    return made


def sent(page: Page):
    return page.locator("#result li")


def newest(served: SimpleNamespace):
    return max(served.store.orders.values(), key=lambda order: order.number)


def test_placed_order_is_listed_with_the_webhooks_it_sent(page, served):
    page.goto(f"{served.home}/panel")
    before = newest(served).number

    page.get_by_role("button", name="Place order").click()

    expect(sent(page).filter(has_text="orders/create")).to_contain_text("200 in")
    assert newest(served).number == before + 1
    expect(page.locator("#orders tbody tr").first).to_contain_text(f"#{before + 1}")


def test_order_is_placed_as_the_form_says(page, served):
    page.goto(f"{served.home}/panel")
    form = page.locator('form[data-action="place_order"]')
    variant = form.locator('[name="lines.0.variant_id"] option').nth(1).get_attribute("value")
    form.locator('[name="lines.0.variant_id"]').select_option(variant)
    form.locator('[name="lines.0.quantity"]').fill("3")
    form.locator('[name="customer_id"]').select_option("")
    form.locator('[name="discount_code"]').select_option("WELCOME10")
    form.get_by_label("Test order").check()

    form.get_by_role("button", name="Place order").click()

    expect(sent(page).filter(has_text="orders/create")).to_be_visible()
    order = newest(served)
    assert [(str(line.variant_id), line.quantity) for line in order.lines] == [(variant, 3)]
    assert (order.customer_id, order.discount_code, order.test) == (None, "WELCOME10", True)


def test_part_of_an_order_is_refunded(page, served):
    page.goto(f"{served.home}/panel")
    page.get_by_role("button", name="Place order").click()
    expect(sent(page).filter(has_text="orders/create")).to_be_visible()
    order = newest(served)
    page.goto(f"{served.home}/orders/{order.id}")

    page.locator('form[data-action="refund_order"] [name="lines.0.quantity"]').fill("1")
    page.locator('form[data-action="refund_order"]').get_by_role("button", name="Refund").click()

    expect(sent(page).filter(has_text="refunds/create")).to_contain_text("200 in")
    assert [line.quantity for line in order.refunds[-1].lines] == [1]
    expect(page.locator("#facts")).to_contain_text("Refunds1")


def test_cancelled_order_can_no_longer_be_refunded(page, served):
    page.goto(f"{served.home}/panel")
    page.get_by_role("button", name="Place order").click()
    expect(sent(page).filter(has_text="orders/create")).to_be_visible()
    row = page.locator("#orders tbody tr").first
    expect(row).to_contain_text(f"#{newest(served).number}")

    row.get_by_role("button", name="Cancel").click()

    expect(sent(page).filter(has_text="orders/cancelled")).to_be_visible()
    expect(row).to_contain_text("cancelled")
    expect(row.get_by_role("button")).to_have_count(0)


def test_refusal_is_shown_in_words(page, served):
    order = newest(served)
    page.goto(f"{served.home}/orders/{order.id}")
    page.get_by_role("button", name="Save edit").click()

    expect(page.locator("#result .refused")).not_to_be_empty()
    expect(sent(page)).to_have_count(0)


def test_action_that_nobody_listens_to_says_so(page, served):
    page.goto(f"{served.home}/panel/products")

    page.get_by_label("Title").fill("Camp Lantern")
    page.get_by_role("button", name="Create product").click()

    expect(page.locator("#result")).to_contain_text("nothing is subscribed")
    expect(page.locator("#products tbody tr").first).to_contain_text("Camp Lantern")


def test_cart_becomes_a_checkout_and_the_checkout_an_order(page, served):
    page.goto(f"{served.home}/panel/baskets")
    before = newest(served).number

    page.get_by_role("button", name="Fill cart").click()
    expect(page.locator("#result")).to_contain_text("Fill cart: done")
    cart = max(served.store.carts.values(), key=lambda found: found.updated_at)
    page.locator('[name="cart_token"]').select_option(cart.token)
    page.get_by_role("button", name="Start checkout").click()
    expect(sent(page).filter(has_text="checkouts/create")).to_be_visible()
    page.locator("#checkouts tbody tr").first.get_by_role("button", name="Finish").click()

    expect(sent(page).filter(has_text="orders/create")).to_be_visible()
    assert newest(served).number == before + 1
    assert newest(served).cart_token == cart.token


def test_part_of_an_order_is_shipped(page, served):
    open_orders = (one for one in served.store.orders.values() if not one.fulfillment_status and not one.cancelled_at)
    order = next(one for one in open_orders if one.lines[0].current_quantity > 1)
    page.goto(f"{served.home}/orders/{order.id}")

    page.locator('form[data-action="fulfill_order"] [name="lines.0.quantity"]').fill("1")
    page.get_by_role("button", name="Ship", exact=True).click()

    expect(sent(page).filter(has_text="orders/updated")).to_be_visible()
    assert (order.fulfillment_status, order.lines[0].shipped) == ("partial", 1)


def test_changed_customer_is_kept(page, served):
    customer = max(served.store.customers.values(), key=lambda found: found.id)
    page.goto(f"{served.home}/customers/{customer.id}")

    page.get_by_label("First name").fill("Philippa")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(sent(page).filter(has_text="customers/update")).to_be_visible()
    assert served.store.customers[customer.id].first_name == "Philippa"


def test_a_customer_is_merged_into_another(page, served):
    gone, kept = sorted(served.store.customers)[-2:]
    page.goto(f"{served.home}/customers/{gone}")

    page.get_by_label("Merge into").select_option(str(kept))
    page.get_by_role("button", name="Merge", exact=True).click()

    page.wait_for_url(f"{served.home}/panel/customers")
    assert gone not in served.store.customers
    assert kept in served.store.customers


def test_deleted_record_leads_back_to_its_list(page, served):
    product = max(served.store.products)
    page.goto(f"{served.home}/products/{product}")

    page.get_by_role("button", name="Delete product").click()

    page.wait_for_url(f"{served.home}/panel/products")
    assert product not in served.store.products


def test_delivery_log_grows_by_itself(page, served):
    page.goto(f"{served.home}/deliveries")
    rows = page.locator("#deliveries tbody tr")
    before = rows.count()

    page.request.post(
        served.home.split("/store/")[0] + f"/_dev/stores/{served.store.domain}/actions/place_order", data={}
    )

    expect(rows).not_to_have_count(before)


PATHS = ["", "/panel", "/panel/customers", "/panel/products", "/panel/baskets", "/panel/settings", "/deliveries"]


@pytest.mark.parametrize("path", PATHS)
def test_page_does_not_scroll_sideways_on_a_phone(page, served, path):
    page.set_viewport_size({"width": 390, "height": 844})

    page.goto(served.home + path)

    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_sidebar_opens_on_a_phone_and_closes_by_escape(page, served):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served.home)
    expect(page.locator("#sidebar")).to_be_hidden()

    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="Deliveries", exact=True)).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.locator("#sidebar")).to_be_hidden()


def test_faults_are_set_and_cleared_from_the_panel(page, served):
    page.goto(f"{served.home}/panel/settings")
    form = page.locator('form[data-path="faults"]').first
    form.get_by_label("Dropped, 0 to 1").fill("1")
    form.get_by_label("Only these topics").fill("orders/updated, orders/paid")
    form.get_by_role("button", name="Set faults").click()
    expect(page.locator("#result")).to_contain_text("Set faults: done.")
    page.reload()

    expect(page.get_by_label("Dropped, 0 to 1")).to_have_value("1.0")
    expect(page.get_by_label("Only these topics")).to_have_value("orders/updated, orders/paid")
    page.get_by_role("button", name="No faults").click()
    expect(page.locator("#result")).to_contain_text("No faults: done.")
    page.reload()
    expect(page.get_by_label("Dropped, 0 to 1")).to_have_value("0.0")


def test_a_fault_that_is_none_is_refused_in_the_panel(page, served):
    page.goto(f"{served.home}/panel/settings")
    page.get_by_label("API version of all bodies").fill("yesterday")

    page.get_by_role("button", name="Set faults").click()

    expect(page.locator("#result .refused")).to_contain_text("api_version")


def test_logged_webhooks_are_sent_again_from_the_panel(page, served):
    page.goto(f"{served.home}/panel/settings")

    page.get_by_role("button", name="Send all logged again").click()

    expect(page.locator("#result")).to_contain_text("Send all logged again: done.")
