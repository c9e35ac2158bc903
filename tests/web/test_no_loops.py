"""No way into the app goes round in circles, and none leads anywhere but to our own pages or Shopify's."""

import base64
import itertools
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask

from config import Config
from shopify_app.shopify import domains
from tests.shopify.scripted import Asked, Reply, Scripted
from tests.web.conftest import ADMIN, DOCUMENT, FETCH, FRAME, OTHER_STORE, STORE, STRANGER

OURS = "http://127.0.0.1:8000"
MOST = 3  # redirects on any way in
# The last token is of a store that has to be installed first, so that Shopify is asked.
TOKENS = ("good", "expired", "of another store", "of another app", "unsigned", "garbage", "missing", "of a new store")

pytestmark = pytest.mark.usefixtures("world")


def host_of(page: str) -> str:
    return base64.b64encode(page.encode()).decode().rstrip("=")


@dataclass
class Browser:
    """A browser with App Bridge in the frames of Shopify's admin: follows whatever sends it on, and counts."""

    app: Flask
    token: str | None
    hops: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def go(self, address: str, headers: dict[str, str], *, in_admin: bool = False):
        """Return the answer that is a page for people."""
        for _ in itertools.repeat(None, 2 * MOST):
            response = self.client.get(address, headers=headers)
            if response.status_code in {301, 302, 303, 307, 308}:
                address, headers, in_admin = self._sent_on(response.location, headers, in_admin=in_admin)
            elif in_admin and urlsplit(address).path == "/auth/bounce" and response.status_code == 200:
                address = self._with_token(parse_qs(urlsplit(address).query)["shopify-reload"][0])
            else:
                return response
            self.hops.append(address)
        pytest.fail(f"it goes round: {self.hops}")

    def _sent_on(self, location: str, headers: dict[str, str], *, in_admin: bool):
        if not location.startswith(ADMIN):
            assert not urlsplit(location).netloc, location
            return location, headers, in_admin
        parts = urlsplit(location)
        _, _, name, _, _, *path = parts.path.split("/")
        launch = {
            "shop": f"{name}.myshopify.com",
            "host": host_of(f"{urlsplit(ADMIN).netloc}/store/{name}"),
            "embedded": "1",
        }
        return self._with_token(f"/{'/'.join(path)}?{parts.query}&{urlencode(launch)}"), FRAME, True

    def _with_token(self, address: str) -> str:
        if self.token is None:
            return address
        return f"{address}{'&' if '?' in address else '?'}{urlencode({'id_token': self.token})}"


@pytest.fixture
def token(request, id_token, config: Config):
    """A session token of each kind; None: App Bridge brings none."""
    kinds = {
        "good": id_token,
        "expired": lambda: id_token(exp=1_700_000_000, nbf=1_699_999_940, iat=1_699_999_940),
        "of another store": lambda: id_token(OTHER_STORE),
        "of another app": lambda: id_token(aud="somebody else's"),
        "unsigned": lambda: id_token(secret="not the secret, but as long as one has to be"),
        "garbage": lambda: "a.b.c",
        "missing": lambda: None,
        "of a new store": lambda: id_token(STRANGER),
    }
    return kinds[request.param]()


WAYS = {
    "the address alone": ("/", DOCUMENT),
    "with the shop": (f"/?shop={STORE}", DOCUMENT),
    "with a new shop": (f"/?shop={STRANGER}", DOCUMENT),
    "with host alone": (f"/?host={host_of('admin.shopify.test/store/alpha')}", DOCUMENT),
    "with a host of nobody": (f"/?host={host_of('evil.example/store/alpha')}", DOCUMENT),
    "with a shop of nobody": ("/?shop=evil.example", DOCUMENT),
    "framed by the admin": (f"/?shop={STORE}&embedded=1&host={host_of('admin.shopify.test/store/alpha')}", FRAME),
    "framed by the admin, new": (f"/?shop={STRANGER}&embedded=1", FRAME),
    "framed without a word": ("/health", FRAME),
    "in the mobile app": (f"/?shop={STORE}&embedded=1", DOCUMENT),
    "reloaded by App Bridge": (f"/?shop={STORE}&embedded=1&bounced=1", FRAME),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("token", TOKENS, indirect=True)
def test_every_way_in_ends_on_a_page_after_three_redirects_at_most(app: Flask, token, way) -> None:
    address, headers = WAYS[way]
    browser = Browser(app, token)

    page = browser.go(address, headers, in_admin=headers is FRAME or "embedded=1" in address)

    assert len(browser.hops) <= MOST, browser.hops
    assert page.mimetype == "text/html"
    assert page.status_code in {200, 401, 403}
    assert "<h1" in page.text


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"error": "invalid_subject_token"}, 400),
        Reply({"error": "invalid_client"}, 401),
        Reply(status=503),
        Reply("<html>oops</html>"),
        Reply(cut_after=0),
    ],
    ids=["exchange refused", "credentials refused", "away", "nonsense", "cut off"],
)
@pytest.mark.parametrize("start", [f"/?shop={STRANGER}", f"/?shop={STRANGER}&embedded=1"])
def test_an_install_that_shopify_does_not_grant_ends_on_a_page(
    app: Flask, id_token, shopify: Scripted, reply: Reply, start: str
) -> None:
    shopify.otherwise = lambda _asked: reply
    browser = Browser(app, id_token(STRANGER))

    page = browser.go(start, DOCUMENT, in_admin="embedded" in start)

    assert len(browser.hops) <= MOST, browser.hops
    assert page.status_code in {401, 502, 503}
    assert page.mimetype == "text/html"


