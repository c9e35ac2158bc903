"""The merchant's panel: recent records with the forms that act on them, one record's page, and the delivery log.

The forms post JSON to the control blueprint (``/_dev/stores/<shop>/actions/<action>``); these views only read.
"""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Blueprint, abort, redirect, render_template, request

from devstore import formats, installs, pricing, signing, totals
from devstore.state import current

if TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.wrappers import Response

    from devstore.model import Order
    from devstore.state import Store

PANELS = {
    "orders": "Orders",
    "customers": "Customers",
    "products": "Products",
    "baskets": "Carts and checkouts",
    "settings": "Store",
}
HEADINGS = {"home": "Home", "deliveries": "Deliveries", "app": "App"} | PANELS
FAULT_FIELDS = (  # those that are one number: the field, its label, the step
    ("seed", "Seed", "1"),
    ("duplicate", "Times each is sent", "1"),
    ("delay", "Delay in seconds", "any"),
    ("reorder", "Held and shuffled, deliveries", "1"),
    ("burst", "Held for a burst, seconds", "any"),
    ("drop", "Dropped, 0 to 1", "any"),
    ("garbage", "Garbage bodies, 0 to 1", "any"),
    ("wrong_hmac", "Wrong HMAC, 0 to 1", "any"),
    ("silence", "Silence after connecting, seconds", "any"),
    ("dribble", "Body takes, seconds", "any"),
)
RECENT = 25
CHOICES = 200  # of products and customers in a form's select
LOGGED = 100
TONES = {"paid": "good", "pending": "warn", "partially_paid": "warn", "authorized": "warn", "refunded": "bad"}

blueprint = Blueprint("panel", __name__)


def store_named(name: str) -> Store:
    """Return the store whose admin is ``/store/<name>``; 404 where there is none."""
    try:
        return current().stores[f"{name}.myshopify.com"]
    except KeyError:
        abort(404)


def frame_of(store: Store, section: str) -> dict[str, Any]:
    """Return what every page of a store is drawn with: the store, its name, the app and what is current."""
    return {
        "store": store,
        "name": signing.store_name(store.domain),
        "app": current().options.app,
        "installed": installs.installation(store),
        "panels": PANELS,
        "section": section,
        "heading": HEADINGS[section],
    }


@blueprint.get("/store/<name>/panel")
@blueprint.get("/store/<name>/panel/<section>")
def show(store: Store, section: str = "orders") -> str:
    """Show one section of the panel: its forms and its newest records."""
    if section not in PANELS:
        abort(404)
    with store.lock:
        known = {"faults": current().deliveries.faults(store), "fault_fields": FAULT_FIELDS}
        return render_template(f"panel_{section}.html", **frame_of(store, section), **known, **_records(store))


@blueprint.get("/store/<name>/orders/<int:key>", defaults={"section": "orders"})
@blueprint.get("/store/<name>/customers/<int:key>", defaults={"section": "customers"})
@blueprint.get("/store/<name>/products/<int:key>", defaults={"section": "products"})
def record(store: Store, section: str, key: int) -> str:
    """Show one order, customer or product with the forms that change it, where the admin's deep links lead."""
    held: dict[str, dict[int, Any]] = {
        "orders": store.orders,
        "customers": store.customers,
        "products": store.products,
    }
    with store.lock:
        found = held[section].get(key)
        if found is None:
            abort(404)
        return render_template(
            f"record_{section}.html", **frame_of(store, section), record=found, raw=_json(found), **_choices(store)
        )


@blueprint.get("/store/<name>/orders", defaults={"section": "orders"})
@blueprint.get("/store/<name>/customers", defaults={"section": "customers"})
@blueprint.get("/store/<name>/products", defaults={"section": "products"})
def index(store: Store, section: str) -> Response:
    """Lead the admin's own list addresses to the panel, which is the only list there is."""
    return redirect(f"/store/{signing.store_name(store.domain)}/panel/{section}")


@blueprint.get("/store/<name>/deliveries")
def log(store: Store) -> str:
    """Show the newest webhook deliveries with every attempt; ``?topic=`` keeps one topic."""
    topic = request.args.get("topic", "")
    entries = [entry for entry in current().deliveries.log(store) if topic in {"", entry.topic}]
    topics = sorted({entry.topic for entry in current().deliveries.log(store)})
    return render_template(
        "deliveries.html", **frame_of(store, "deliveries"), entries=entries[:LOGGED], topics=topics, topic=topic
    )


@blueprint.app_template_filter()
def total_of(order: Order) -> str:
    """Write what an order comes to as it stands."""
    return formats.money(totals.current(order).total, order.currency)


@blueprint.app_template_filter()
def status_tone(status: str) -> str:
    """Return the badge class of a financial status."""
    return TONES.get(status, "")


def _records(store: Store) -> dict[str, Any]:
    """Return the newest records of every kind and what a form's selects offer."""
    return {
        "orders": nlargest(RECENT, store.orders.values(), key=lambda order: order.number),
        "customers": _newest(store.customers.values(), RECENT),
        "products": _newest(store.products.values(), RECENT),
        "carts": _newest(store.carts.values(), RECENT),
        "checkouts": _newest(store.checkouts.values(), RECENT),
        **_choices(store),
    }


def _choices(store: Store) -> dict[str, Any]:
    active = [product for product in store.products.values() if product.status == "active"]
    return {
        "product_choices": sorted(_newest(active, CHOICES), key=lambda product: product.title),
        "customer_choices": _newest(store.customers.values(), CHOICES),
        "discount_codes": list(pricing.CODES),
    }


def _newest(records: Iterable[Any], count: int) -> list[Any]:
    return nlargest(count, records, key=lambda found: found.updated_at)


def _json(found: msgspec.Struct) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
