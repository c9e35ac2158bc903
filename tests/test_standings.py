"""A store that an operator has disabled: its work and its deliveries wait, but what is owed by law."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from shopify_app import claims, inbox, standings, tenants
from shopify_app.database import directory, operations
from shopify_app.models import AuditEntry, Tenant
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
        return set(inbox.claim(session, now=NOW + MINUTE, lease_for=MINUTE, limit=10).by_tenant)


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
        assert standings.deliveries(session, stopped).waiting == 1
    enable()
    assert claimed() == {stopped}


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
