"""Sends signed webhooks as Shopify does, as a process of its own: only a 2xx counts, whatever else comes is sent again.

The deliveries are devstore's own bodies with new ids, the same ones for the same seed, so that whoever started the
process knows what was sent: `python tests/flows/sender.py --port 8000 --seed 1 --seconds 60 --rate 200` prints one
JSON object at its end.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import hmac
import http.client
import itertools
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import msgspec

from devstore import payloads
from devstore.model import Order
from devstore.options import from_args
from devstore.reports_ledger import booked
from devstore.state import Store, Stores

SHOPS = ("busy.myshopify.com", "calm.myshopify.com", "quiet.myshopify.com")
SHARES = (8, 1, 1)
CONNECTIONS = 16
PATIENCE = 5.0  # seconds Shopify waits for an answer
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.0)  # seconds before it is sent again; Shopify's are minutes
SHUFFLED = 20  # deliveries whose order is by chance
IDS = re.compile(r"\b6\d{12}\b")  # devstore's ids; nothing else in its bodies looks like one
APART = 10**9  # between the ids of two copies
AMOUNTS = ("gross", "discount", "returned", "shipping", "tax")


@dataclasses.dataclass(frozen=True)
class Kit:
    """What one order causes: its deliveries (topic, body), and what has to be held once all of them are applied."""

    order_id: int
    customer_id: int
    product_id: int
    deliveries: tuple[tuple[str, str], ...]
    total_price: Decimal
    financial_status: str
    updated_at: float
    lines: int
    refunds: tuple[tuple[int, Decimal], ...]
    booked: tuple[Decimal, ...]


@dataclasses.dataclass(frozen=True)
class Delivery:
    """One delivery; `copy` tells which order's it is."""

    shop: str
    topic: str
    webhook_id: str
    body: bytes
    copy: int


def kits() -> list[Kit]:
    """Return the forms of all deliveries, made from a small store of devstore's."""
    with tempfile.TemporaryDirectory() as data:
        sizes = ["--customers", "60", "--products", "12", "--orders", "400"]
        stores = Stores(from_args(["--data", data, "--now", "2026-11-20T12:00:00Z", *sizes]))
        store = next(iter(stores))
        return [_kit(store, order) for order in store.orders.values() if _plain(store, order)]


def shop_of(copy: int) -> str:
    """Return the store that gets a copy: the first one most of them."""
    return Random(copy).choices(SHOPS, SHARES)[0]


def moved(number: int, copy: int) -> int:
    """Return an id of a kit as it is in a copy."""
    return number + APART * copy


def deliveries(seed: int, forms: list[Kit]) -> Iterator[Delivery]:
    """Yield deliveries for ever, each window of them shuffled: an order may come after its refund."""
    chance, ordered = Random(seed), _ordered(seed, forms)
    while window := list(itertools.islice(ordered, SHUFFLED)):
        chance.shuffle(window)
        yield from window


def _ordered(seed: int, forms: list[Kit]) -> Iterator[Delivery]:
    for copy in itertools.count():
        for number, (topic, text) in enumerate(forms[copy % len(forms)].deliveries):
            body = IDS.sub(lambda found, copy=copy: str(moved(int(found.group()), copy)), text).encode()
            yield Delivery(shop_of(copy), topic, f"{seed}-{copy}-{number}", body, copy)


def _plain(store: Store, order: Order) -> bool:
    """Whether an order can be told of from its end: paid, perhaps refunded, never edited or cancelled."""
    known = order.customer_id in store.customers and order.lines[0].product_id in store.products
    return known and not (order.test or order.edits or order.cancelled_at) and order.financial_status != "pending"


