"""``flask backfill``: starting, listing, showing, ending and repeating, and what it says when it cannot."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from shopify_app import backfill, standings
from shopify_app.database import directory, operations, tenant_work

STORE = "alder.myshopify.com"


@pytest.fixture
def alder(install):
    return install("alder")


@pytest.fixture
def told(run):
    """Runs a backfill command that goes well, and returns what it said."""

    def command(*arguments):
        result = run("backfill", *arguments)
        assert result.exit_code == 0, result.output
        return result.output

    return command


@pytest.fixture
def held(app):
    """Returns a store's backfills, oldest first."""

    def read(tenant_id):
        with app.app_context(), tenant_work(tenant_id) as session:
            return backfill.history(session, datetime.now(UTC), limit=100)[::-1]

    return read


@pytest.fixture
def move(app):
    """Writes what a worker found out."""

    def write(tenant_id, number, **changes):
        with app.app_context(), tenant_work(tenant_id) as session:
            standing = backfill.read(session, tenant_id, number)
            backfill.write(session, replace(standing, **changes), datetime.now(UTC))

    return write


def entries(app):
    """Return who did what with which reason and details, oldest first, but for the login's name."""
    with app.app_context(), operations() as session:
        rows = session.execute(
            text("SELECT action, tenant_id, reason, details, operator FROM audit_entries ORDER BY id")
        )
        return [tuple(row) for row in rows]


def test_a_store_is_started_on_and_it_is_on_record(app, told, alder, held):
    said = told("start", "alder", "--reason", "they asked")

    found = held(alder)
    numbers = ", ".join(f"{one.resource} {one.id}" for one in sorted(found, key=lambda one: order(one.resource)))
    assert said == f"{STORE}: started {numbers}\n"
    assert {one.asked_by for one in found} == {entries(app)[0][4]}
    action, tenant_id, reason, details, operator = entries(app)[0]
    assert (action, tenant_id, reason) == ("backfill started", alder, "they asked")
    assert details == {
        "resources": ["checkouts", "customers", "orders", "products"],
        "since": None,
        "run": str(found[0].run_id),
    }
    assert operator.endswith("(command line)")


def order(resource):
    return ["customers", "products", "orders", "refunds", "checkouts"].index(resource)


def test_resources_and_a_time_can_be_named(told, alder, held):
    told("start", STORE, "--resource", "products", "--resource", "customers", "--since", "2026-11-01")

    assert {(one.resource, one.since) for one in held(alder)} == {
        (name, datetime(2026, 11, 1, tzinfo=UTC)) for name in ("products", "customers")
    }


def test_what_is_under_way_is_said_and_not_started_twice(told, alder, held):
    told("start", "alder", "--resource", "products")
    (one,) = held(alder)

    again = told("start", "alder", "--resource", "products")
    more = told("start", "alder", "--resource", "products", "--resource", "customers")

    assert again == f"{STORE}: under way already: products {one.id}\n"
    assert more == f"{STORE}: started customers {held(alder)[-1].id}; under way already: products {one.id}\n"
    assert len(held(alder)) == 2


def test_every_store_is_started_on_after_a_question(run, install, alder, held):
    birch = install("birch")

    refused = run("backfill", "start", "--all-tenants", "--resource", "products")
    done = run("backfill", "start", "--all-tenants", "--resource", "products", "--yes")

    assert "Start a backfill of 2 stores?" in refused.output
    assert refused.exit_code == 1
    assert done.exit_code == 0
    assert (len(held(alder)), len(held(birch))) == (1, 1)


def test_stores_that_cannot_be_asked_are_named_while_the_others_are(app, run, install, alder, held):
    birch, cedar, elm = (install(name) for name in ("birch", "cedar", "elm"))
    with app.app_context(), operations() as session:
        standings.disable(session, "birch.myshopify.com", operator="x", reason=None, now=datetime.now(UTC))
    with app.app_context(), directory() as session:
        refused = text("UPDATE offline_tokens SET failed_at = now(), failure = 'refused' WHERE tenant_id = :id")
        session.execute(refused, {"id": cedar})
        session.execute(text("UPDATE tenants SET uninstalled_at = now() WHERE id = :id"), {"id": elm})

    result = run("backfill", "start", "--all-tenants", "--yes")

    assert result.exit_code == 1
    assert "birch.myshopify.com is disabled, so that no job works for it: enable it first." in result.output
    assert "Shopify no longer accepts the app's access to cedar.myshopify.com" in result.output
    assert "elm" not in result.output
    assert len(held(alder)) == 5
    assert [held(one) for one in (birch, cedar, elm)] == [[], [], []]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("start",), 2, "Give either SHOP or --all-tenants."),
        (("start", "alder", "--all-tenants"), 2, "Give either SHOP or --all-tenants."),
        (("start", "nobody"), 1, "No store nobody.myshopify.com has installed the app."),
        (("start", "https://evil.example"), 2, "is not the address of a store"),
        (("start", "alder", "--resource", "carts"), 2, "'carts' is not one of"),
        (("start", "alder", "--resource", "refunds"), 2, "'refunds' is not one of"),
        (("start", "alder", "--since", "yesterday"), 2, "'yesterday' is not a time such as"),
        (("start", "alder", "--since", "2999-01-01"), 2, "has not come yet"),
        (("list", "nobody"), 1, "No store nobody.myshopify.com has installed the app."),
        (("list", "--state", "odd"), 2, "'odd' is not one of"),
        (("show",), 2, "Missing argument 'ID…'"),
        (("show", "4711", "4712"), 1, "There is no backfill 4711, 4712."),
        (("cancel", "4711"), 1, "There is no backfill 4711."),
        (("retry", "4711"), 1, "There is no backfill 4711."),
    ],
)
def test_what_it_cannot_do_it_says(app, run, alder, arguments, status, words):
    result = run("backfill", *arguments)

    assert result.exit_code == status
    assert words in result.output
    assert entries(app) == []


