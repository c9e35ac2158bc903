"""The state of carts and checkouts: as the store's orders and the time make it, and as it is held."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from devstore.model import Cart, Checkout
from devstore.state import Store
from tests.flows.convergence_states import Rows, Untold

CUT_OFF = timedelta(minutes=60)


def baskets(store: Store, begun: set[str], untold: Untold, *, now: datetime) -> Rows:
    """Return the state of the store's carts and checkouts, by token, as orders and time have left it.

    ``begun`` are the tokens of all carts there ever were: the store forgets one whose checkout is completed.
    """
    open_carts = {token: _cart_state(store, cart, now) for token, cart in store.carts.items()}
    ordered = dict.fromkeys(begun.difference(store.carts), "completed")
    checkouts = {token: _checkout_state(store, one, now) for token, one in store.checkouts.items()}
    found = {**open_carts, **ordered, **checkouts}
    return {token: {"status": status} for token, status in found.items() if token not in untold.baskets}


def _cart_state(store: Store, cart: Cart, now: datetime) -> str:
    if any(order.cart_token == cart.token for order in store.orders.values()):
        return "completed"
    if any(checkout.cart_token == cart.token for checkout in store.checkouts.values()):
        return "checked_out"
    return "abandoned" if cart.lines and cart.updated_at + CUT_OFF <= now else "active"


def _checkout_state(store: Store, checkout: Checkout, now: datetime) -> str:
    ordered = any(order.checkout_token == checkout.token for order in store.orders.values())
    if ordered or checkout.completed_at:
        return "completed"
    return "abandoned" if checkout.updated_at + CUT_OFF <= now else "open"


def held_baskets(session: Session, untold: Untold) -> Rows:
    """Return the carts and checkouts that are held, in the words of :func:`baskets`."""
    rows = session.execute(text(_BASKETS))
    return {token: {"status": status} for token, status in rows if token not in untold.baskets}


_BASKETS = """
    SELECT shopify_id, status FROM carts WHERE deleted_at IS NULL
    UNION ALL SELECT token, status FROM checkouts WHERE deleted_at IS NULL
"""
