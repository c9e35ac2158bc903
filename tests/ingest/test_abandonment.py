"""When a basket is abandoned and when recovered: a table of the rule, and the same out of every order of arrival."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shopify_app import abandonment, claims
from shopify_app.database import directory, tenant_work
from shopify_app.ingest.abandonment import Facts, decide
from tests.ingest.world import NOW, T0, at, bag, gid, order

CUT_OFF = timedelta(minutes=60)


def moment(minutes):
    return None if minutes is None else T0 + timedelta(minutes=minutes)


def facts(seen=(), bare=(), *, at_stake=True, went_on=None, ordered=None, deleted=None):
    return Facts(
        seen=frozenset(map(moment, seen)),
        seen_bare=frozenset(map(moment, bare)),
        at_stake=at_stake,
        went_on_at=moment(went_on),
        ordered_at=moment(ordered),
        deleted_at=moment(deleted),
    )


# Facts; minutes after T0 at which anybody looks; idle since, is abandoned, abandoned at, recovered at.
RULE = {
    "never seen": (facts(), 500, (None, False, None, None)),
    "seen just now": (facts([0]), 0, (0, False, None, None)),
    "a moment before the cut-off": (facts([0]), 59, (0, False, None, None)),
    "at the cut-off": (facts([0]), 60, (None, True, 60, None)),
    "long after, it was abandoned when its time came": (facts([0]), 5000, (None, True, 60, None)),
    "each visit starts the wait anew": (facts([0, 50, 100]), 150, (100, False, None, None)),
    "the last visit counts": (facts([0, 50, 100]), 160, (None, True, 160, None)),
    "the customer came back": (facts([0, 90]), 100, (90, False, 60, None)),
    "the customer came back and left again": (facts([0, 90]), 150, (None, True, 150, None)),
    "came back at the very moment": (facts([0, 60]), 70, (60, False, 60, None)),
    "ordered in time": (facts([0], ordered=59), 500, (None, False, None, None)),
    "ordered after it was abandoned": (facts([0], ordered=61), 500, (None, False, 60, 61)),
    "ordered at the very moment": (facts([0], ordered=60), 500, (None, False, 60, 60)),
    "came back and ordered": (facts([0, 90], ordered=95), 500, (None, False, 60, 95)),
    "abandoned twice and ordered, recovered once": (facts([0, 90], ordered=200), 500, (None, False, 150, 200)),
    "touched by its own order": (facts([0, 30], ordered=30), 500, (None, False, None, None)),
    "seen again after its order": (facts([0, 200], ordered=30), 500, (None, False, None, None)),
    "seen again long after a late order": (facts([0, 300], ordered=90), 500, (None, False, 60, 90)),
    "nothing at stake": (facts([], [0]), 500, (None, False, None, None)),
    "emptied in time": (facts([0], [30], at_stake=False), 500, (None, False, None, None)),
    "emptied after it was abandoned": (facts([0], [90], at_stake=False), 500, (None, False, 60, None)),
    "something at stake only later": (facts([90], [0]), 100, (90, False, None, None)),
    "emptied in the second it was filled": (facts([0], [0], at_stake=False), 500, (None, False, None, None)),
    "an address left in the second it was begun": (facts([0], [0]), 500, (None, True, 60, None)),
    "went on in time": (facts([0], went_on=30), 500, (None, False, None, None)),
    "went on after it was abandoned": (facts([0], went_on=90), 500, (None, False, 60, None)),
    "went on late, and was ordered": (facts([0], went_on=90, ordered=400), 500, (None, False, 60, 400)),
    "went on in time, and was ordered late": (facts([0], went_on=30, ordered=400), 500, (None, False, None, None)),
    "deleted in time": (facts([0], deleted=30), 500, (None, False, None, None)),
    "deleted after it was abandoned": (facts([0], deleted=90), 500, (None, False, 60, None)),
    "seen in the future, by Shopify's clock": (facts([5]), 0, (5, False, None, None)),
}


@pytest.mark.parametrize("name", RULE)
def test_the_rule(name):
    known, now, (idle_since, abandoned, abandoned_at, recovered_at) = RULE[name]

    fate = decide(known, CUT_OFF, moment(now))

    assert (fate.idle_since, fate.abandoned) == (moment(idle_since), abandoned)
    assert (fate.abandoned_at, fate.recovered_at) == (moment(abandoned_at), moment(recovered_at))


# ── through ingest ──


def cart(minutes=0, *, units=1, name="c1", updated=True):
    lines = [{"id": 1, "quantity": units, "price": "4.00"}] if units else []
    when = at(minutes) if updated else None
    return ("carts/update", {"id": name, "token": name, "created_at": at(), "updated_at": when, "line_items": lines})


def checkout(minutes=0, *, created=0, email="ada@example.com", completed=None, name="k1"):
    body = {
        "token": name,
        "cart_token": "c1",
        "created_at": at(created),
        "updated_at": at(minutes),
        "completed_at": None if completed is None else at(completed),
        "email": email,
        "line_items": [{"quantity": 1, "price": "12.00"}],
    }
    return ("checkouts/update", body)


def ordered(minutes, number=1):
    moments = dict.fromkeys(("created_at", "updated_at", "processed_at"), at(minutes))
    return ("orders/create", order(number, **moments, cart_token="c1", checkout_token="k1"))


def look(world, minutes, tenant=None):
    """Let the clock look, some minutes after T0."""
    with tenant_work(tenant or world.alpha) as session:
        return abandonment.sweep(session, tenant or world.alpha, moment(minutes), 100)


def fate(world, table="carts", tenant=None):
    """Return what is written of the only basket: status, and minutes after T0 of its moments."""
    [row] = world.rows(table, tenant=tenant)
    minutes = [
        None if row[name] is None else (row[name] - T0) / timedelta(minutes=1)
        for name in ("idle_since", "abandoned_at", "recovered_at")
    ]
    return (row["status"], *minutes)


def due(tenant_id):
    with directory() as session:
        query = text("SELECT due_at FROM claims WHERE kind = :kind AND tenant_id = :tenant")
        return session.execute(query, {"kind": claims.ABANDONMENT, "tenant": tenant_id}).scalars().all()


def test_a_new_cart_waits_and_the_clock_is_told_until_when(world):
    world.apply(cart(0), now=T0)

    assert fate(world) == ("active", 0, None, None)
    assert due(world.alpha) == [moment(60)]
    assert due(world.beta) == due(world.stranger) == []


def test_what_is_told_late_is_abandoned_on_arrival_at_its_own_time(world):
    world.apply(cart(0), checkout(0, created=0), now=NOW)

    assert fate(world, "checkouts") == ("abandoned", None, 60, None)
    assert due(world.alpha) == []


def test_the_clock_abandons_at_the_same_moment_whenever_it_looks(world):
    world.apply(cart(0), now=T0)
    world.apply(cart(0), tenant=world.beta, now=T0)

    look(world, 61)
    look(world, 4000, tenant=world.beta)

    assert fate(world) == fate(world, tenant=world.beta) == ("abandoned", None, 60, None)


def test_a_customer_who_comes_back_is_waited_for_again(world):
    world.apply(cart(0), now=T0)
    look(world, 61)

    world.apply(cart(90), now=moment(90))
    assert fate(world) == ("active", 90, 60, None)

    look(world, 150)
    assert fate(world) == ("abandoned", None, 150, None)


def test_an_order_recovers_both_once(world):
    world.apply(cart(0), now=T0)
    look(world, 61)
    world.apply(checkout(100, created=100), now=moment(100))
    look(world, 200)
    world.apply(ordered(300), now=moment(300))

    assert fate(world) == ("completed", None, 60, 300)
    assert fate(world, "checkouts") == ("completed", None, 160, 300)

    before = world.everything()
    world.apply(cart(0), checkout(100, created=100), ordered(300), now=NOW)
    look(world, 9000)
    assert world.everything() == before


def test_of_two_orders_the_first_counts_whichever_arrives_first(world):
    world.apply(cart(0), ordered(400, 2), now=NOW)
    world.apply(ordered(300, 1), now=NOW)

    assert fate(world) == ("completed", None, 60, 300)


def test_an_order_that_is_deleted_recovers_nothing(world):
    world.apply(cart(0), ordered(300), now=NOW)

    world.apply(("orders/delete", {"id": 1}, 400), now=NOW)

    assert fate(world) == ("abandoned", None, 60, None)


def test_a_checkout_takes_over_from_its_cart(world):
    world.apply(cart(0), now=T0)
    world.apply(checkout(30, created=30), now=moment(30))

    look(world, 500)

    assert fate(world) == ("checked_out", None, None, None)
    assert fate(world, "checkouts") == ("abandoned", None, 90, None)


@pytest.mark.parametrize("deletion", [{"token": "k1"}, {"id": 9}], ids=["by token", "by number"])
def test_a_checkout_that_is_deleted_is_not_abandoned_and_gives_its_cart_back(world, deletion):
    topic, body = checkout(30, created=30)
    world.apply(cart(0), (topic, {**body, "id": 9}), now=moment(30))

    world.apply(("checkouts/delete", deletion, 40), now=moment(40))
    look(world, 500)

    assert fate(world, "checkouts") == ("open", None, None, None)
    assert fate(world) == ("abandoned", None, 60, None)


def test_a_checkout_without_an_address_is_nobodys_to_abandon(world):
    world.apply(checkout(0, email=None), now=T0)

    look(world, 500)

    assert fate(world, "checkouts") == ("open", None, None, None)


def test_a_cart_without_any_time_is_idle_since_it_came_and_a_repetition_does_not_renew_that(world):
    world.apply(cart(updated=False), now=moment(10))
    world.apply(cart(updated=False), now=moment(50))

    assert fate(world) == ("active", 10, None, None)


def test_a_checkout_of_a_backfill_is_abandoned_likewise(world):
    world.bulk("checkouts", bulk_checkout())

    assert fate(world, "checkouts") == ("abandoned", None, 60, None)


def test_an_order_of_a_backfill_recovers_what_webhooks_told(world):
    world.apply(checkout(0, name="token9"), now=T0)
    world.bulk("checkouts", bulk_checkout(updatedAt=at(5), completedAt=at(400)))
    _, body = ordered(400)

    world.apply(("orders/create", {**body, "checkout_token": "token9"}), now=NOW)

    assert fate(world, "checkouts") == ("completed", None, 65, 400)


def test_a_cart_that_is_changed_all_day_keeps_few_moments_and_its_gap(world):
    for start in range(0, 480, 120):
        world.apply(*(cart(start + step / 10) for step in range(300)), now=moment(start + 30))

    [row] = world.rows("carts")
    assert len(row["seen_at"]) == 4 * 12
    assert fate(world) == ("active", 389.9, 329.9, None)


def test_the_other_store_and_the_stranger_are_not_touched(world):
    world.apply(cart(0), checkout(0), tenant=world.beta, now=T0)
    before = world.everything(world.beta)

    world.apply(cart(5), checkout(5), ordered(200), now=NOW)
    look(world, 9000)

    assert world.everything(world.beta) == before
    assert not any(world.everything(world.stranger).values())


def bulk_checkout(**changes):
    return {
        "id": gid("AbandonedCheckout", 9),
        "abandonedCheckoutUrl": "https://alpha.example/12/checkouts/ac/token9/recover?key=1",
        "createdAt": at(),
        "updatedAt": at(),
        "completedAt": None,
        "customer": {"id": gid("Customer", 77)},
        "totalPriceSet": bag("12.00"),
        "subtotalPriceSet": bag("10.00"),
        **changes,
    }


# ── in any order of arrival ──

MINUTES = st.integers(0, 400)
HISTORIES = st.fixed_dictionaries(
    {
        "carts": st.dictionaries(MINUTES, st.booleans(), min_size=1, max_size=5),
        "checkouts": st.dictionaries(MINUTES, st.booleans(), max_size=4),
        "completed": st.none() | MINUTES,
        "orders": st.lists(MINUTES, max_size=2),
        "deleted": st.none() | MINUTES,
        "order deleted": st.booleans(),
    }
)


def told(history):
    """Return the deliveries that tell of a history; the last version of a checkout tells that it was completed."""
    versions = sorted(history["checkouts"])
    yield from (cart(minute, units=int(full)) for minute, full in history["carts"].items())
    for minute in versions:
        completed = history["completed"] if minute == versions[-1] else None
        email = "ada@example.com" if history["checkouts"][minute] else None
        yield checkout(minute, created=versions[0], email=email, completed=completed)
    yield from (ordered(minute, number) for number, minute in enumerate(history["orders"], start=1))
    if history["orders"] and history["order deleted"]:
        yield ("orders/delete", {"id": 1}, 410)
    if versions and history["deleted"] is not None:
        yield ("checkouts/delete", {"token": "k1"}, history["deleted"])


def expected(history, minutes):
    """Return the fate of cart and checkout as ``decide`` sees it, with their states' words."""
    first = min(history["orders"][history["order deleted"] :], default=None)
    begun = min(history["checkouts"], default=None) if history["deleted"] is None else None
    found = []
    for kind, at_stake in (("carts", None), ("checkouts", True)):
        seen = [minute for minute, full in history[kind].items() if full]
        bare = [minute for minute, full in history[kind].items() if not full]
        if seen or bare:
            known = facts(
                seen,
                bare,
                at_stake=history[kind][max(history[kind])] if at_stake is None else at_stake,
                went_on=begun if kind == "carts" else history["completed"],
                ordered=first,
                deleted=history["deleted"] if kind == "checkouts" else None,
            )
            fated = decide(known, CUT_OFF, moment(minutes))
            found.append((kind, fated.abandoned, fated.idle_since, fated.abandoned_at, fated.recovered_at))
    return found


def held(world):
    names = ("idle_since", "abandoned_at", "recovered_at")
    return [
        (table, row["status"] == "abandoned", *(row[name] for name in names))
        for table in ("carts", "checkouts")
        for row in world.rows(table)
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES, data=st.data())
def test_every_order_of_arrival_ends_in_what_the_rule_says(world, history, data):
    forget(world)
    deliveries = list(told(history))
    arriving = data.draw(st.permutations(deliveries + deliveries[:2]), label="arriving")
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1), label="batches")
    looks = data.draw(st.lists(st.integers(0, 700), max_size=3), label="the clock looks")
    minutes = max([500, *looks])

    while arriving:
        size = sizes.pop() if sizes else len(arriving)
        world.apply(*arriving[:size], now=moment(minutes if data.draw(st.booleans()) else 200))
        arriving = arriving[size:]
        if looks:
            look(world, looks.pop())
    last = look(world, minutes)

    assert held(world) == expected(history, minutes)
    assert (last.due_at is None) == all(since is None for _, _, since, _, _ in held(world))


def forget(world):
    with tenant_work(world.alpha) as session:
        for table in ("carts", "checkouts", "orders", "order_lines", "sales"):
            session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 a constant