def test_a_grant_without_the_stores_facts_ends_on_a_page(app: Flask, id_token, shopify: Scripted) -> None:
    usual = shopify.otherwise

    def answer(asked: Asked) -> Reply:
        return usual(asked) if asked.path.endswith("/access_token") else Reply(status=401)

    shopify.otherwise = answer
    browser = Browser(app, id_token(STRANGER))

    page = browser.go(f"/?shop={STRANGER}", DOCUMENT)

    assert len(browser.hops) <= MOST
    assert page.status_code == 502


def test_a_frame_of_another_site_ends_on_a_page_that_it_may_not_show(app: Flask) -> None:
    browser = Browser(app, None)

    page = browser.go("/", FRAME)

    ancestors = page.headers["Content-Security-Policy"].partition("frame-ancestors ")[2]
    assert len(browser.hops) == 1
    assert ancestors == ADMIN


def test_a_script_is_never_redirected(app: Flask, id_token) -> None:
    for token in (id_token(exp=1), "garbage", None):
        headers = {**FETCH, **({"Authorization": f"Bearer {token}"} if token else {})}
        response = app.test_client().get(f"/?shop={STORE}", headers=headers)

        assert response.status_code == 401
        assert response.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"


HOSTILE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/%09/evil.example",
    "javascript:alert(1)",
    "https:evil.example",
    "http://127.0.0.1:8000@evil.example/",
    "evil.example",
    "alpha.myshopify.com.evil.example",
    "alpha.myshopify.com\r\nLocation: https://evil.example/",
    host_of("evil.example/store/alpha"),
    host_of("admin.shopify.test@evil.example/store/alpha"),
)
PARAMETERS = (
    "next",
    "shopify-reload",
    "shop",
    "host",
    "redirect_uri",
    "return_to",
    "state",
    "embedded",
    "id_token",
    "url",
)


@pytest.mark.parametrize("headers", [DOCUMENT, FRAME, FETCH], ids=["document", "frame", "fetch"])
def test_no_address_leads_off_our_origin_or_shopifys(app: Flask, config: Config, headers: dict[str, str]) -> None:
    client = app.test_client()
    allowed = {"", urlsplit(OURS).netloc, urlsplit(ADMIN).netloc, urlsplit(config.shopify_shop_origin).netloc}

    for path, method in _addresses(app):
        for bad in HOSTILE:
            query = dict.fromkeys(PARAMETERS, bad)
            for asked in (query, {**query, "shop": STORE}, {**query, "shop": STORE, "bounced": "1"}):
                response = client.open(path, method=method, query_string=asked, headers=headers)
                location = response.headers.get("Location")
                if location is not None:
                    assert urlsplit(location).netloc in allowed, (path, asked, location)
                    assert location.startswith(("/", "http://", "https://")), (path, asked, location)
                    assert not location.startswith(("//", "/\\")), (path, asked, location)


def _addresses(app: Flask):
    """Every address of the map with the methods a link or a form can use; its own parts filled with something."""
    for rule in app.url_map.iter_rules():
        path = rule.rule
        for argument in rule.arguments:
            converter = "int:" if f"<int:{argument}>" in path else "path:" if f"<path:{argument}>" in path else ""
            path = path.replace(f"<{converter}{argument}>", "1")
        for method in sorted({"GET", "POST"} & rule.methods):
            yield path, method


@pytest.mark.parametrize(
    ("page", "store"),
    [
        ("admin.shopify.com/store/alpha", STORE),
        ("alpha.myshopify.com/admin", STORE),
        ("ADMIN.shopify.com/store/alpha", None),
        ("admin.shopify.com.evil.example/store/alpha", None),
        ("admin.shopify.com@evil.example/store/alpha", None),
        ("admin.shopify.com/store/alpha/../beta", None),
        ("admin.shopify.com/store/alpha\n", None),
        ("alpha.myshopify.com:443/admin", None),
        ("evil.example/admin", None),
        ("", None),
    ],
)
def test_host_names_a_store_only_where_it_is_a_page_of_the_admin(page: str, store: str | None) -> None:
    encoded = base64.b64encode(page.encode()).decode()

    assert domains.store_of_host(encoded, "https://admin.shopify.com") == store
    assert domains.store_of_host(encoded.rstrip("="), "https://admin.shopify.com") == store


@pytest.mark.parametrize("host", ["-", "é", "AA A", "A", "////", "====", "/w=="])
def test_host_that_is_no_base64_of_text_names_no_store(host: str) -> None:
    assert domains.store_of_host(host, "https://admin.shopify.com") is None


def test_app_bridge_is_handed_no_host_but_the_stores_own(app: Flask) -> None:
    good = host_of("admin.shopify.test/store/alpha")
    client = app.test_client()

    kept = client.get(f"/?shop={STORE}&embedded=1&host={good}", headers=FRAME).location
    for bad in (host_of("evil.example/store/alpha"), host_of("admin.shopify.test/store/beta")):
        dropped = client.get(f"/?shop={STORE}&embedded=1&host={bad}", headers=FRAME).location
        assert "host=" not in dropped.partition("shopify-reload")[0]

    assert parse_qs(urlsplit(kept).query)["host"] == [good]
