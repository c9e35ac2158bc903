"""Sends signed orders/create webhooks over connections that stay open, as a process of its own.

`python bench/load.py --port 8000 --form FILE --connections 16 --seconds 5 [--rate 1000] [--stores 50]` prints one JSON
object: how many were sent and acknowledged, and how long each took, in milliseconds. Without a rate every connection
sends its next delivery as soon as the last one is answered; with one, a delivery's time counts from when it was due.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import itertools
import json
import os
import select
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.orders import Form

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
PREPARED = 256  # bodies made before the clock starts, where it is the receiving end that is measured
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    "User-Agent: Shopify-Captain-Hook\r\nX-Shopify-Topic: orders/create\r\nX-Shopify-Shop-Domain: {shop}\r\n"
    "X-Shopify-API-Version: 2026-10\r\nX-Shopify-Triggered-At: 2026-11-20T12:00:00.123456789Z\r\n"
    "X-Shopify-Hmac-Sha256: {hmac}\r\nX-Shopify-Webhook-Id: {webhook_id}\r\nX-Shopify-Event-Id: {event_id}\r\n\r\n"
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be sent where. ``rate`` is deliveries a second; 0: as many as are answered."""

    port: int
    path: str
    form: Path
    secret: str
    connections: int
    seconds: float
    rate: float = 0.0
    stores: int = 1
    first: int = 0


@dataclass
class Line:
    """One connection: what it waits for, and since when."""

    socket: socket.socket
    since: float = 0.0
    heard: bytes = b""


@dataclass
class Tally:
    """What became of what was sent; ``took`` are seconds."""

    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)


def shop(number: int | str) -> str:
    """Return the address of the store with that number."""
    return f"bench-{number}.myshopify.com"


def requests(plan: Plan) -> Iterator[bytes]:
    """Yield requests for ever: each with ids of its own, the stores in turn."""
    form, key = Form(plan.form.read_text()), plan.secret.encode()
    numbers = itertools.count(plan.first)
    made: Iterator[tuple[bytes, str]] = (_signed(form.fill(number), key) for number in numbers)
    if not plan.rate:
        made = itertools.cycle([next(made) for _ in range(PREPARED)])
    for number, (body, signature) in enumerate(made):
        head = HEAD.format(
            path=plan.path,
            length=len(body),
            shop=shop(number % plan.stores),
            hmac=signature,
            webhook_id=_uuid(),
            event_id=_uuid(),
        )
        yield head.encode() + body


def run(plan: Plan) -> Tally:
    """Send for as long as planned, and wait for what is under way."""
    sending, tally = requests(plan), Tally()
    lines = {line.socket.fileno(): line for line in (_connect(plan.port) for _ in range(plan.connections))}
    epoll = select.epoll()
    for number in lines:
        epoll.register(number, select.EPOLLIN)
    idle, began = deque(lines.values()), time.perf_counter()
    while len(idle) < len(lines) or _more(plan, began):
        now = time.perf_counter()
        while idle and _more(plan, began) and (due := _due(plan, began, tally.sent, now)) is not None:
            _send(idle.popleft(), next(sending), due, tally)
        # Without an idle line or without a rate there is nothing to do before somebody answers.
        for number, _ in epoll.poll(0.0005 if plan.rate and idle else 1.0):
            if _answered(lines[number], tally):
                idle.append(lines[number])
    return tally


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of the sorted values are."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def _more(plan: Plan, began: float) -> bool:
    return time.perf_counter() - began < plan.seconds


def _due(plan: Plan, began: float, sent: int, now: float) -> float | None:
    if not plan.rate:
        return now
    due = began + sent / plan.rate
    return due if due <= now else None


def _send(line: Line, request: bytes, since: float, tally: Tally) -> None:
    line.since, line.heard = since, b""
    line.socket.sendall(request)
    tally.sent += 1


def _answered(line: Line, tally: Tally) -> bool:
    line.heard += line.socket.recv(65536)
    if not line.heard:
        raise SystemExit("the server closed a connection that was waiting for an answer")
    head, blank, body = line.heard.partition(b"\r\n\r\n")
    if not blank or len(body) < _length(head):
        return False
    tally.statuses[head.split(b" ", 2)[1].decode()] += 1
    tally.took.append(time.perf_counter() - line.since)
    return True


def _length(head: bytes) -> int:
    _, name, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if name else 0


def _connect(port: int) -> Line:
    made = socket.create_connection((LOOPBACK, port), timeout=30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Line(made)


def _signed(body: bytes, key: bytes) -> tuple[bytes, str]:
    return body, base64.b64encode(hmac.digest(key, body, "sha256")).decode()


def _uuid() -> str:
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def main() -> None:
    """Send, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--form", type=Path, required=True, help="the file that holds the form of a body")
    parser.add_argument("--path", default="/webhooks/orders")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--stores", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the first order's number, so that orders are new ones")
    plan = Plan(secret=os.environ["SHOPIFY_API_SECRET"], **vars(parser.parse_args()))
    began = time.perf_counter()
    tally = run(plan)
    seconds = time.perf_counter() - began
    took = sorted(tally.took)
    result = {"sent": tally.sent, "statuses": tally.statuses, "rate": tally.statuses["200"] / seconds}
    result |= {f"p{share * 100:g}": 1000 * percentile(took, share) for share in (0.5, 0.95, 0.99)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
