"""Lists of steps taken from beginning to end, and what is held then against what the store has."""

import json
from random import Random

from shopify_app import rollups
from shopify_app.database import tenant_work
from shopify_app.models import Tenant
from tests.flows import convergence_states as states
from tests.flows.convergence import WAITS, Deck, Step
from tests.flows.convergence_actions import MERCHANT, act
from tests.flows.convergence_baskets import baskets, held_baskets
from tests.flows.convergence_network import NETWORK
from tests.flows.convergence_world import A_BIT, World

ORIGIN = "http://127.0.0.1:1/stores/{shop}"  # where nobody listens: devstore is reached in the process
FOUND = 40  # differences shown
DICE = 60
MOST_STEPS = 20
# Some are taken more often than others, for there is more to go wrong in them.
WORDS = (*MERCHANT, *("place_order", "fill_cart", "refund_order", "edit_order") * 2, *tuple(NETWORK) * 3)


def drawn(random: Random) -> list[Step]:
    """Return a list of steps."""
    dice = [[random.randint(0, DICE) for _ in range(3)] for _ in range(random.randint(2, MOST_STEPS))]
    return [Step(random.choice(WORDS), random.randrange(len(WAITS)), *thrown) for thrown in dice]


def run(world: World, steps: list[Step]) -> None:
    """Take the steps."""
    for step in steps:
        world.wait(WAITS[step.wait])
        if step.word in MERCHANT:
            act(world, *step[:1], *step[2:])
        else:
            NETWORK[step.word](world, *step[2:])


def lost_baskets(world: World) -> frozenset[str]:
    """Return the tokens of carts and checkouts of which a webhook was lost."""
    tokens = set()
    for parcel in world.lost.values():
        if parcel.delivery.topic.startswith(("carts/", "checkouts/")):
            body = json.loads(parcel.body)
            tokens |= {body.get("token"), body.get("cart_token")}
    return frozenset(tokens - {None})


def compare(world: World, untold: states.Untold) -> list[str]:
    """Return what is not held as the store has it."""
    store = world.store
    with world.deck.app.app_context(), tenant_work(world.tenant_id) as session:
        found = [
            *states.differences(states.customers(store, untold), states.held_customers(session, untold)),
            *states.differences(states.products(store), states.held_products(session)),
            *states.differences(states.orders(store, untold), states.held_orders(session, untold)),
            *states.differences(states.sums(store), states.held_sums(session)),
            *states.differences(
                baskets(store, world.carts_begun, untold, now=world.now), held_baskets(session, untold)
            ),
        ]
        kept = states.day_totals(session)
        rollups.rebuild(session, session.get_one(Tenant, world.tenant_id), world.now)
        return found + states.differences(states.day_totals(session), kept)


def assert_held(world: World, *, checked: bool) -> None:
    """Fail unless everything is held that can be; by what was told alone, or ``checked``."""
    untold = states.Untold(
        baskets=lost_baskets(world) | world.checkouts_deleted,
        products=frozenset(world.store.deleted["product"]),
        tags=frozenset() if checked else frozenset(world.merged_into),
        times=not checked,
    )
    wrong = [f"{what} waits: {error}" for what, error in world.unfinished()] + compare(world, untold)
    if wrong:
        raise AssertionError("\n".join(["after a check:" if checked else "as told:", *wrong[:FOUND]]))


def converge(deck: Deck, steps: list[Step]) -> None:
    """Take the steps with a store that is held, let everything arrive that was not lost, and compare."""
    with deck.world() as world:
        run(world, steps)
        world.arrive()
        world.settle()
        if not world.lost:
            assert_held(world, checked=False)
        world.wait(A_BIT)  # what has just happened, a check leaves to its webhooks
        world.check("asked")
        world.settle()
        assert_held(world, checked=True)
