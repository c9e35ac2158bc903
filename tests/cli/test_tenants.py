"""``flask tenants``: who is there, and stopping one."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from shopify_app import tenants
from shopify_app.database import directory, operations


def audit(app):
    with app.app_context(), operations() as session:
        rows = session.execute(text("SELECT action, tenant_id, reason, operator FROM audit_entries ORDER BY id"))
        return [tuple(row) for row in rows]


def test_nobody_is_a_table_of_its_head(run):
    result = run("tenants", "list")

    assert result.exit_code == 0
    assert result.output.split() == ["ID", "STORE", "NAME", "STATE", "TOKEN", "INSTALLED"]


def test_list_shows_every_store_with_its_state_and_its_tokens(app, run, install):
    install("alder")
    install("birch", refresh_token=None, expires_in=-1)
    gone = install("cedar")
    with app.app_context(), directory() as session:
        tenants.uninstall(session, gone, datetime.now(UTC))

    lines = [line.split() for line in run("tenants", "list").output.splitlines()[1:]]

    assert [line[1:5] for line in lines] == [
        ["alder.myshopify.com", "Alder", "installed", "live"],
        ["birch.myshopify.com", "Birch", "installed", "expired"],
        ["cedar.myshopify.com", "Cedar", "uninstalled", "none"],
    ]


def test_list_as_json_holds_no_address_of_anybody(run, install):
    install()

    result = run("tenants", "list", "--json")

    (found,) = json.loads(result.output)
    assert (found["store_url"], found["state"], found["token"]) == ("alder.myshopify.com", "installed", "live")
    assert "@" not in result.output
    assert "shp" not in result.output.replace("myshopify", "")


@pytest.mark.parametrize("shop", ["alder", "alder.myshopify.com"])
def test_show_tells_scopes_and_what_waits(run, install, shop):
    install()

    found = json.loads(run("tenants", "show", shop, "--json").output)

    assert found["scopes"] == ["read_orders", "read_products"]
    assert found["scopes_missing"] == ["read_customer_merge", "read_customers"]
    assert (found["deliveries_waiting"], found["deliveries_dead"]) == (0, 0)


def test_show_says_in_words_that_the_merchant_has_to_come_back(app, run, install):
    tenant_id = install()
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE offline_tokens SET failed_at = now()"))

    result = run("tenants", "show", "alder")

    assert str(tenant_id) in result.output
    assert "the merchant has to open the app again" in result.output


@pytest.mark.parametrize("command", ["show", "disable", "enable"])
def test_store_that_never_installed_is_said_to_be_unknown(run, command):
    result = run("tenants", command, "nobody")

    assert result.exit_code == 1
    assert "No store nobody.myshopify.com has installed the app." in result.output


def test_address_that_is_no_stores_is_refused(run):
    result = run("tenants", "show", "evil.example")

    assert result.exit_code == 2
    assert "is not the address of a store" in result.output


def test_disabling_is_audited_once_with_its_reason(app, run, install):
    tenant_id = install()

    first = run("tenants", "disable", "alder", "--reason", "unpaid")
    again = run("tenants", "disable", "alder")

    assert (first.output, again.output) == (
        "alder.myshopify.com is disabled.\n",
        "alder.myshopify.com was disabled already.\n",
    )
    ((action, of, reason, operator),) = audit(app)
    assert (action, of, reason) == ("store disabled", tenant_id, "unpaid")
    assert operator.endswith("(command line)")
    assert json.loads(run("tenants", "show", "alder", "--json").output)["state"] == "disabled"


def test_enabling_undoes_it_and_is_audited(app, run, install):
    tenant_id = install()
    run("tenants", "disable", "alder")

    first = run("tenants", "enable", "alder", "--reason", "paid")
    again = run("tenants", "enable", "alder")

    assert first.output == "alder.myshopify.com is enabled.\n"
    assert again.output == "alder.myshopify.com was not disabled.\n"
    assert [entry[:3] for entry in audit(app)] == [
        ("store disabled", tenant_id, None),
        ("store enabled", tenant_id, "paid"),
    ]
