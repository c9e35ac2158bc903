"""Bodies of orders/create as a store sends them: about 8 KB each, four lines, one shipping line, ids of their own.

One order of devstore's is taken as the form; ids, tokens, customer and times are another order's in every body.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec

from devstore.options import from_args
from devstore.payloads_orders import order_body
from devstore.state import Stores

SIZE = 8 * 1024
LINES = 4
ORDERS_OF_A_CUSTOMER = 3
FIRST_AT = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)  # midnight in New York: all of them are of one day
SECONDS = 60 * 60 * 24
# What stands in the form for a number or a text of each order; no order of devstore's has any of them.
BASE = 5_900_000_000_000
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - a cart's name, not a secret
AT = "2001-02-03T04:05:06+00:00"
PLACES = ("order", "customer", "shipping", *(f"line_{number}" for number in range(LINES)))
MARKS = {name: BASE + number for number, name in enumerate(PLACES)}


class Form:
    """The form of a body: a text with a place for each of an order's own values."""

    def __init__(self, text: str) -> None:
        """Take the text that :func:`make` returned."""
        self.text = text

    def fill(self, number: int) -> bytes:
        """Return the body of order ``number``, which may be any from 0 on."""
        at = FIRST_AT + timedelta(seconds=number % SECONDS)
        ids: dict[str, Any] = {name: mark + len(MARKS) * number for name, mark in MARKS.items()}
        ids["customer"] = MARKS["customer"] + len(MARKS) * (number // ORDERS_OF_A_CUSTOMER)
        return (self.text % {**ids, "token": os.urandom(16).hex(), "at": at.isoformat()}).encode()


def make() -> Form:
    """Return the form, made from an order of devstore's."""
    text = json.dumps(_blank(_order()), separators=(",", ":")).replace("%", "%%")
    text = text.replace(TOKEN, "%(token)s").replace(AT, "%(at)s")
    for name, mark in MARKS.items():
        text = text.replace(str(mark), f"%({name})d")
    return Form(text)


def _order() -> dict[str, Any]:
    """Return an order of a small store of devstore's, which has two lines at least and was never refunded."""
    with tempfile.TemporaryDirectory() as data:
        stores = Stores(from_args(["--data", data, "--customers", "60", "--products", "12", "--orders", "300"]))
        store = next(iter(stores))
        made = (msgspec.json.decode(msgspec.json.encode(order_body(store, order))) for order in store.orders.values())
        return next(body for body in made if len(body["line_items"]) > 1 and not body["refunds"] and body["customer"])


def _blank(order: dict[str, Any]) -> dict[str, Any]:
    """Return the order with marks for what differs, four lines, and a note that makes it as long as it should be."""
    body: dict[str, Any] = copy.deepcopy(order)
    lines = itertools.islice(itertools.cycle(body["line_items"]), LINES)
    body["line_items"] = [{**line, "id": MARKS[f"line_{number}"]} for number, line in enumerate(lines)]
    body["shipping_lines"] = [{**body["shipping_lines"][0], "id": MARKS["shipping"]}]
    body["id"] = body["number"] = body["order_number"] = MARKS["order"]
    body["customer"]["id"] = MARKS["customer"]
    body |= {"admin_graphql_api_id": f"gid://shopify/Order/{MARKS['order']}", "name": f"#{MARKS['order']}"}
    body |= dict.fromkeys(("token", "cart_token", "checkout_token"), TOKEN)
    body |= dict.fromkeys(("created_at", "updated_at", "processed_at"), AT)
    body = dict(_without_nothing(body))
    for part in ("line_items", "shipping_lines"):
        body[part] = [_without_sets(line) for line in body[part]]
    body["note"] = "n" * max(0, SIZE - len(json.dumps(body, separators=(",", ":"))))
    return body


def _without_sets(value: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """Return a line without the money that it writes twice: next to ``price`` there is a ``price_set``."""
    if isinstance(value, list):
        return [_without_sets(item) for item in value]
    if isinstance(value, dict):
        twice = {f"{name}_set" for name in value}
        return {name: _without_sets(item) for name, item in value.items() if name not in twice}
    return value


def _without_nothing(value: Any) -> Any:  # noqa: ANN401 - likewise
    """Return a body without its nulls and empty lists: devstore's lines are longer than most stores' are."""
    if isinstance(value, list):
        return [_without_nothing(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_nothing(item) for name, item in value.items() if item not in (None, [], "")}
    return value
