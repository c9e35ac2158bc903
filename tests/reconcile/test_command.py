"""``flask reconcile``: what an operator sees while a store is compared."""

import pytest

from shopify_app.database import tenant_work
from shopify_app.shopify import differences
from shopify_app.shopify.errors import Unavailable


@pytest.fixture
def run(app):
    def command(*arguments):
        return app.test_cli_runner().invoke(args=["reconcile", *arguments])

    return command


def test_it_compares_and_tells_what_was_wrong(shop, run):
    first = run("aurora-outfitters")
    second = run(shop.store.domain, "--resource", "orders")

    count = len(shop.store.orders)
    assert first.exit_code == second.exit_code == 0, first.output
    assert f"orders: {count} checked, {count} missing, 0 stale, 0 deleted, 0 corrected" in first.output
    assert second.output == f"orders: {count} checked, 0 missing, 0 stale, 0 deleted, 0 corrected\n"


def test_it_begins_where_it_is_told_to(shop, run):
    result = run("aurora-outfitters", "--resource", "products", "--since", "2026-11-01")

    with tenant_work(shop.tenant_id) as session:
        (since,) = session.connection().exec_driver_sql("SELECT since FROM reconciliations").scalars()
    assert result.exit_code == 0
    assert since.isoformat() == "2026-11-01T00:00:00+00:00"


def test_an_error_that_makes_it_wait_is_told_and_left_to_the_workers(shop, run, monkeypatch):
    def fail(*_):
        raise Unavailable("Shopify answered 502.")

    monkeypatch.setattr(differences, "listed", fail)

    result = run("aurora-outfitters", "--resource", "products")

    assert result.exit_code == 1
    assert "products: Shopify answered 502. A worker goes on with it." in result.output


def test_what_stays_unexplained_ends_with_status_1(shop, run, monkeypatch):
    monkeypatch.setattr(differences, "count", lambda *_: 1000)

    result = run("aurora-outfitters", "--resource", "products")

    assert result.exit_code == 1
    assert f"(Shopify counts 1000, held {len(shop.store.products)})" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), "No store nobody.myshopify.com has installed the app."),
        (("aurora-outfitters", "--since", "yesterday"), "'yesterday' is not a time such as"),
        (("aurora-outfitters", "--resource", "carts"), "'carts' is not one of"),
    ],
)
def test_what_it_cannot_do_it_says(shop, run, arguments, words):
    result = run(*arguments)

    assert result.exit_code != 0
    assert words in result.output


def test_a_store_that_grants_nothing_cannot_be_checked(shop, run):
    shop.grant([])

    result = run("aurora-outfitters")

    assert result.exit_code == 1
    assert "Nothing can be checked" in result.output
