"""``flask webhooks``: comparing with Shopify on deploy, and the app's own file."""

import shutil
from pathlib import Path

import pytest

from tests.jobs.test_tenants import SUBSCRIBABLE, Store
from tests.shopify.scripted import Reply, scripted_server

ROOT = Path(__file__).resolve().parents[2]
FILE = "shopify.app.toml"


@pytest.fixture
def store():
    with scripted_server() as script:
        yield Store(script)


@pytest.fixture
def environ(environ, store):
    return {**environ, "SHOPIFY_SHOP_ORIGIN": store.script.url + "/{shop}"}


def test_every_connected_store_is_compared_and_what_lacks_scopes_is_said(run, install, store):
    install("alder")
    install("birch")

    result = run("webhooks", "reconcile")

    assert result.exit_code == 1
    assert result.output.count(" topics registered, ") == 2
    assert "customers/create: The store has not granted the access scope read_customers" in result.output
    assert 0 < len(store.subscriptions) < len(SUBSCRIBABLE)


def test_one_store_is_compared_alone(run, install, store):
    install("alder")
    install("birch")

    result = run("webhooks", "reconcile", "birch")

    assert "birch.myshopify.com: " in result.output
    assert "alder" not in result.output


def test_store_that_cannot_be_asked_keeps_no_other_from_it(run, install, store):
    install("alder")
    install("birch")
    store.script.replies = [Reply(status=423)]

    result = run("webhooks", "reconcile")

    assert result.exit_code == 1
    assert "alder.myshopify.com: Shopify has locked the store." in result.output
    assert "(Shopify answered 423)" in result.output
    assert "birch.myshopify.com: " in result.output.partition("423")[2]


def test_nobody_to_compare_is_no_failure(run):
    assert run("webhooks", "reconcile").exit_code == 0


def test_unknown_store_is_said(run):
    result = run("webhooks", "reconcile", "nobody")

    assert result.exit_code == 1
    assert "No store nobody.myshopify.com" in result.output


def test_file_is_written_where_the_app_stands(app, run, tmp_path, monkeypatch):
    shutil.copy(ROOT / FILE, tmp_path)
    monkeypatch.setattr(app, "root_path", str(tmp_path))

    result = run("webhooks", "toml")

    assert result.exit_code == 0
    assert (tmp_path / FILE).read_text() == (ROOT / FILE).read_text()


def test_file_without_its_marks_is_left_alone(app, run, tmp_path, monkeypatch):
    (tmp_path / FILE).write_text("[webhooks]\n")
    monkeypatch.setattr(app, "root_path", str(tmp_path))

    result = run("webhooks", "toml")

    assert result.exit_code == 1
    assert "must hold the lines" in result.output
    assert (tmp_path / FILE).read_text() == "[webhooks]\n"
