"""Faults as settings, and the dice: what is drawn follows from the seed."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from devstore import faults
from devstore.delivery_log import RETRIES
from devstore.faults import NO_FAULTS, Faults
from devstore.faults_bulk import ApiFaults, BulkFaults

TOPIC = "orders/create"
ROOT = Path(__file__).parents[2]


def fates(count=2000, **settings):
    drawn = Faults(**{"seed": 1, **settings})
    return [faults.fate(drawn, TOPIC, number) for number in range(1, count + 1)]


def test_by_default_nothing_goes_wrong():
    assert faults.fate(NO_FAULTS.seeded(), TOPIC, 1) == faults.Fate()


def test_a_seed_is_drawn_where_none_is_given_and_kept_where_one_is():
    drawn = {NO_FAULTS.seeded().seed for _ in range(5)}

    assert len(drawn) == 5
    assert Faults(seed=0).seeded().seed == 0


@pytest.mark.parametrize(
    "settings", [{"drop": 0.5}, {"garbage": 0.5}, {"wrong_hmac": 0.5}, {"delay": (1.0, 9.0), "duplicate": 3}]
)
def test_the_same_seed_draws_the_same_and_another_does_not(settings):
    assert fates(50, **settings) == fates(50, **settings)
    assert fates(50, **settings) != fates(50, **settings, seed=2)


def test_one_rate_does_not_move_what_another_draws():
    alone = [fate.dropped for fate in fates(200, drop=0.3)]

    assert [fate.dropped for fate in fates(200, drop=0.3, garbage=0.5, wrong_hmac=0.5, delay=(0.0, 1.0))] == alone


@pytest.mark.parametrize(
    ("name", "met"),
    [
        ("drop", lambda fate: fate.dropped),
        ("garbage", lambda fate: fate.flaws.garbage is not None),
        ("wrong_hmac", lambda fate: fate.flaws.forged > 0),
    ],
)
def test_a_share_is_about_the_share_and_all_and_none_are_exact(name, met):
    assert 500 < sum(map(met, fates(**{name: 0.3}))) < 700
    assert sum(map(met, fates(200, **{name: 1.0}))) == 200
    assert sum(map(met, fates(200))) == 0


def test_every_attempt_is_signed_wrongly_by_itself():
    forged = [fate.flaws.forged for fate in fates(wrong_hmac=0.5)]

    assert max(forged) <= RETRIES + 1
    assert 0.8 < sum(forged) / len(forged) < 1.2
    assert fates(1, wrong_hmac=1.0)[0].flaws.forged == RETRIES + 1


def test_a_delay_is_a_number_or_between_two():
    assert {delay for fate in fates(20, delay=2.5, duplicate=2) for delay in fate.delays} == {2.5}
    drawn = [delay for fate in fates(100, delay=(1.0, 3.0), duplicate=2) for delay in fate.delays]
    assert len(drawn) == len(set(drawn)) == 200
    assert 1.0 <= min(drawn) < 1.2
    assert 2.8 < max(drawn) <= 3.0


def test_topics_that_are_not_concerned_go_well():
    some = Faults(seed=1, topics=["orders/paid"], drop=1.0)

    assert faults.fate(some, TOPIC, 1) == faults.Fate()
    assert faults.fate(some, "orders/paid", 1).dropped


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("malformed", lambda body: body.startswith(b'{{"id"')),
        ("truncated", lambda body: b'{"id":1,"name":"x"}'.startswith(body) and len(body) == 9),
        ("no_object", lambda body: json.loads(body) == [{"id": 1, "name": "x"}]),
    ],
)
def test_garbage_is_what_it_is_called(kind, check):
    body = faults.broken(b'{"id":1,"name":"x"}', kind)

    assert check(body)
    if kind != "no_object":
        with pytest.raises(ValueError, match=r"Extra|Expecting|Unterminated"):
            json.loads(body)


def test_only_the_wanted_kinds_of_garbage_are_drawn():
    assert {fate.flaws.garbage for fate in fates(100, garbage=1.0)} == set(faults.GARBAGE)
    assert {fate.flaws.garbage for fate in fates(20, garbage=1.0, garbage_kinds=("truncated",))} == {"truncated"}


def test_shuffling_keeps_everything_and_follows_the_seed():
    held = list(range(30))
    seeded = Faults(seed=1)

    assert sorted(faults.shuffled(seeded, held, 1)) == held
    assert faults.shuffled(seeded, held, 1) == faults.shuffled(seeded, held, 1) != faults.shuffled(seeded, held, 2)


def test_assignments_are_json_or_plain_text():
    read = faults.read_assignments(
        [
            *("seed=7", "delay=[0.5, 2]", "drop=0.1", 'topics=["orders/create"]', "api_version=2025-01"),
            *("plain_names=true", "reorder= 10"),
        ]
    )

    assert read == Faults(
        seed=7,
        delay=(0.5, 2.0),
        drop=0.1,
        topics=["orders/create"],
        api_version="2025-01",
        plain_names=True,
        reorder=10,
    )


def test_assignments_reach_into_the_groups():
    read = faults.read_assignments(
        ["drop=0.1", "bulk.fail_at=10", 'bulk.resources=["orders"]', "bulk.partial=torn", "api.status=503"]
    )

    assert read == Faults(
        drop=0.1, bulk=BulkFaults(fail_at=10, resources=["orders"], partial="torn"), api=ApiFaults(status=503)
    )


def test_a_group_is_set_as_a_whole_or_by_its_parts():
    with pytest.raises(ValueError, match=r"bulk is set as a whole and by bulk\.fail_at"):
        faults.read_assignments(["bulk=1", "bulk.fail_at=10"])


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"drop": 1.5}, r"<= 1.0 - at `\$.drop`"),
        ({"duplicate": 0}, r">= 1 - at `\$.duplicate`"),
        ({"delay": [3, 1]}, "the shorter first"),
        ({"delay": -1}, "not seconds from 0"),
        ({"delay": [0, 9999]}, "<= 3600"),
        ({"delay": "soon"}, r"\$.delay"),
        ({"garbage_kinds": ["rot"]}, "Invalid enum value 'rot'"),
        ({"garbage_kinds": []}, "length >= 1"),
        ({"api_version": "2027-01"}, r"\$.api_version"),
        ({"explode": True}, "unknown field `explode`"),
        ([], "Expected `object`"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(settings, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        faults.read(settings)


def test_what_assigns_nothing_is_refused():
    with pytest.raises(ValueError, match="drop is not NAME=VALUE"):
        faults.read_assignments(["drop"])


def test_every_fault_is_described():
    described = re.findall(r"^\| `([\w.]+)` \|", (ROOT / "devstore" / "README.md").read_text(), re.MULTILINE)

    assert described == [
        *(name for name in Faults.__struct_fields__ if name not in {"bulk", "api"}),
        *(f"bulk.{name}" for name in BulkFaults.__struct_fields__),
        *(f"api.{name}" for name in ApiFaults.__struct_fields__),
    ]
