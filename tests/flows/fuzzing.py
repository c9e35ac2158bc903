"""Deliveries that go wrong: bodies of a made-up store, with headers, damaged where JSON, Python or PostgreSQL may trip.

Everything random comes from the generator that is passed in, so that a seed, or hypothesis, says what happens.
"""

import copy
import itertools
import json
from datetime import UTC, datetime
from types import MappingProxyType

from devstore import payloads
from devstore.options import AppRegistration, Options
from devstore.state import Stores
from shopify_app.shopify import payloads as shapes
from shopify_app.shopify import payloads_orders as order_shapes
from shopify_app.shopify.signatures import webhook_hmac
from shopify_app.shopify.topics import TOPICS

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHOP = "aurora-outfitters.myshopify.com"
STRANGER = "stranger.myshopify.com"
EACH = 40  # bodies of a topic to begin with
TIMES = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-12:00",
    "2026-01-01T00:00:00+23:59",
    "2026-02-30T00:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01T24:00:00Z",
    "2026-06-30T23:59:60Z",
    "1969-12-31T23:59:59Z",
    "infinity",
)
GIDS = (
    "gid://shopify/Customer/9999999999999999999",
    "gid://shopify/Customer/0",
    "gid://shopify/Customer/1?a=/b",
    "gid://shopify/Customer/٣",
    "gid://shopify/Customer/" + "9" * 5_000,
)
TEXTS = (
    "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\N{SNOWMAN}" * 3_000, "x" * 9_000, "\\N", "\\", "\t\n\r", '"',
    "{}", "'; DROP TABLE orders; --", "null", "a,,b,\0,", "\N{RIGHT-TO-LEFT OVERRIDE}", *TIMES, *GIDS,
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.1, -0.0, 1e-320, 1e15,
    1e16, 1e308, float("nan"), float("inf"), float("-inf"), True, False,
)  # fmt: skip
AMOUNTS = (
    "0", "-0", "-1.5", "1e5", "1e999999", "NaN", "Infinity", "1,5", "٣", "9" * 14, "9" * 18, "9" * 19, "0." + "1" * 12,
    "0." + "1" * 13, "1.", ".5", "+1", " 1", "1\n",
)  # fmt: skip
THINGS = (None, [], {}, [None], [[]], {"": None}, [{}, None, {"id": None}], {"amount": [], "id": {}})
HOSTILE = (*TEXTS, *NUMBERS, *AMOUNTS, *THINGS)
# What only bytes can say, for the place of a value or anywhere at all.
RAW = (
    b"1e999999", b"-1E-999999", b"NaN", b"-Infinity", b"00", b"-", b'"\\ud800"', b'"\\u0000"', b'"\\x"', b"'a'",
    b'"\xff"', b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\0", b"}", b",", b"9" * 5_000, b"[" * 3_000, b'{"a":' * 2_000,
    b"[" * 1_200 + b"]" * 1_200,
)  # fmt: skip
HEADERS = (
    "", " ", "0", "null", "x" * 300, "x" * 7_000, "\x7f", "\x01", "caf\xe9", "\N{SNOWMAN}".encode().decode("latin-1"),
    "../../etc/passwd", "' OR 1=1 --", "orders/create, orders/create", "%00", "=?utf-8?q?a?=", *TIMES,
    "2026-01-01T00:00:00+00:00:00.500000", "20260101T000000Z", "2026-W01-1", "0001-01-01", "9999-12-31T23:59:59-23:59",
)  # fmt: skip
NAMES = ("Topic", "Shop-Domain", "Webhook-Id", "Event-Id", "Triggered-At", "API-Version", "Hmac-Sha256")


def names_of(*modules):
    """Return every field name, as JSON writes it, that the app reads."""
    kinds = (kind for module in modules for kind in vars(module).values() if hasattr(kind, "__struct_encode_fields__"))
    return frozenset(name for kind in kinds for name in kind.__struct_encode_fields__)


KNOWN = names_of(shapes, order_shapes)


def sound_bodies(directory):
    """Return bodies of every topic, encoded, as a made-up store sends them."""
    app = AppRegistration(client_secret="hush", url="http://127.0.0.1:1")
    stores = Stores(Options(data=directory, shops=(SHOP,), customers=40, products=12, orders=160, now=NOW, app=app))
    try:
        told = {topic: list(bodies)[:EACH] for topic, bodies in _told(stores[SHOP]).items()}
    finally:
        stores.close()
    encoded = {topic: [json.dumps(body, default=float).encode() for body in bodies] for topic, bodies in told.items()}
    assert set(encoded) == set(TOPICS)
    assert all(encoded.values())
    return encoded


