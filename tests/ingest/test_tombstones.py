"""Tombstones: who is known again, by what, and in which bodies."""

import json

import pytest
from sqlalchemy import select, text

from shopify_app.database import tenant_work
from shopify_app.ingest.tombstones import Erased, escaped, find, key_of, marks, pattern, put
from shopify_app.models import Tombstone
from tests.ingest.world import KEY, NOW


def buried(world, **known):
    with tenant_work(world.alpha) as session:
        put(session, world.alpha, KEY, marks(**known), NOW)


def look(tenant_id, key=KEY, **known):
    with tenant_work(tenant_id) as session:
        return bool(find(session, tenant_id, key, marks(**known)))


@pytest.mark.parametrize(
    ("buried_as", "asked_as"),
    [
        ({"customer": 77}, {"customer": 77}),
        ({"order": 5}, {"order": 5}),
        ({"email": "Ada@Example.com "}, {"email": "ada@example.COM"}),
        ({"phone": "+1 555-010-0777"}, {"phone": "+15550100777"}),
    ],
)
def test_somebody_is_known_again_however_they_are_written(world, buried_as, asked_as):
    buried(world, **buried_as)

    assert look(world.alpha, **asked_as)


def test_a_number_of_another_kind_another_store_and_another_key_know_nobody(world):
    buried(world, customer=77)

    assert not look(world.alpha, order=77)
    assert not look(world.beta, customer=77)
    assert not look(world.alpha, key=key_of("another secret key"), customer=77)


def test_a_tombstone_holds_nothing_but_a_hash(world):
    buried(world, email="ada@example.com")

    with tenant_work(world.alpha) as session:
        digest = bytes(session.scalars(select(Tombstone.digest)).one())
    assert len(digest) == 32
    assert b"ada" not in digest


def test_too_few_digits_are_nobodys_phone():
    assert marks(phone="123456") == set()


def test_being_erased_twice_is_being_erased(world):
    buried(world, customer=77)
    buried(world, customer=77)

    assert look(world.alpha, customer=77)


BODIES = [
    (b'{"id":77}', True),
    (b'{"gid":"gid://shopify/Customer/77"}', True),
    (b'{"id":770}', False),
    (b'{"id":177}', False),
    (b'{"email":"ADA+shop@example.com"}', True),
    (b'{"email":"adaXshop@example.com"}', False),
    (json.dumps({"email": "z\N{LATIN SMALL LETTER E WITH ACUTE}@example.com"}).encode(), True),
    ('{"email":"z\N{LATIN SMALL LETTER E WITH ACUTE}@example.com"}'.encode(), True),
    (b'{"email":"ze@example.com"}', False),
    (b"\x00\xff\\", False),
]
VALUES = ("77", "ada+shop@example.com", "z\N{LATIN SMALL LETTER E WITH ACUTE}@example.com")


@pytest.mark.parametrize(("body", "speaks"), BODIES)
def test_a_body_speaks_of_somebody_alike_in_python_and_in_postgresql(world, body, speaks):
    erased = Erased(frozenset({("any", value) for value in VALUES}))

    with tenant_work(world.alpha) as session:
        values = {"body": body, "pattern": pattern(VALUES)}
        row = session.execute(text("SELECT encode(:body, 'escape'), encode(:body, 'escape') ~* :pattern"), values).one()

    assert tuple(row) == (escaped(body), speaks)
    assert erased.told_by(body) is speaks


def test_nobody_erased_is_told_of_by_nothing():
    assert not Erased(frozenset()).told_by(b'{"id": 77}')
