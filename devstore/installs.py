"""The app in a store: whether it is installed, with which scopes, by whom, and which webhooks it asked for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from devstore import payloads, tokens
from devstore.state import current

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstore.state import Store

INSTALLATION = "installation"
STAFF = "staff"
SUBSCRIPTION = "subscription"
ONLY = "app"  # a devstore knows one app, so a store has one installation and one staff user


class Installation(msgspec.Struct, kw_only=True):
    """An app installed in a store; ``uninstalled_at`` is None while it is there."""

    id: int
    client_id: str
    scopes: list[str]
    installed_at: datetime
    uninstalled_at: datetime | None = None


class Staff(msgspec.Struct, kw_only=True):
    """The one staff user of a store: its owner."""

    id: int
    first_name: str
    last_name: str
    email: str
    locale: str = "en"
    account_owner: bool = True


class Subscription(msgspec.Struct, kw_only=True):
    """A webhook subscription made through the API, or ``configured`` with the app, which the API then does not show.

    ``topic`` is the wire form (``orders/create``).
    """

    id: int
    topic: str
    uri: str
    api_version: str
    created_at: datetime
    updated_at: datetime
    format: str = "JSON"
    name: str | None = None
    filter: str | None = None
    include_fields: list[str] = []
    configured: bool = False


def expand(scopes: Iterable[str]) -> set[str]:
    """Return ``scopes`` with what they imply: ``write_x`` grants ``read_x``."""
    granted = {scope.strip() for scope in scopes} - {""}
    return granted | {f"read_{scope.removeprefix('write_')}" for scope in granted if scope.startswith("write_")}


def installation(store: Store) -> Installation | None:
    """Return the app's installation in ``store``, or None when it is not installed (any more)."""
    found = store.load(INSTALLATION, ONLY, Installation)
    return found if found and found.uninstalled_at is None else None


def was_installed(store: Store) -> bool:
    """Tell whether the app is or ever was installed: compliance webhooks follow it beyond the uninstall."""
    return store.load(INSTALLATION, ONLY, Installation) is not None


def has_granted(store: Store, scopes: Iterable[str]) -> bool:
    """Tell whether the app is installed with at least ``scopes``."""
    found = installation(store)
    return found is not None and expand(scopes) <= expand(found.scopes)


def grant(store: Store, scopes: Iterable[str]) -> Installation:
    """Install the app, or change the scopes of its installation; a change sends ``app/scopes_update``."""
    with store.lock:
        before = installation(store)
        granted = sorted({scope.strip() for scope in scopes} - {""})
        after = Installation(
            id=before.id if before else store.next_id(),
            client_id=current().options.app.client_id,
            scopes=granted,
            installed_at=before.installed_at if before else store.now(),
        )
        store.save(INSTALLATION, ONLY, after)
        if before and before.scopes != granted:
            body = payloads.scopes_update_body(store, before.scopes, granted, store.now())
            current().deliveries.emit(store, "app/scopes_update", body)
        return after


def uninstall(store: Store) -> bool:
    """Remove the app: its tokens die, its API-made subscriptions go, ``app/uninstalled`` is sent last to them.

    Returns False, and does nothing, when the app is not installed.
    """
    with store.lock:
        found = installation(store)
        if found is None:
            return False
        found.uninstalled_at = store.now()
        store.save(INSTALLATION, ONLY, found)
        tokens.revoke_all(store)
        current().deliveries.emit(store, "app/uninstalled", payloads.shop_body(store))
        for key, held in store.all(SUBSCRIPTION, Subscription).items():
            if not held.configured:
                store.drop(SUBSCRIPTION, key)
        return True


def staff(store: Store) -> Staff:
    """Return the store's owner, made at the first call."""
    with store.lock:
        found = store.load(STAFF, ONLY, Staff)
        if found:
            return found
        first, _, last = store.shop.owner_name.partition(" ")
        made = Staff(
            id=store.next_id(), first_name=first, last_name=last, email=store.shop.email, locale=store.shop.locale
        )
        store.save(STAFF, ONLY, made)
        return made


def subscriptions(store: Store) -> list[Subscription]:
    """Return the webhook subscriptions, oldest first."""
    return sorted(store.all(SUBSCRIPTION, Subscription).values(), key=lambda found: found.id)


def subscriptions_for(store: Store, topic: str) -> list[Subscription]:
    """Return the subscriptions to ``topic`` (wire form); a configured one counts while the app is installed."""
    found = [one for one in subscriptions(store) if one.topic == topic]
    here = topic == "app/uninstalled" or not any(one.configured for one in found) or installation(store)
    return [one for one in found if here or not one.configured]


def subscription(store: Store, id_: int) -> Subscription | None:
    """Return one subscription, or None."""
    return store.load(SUBSCRIPTION, str(id_), Subscription)


def save_subscription(store: Store, changed: Subscription) -> None:
    """Keep a new or changed subscription."""
    store.save(SUBSCRIPTION, str(changed.id), changed)


def subscribe(store: Store, **attributes: object) -> Subscription:
    """Keep and return a new subscription with these attributes, whoever asked for it and however many there are."""
    now = store.now()
    own = {"id": store.next_id(), "created_at": now, "updated_at": now}
    made = msgspec.convert({**attributes, **own}, Subscription)
    save_subscription(store, made)
    return made


def drop_subscription(store: Store, id_: int) -> None:
    """Delete a subscription; one that is not there is no error (Shopify deletes failing ones by itself)."""
    store.drop(SUBSCRIPTION, str(id_))