def _kit(store: Store, order: Order) -> Kit:
    customer, product = store.customers[order.customer_id or 0], store.products[order.lines[0].product_id or 0]
    told = [
        ("customers/create", payloads.customer_body(store, customer)),
        ("products/create", payloads.product_body(store, product)),
        ("orders/create", payloads.order_body(store, _as_placed(order))),
        *(("refunds/create", payloads.refund_body(store, order, refund)) for refund in order.refunds),
        ("orders/updated", payloads.order_body(store, order)),
    ]
    entries = booked(order)
    return Kit(
        order_id=order.id,
        customer_id=customer.id,
        product_id=product.id,
        deliveries=tuple((topic, msgspec.json.encode(body).decode()) for topic, body in told),
        total_price=Decimal(payloads.order_body(store, order)["total_price"]),
        financial_status=order.financial_status,
        updated_at=order.updated_at.timestamp(),
        lines=len(order.lines),
        refunds=tuple((refund.id, refund.amount) for refund in order.refunds),
        booked=tuple(sum((getattr(entry, name) for entry in entries), Decimal(0)) for name in AMOUNTS),
    )


def _as_placed(order: Order) -> Order:
    lines = [msgspec.structs.replace(line, current_quantity=line.quantity, shipped=0) for line in order.lines]
    return msgspec.structs.replace(
        order,
        lines=lines,
        refunds=[],
        financial_status="paid",
        fulfillment_status=None,
        closed_at=None,
        updated_at=min(order.created_at, order.updated_at - timedelta(seconds=1)),
    )


class Sender:
    """Threads that send one delivery after the other, each until it is acknowledged or nobody waits any longer."""

    def __init__(self, port: int, secret: str, coming: Iterator[Delivery]) -> None:
        """Prepare to send what is `coming`."""
        self.started: list[str] = []
        self.acknowledged: list[str] = []
        self.answers: Counter[str] = Counter()
        self._port, self._secret, self._coming = port, secret.encode(), coming
        self._lock = threading.Lock()
        self._due = 0.0

    def run(self, seconds: float, rate: float, grace: float) -> None:
        """Begin deliveries for so many seconds, and repeat the open ones for up to `grace` seconds more."""
        ends_at = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._work, args=(ends_at, rate, ends_at + grace)) for _ in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, ends_at: float, rate: float, gives_up_at: float) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        while (delivery := self._next(ends_at, rate)) is not None:
            self._until_acknowledged(line, delivery, gives_up_at)
        line.close()

    def _next(self, ends_at: float, rate: float) -> Delivery | None:
        with self._lock:
            now = time.monotonic()
            self._due = max(self._due + 1 / rate, now)  # what an outage held up is not made up for
            if self._due >= ends_at:
                return None
            delivery = next(self._coming)
            self.started.append(delivery.webhook_id)
            wait = self._due - now
        time.sleep(wait)
        return delivery

    def _until_acknowledged(self, line: http.client.HTTPConnection, delivery: Delivery, gives_up_at: float) -> None:
        headers = self._headers(delivery)
        for pause in itertools.chain(PAUSES, itertools.repeat(PAUSES[-1])):
            answer = self._send(line, delivery, headers)
            self.answers[answer] += 1
            if answer == "200":
                self.acknowledged.append(delivery.webhook_id)
            if answer == "200" or time.monotonic() > gives_up_at:
                return
            time.sleep(pause)

    def _send(self, line: http.client.HTTPConnection, delivery: Delivery, headers: dict[str, str]) -> str:
        try:
            line.request("POST", "/webhooks/" + delivery.topic.partition("/")[0], delivery.body, headers)
            answer = line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            line.close()
            return "no answer"
        return str(answer.status)

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        digest = hmac.digest(self._secret, delivery.body, "sha256")
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": delivery.topic,
            "X-Shopify-Shop-Domain": delivery.shop,
            "X-Shopify-Webhook-Id": delivery.webhook_id,
            "X-Shopify-Event-Id": f"event {delivery.webhook_id}",
            "X-Shopify-API-Version": "2026-10",
            "X-Shopify-Triggered-At": "2026-11-20T12:00:00.123456789Z",
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        }


def main() -> None:
    """Send, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--grace", type=float, default=60.0)
    asked = parser.parse_args()
    sender = Sender(asked.port, os.environ["SHOPIFY_API_SECRET"], deliveries(asked.seed, kits()))
    sender.run(asked.seconds, asked.rate, asked.grace)
    told = {"started": sender.started, "acknowledged": sender.acknowledged, "answers": sender.answers}
    print(json.dumps(told))  # noqa: T201 - what it is asked for


if __name__ == "__main__":
    main()
