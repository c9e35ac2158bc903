"""What goes wrong between a store and the app, and inside it, as steps."""

import random
from collections.abc import Callable

from devstore.faults import NO_FAULTS, Faults
from shopify_app.shopify.topics import TOPICS
from tests.flows.convergence_world import MOST_DEATHS, World

VERSIONS = ("2024-10", "2025-01", "2026-01", "2026-04", "2026-10")


def misbehave(world: World, one: int, two: int, three: int) -> None:
    """Let webhooks go wrong in another way from now on, or no longer."""
    kinds: tuple[Faults, ...] = (
        NO_FAULTS,
        Faults(seed=two, second_subscription=list(TOPICS)),
        Faults(seed=two, api_version=VERSIONS[three % len(VERSIONS)]),
        Faults(seed=two, wrong_hmac=0.4),
        Faults(seed=two, plain_names=True),
        Faults(seed=two, duplicate=2),
    )
    world.outbox.set_faults(world.store, kinds[one % len(kinds)])


def deliver(world: World, one: int, two: int, _three: int) -> None:
    """Let some parcels arrive, in some order."""
    parcels = world.on_its_way()
    random.Random(two).shuffle(parcels)
    for parcel in parcels[: 1 + one % 12]:
        world.hand_over(parcel)


def deliver_all(world: World, one: int, two: int, _three: int) -> None:
    """Let all parcels arrive, in order, backwards, or shuffled."""
    parcels = world.on_its_way()
    if one % 3:
        parcels.reverse()
    if one % 3 == 2:
        random.Random(two).shuffle(parcels)
    for parcel in parcels:
        world.hand_over(parcel)


def drop(world: World, one: int, two: int, _three: int) -> None:
    """Lose some parcels for good."""
    parcels = world.on_its_way()
    random.Random(two).shuffle(parcels)
    for parcel in parcels[: 1 + one % 5]:
        world.lose(parcel)


def repeat(world: World, one: int, two: int, _three: int) -> None:
    """Let parcels arrive again that arrived before."""
    if world.delivered:
        for parcel in random.Random(two).choices(world.delivered, k=1 + one % 4):
            world.post(parcel)


def work(world: World, _one: int, _two: int, _three: int) -> None:
    """Do what is due."""
    world.work()


def die(world: World, one: int, _two: int, _three: int) -> None:
    """Do what is due, and be killed in the middle."""
    world.dies_after(1 + one % 60)


def vanish(world: World, _one: int, _two: int, _three: int) -> None:
    """Take the turn and never be heard of again."""
    if world.deaths < MOST_DEATHS:
        world.hold_turn()


def replay(world: World, one: int, _two: int, _three: int) -> None:
    """Let an operator have what was kept applied again."""
    world.replay(one if one % 2 else 0)


def check(world: World, one: int, _two: int, _three: int) -> None:
    """Plan a check, as the clock does every hour and every day, or as a merchant asks for it."""
    world.check(("recent", "daily", "asked")[one % 3])


NETWORK: dict[str, Callable[[World, int, int, int], None]] = {
    step.__name__: step for step in (misbehave, deliver, deliver_all, drop, repeat, work, die, vanish, replay, check)
}
