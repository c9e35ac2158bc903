"""How stores stand, and one that an operator has disabled: its work waits, but for what is owed by law."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from shopify_app import claims, inbox, standings, tenants
from shopify_app.database import directory, operations
from shopify_app.models import AuditEntry, OfflineToken, Tenant
from shopify_app.runtime import current
from shopify_app.shopify.oauth import TokenGrant
from shopify_app.shopify.shop import ShopFacts

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("app_context")


def install(name):
    facts = ShopFacts(
        store_url=f"{name}.myshopify.com",
        shopify_id=1,
        name=name,
        email=None,
        currency="USD",
        time_zone="UTC",
        plan=None,
        scopes=frozenset({"read_orders"}),
    )
    grant = TokenGrant(access_token="shpat_1", scopes=facts.scopes, expires_in=3600, refresh_token="shprt_1")
    with directory() as session:
        return tenants.install(session, facts=facts, grant=grant, vault=current().vault, now=NOW).id


def disable(name="alder"):
    with operations() as session:
        return standings.disable(session, f"{name}.myshopify.com", operator="o", reason=None, now=NOW)


def enable(name="alder"):
    with operations() as session:
        return standings.enable(session, f"{name}.myshopify.com", operator="o", reason=None, now=NOW)


def due(*kinds):
    with operations() as session:
        return {(one.kind, one.tenant_id) for one in claims.due(session, kinds, NOW + MINUTE, 100)}


def taken(kind):
    with operations() as session:
        return [one.tenant_id for one in claims.take(session, [kind], 10, NOW + MINUTE, MINUTE)]


def deliver(app, name, topic, resource, body):
    raw = json.dumps(body).encode()
    config = current().config
    signature = base64.b64encode(hmac.new(config.shopify_api_secret.encode(), raw, hashlib.sha256).digest()).decode()
    headers = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": f"{name}.myshopify.com",
        "X-Shopify-Webhook-Id": f"{name}-{topic}",
        "X-Shopify-Hmac-Sha256": signature,
    }
    return app.test_client().post(f"/webhooks/{resource}", data=raw, headers=headers).status_code


def claimed():
    with operations() as session:
        return set(inbox.waiting_tenants(session, NOW + MINUTE, limit=10).tenant_ids)


def test_work_of_a_disabled_store_waits_and_that_of_others_goes_on():
    stopped, other = install("alder"), install("birch")
    disable()

    assert due(claims.SETTLE) == {(claims.SETTLE, other)}
    assert taken(claims.SETTLE) == [other]
    enable()
    assert taken(claims.SETTLE) == [stopped]


def test_what_is_owed_by_law_is_done_for_a_disabled_store_too():
    stopped = install("alder")
    with operations() as session:
        claims.put(session, claims.PRIVACY, stopped, 1, due_at=NOW)
    disable()

    assert due(claims.PRIVACY, claims.SETTLE) == {(claims.PRIVACY, stopped)}
    assert taken(claims.PRIVACY) == [stopped]


def test_deliveries_of_a_disabled_store_are_kept_and_applied_afterwards(app):
    stopped, other = install("alder"), install("birch")
    disable()

    statuses = [deliver(app, name, "products/create", "products", {"id": 1}) for name in ("alder", "birch")]

    assert statuses == [200, 200]
    assert claimed() == {other}
    with operations() as session:
        assert inbox.counts_of(session, stopped).waiting == 1
    enable()
    assert claimed() == {stopped, other}


def test_disabled_store_that_uninstalls_is_heard(app):
    stopped = install("alder")
    disable()

    deliver(app, "alder", "app/uninstalled", "app", {"id": 1, "myshopify_domain": "alder.myshopify.com"})

    assert claimed() == {stopped}


def test_a_disabled_store_is_asked_nothing_by_the_clock():
    install("alder")
    disable()

    with operations() as session:
        assert tenants.connected(session) == []
        assert tenants.expiring(session, before=NOW + timedelta(days=400)) == []


def test_only_the_change_itself_is_audited():
    install("alder")

    assert (disable(), disable(), enable(), enable()) == (True, False, True, False)
    with operations() as session:
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == ["store disabled", "store enabled"]


def test_a_mere_claim_to_an_address_has_no_standing():
    with directory() as session:
        session.add(Tenant(store_url="alder.myshopify.com", name="x"))

    with operations() as session:
        assert standings.every(session, NOW) == []
        with pytest.raises(standings.UnknownStore, match=r"alder\.myshopify\.com"):
            standings.one(session, "alder.myshopify.com", NOW)


# ── told of all ──


def tenant(name, **columns):
    with directory() as session:
        made = Tenant(store_url=f"{name.lower()}.myshopify.com", name=name, **columns)
        session.add(made)
        session.flush()
        return made.id


def by_name(limit=10):
    with operations() as session:
        return standings.by_name(session, NOW, limit=limit)


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"installed_at": NOW}, "installed"),
        ({"installed_at": NOW, "uninstalled_at": NOW}, "uninstalled"),
        ({"installed_at": NOW, "disabled_at": NOW}, "disabled"),
        ({"installed_at": NOW, "uninstalled_at": NOW, "disabled_at": NOW}, "disabled"),
        ({}, "claimed"),
        ({"superseded_at": NOW}, "superseded"),
    ],
)
def test_a_state_is_said_in_a_word_the_weightiest_first(columns, state):
    tenant("alder", **columns)

    assert [one.state for one in by_name()] == [state]


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({}, "live"),
        ({"access_expires_at": NOW - MINUTE, "refresh_expires_at": NOW + MINUTE}, "live"),
        ({"access_expires_at": NOW - MINUTE}, "expired"),
        ({"failed_at": NOW}, "refused"),
    ],
)
def test_a_token_is_told_in_a_word_too(columns, word):
    alder = tenant("alder", installed_at=NOW)
    tenant("birch", installed_at=NOW)
    with directory() as session:
        session.add(OfflineToken(tenant_id=alder, access_token=b"x", scopes=[], obtained_at=NOW, **columns))

    assert [one.token for one in by_name()] == [word, "none"]


def test_stores_and_claims_are_told_by_name_whatever_its_case():
    for name in ("birch", "Alder", "cedar"):
        tenant(name)

    assert [one.name for one in by_name()] == ["Alder", "birch", "cedar"]
    assert [one.name for one in by_name(limit=2)] == ["Alder", "birch"]


def test_an_address_stands_for_the_store_or_else_for_those_who_claim_it():
    first, second = tenant("alder"), tenant("alder")
    tenant("birch", superseded_at=NOW)
    birch = tenant("birch", installed_at=NOW)

    with operations() as session:
        assert standings.tenants_at(session, "alder.myshopify.com") == (first, second)
        assert standings.tenants_at(session, "birch.myshopify.com") == (birch,)
        assert standings.addresses(session, [first, birch]) == {
            first: "alder.myshopify.com",
            birch: "birch.myshopify.com",
        }
        with pytest.raises(standings.UnknownStore, match="cedar"):
            standings.tenants_at(session, "cedar.myshopify.com")
