"""``flask inbox``: how it does, what died in it, and applying deliveries again or giving them up."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text

from shopify_app import inbox
from shopify_app.cli import inbox as commands
from shopify_app.database import directory, operations
from shopify_app.models import Delivery
from shopify_app.runtime import current

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
BODY = {"id": 1, "email": "ada@example.com"}


@pytest.fixture
def put(app):
    """Keeps a delivery that has got as far as the columns say, and returns its number."""
    numbers = iter(range(1, 10_000))

    def make(tenant_id, shop="alder", **columns):
        row = {
            "tenant_id": tenant_id,
            "shop_domain": f"{shop}.myshopify.com",
            "topic": "orders/create",
            "webhook_id": f"w-{next(numbers)}",
            "payload": json.dumps(BODY).encode(),
            "received_at": NOW - HOUR,
            **columns,
        }
        with app.app_context(), directory() as session:
            return session.scalars(insert(Delivery).values(row).returning(Delivery.id)).one()

    return make


DEAD = {"dead_at": NOW - HOUR, "attempts": 8, "error": "$.id: not a number", "traceback": "Traceback …\n  File x\n"}
APPLIED = {"processed_at": NOW - HOUR, "outcome": "applied"}


def audit(app):
    with app.app_context(), operations() as session:
        rows = session.execute(text("SELECT action, tenant_id, details, operator FROM audit_entries ORDER BY id"))
        return [tuple(row) for row in rows]


def state(app, delivery_id):
    with app.app_context(), directory() as session:
        return inbox.one(session, delivery_id).state


def rung(app):
    """Whether a drain is queued, so that nothing has to wait for the clock."""
    with app.app_context():
        return bool(current().queues.redis.llen("rq:queue:inbox"))


# ── stats ──


def test_stats_of_nothing_are_zeros(run):
    lines = run("inbox", "stats").output.splitlines()

    assert lines[0].split()[:2] == ["STORE", "WAITING"]
    assert lines[-1].split() == ["all", "0", "0", "0", "0", "0", "0", "–"]


def test_stats_tell_every_store_strays_and_the_sum(run, install, put):
    alder, birch = install("alder"), install("birch")
    put(alder, received_at=datetime.now(UTC) - HOUR)
    put(alder, retry_at=NOW, attempts=1, received_at=NOW)
    put(alder, **DEAD)
    put(alder, **APPLIED)
    put(birch, "birch", **{**APPLIED, "outcome": "repeat"})
    put(None, "alder")
    put(None, "stranger")

    found = {line.split("  ")[0]: line.split() for line in run("inbox", "stats").output.splitlines()[1:]}

    assert found["alder.myshopify.com"][1:7] == ["2", "1", "1", "1", "1", "0"]
    assert 3600 <= int(found["alder.myshopify.com"][7].replace(",", "")) < 3700
    assert found["birch.myshopify.com"][1:] == ["0", "0", "0", "0", "0", "1", "–"]
    assert found["(other stores)"][2:] == ["0", "0", "0", "1", "0", "0", "–"]
    assert found["all"][1:7] == ["2", "1", "1", "2", "1", "1"]


def test_stats_of_one_store_tell_of_no_other(run, install, put):
    install("alder")
    put(install("birch"), "birch")

    lines = run("inbox", "stats", "--store", "alder").output.splitlines()

    assert [line.split()[0] for line in lines] == ["STORE", "alder.myshopify.com"]
    assert lines[1].split()[1:] == ["0", "0", "0", "0", "0", "0", "–"]


@pytest.mark.parametrize("command", [("stats",), ("dead",), ("replay",), ("discard", "--dead")])
def test_a_store_nobody_knows_is_said_to_be_unknown(run, command):
    result = run("inbox", *command, "--store", "cedar")

    assert result.exit_code == 1
    assert "No store cedar.myshopify.com has installed the app." in result.output


# ── dead, quarantine, show ──


def test_dead_letters_are_listed_by_store_and_topic(run, install, put):
    alder, birch = install("alder"), install("birch")
    first, second = put(alder, **DEAD), put(alder, topic="products/update", **DEAD)
    other = put(birch, "birch", **DEAD)
    put(alder)

    def listed(*options):
        return [line.split()[0] for line in run("inbox", "dead", *options).output.splitlines()[1:]]

    assert listed() == [str(other), str(second), str(first)]
    assert listed("--limit", "1") == [str(other)]
    assert listed("--store", "alder") == [str(second), str(first)]
    assert listed("--topic", "products/update") == [str(second)]
    assert "$.id: not a number" in run("inbox", "dead").output


def test_no_dead_letters_and_an_empty_quarantine_say_so(run):
    assert run("inbox", "dead").output == "There are no dead letters.\n"
    assert run("inbox", "quarantine").output == "The quarantine is empty.\n"


def test_the_quarantine_is_listed_by_the_store_it_names(run, install, put):
    put(install("alder"))
    stray, other = put(None, "alder"), put(None, "cedar")

    both = run("inbox", "quarantine").output.splitlines()[1:]
    one = run("inbox", "quarantine", "--store", "cedar").output.splitlines()[1:]

    assert [line.split()[0] for line in both] == [str(other), str(stray)]
    assert [line.split()[0] for line in one] == [str(other)]


def test_a_delivery_is_shown_with_everything_but_its_body(app, run, install, put):
    delivery_id = put(install("alder"), event_id="e-1", api_version="2026-10", **DEAD)

    output = run("inbox", "show", str(delivery_id)).output

    facts = dict(line.split(maxsplit=1) for line in output.splitlines()[:4])
    assert facts == {"id": str(delivery_id), "store": "alder.myshopify.com", "state": "dead", "topic": "orders/create"}
    assert "event id      e-1\napi version   2026-10\n" in output
    assert "Traceback …\n  File x" in output
    assert "ada@example.com" not in output
    assert audit(app) == []


def test_a_body_is_shown_when_asked_for_and_that_is_on_record(app, run, install, put):
    tenant_id = install("alder")
    delivery_id = put(tenant_id, **DEAD)

    output = run("inbox", "show", str(delivery_id), "--body").output

    assert json.loads(output.splitlines()[-1]) == BODY
    ((action, of, details, by),) = audit(app)
    assert (action, of, details) == ("delivery's body read", tenant_id, {"ids": [delivery_id]})
    assert by.endswith("(command line)")


def test_a_body_that_is_no_text_is_shown_all_the_same(run, put):
    delivery_id = put(None, payload=b"\xff\xfe{")

    assert run("inbox", "show", str(delivery_id), "--body").output.splitlines()[-1] == "\\xff\\xfe{"


def test_a_forgotten_body_is_said_to_be_gone(run, install, put):
    delivery_id = put(install("alder"), payload=b"", **APPLIED)

    for options in ((), ("--body",)):
        assert "The body was forgotten" in run("inbox", "show", str(delivery_id), *options).output


def test_a_delivery_nobody_knows_is_said_to_be_unknown(run):
    for command in (("show", "7"), ("replay", "--id", "7"), ("discard", "--id", "7")):
        result = run("inbox", *command)
        assert (result.exit_code, result.output) == (
            1,
            "Error: There is no delivery 7: none was, or it is not kept any more.\n",
        )


# ── replay ──


def test_deliveries_replayed_by_number_wait_again_and_it_is_on_record(app, run, install, put):
    alder = install("alder")
    first, second, third = put(alder, **DEAD), put(alder, **APPLIED), put(alder, **APPLIED)

    result = run("inbox", "replay", "--id", str(first), "--id", str(second), "--id", str(first))

    assert result.output == "2 deliveries will be applied again.\n"
    assert [state(app, one) for one in (first, second, third)] == ["waiting", "waiting", "applied"]
    assert [entry[:3] for entry in audit(app)] == [("deliveries replayed", None, {"ids": [first, second]})]
    assert rung(app)


def test_where_one_delivery_is_refused_none_is_replayed(app, run, install, put):
    alder = install("alder")
    sound, forgotten = put(alder, **DEAD), put(alder, payload=b"", **APPLIED)

    result = run("inbox", "replay", "--id", str(sound), "--id", str(forgotten))

    assert result.exit_code == 1
    assert "its body was forgotten" in result.output
    assert state(app, sound) == "dead"
    assert audit(app) == []
    assert not rung(app)


def test_a_range_of_one_store_is_replayed_and_of_no_other(app, run, install, put):
    alder, birch = install("alder"), install("birch")
    early = put(alder, received_at=NOW - 9 * HOUR, **APPLIED)
    meant = put(alder, received_at=NOW - 5 * HOUR, **APPLIED)
    forgotten = put(alder, received_at=NOW - 5 * HOUR, payload=b"", **APPLIED)
    other = put(birch, "birch", received_at=NOW - 5 * HOUR, **APPLIED)
    since, until = ((NOW - hours * HOUR).isoformat() for hours in (6, 4))

    result = run("inbox", "replay", "--store", "alder", "--since", since, "--until", until)

    assert result.output.splitlines() == [
        "1 delivery will be applied again.",
        "Passed over, because the body was forgotten: 1 delivery.",
    ]
    expected = ["applied", "waiting", "applied", "applied"]
    assert [state(app, one) for one in (early, meant, forgotten, other)] == expected
    ((action, of, details, _),) = audit(app)
    assert (action, of) == ("deliveries replayed", alder)
    assert (details["store"], details["changed"]) == ("alder", 1)
    assert details["since"].startswith(f"{NOW - 6 * HOUR:%Y-%m-%d}")


def test_dead_letters_of_all_stores_are_replayed(app, run, install, put):
    alder, birch = install("alder"), install("birch")
    found = [put(alder, **DEAD), put(birch, "birch", **DEAD)]
    applied = put(alder, **APPLIED)

    result = run("inbox", "replay", "--all-stores", "--dead")

    assert result.output == "2 deliveries will be applied again.\n"
    assert [state(app, one) for one in (*found, applied)] == ["waiting", "waiting", "applied"]


def test_many_deliveries_are_replayed_only_after_asking(app, run, install, put, monkeypatch):
    monkeypatch.setattr(commands, "MANY", 2)
    alder = install("alder")
    found = [put(alder, **APPLIED) for _ in range(3)]

    refused = run("inbox", "replay", "--store", "alder")
    done = run("inbox", "replay", "--store", "alder", "--yes")

    assert refused.exit_code == 1
    assert "more than 2 deliveries" in refused.output
    assert done.output == "3 deliveries will be applied again.\n"
    assert {state(app, one) for one in found} == {"waiting"}


def test_what_takes_several_slices_is_replayed_to_the_end(app, run, install, put, monkeypatch):
    alder = install("alder")
    found = [put(alder, **APPLIED) for _ in range(5)]
    by_two = commands.Deed(
        "deliveries replayed", "will be applied again", lambda *a, **k: inbox.replay(*a, limit=2, **k)
    )
    monkeypatch.setattr(commands, "REPLAY", by_two)

    result = run("inbox", "replay", "--store", "alder")

    assert result.output == "5 deliveries will be applied again.\n"
    assert {state(app, one) for one in found} == {"waiting"}
    assert [entry[2]["changed"] for entry in audit(app)] == [2, 2, 1]


def test_a_stray_is_adopted_by_a_store_that_has_come_since(app, run, install, put):
    stray = put(None, "alder")

    refused = run("inbox", "replay", "--id", str(stray))
    install("alder")
    done = run("inbox", "replay", "--id", str(stray))

    assert "alder.myshopify.com has not installed the app" in refused.output
    assert done.exit_code == 0
    assert state(app, stray) == "waiting"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give one of --id, --store and --all-stores."),
        (("--store", "alder", "--all-stores"), "Give one of"),
        (("--id", "1", "--store", "alder"), "Give one of"),
        (("--id", "1", "--dead"), "nothing else chooses beside it"),
        (("--all-stores", "--since", "yesterday"), "'yesterday' is not a time such as"),
        (("--store", "evil.example"), "is not the address of a store"),
    ],
)
def test_what_is_not_said_clearly_is_not_done(run, options, said):
    result = run("inbox", "replay", *options)

    assert result.exit_code == 2
    assert said in result.output


def test_a_time_without_a_zone_is_in_utc():
    assert commands.Moment().convert("2026-11-27T08:00:00", None, None) == datetime(2026, 11, 27, 8, tzinfo=UTC)
    assert commands.Moment().convert("2026-11-27T09:00+01:00", None, None) == datetime(2026, 11, 27, 8, tzinfo=UTC)


# ── discard ──


def test_a_discarded_delivery_is_not_applied_and_can_be_had_back(app, run, install, put):
    alder = install("alder")
    dead, stray = put(alder, **DEAD), put(None, "cedar")

    result = run("inbox", "discard", "--id", str(dead), "--id", str(stray))

    assert result.output == "2 deliveries will not be applied.\n"
    assert [state(app, one) for one in (dead, stray)] == ["discarded", "discarded"]
    assert [entry[0] for entry in audit(app)] == ["deliveries discarded"]
    assert run("inbox", "replay", "--store", "alder").output == "0 deliveries will be applied again.\n"
    assert run("inbox", "replay", "--store", "alder", "--discarded").output == "1 delivery will be applied again.\n"
    assert state(app, dead) == "waiting"


def test_the_dead_letters_of_one_store_are_discarded_together(app, run, install, put):
    alder, birch = install("alder"), install("birch")
    mine, other, waiting = put(alder, **DEAD), put(birch, "birch", **DEAD), put(alder)

    result = run("inbox", "discard", "--store", "alder", "--dead")

    assert result.output == "1 delivery will not be applied.\n"
    assert [state(app, one) for one in (mine, other, waiting)] == ["discarded", "dead", "waiting"]


def test_what_waits_or_was_applied_is_not_discarded_in_bulk(app, run, install, put):
    waiting = put(install("alder"))

    result = run("inbox", "discard", "--store", "alder")

    assert result.exit_code == 2
    assert "add --dead" in result.output
    assert state(app, waiting) == "waiting"


def test_what_was_applied_cannot_be_discarded(run, install, put):
    applied = put(install("alder"), **APPLIED)

    assert "it is applied already" in run("inbox", "discard", "--id", str(applied)).output
