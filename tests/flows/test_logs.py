"""What the logs of a whole story hold: nothing that opens a door, and nobody's address."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import BrowserContext

from supervisor.demo import Demo
from supervisor.keys import kept_keys
from tests.browser.test_install import install, uninstall
from tests.browser.test_main_job import invite
from tests.conftest import ROOT
from tests.flows.story import BIRCH, act, app_url, devstore_url, rows, settled, wait_until

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery staple 77"
WRONG = "wrong horse battery staple 78"
MEMBER = "grep-me@example.com"
# An id token that nobody signed; its payload is {"dest": "https://birch-and-bloom.myshopify.com"}.
FORGED = "eyJhbGciOiJIUzI1NiJ9.eyJkZXN0IjoiaHR0cHM6Ly9iaXJjaC1hbmQtYmxvb20ubXlzaG9waWZ5LmNvbSJ9.c2lnbmF0dXJl"
CODE = "0907a61c0c8d55e99db179b68161bc00"
SHAPES = {
    "a token or secret of Shopify's": re.compile(r"shp[a-z]{2}_\w+"),
    "an id token": re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}"),
    "the query of a launch": re.compile(r"\b(?:id_token|hmac)=\w"),
    "a hash or a sealed text": re.compile(r"\$argon2|gAAAAA"),
}


def test_no_log_of_a_whole_story_holds_a_secret_or_a_person(stack: Demo, context: BrowserContext) -> None:
    page = context.new_page()
    install(stack, page, "Install Storelens from a link")
    wait_until("the backfill", lambda: settled(stack, BIRCH))
    act(stack, BIRCH, "place_order")
    link = invite(page.frame_locator("iframe"), MEMBER)
    join_and_log_in_wrongly(context, stack, link)
    knock(stack)
    wait_until("the order's consequences", lambda: settled(stack, BIRCH))
    people = addresses(stack)
    uninstall(stack, page)
    install(stack, page, "Install Storelens")
    wait_until("the second backfill", lambda: settled(stack, BIRCH))

    logs = {path: path.read_text(errors="replace") for path in log_files(stack)}

    assert {path.stem for path in logs} >= {"web", "worker", "clock", "release"}
    assert all(logs[path] for path in logs if path.stem in {"web", "worker"}), "they said nothing at all"
    assert len(people) >= 5
    forbidden = {*secrets_of(stack), *people, PASSWORD, WRONG, MEMBER, CODE, FORGED, link.rpartition("/")[2]}
    assert found_in(logs, forbidden) == []


def join_and_log_in_wrongly(context: BrowserContext, stack: Demo, link: str) -> None:
    """Take the invitation outside the admin, then fail to log in and succeed."""
    page = context.new_page()
    page.goto(link)
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button").first.click()
    page.get_by_role("button", name="Log out").click()
    for password in (WRONG, PASSWORD):
        page.goto(f"{app_url(stack)}/login")
        page.get_by_label("Email").fill(MEMBER)
        page.get_by_label("Password").fill(password)
        page.locator("main form button").first.click()
    page.get_by_role("button", name="Log out").wait_for()


def knock(stack: Demo) -> None:
    """Ask as attackers and broken clients do; each is refused, and refusals are what logs talk about."""
    with httpx.Client(base_url=app_url(stack), timeout=30) as client:
        answers = [
            client.get(f"/?shop={BIRCH}&bounced=1&id_token={FORGED}"),
            client.get("/", headers={"Authorization": f"Bearer {FORGED}", "Sec-Fetch-Dest": "empty"}),
            client.get(f"/auth/callback?shop={BIRCH}&code={CODE}&hmac={'0' * 64}&state=s&timestamp=1"),
            client.post("/webhooks/orders", content=b'{"email": "' + MEMBER.encode() + b'"}'),
            client.get(f"/invitations/{FORGED}"),
        ]
    assert {answer.status_code // 100 for answer in answers} == {4}


def addresses(stack: Demo) -> set[str]:
    """Return the email address of everybody whom the store knows."""
    found = rows(stack, BIRCH, "SELECT email FROM customers WHERE email IS NOT NULL")
    return {row["email"] for row in found}


def secrets_of(stack: Demo) -> set[str]:
    """Return every secret the processes were started with, and the tokens' sealed forms."""
    keys = {value for name, value in kept_keys(stack.options.data).items() if name != "SHOPIFY_API_KEY"}
    urls = (stack.environ[name] for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"))
    return keys | {password for password in (urlsplit(url).password for url in urls) if password}


def log_files(stack: Demo) -> list[Path]:
    """Return every log there is: the processes' and the servers'."""
    return sorted(stack.options.data.rglob("*.log"))


def found_in(logs: dict[Path, str], forbidden: set[str]) -> list[tuple[str, str]]:
    """Return which log holds what it must not."""
    texts = [(path.name, text) for path, log in logs.items() for text in forbidden if text.lower() in log.lower()]
    shapes = [
        (path.name, what)
        for path, log in logs.items()
        for what, shape in SHAPES.items()
        if path.stem != "devstore" and shape.search(log)
    ]
    return texts + shapes


def test_the_web_server_writes_no_access_log() -> None:
    (web,) = [line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:")]

    assert "access" not in web  # gunicorn's default is none; its format would hold the query, and so the id token
    assert not (ROOT / "gunicorn.conf.py").exists()


def test_devstore_is_another_site_than_the_app(stack: Demo) -> None:
    assert urlsplit(devstore_url(stack)).hostname != urlsplit(app_url(stack)).hostname