def test_the_list_shows_the_latest_of_each_resource_and_store(told, run, install, alder, held, move):
    install("birch")
    told("start", "alder", "--resource", "products")
    (first,) = held(alder)
    move(alder, first.id, state="failed", error="Shopify answered 403.")
    told("start", "alder", "--resource", "products")
    told("start", "birch", "--resource", "customers")
    second = held(alder)[1]
    move(alder, second.id, state="loading", objects_total=1000, objects_read=250)

    rows = [line.split() for line in told("list").splitlines()]
    of_alder = told("list", "alder")
    as_json = json.loads(told("list", "--state", "unfinished", "--json"))

    assert rows[0][:6] == ["ID", "STORE", "RESOURCE", "STATE", "OBJECTS", "OF"]
    assert [row[1:4] for row in rows[1:]] == [
        ["birch.myshopify.com", "customers", "planned"],
        [STORE, "products", "loading"],
    ]
    assert rows[2][4:6] == ["250", "1000"]
    assert "birch" not in of_alder
    assert [one["store_url"] for one in as_json] == ["birch.myshopify.com", STORE]
    assert told("list", "--state", "failed") == "There are no such backfills.\n"
    assert [line.split()[3] for line in told("list", "alder", "--all").splitlines()[1:]] == ["loading", "failed"]


def test_one_is_shown_with_all_there_is_to_say(told, alder, held, move):
    told("start", "alder", "--resource", "products", "--resource", "customers")
    first, second = held(alder)
    move(alder, first.id, state="failed", error="Shopify answered 403.", note="A note.")

    said = told("show", str(first.id), str(second.id))
    (as_json,) = json.loads(told("show", str(first.id), "--json"))

    for line in ("state             failed", "error             Shopify answered 403.", "note              A note."):
        assert line in said.splitlines()
    assert f"\n\nid                {second.id}\n" in said
    assert (as_json["id"], as_json["store_url"], as_json["state"]) == (first.id, STORE, "failed")


def test_backfills_are_ended_and_it_is_on_record(app, run, told, alder, held, move):
    told("start", "alder", "--resource", "products", "--resource", "customers")
    first, second = held(alder)
    move(alder, second.id, state="done", objects_total=0)

    result = run("backfill", "cancel", str(first.id), str(second.id), "--reason", "too slow")

    assert result.exit_code == 1
    assert f"Backfill {first.id} ({first.resource} of {STORE}) is being cancelled." in result.output
    assert f"Backfill {second.id} ({second.resource} of {STORE}) has ended already: it is done." in result.output
    assert [one.stopping for one in held(alder)] == [True, False]
    assert [entry[:4] for entry in entries(app)[1:]] == [
        ("backfill cancelled", alder, "too slow", {"backfill": first.id, "resource": first.resource})
    ]
    assert "stopping" in told("list")


def test_a_backfill_is_repeated_and_it_is_on_record(app, told, alder, held, move):
    told("start", "alder", "--resource", "products", "--since", "2026-11-01")
    (first,) = held(alder)
    move(alder, first.id, state="failed", error="Shopify answered 403.")

    said = told("retry", str(first.id))
    again = told("retry", str(first.id))

    new = held(alder)[1]
    assert said == f"Backfill {first.id} (products of {STORE}) is started as {new.id}.\n"
    assert again == f"Backfill {first.id} (products of {STORE}) is under way already as {new.id}.\n"
    assert (new.since, len(held(alder))) == (first.since, 2)
    assert [entry[0] for entry in entries(app)] == ["backfill started", "backfill retried", "backfill retried"]


def test_nothing_is_repeated_for_a_store_that_left(app, run, told, alder, held):
    told("start", "alder", "--resource", "products")
    with app.app_context(), directory() as session:
        session.execute(text("UPDATE tenants SET uninstalled_at = now()"))

    result = run("backfill", "retry", str(held(alder)[0].id))

    assert (result.exit_code, "has uninstalled the app." in result.output) == (1, True)
