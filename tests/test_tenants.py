"""Tenants: one a store however often it installs, and one refresh of its token at a time."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select, text

from shopify_app import claims, tenants
from shopify_app.crypto import Vault
from shopify_app.database import directory, operations
from shopify_app.models import Claim, OfflineToken, Tenant
from shopify_app.shopify.oauth import TokenGrant
from shopify_app.shopify.shop import ShopFacts

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("app_context")

VAULT = Vault([Fernet.generate_key().decode()])


def facts(store="some-shop", **changes):
    known = {
        "store_url": f"{store}.myshopify.com",
        "shopify_id": 548380009,
        "name": "Some Shop",
        "email": "owner@example.com",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "plan": "Basic",
        "scopes": frozenset({"read_orders"}),
    }
    return ShopFacts(**(known | changes))


def grant(number=1, **changes):
    known = {
        "access_token": f"shpat_{number}",
        "scopes": frozenset({"read_orders", "read_products"}),
        "expires_in": 3600,
        "refresh_token": f"shprt_{number}",
        "refresh_expires_in": 7776000,
    }
    return TokenGrant(**(known | changes))


def install(store="some-shop", *, number=1, now=NOW, **changes):
    with directory() as session:
        found = tenants.install(session, facts=facts(store), grant=grant(number, **changes), vault=VAULT, now=now)
        return found.id


def held(tenant_id):
    with directory() as session:
        return tenants.token(session, tenant_id, VAULT)


def tenant(tenant_id):
    with directory() as session:
        found = session.get_one(Tenant, tenant_id)
        session.expunge(found)
        return found


def lease(tenant_id, *, now=NOW, for_=MINUTE, **options):
    with directory() as session:
        return tenants.lease_refresh(session, tenant_id, now=now, until=now + for_, **options)


def test_install_makes_the_tenant_with_the_stores_facts():
    tenant_id = install()

    found = tenant(tenant_id)
    assert (found.store_url, found.name, found.email) == ("some-shop.myshopify.com", "Some Shop", "owner@example.com")
    assert (found.shopify_id, found.currency, found.time_zone, found.plan) == (
        548380009,
        "EUR",
        "Europe/Berlin",
        "Basic",
    )
    assert (found.installed_at, found.uninstalled_at) == (NOW, None)


def test_install_keeps_the_pair_sealed():
    tenant_id = install()

    with directory() as session:
        row = session.get_one(OfflineToken, tenant_id)
        assert b"shp" not in row.access_token + row.refresh_token
    token = held(tenant_id)
    assert (token.access_token, token.refresh_token) == ("shpat_1", "shprt_1")
    assert token.expires_at == NOW + timedelta(hours=1)
    assert token.scopes == {"read_orders", "read_products"}
    assert "shp" not in repr(token)


def test_install_claims_the_work_that_follows():
    tenant_id = install()

    with operations() as session:
        assert session.execute(select(Claim.kind, Claim.tenant_id, Claim.due_at)).all() == [("settle", tenant_id, NOW)]


def test_scopes_that_the_token_does_not_list_are_those_the_store_reports():
    tenant_id = install(scopes=frozenset())

    assert held(tenant_id).scopes == {"read_orders"}


def test_second_install_keeps_the_tenant_and_replaces_facts_and_pair():
    first = install()

    with directory() as session:
        again = tenants.install(session, facts=facts(name="Renamed"), grant=grant(2), vault=VAULT, now=NOW + MINUTE)
        assert (again.id, again.name) == (first, "Renamed")
    assert held(first).access_token == "shpat_2"
    with directory() as session:
        assert session.scalar(select(func.count()).select_from(Tenant)) == 1


def test_install_after_an_uninstall_revives_the_same_tenant():
    tenant_id = install()
    with directory() as session:
        tenants.uninstall(session, tenant_id, NOW + MINUTE)

    again = install(number=2, now=NOW + 2 * MINUTE)

    assert again == tenant_id
    assert tenant(tenant_id).uninstalled_at is None
    assert held(tenant_id).access_token == "shpat_2"


def test_stores_are_apart():
    one, other = install("one"), install("other", number=2)
    with directory() as session:
        tenants.uninstall(session, one, NOW + MINUTE)

    assert held(one) is None
    assert held(other).access_token == "shpat_2"


def test_concurrent_installs_make_one_tenant(app):
    barrier, found, lock = threading.Barrier(6), [], threading.Lock()

    def run(number):
        with app.app_context():
            barrier.wait()
            tenant_id = install(number=number)
        with lock:
            found.append(tenant_id)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 6
    assert len(set(found)) == 1
    token = held(found[0])
    assert token.access_token.removeprefix("shpat_") == token.refresh_token.removeprefix("shprt_")


def test_a_mere_claim_to_an_address_is_not_the_installed_store():
    with directory() as session:
        session.add(Tenant(store_url="some-shop.myshopify.com", name="An impostor"))

    tenant_id = install()

    with directory() as session:
        assert tenants.find(session, "some-shop.myshopify.com").id == tenant_id
        assert session.scalar(select(func.count()).select_from(Tenant)) == 2


def test_store_is_found_also_after_it_uninstalled():
    tenant_id = install()
    with directory() as session:
        tenants.uninstall(session, tenant_id, NOW + MINUTE)

    with directory() as session:
        assert tenants.find(session, "some-shop.myshopify.com").id == tenant_id
        assert tenants.find(session, "stranger.myshopify.com") is None


def test_uninstall_forgets_the_token():
    tenant_id = install()

    with directory() as session:
        assert tenants.uninstall(session, tenant_id, NOW + MINUTE) is True

    assert tenant(tenant_id).uninstalled_at == NOW + MINUTE
    assert held(tenant_id) is None
    with directory() as session:
        assert session.get(OfflineToken, tenant_id) is None


def test_repeated_uninstall_changes_nothing():
    tenant_id = install()
    with directory() as session:
        tenants.uninstall(session, tenant_id, NOW + MINUTE)

    with directory() as session:
        assert tenants.uninstall(session, tenant_id, NOW + 2 * MINUTE) is False

    assert tenant(tenant_id).uninstalled_at == NOW + MINUTE


def test_late_uninstall_from_before_a_new_install_changes_nothing():
    tenant_id = install()
    install(number=2, now=NOW + 10 * MINUTE)

    with directory() as session:
        late = tenants.uninstall(session, tenant_id, NOW + 20 * MINUTE, triggered_at=NOW + 5 * MINUTE)

    assert late is False
    assert tenant(tenant_id).uninstalled_at is None
    assert held(tenant_id).access_token == "shpat_2"


@pytest.mark.parametrize(
    ("minutes", "usable", "fresh"), [(0, True, True), (54, True, True), (55, True, False), (60, False, False)]
)
def test_token_is_fresh_until_five_minutes_before_its_end(minutes, usable, fresh):
    token = held(install())

    now = NOW + minutes * MINUTE
    assert (token.is_usable(now), token.is_fresh(now)) == (usable, fresh)


def test_token_that_does_not_expire_stays_fresh():
    token = held(install(expires_in=None, refresh_token=None, refresh_expires_in=None))

    assert token.is_fresh(NOW + timedelta(days=4000))


@pytest.mark.parametrize(
    ("changes", "after", "live"),
    [
        ({}, timedelta(0), True),
        ({}, timedelta(hours=2), True),
        ({}, timedelta(days=91), False),
        ({"refresh_token": None, "refresh_expires_in": None}, timedelta(hours=2), False),
        ({"refresh_token": None, "refresh_expires_in": None}, timedelta(minutes=59), True),
        ({"refresh_expires_in": None}, timedelta(days=91), True),
        ({"expires_in": None}, timedelta(days=91), True),
    ],
)
def test_token_is_live_while_it_works_or_can_be_renewed(changes, after, live):
    tenant_id = install(**changes)

    with directory() as session:
        assert tenants.has_live_token(session, tenant_id, NOW + after) is live


def test_refresh_is_leased_to_one_until_the_lease_runs_out():
    tenant_id = install()
    late = NOW + 57 * MINUTE

    assert lease(tenant_id, now=late) is True
    assert lease(tenant_id, now=late + timedelta(seconds=59)) is False
    assert lease(tenant_id, now=late + timedelta(seconds=60)) is True


def test_fresh_token_is_leased_only_when_asked_for():
    tenant_id = install()

    assert lease(tenant_id) is False
    assert lease(tenant_id, even_if_fresh=True) is True


def test_token_without_a_refresh_token_is_not_leased():
    tenant_id = install(refresh_token=None, refresh_expires_in=None)

    assert lease(tenant_id, now=NOW + 59 * MINUTE) is False


def test_concurrent_leases_are_given_once(app):
    tenant_id = install()
    barrier, given, lock = threading.Barrier(6), [], threading.Lock()

    def run():
        with app.app_context():
            barrier.wait()
            leased = lease(tenant_id, now=NOW + 57 * MINUTE)
        with lock:
            given.append(leased)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(given) == [False] * 5 + [True]


def test_new_pair_is_stored_at_once_and_ends_the_lease():
    tenant_id = install()
    late = NOW + 57 * MINUTE
    lease(tenant_id, now=late)

    with directory() as session:
        stored = tenants.store_grant(
            session, tenant_id, grant=grant(2, scopes=frozenset()), lease=late + MINUTE, vault=VAULT, now=late
        )

    token = held(tenant_id)
    assert stored is True
    assert (token.access_token, token.refresh_token) == ("shpat_2", "shprt_2")
    assert token.expires_at == late + timedelta(hours=1)
    assert token.scopes == {"read_orders", "read_products"}
    assert lease(tenant_id, now=late, even_if_fresh=True) is True


def test_pair_of_a_lost_lease_is_not_stored_over_a_newer_one():
    tenant_id = install()
    late = NOW + 57 * MINUTE
    lease(tenant_id, now=late)
    install(number=3, now=late)

    with directory() as session:
        stored = tenants.store_grant(session, tenant_id, grant=grant(2), lease=late + MINUTE, vault=VAULT, now=late)
        refused = tenants.refuse_refresh(session, tenant_id, reason="dead", lease=late + MINUTE, now=late)

    assert (stored, refused) == (False, False)
    assert held(tenant_id).access_token == "shpat_3"
    assert held(tenant_id).failure is None


def test_released_lease_can_be_taken_at_once():
    tenant_id = install()
    late = NOW + 57 * MINUTE
    lease(tenant_id, now=late)

    with directory() as session:
        assert tenants.release_refresh(session, tenant_id, lease=late + MINUTE) is True

    assert lease(tenant_id, now=late) is True


def test_refused_refresh_is_never_tried_again_until_a_new_exchange():
    tenant_id = install()
    late = NOW + 57 * MINUTE
    lease(tenant_id, now=late)

    with directory() as session:
        tenants.refuse_refresh(session, tenant_id, reason="This request requires…", lease=late + MINUTE, now=late)

    assert held(tenant_id).failure == "This request requires…"
    assert lease(tenant_id, now=late + timedelta(days=1)) is False
    with directory() as session:
        assert tenants.has_live_token(session, tenant_id, late) is False
    install(number=2, now=late)
    assert held(tenant_id).failure is None


@pytest.mark.parametrize(
    ("access_token", "minutes", "noted"), [("shpat_1", 1, True), ("shpat_0", 1, False), ("shpat_1", 61, False)]
)
def test_refused_access_token_is_noted_when_it_is_the_one_held_and_unexpired(access_token, minutes, noted):
    tenant_id = install()

    with directory() as session:
        found = tenants.refuse_token(
            session, tenant_id, reason="401", access_token=access_token, vault=VAULT, now=NOW + minutes * MINUTE
        )

    assert found is noted
    assert (held(tenant_id).failure == "401") is noted


def test_expiring_lists_installed_stores_whose_refresh_token_dies_soon():
    soon = install("soon", refresh_expires_in=86400)
    gone = install("gone", refresh_expires_in=86400)
    install("later")
    install("forever", refresh_token=None, refresh_expires_in=None)
    with directory() as session:
        tenants.uninstall(session, gone, NOW + MINUTE)

    with operations() as session:
        assert tenants.expiring(session, before=NOW + timedelta(days=30)) == [soon]


def test_operations_can_read_no_token():
    install()

    with operations() as session:
        readable = session.scalar(
            text("SELECT has_column_privilege(current_user, 'offline_tokens', 'access_token', 'SELECT')")
        )

    assert readable is False


def test_settling_is_claimed_once_for_two_installs():
    install()
    install(number=2, now=NOW + MINUTE)

    with operations() as session:
        assert len(claims.due(session, [claims.SETTLE], NOW + MINUTE, 10)) == 1


def test_token_that_never_expires_is_due_for_an_exchange_and_leased_once():
    tenant_id = install(expires_in=None, refresh_token=None, refresh_expires_in=None)

    assert held(tenant_id).is_permanent
    assert held(tenant_id).is_renewable
    assert lease(tenant_id) is True
    assert lease(tenant_id) is False
    with operations() as session:
        assert tenants.expiring(session, before=NOW) == [tenant_id]


def test_granted_scopes_are_those_of_the_token_and_none_without_one():
    tenant_id = install()

    with directory() as session:
        assert tenants.granted_scopes(session, tenant_id) == {"read_orders", "read_products"}
        tenants.uninstall(session, tenant_id, NOW + MINUTE)
        assert tenants.granted_scopes(session, tenant_id) == frozenset()


def test_connected_stores_are_installed_and_not_refused():
    connected, refused = install("connected"), install("refused", number=2)
    gone = install("gone", number=3)
    with directory() as session:
        tenants.uninstall(session, gone, NOW + MINUTE)
        tenants.refuse_token(session, refused, reason="401", access_token="shpat_2", vault=VAULT, now=NOW)

    with operations() as session:
        assert tenants.connected(session) == [connected]
