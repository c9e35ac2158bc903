"""The admin's pages over HTTP, and the process that serves them."""

import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from devstore import installs, signing
from supervisor.ports import free_port
from tests.devstore.serving import CLIENT_ID, SECRET, SHOP, install, made_devstore, small_options

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "http://localhost:9292"
HOME = "/store/aurora-outfitters"
APP = f"{HOME}/apps/{CLIENT_ID}"


@pytest.fixture(scope="module")
def devstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with made_devstore(small_options(tmp_path_factory.mktemp("devstore"), port=9292)) as app:
        yield app


@pytest.fixture
def store(devstore: Flask):
    return devstore.extensions["devstore"].stores[SHOP]


@pytest.fixture
def client(devstore: Flask) -> Iterator[FlaskClient]:
    """A visitor of the admin's own host; the app is not installed."""
    yield devstore.test_client()
    with devstore.app_context():
        installs.uninstall(devstore.extensions["devstore"].stores[SHOP])


@pytest.fixture
def installed(devstore: Flask, client: FlaskClient) -> FlaskClient:
    install(devstore)
    return client


def get(client: FlaskClient, path: str):
    return client.get(path, base_url=ORIGIN, buffered=True)


def post(client: FlaskClient, path: str, json=None, origin: str = ORIGIN):
    return client.post(path, base_url=ORIGIN, json=json or {}, headers={"Origin": origin})


def test_stores_are_listed_with_their_state(installed):
    text = get(installed, "/").text

    assert "Framed is installed" in text
    assert "Framed is not installed" in text
    assert f'href="{HOME}"' in text


def test_home_offers_both_ways_to_install(client):
    text = get(client, HOME).text

    assert f"http://127.0.0.1:1/auth/install?shop={SHOP}" in text
    assert f"/stores/{SHOP}/admin/oauth/install?client_id={CLIENT_ID}" in text


def test_home_of_an_installed_app_opens_and_uninstalls_it(installed):
    text = get(installed, HOME).text

    assert f'href="{APP}"' in text
    assert f'action="{HOME}/uninstall"' in text


def test_uninstall_removes_the_app(installed, devstore, store):
    answer = post(installed, f"{HOME}/uninstall")

    assert answer.location == HOME
    with devstore.app_context():
        assert installs.installation(store) is None


@pytest.mark.parametrize(
    "path",
    ["/store/nobody", f"{HOME}/apps/another-app", f"{HOME}/orders/1", f"{HOME}/panel/nonsense", "/store/nobody/panel"],
)
def test_what_does_not_exist_is_not_found(installed, path):
    answer = get(installed, path)

    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_app_that_is_not_installed_asks_for_consent(client):
    answer = get(client, APP)

    assert answer.location == f"/stores/{SHOP}/admin/oauth/install?client_id={CLIENT_ID}"


def test_app_whose_scopes_grew_asks_for_consent_again(client, devstore, store):
    with devstore.app_context():
        installs.grant(store, ["read_orders"])

    answer = get(client, APP)

    assert answer.status_code == 302
    assert "/admin/oauth/install" in answer.location


def source_of(text: str) -> str:
    return re.search(r'data-src="([^"]+)"', text).group(1).replace("&amp;", "&")


def test_frame_source_is_signed_over_every_parameter(installed):
    source = source_of(get(installed, f"{APP}/orders?range=30&ids[]=1&ids[]=2&shop=stale").text)

    pairs = parse_qsl(urlsplit(source).query)
    given = dict(pairs)["hmac"]
    assert source.startswith("http://127.0.0.1:1/orders?range=30&ids%5B%5D=1&ids%5B%5D=2&")
    assert [value for name, value in pairs if name == "shop"] == [SHOP]
    assert given == signing.query_hmac(pairs, SECRET)


def test_pages_may_frame_the_app_and_be_framed_by_nobody(installed):
    policy = get(installed, APP).headers["Content-Security-Policy"]

    assert "frame-src http://127.0.0.1:1;" in policy
    assert "frame-ancestors 'none'" in policy


def test_visitors_of_another_host_name_are_sent_to_the_admins_own(client):
    answer = client.get(f"{HOME}?a=1", base_url="http://127.0.0.1:9292")

    assert answer.location == f"{ORIGIN}{HOME}?a=1"