def _told(store):
    customers, products = list(store.customers.values()), list(store.products.values())
    orders, checkouts, carts = (list(found.values()) for found in (store.orders, store.checkouts, store.carts))
    whole = {
        "customers": [payloads.customer_body(store, one) for one in customers],
        "products": [payloads.product_body(store, one) for one in products],
        "orders": [payloads.order_body(store, one) for one in _eventful(orders)],
        "carts": [payloads.cart_body(store, one) for one in carts],
        "checkouts": [payloads.checkout_body(store, one) for one in checkouts],
    }
    tags = [payloads.customer_tags_body(one.id, ["vip", "spring"], NOW) for one in customers]
    shop = [payloads.shop_body(store)]
    bodies = {topic: whole[topic.partition("/")[0]] for topic in TOPICS if topic.partition("/")[0] in whole}
    return bodies | {
        "customers/delete": [payloads.customer_deleted_body(one.id) for one in customers],
        "customers/merge": [
            payloads.customer_merge_body(kept.id, gone.id, 1) for kept, gone in itertools.pairwise(customers)
        ],
        "customers/purchasing_summary": [payloads.purchasing_summary_body(store, one, NOW) for one in customers],
        "customers_email_marketing_consent/update": [payloads.email_consent_body(store, one) for one in customers],
        "customers_marketing_consent/update": [payloads.sms_consent_body(store, one) for one in customers],
        "customer.tags_added": tags,
        "customer.tags_removed": tags,
        "products/delete": [payloads.deleted_body(one.id) for one in products],
        "orders/delete": [payloads.deleted_body(one.id) for one in orders],
        "orders/edited": [payloads.order_edited_body(store, one, edit) for one in orders for edit in one.edits],
        "refunds/create": [payloads.refund_body(store, one, refund) for one in orders for refund in one.refunds],
        "checkouts/delete": [payloads.checkout_deleted_body(store, one) for one in checkouts],
        "shop/update": shop,
        "app/uninstalled": shop,
        "app/scopes_update": [payloads.scopes_update_body(store, ["read_products"], ["read_orders"], NOW)],
        "bulk_operations/finish": [payloads.bulk_finish_body(store, "gid://shopify/BulkOperation/1", NOW, NOW)],
        "customers/data_request": [payloads.customer_data_request_body(store, one) for one in customers],
        "customers/redact": [payloads.customer_redact_body(store, one) for one in customers],
        "shop/redact": [payloads.shop_redact_body(store)],
    }


def _eventful(orders):
    """Orders with refunds first, for there is most to go wrong in those."""
    return sorted(orders, key=lambda order: -len(order.refunds) - len(order.edits))


def damaged(rng, body):
    """Return a body that is not what it was, or, now and then, as it was."""
    if rng.random() < 0.02:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
    value = json.loads(body)
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 3, 6))):
        rng.choice(DAMAGES)(rng, value)
    encoded = json.dumps(value).encode()
    return _raw(rng, encoded) if rng.random() < 0.1 else encoded


def _spot(rng, body):
    """Return a container and a place in it, anywhere in the body; more often than not one that the app reads."""
    holder = body
    while True:
        places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if isinstance(holder, dict) and rng.random() < 0.8:
            places = [name for name in places if name in KNOWN] or places
        place = rng.choice(places)
        inner = holder[place]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.1:
            return holder, place
        holder = inner


def _hostile(rng):
    return copy.deepcopy(rng.choice(HOSTILE))


def _replace(rng, body):
    if body:
        holder, place = _spot(rng, body)
        holder[place] = _hostile(rng)


def _drop(rng, body):
    if body:
        holder, place = _spot(rng, body)
        del holder[place]


def _repeat(rng, body):
    """Make a list of a value, or a longer one of a list."""
    if body:
        holder, place = _spot(rng, body)
        found = holder[place]
        holder[place] = found * rng.choice((2, 3, 50)) if isinstance(found, list) else [found] * rng.choice((1, 2))


def _swap(rng, body):
    """Put a value where another one was."""
    if body:
        (one, here), (other, there) = _spot(rng, body), _spot(rng, body)
        one[here] = other[there] if not isinstance(other[there], (dict, list)) else _hostile(rng)


def _add(rng, body):
    if isinstance(body, dict):
        body[rng.choice(sorted(KNOWN))] = _hostile(rng)


def _nudge(rng, body):
    """Change a number or a text a little, so that it stays one of its kind."""
    if body:
        holder, place = _spot(rng, body)
        if isinstance(holder[place], str):
            holder[place] += rng.choice(("\0", "0", "9" * 20, "Z", " ", "\N{SNOWMAN}"))
        elif isinstance(holder[place], (int, float)):
            holder[place] = holder[place] * rng.choice((-1, 10, 10**9))


DAMAGES = (_replace, _replace, _replace, _drop, _repeat, _swap, _add, _nudge)


def _raw(rng, encoded):
    place, end = rng.randrange(len(encoded) + 1), rng.randrange(len(encoded) + 1)
    colon = encoded.find(b": ", place)
    after = encoded.find(b", ", colon) if colon >= 0 else -1
    kinds = [encoded[:place], encoded[:place] + rng.choice(RAW) + encoded[end:], encoded + rng.choice(RAW)]
    if after > 0:
        kinds += [encoded[: colon + 2] + rng.choice(RAW) + encoded[after:]] * 3
    return rng.choice(kinds)


def garbled(rng, topic, body, number, secret):
    """Return the headers of a delivery, as pairs: right ones, but for some that are missing, doubled or nonsense."""
    right = {
        "Topic": topic,
        "Shop-Domain": rng.choice((SHOP,) * 12 + (STRANGER,)),
        "Webhook-Id": f"w-{number}",
        "Event-Id": f"e-{number}",
        "Triggered-At": "2026-11-22T12:00:00.123456789Z",
        "API-Version": "2026-10",
        "Hmac-Sha256": webhook_hmac(body, secret),
    }
    pairs = []
    for name, value in right.items():
        prefix = rng.choice(("X-Shopify-", "X-Shopify-", "shopify-", "x-shopify-"))
        pairs += [(prefix + name, one) for one in _told_as(rng, name, value)]
    return pairs


def _told_as(rng, name, value):
    """Return the values with which a header comes."""
    harmless = name not in {"Topic", "Shop-Domain", "Hmac-Sha256"}
    if rng.random() >= (0.15 if harmless else 0.02):
        return [value]
    odd = rng.choice(HEADERS)
    # Two deliveries under one id are one delivery.
    odd = f"{odd}{value}" if name == "Webhook-Id" else odd
    return rng.choice(([], [value, value], [value, odd], [odd], [odd, value]))


ADDRESSES = MappingProxyType({name: f"/webhooks/{topic.resource}" for name, topic in TOPICS.items()})
