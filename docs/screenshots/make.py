"""Make the pictures of this folder from a demo with the full-size store: ``python docs/screenshots/make.py``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, sync_playwright

from supervisor.demo import Demo, demo_environment
from supervisor.ports import free_port
from supervisor.settings import DemoOptions

HERE = Path(__file__).resolve().parent
STORE = "aurora-outfitters"
PATIENCE = 600_000  # milliseconds until the history is loaded
WIDTHS = {1280: 1180, 390: 1500}  # pixels wide: how high


def install(demo: Demo, page: Page) -> str:
    """Install from the link, wait for the history, and return the address of the app in the admin."""
    page.goto(f"{demo.options.devstore_url}/store/{STORE}")
    page.get_by_role("link", name="Install Storelens from a link").click()
    page.get_by_role("button", name="Install").click()
    page.wait_for_url(f"**/store/{STORE}/apps/**")
    page.frame_locator("iframe").locator("#progress").wait_for()
    page.screenshot(path=HERE / "backfill-1280.png")
    page.frame_locator("iframe").locator("#progress").wait_for(state="detached", timeout=PATIENCE)
    return page.url.partition("?")[0]


def take(browser: Browser, address: str, name: str) -> None:
    """Take one page at every width, once it has stood still."""
    for width, height in WIDTHS.items():
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address)
        page.frame_locator("iframe").locator("s-page").wait_for()
        time.sleep(1)
        page.screenshot(path=HERE / f"{name}-{width}.png")
        page.close()


def main() -> None:
    """Start a demo of its own, take the pictures, and stop it."""
    chromium = shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory(prefix="storelens-pictures-", dir="/var/tmp") as data,
        sync_playwright() as playwright,
    ):
        Path(data).chmod(0o755)
        options = DemoOptions(
            data=Path(data) / "data",
            app_port=free_port(),
            devstore_port=free_port(),
            environ={"PATH": os.environ["PATH"]},
        )
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        with demo_environment(options) as demo:
            home = install(demo, browser.new_page(viewport={"width": 1280, "height": WIDTHS[1280]}))
            take(browser, home, "overview")
            take(browser, f"{home}/health", "health")
            take(browser, f"{home}/settings", "settings")
        browser.close()


if __name__ == "__main__":
    main()