def test_writes_to_another_host_name_are_refused(client):
    answer = client.post(f"{HOME}/uninstall", base_url="http://127.0.0.1:9292", headers={"Origin": ORIGIN})

    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["id_token", "launch", "user", "scopes", "uninstall"])
def test_writes_from_another_site_are_refused(installed, path):
    answer = post(installed, f"{HOME}/{path}", origin="http://127.0.0.1:1")

    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["id_token", "launch", "scopes"])
def test_tokens_are_not_handed_out_where_the_app_is_not_installed(client, path):
    assert post(client, f"{HOME}/{path}").status_code == 409


def test_user_has_access_and_no_name(installed):
    assert post(installed, f"{HOME}/user").json == {"accountAccess": "Full access"}


@pytest.mark.parametrize("asked", [["write_orders"], ["read_orders"], "read_all_orders", {"a": 1}, [["x"]]])
def test_only_optional_scopes_are_granted_while_the_app_runs(installed, devstore, store, asked):
    answer = post(installed, f"{HOME}/scopes", {"grant": asked})

    assert answer.status_code == 422
    with devstore.app_context():
        assert installs.installation(store).scopes == ["read_customers", "read_orders", "read_products"]


def test_required_scope_cannot_be_revoked(installed):
    assert post(installed, f"{HOME}/scopes", {"revoke": ["read_orders"]}).status_code == 422


@pytest.mark.parametrize("section", ["orders", "customers", "products", "baskets", "settings"])
def test_every_form_of_the_panel_names_an_action_that_exists(installed, section):
    from devstore.actions import ACTIONS  # noqa: PLC0415 the table is read by this test alone

    text = get(installed, f"{HOME}/panel/{section}").text

    named = set(re.findall(r'data-action="(\w+)"', text))
    assert named <= set(ACTIONS)
    assert named or section == "settings"


@pytest.mark.parametrize("kind", ["orders", "customers", "products"])
def test_records_have_pages_and_their_lists_lead_to_the_panel(installed, store, kind):
    key = max(getattr(store, kind))

    page = get(installed, f"{HOME}/{kind}/{key}")

    assert page.status_code == 200
    assert str(key) in page.text
    assert get(installed, f"{HOME}/{kind}").location == f"{HOME}/panel/{kind}"


def test_delivery_log_shows_what_was_sent(installed, devstore, store):
    with devstore.app_context():
        devstore.extensions["devstore"].deliveries.emit(store, "shop/redact", {"shop_id": store.shop.id})

    text = get(installed, f"{HOME}/deliveries").text

    assert "shop/redact" in text
    assert "shop/redact" not in get(installed, f"{HOME}/deliveries?topic=orders%2Fcreate").text.split("<tbody>")[1]


@pytest.mark.parametrize("name", ["app-bridge", "polaris", "polaris-1", "polaris-1.0"])
def test_scripts_are_served_where_the_cdn_has_them(client, name):
    answer = get(client, f"/shopifycloud/{name}.js")

    assert answer.mimetype == "text/javascript"
    assert "not Shopify's" in answer.text


def start(data: Path, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "devstore", "--port", str(port), "--data", str(data)]
    sizes = ["--customers", "10", "--products", "4", "--orders", "20"]
    return subprocess.Popen([*command, *sizes], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_says_where_it_is_and_ends_cleanly(tmp_path, number):
    port = free_port()
    process = start(tmp_path, port)

    said = process.stdout.readline()
    with urllib.request.urlopen(f"http://localhost:{port}/") as answer:
        version, body = answer.version, answer.read().decode()
    process.send_signal(number)
    _, complaints = process.communicate(timeout=10)

    assert said == f"devstore is at http://localhost:{port}\n"
    assert version == 11
    assert "Aurora Outfitters" in body
    assert (process.returncode, complaints) == (0, "")


def test_port_in_use_ends_the_process_with_a_sentence(tmp_path):
    port = free_port()
    first = start(tmp_path / "first", port)
    first.stdout.readline()

    second = start(tmp_path / "second", port)
    _, complaints = second.communicate(timeout=10)
    first.terminate()
    first.communicate(timeout=10)

    assert second.returncode == 1
    assert complaints == f"devstore cannot listen on http://localhost:{port}: Address already in use.\n"
