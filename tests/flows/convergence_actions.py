"""What a merchant and the customers do, as steps: which of the store's things each is about, the dice say."""

from collections.abc import Callable
from typing import Any, TypeVar

from devstore import actions
from devstore.actions import ActionRefused
from devstore.model import Checkout
from devstore.state import Store
from tests.flows.convergence_world import World

Thing = TypeVar("Thing")
TAGS = ("vip", "late", "wholesale", "gift")
CODES = (None, None, "WELCOME10", "FREESHIP")


def _pick(things: Any, dice: int) -> Any:
    """Return one of the things, or None where there is none."""
    found = sorted(things)
    return found[dice % len(found)] if found else None


def _lines(store: Store, dice: int) -> list[dict[str, int]]:
    variants = sorted(variant.id for product in store.products.values() for variant in product.variants)
    if not variants:
        return []
    count = 1 + dice % 2
    return [{"variant_id": variants[(dice + 3 * place) % len(variants)], "quantity": 1 + dice % 3}
            for place in range(count)]  # fmt: skip


def _units(store: Store, order_id: int | None, dice: int) -> list[dict[str, int]] | None:
    order = store.orders.get(order_id or 0)
    left = [line for line in order.lines if line.current_quantity] if order else []
    if not left:
        return None
    line = left[dice % len(left)]
    return [{"line_item_id": line.id, "quantity": 1 + dice % line.current_quantity}]


def place_order(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    who = (None, "new", _pick(store.customers, two), _pick(store.customers, two))[one % 4]
    return {"lines": _lines(store, three), "customer_id": who, "paid": bool(two % 3), "test": three % 11 == 0}


def pay_order(store: Store, one: int, _two: int, _three: int) -> dict[str, Any]:
    return {"order_id": _pick(store.orders, one)}


def fulfill_order(store: Store, one: int, two: int, _three: int) -> dict[str, Any]:
    order = _pick(store.orders, one)
    return {"order_id": order, "lines": _units(store, order, two) if two % 2 else None}


def edit_order(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    order = _pick(store.orders, one)
    removed = _units(store, order, two) if three % 3 else None
    return {"order_id": order, "add": _lines(store, two) if three % 3 != 1 else None, "remove": removed}


def refund_order(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    order = _pick(store.orders, one)
    return {"order_id": order, "lines": _units(store, order, two) if three % 2 else None, "shipping": three % 3 == 0}


def cancel_order(store: Store, one: int, two: int, _three: int) -> dict[str, Any]:
    return {"order_id": _pick(store.orders, one), "refund": bool(two % 3)}


def update_order(store: Store, one: int, two: int, _three: int) -> dict[str, Any]:
    return {"order_id": _pick(store.orders, one), "tags": list(TAGS[: two % 4])}


def delete_order(store: Store, one: int, _two: int, _three: int) -> dict[str, Any]:
    return {"order_id": _pick(store.orders, one)}


def create_customer(_store: Store, one: int, two: int, _three: int) -> dict[str, Any]:
    consent = ("subscribed", "not_subscribed")[two % 2]
    return {"first_name": "Ada", "last_name": "Byron", "tags": list(TAGS[: one % 3]), "email_consent": consent}


def update_customer(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "first_name": f"Grace {three}",
        "phone": f"+1555{three:07}",
        "state": ("enabled", "disabled", "invited")[three % 3],
        "email_consent": ("subscribed", "unsubscribed")[three % 2],
        "sms_consent": ("subscribed", "unsubscribed")[three % 2],
    }
    chosen = [name for place, name in enumerate(changes) if two >> place & 1]
    return {"customer_id": _pick(store.customers, one), **{name: changes[name] for name in chosen}}


def tag_customer(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    add, remove = [TAGS[two % 4]], [TAGS[three % 4]]
    return {"customer_id": _pick(store.customers, one), "add": add, "remove": remove if three % 3 else []}


def merge_customers(store: Store, one: int, two: int, _three: int) -> dict[str, Any]:
    return {"customer_id": _pick(store.customers, one), "into_id": _pick(store.customers, two)}


def delete_customer(store: Store, one: int, _two: int, _three: int) -> dict[str, Any]:
    without = [number for number in store.customers if not store.orders_of(number)]
    return {"customer_id": _pick(without, one)}


def create_product(_store: Store, one: int, two: int, _three: int) -> dict[str, Any]:
    return {"title": f"Lamp {one}", "price": f"{two}.50"}


def update_product(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    price = f"{three}.25" if two % 2 else None
    return {"product_id": _pick(store.products, one), "title": f"Chair {two}", "price": price}


def delete_product(store: Store, one: int, _two: int, _three: int) -> dict[str, Any]:
    return {"product_id": _pick(store.products, one)}


def fill_cart(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    token = _pick(store.carts, one) if two % 3 else None
    return {"lines": _lines(store, three) if three % 4 else [], "token": token}


def start_checkout(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    filled = [token for token, cart in store.carts.items() if cart.lines]
    cart = _pick(filled, one) if two % 3 else None
    known = _pick(store.customers, two)
    who = {"customer_id": known} if three % 2 and known else {"email": f"guest{three}@example.com"}
    return {"cart_token": cart, "lines": None if cart else _lines(store, three), **who}


def update_checkout(store: Store, one: int, two: int, three: int) -> dict[str, Any]:
    return {"token": _pick(_open(store), one), "lines": _lines(store, two), "email": f"other{three}@example.com"}


def finish_checkout(store: Store, one: int, _two: int, _three: int) -> dict[str, Any]:
    return {"token": _pick(_open(store), one)}


def delete_checkout(store: Store, one: int, _two: int, _three: int) -> dict[str, Any]:
    return {"token": _pick(_open(store), one)}


def _open(store: Store) -> list[str]:
    return [token for token, checkout in store.checkouts.items() if checkout.completed_at is None]


MERCHANT: dict[str, Callable[[Store, int, int, int], dict[str, Any]]] = {
    choose.__name__: choose
    for choose in (
        place_order, pay_order, fulfill_order, edit_order, refund_order, cancel_order, update_order, delete_order,
        create_customer, update_customer, tag_customer, merge_customers, delete_customer,
        create_product, update_product, delete_product,
        fill_cart, start_checkout, update_checkout, finish_checkout, delete_checkout,
    )
}  # fmt: skip


def act(world: World, word: str, one: int, two: int, three: int) -> bool:
    """Do what a merchant's step says; return whether it was possible."""
    arguments = MERCHANT[word](world.store, one, two, three)
    try:
        done = actions.perform(world.store, world.outbox, word, arguments)
    except ActionRefused:
        return False
    if word == "delete_checkout" and isinstance(done, Checkout):
        world.checkouts_deleted |= {done.token, done.cart_token}
    world.carts_begun.update(world.store.carts)
    if word == "merge_customers":
        world.merged_into.add(arguments["into_id"])
    return True
