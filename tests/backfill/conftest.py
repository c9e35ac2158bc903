"""A store of Shopify's stand-in that goes wrong on demand, and the tenant whose history is read from it."""

import dataclasses
import time
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from rq.serializers import JSONSerializer
from sqlalchemy import select, text, update

from devstore import faults, graphql, installs, tokens
from devstore.bulk import Runner
from devstore.graphql.checkouts import is_listed
from devstore.options import AppRegistration, Options
from devstore.state import Devstore, Stores
from shopify_app import backfill, claims
from shopify_app.backfill import windows
from shopify_app.database import directory, operations, tenant_work
from shopify_app.jobs import schedule
from shopify_app.jobs.queues import NAMES, JsonJob
from shopify_app.models import Backfill, OfflineToken, Tenant
from shopify_app.runtime import current
from shopify_app.shopify import bulk, client
from shopify_app.worker import SteadyWorker
from supervisor.ports import free_port
from tests.devstore.serving import running
from tests.flows import convergence_states as states

SCOPES = ("read_all_orders", "read_customers", "read_orders", "read_products")
FAR_OFF = datetime(2100, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
UNTOLD = states.Untold()


class Nobody:
    """Takes the webhooks of stores, and loses them: polling has to do."""

    def emit(self, *_args, **_kwargs):
        return []


@dataclasses.dataclass
class Shop:
    """One store on both sides."""

    made: Devstore
    store: object
    tenant_id: int

    def goes_wrong(self, **settings):
        """Let this go wrong from now on: `bulk` and `api` as in `devstore.faults_bulk`."""
        self.made.troubles.set_faults(self.store, faults.read(settings))

    def start(self, *resources, **how):
        with tenant_work(self.tenant_id) as session:
            return backfill.start(
                session, session.get_one(Tenant, self.tenant_id), resources, datetime.now(UTC), by="test", **how
            )

    def cancel(self, resource):
        row = self.rows()[resource]
        with tenant_work(self.tenant_id) as session:
            return backfill.cancel(session, self.tenant_id, row.id, datetime.now(UTC))

    def rows(self):
        """Return the latest backfill of each resource."""
        with tenant_work(self.tenant_id) as session:
            found = session.scalars(select(Backfill).order_by(Backfill.id)).all()
            session.expunge_all()
        return {row.resource: row for row in found}

    def differences(self, resource):
        """Return where what is held of a resource is not what the store has, in words; refunds belong to orders."""
        with tenant_work(self.tenant_id) as session:
            if resource == "customers":
                pairs = [(states.customers(self.store, UNTOLD), states.held_customers(session, UNTOLD))]
            elif resource == "products":
                pairs = [(states.products(self.store), states.held_products(session))]
            elif resource == "orders":
                pairs = [
                    (states.orders(self.store, UNTOLD), states.held_orders(session, UNTOLD)),
                    (states.sums(self.store), states.held_sums(session)),
                ]
            else:
                pairs = [(_checkouts(self.store), _held_checkouts(session))]
        return [difference for theirs, ours in pairs for difference in states.differences(theirs, ours)]


def _checkouts(store):
    listed = filter(is_listed, store.checkouts.values())
    return {
        one.token: {"updated_at": one.updated_at, "units": sorted(line.quantity for line in one.lines)}
        for one in listed
    }


def _held_checkouts(session):
    rows = session.execute(text("SELECT token, updated_at, line_items FROM checkouts"))
    return {
        token: {"updated_at": changed_at, "units": sorted(line["quantity"] for line in lines or ())}
        for token, changed_at, lines in rows
    }


@pytest.fixture
def devstore(tmp_path):
    """Two small stores on a local port, whose exports are ready in a moment."""
    registered = AppRegistration(client_id="client-id", client_secret="hush", url="http://127.0.0.1:1", scopes=SCOPES)
    port = free_port()
    options = Options(data=tmp_path, customers=14, products=5, orders=24, app=registered, port=port)
    object.__setattr__(options, "bulk_seconds", 0.02)
    stores = Stores(options)
    made = Devstore(options=options, stores=stores, deliveries=Nobody())
    app = Flask("devstore")
    app.extensions["devstore"] = made
    app.extensions[graphql.BULK] = Runner(made)
    app.register_blueprint(graphql.blueprint)
    with running(app, "127.0.0.1", port):
        yield dataclasses.make_dataclass("Served", ["app", "made", "origin"])(
            app, made, f"http://127.0.0.1:{port}/stores/"
        )
    stores.close()


@pytest.fixture
def environ(environ, devstore):
    return environ | {"SHOPIFY_SHOP_ORIGIN": devstore.origin + "{shop}"}


@pytest.fixture
def shops(app_context, devstore):
    """Both stores, with the app installed, and nothing of them held yet."""
    return [_installed(devstore, store) for store in list(devstore.made.stores)[:2]]


def _installed(devstore, store):
    with devstore.app.app_context():
        granted = installs.grant(store, SCOPES).scopes
        token = tokens.acquire(store, granted).access.token
    with directory() as session:
        tenant = Tenant(
            store_url=store.domain,
            name=store.shop.name,
            time_zone=store.shop.timezone,
            currency=store.shop.currency,
            installed_at=LONG_AGO,
        )
        session.add(tenant)
        session.flush()
        kept = OfflineToken(
            tenant_id=tenant.id,
            access_token=current().vault.encrypt(token),
            access_expires_at=FAR_OFF,
            scopes=list(granted),
            obtained_at=LONG_AGO,
        )
        session.add(kept)
        return Shop(devstore.made, store, tenant.id)


@pytest.fixture
def shop(shops):
    return shops[0]


@pytest.fixture
def impatient(monkeypatch):
    """Retries wait for moments instead of seconds, and halving ends soon."""
    monkeypatch.setattr(windows, "MOST_SPLITS", 5)
    monkeypatch.setattr(client, "FIRST_BACKOFF", 0.001)
    monkeypatch.setitem(bulk.lines.__kwdefaults__, "pause", lambda _seconds: None)


@pytest.fixture
def work_off(app_context):
    """Ticks and works until nothing is due, as the clock and a worker would; waits that were asked for are skipped.

    With `years` time flies: whatever has lasted until now has lasted for two days.
    """

    def run(rounds=80, *, years=False):
        for _ in range(rounds):
            _hurry(years=years)
            schedule.tick()
            if not work():
                return
            time.sleep(0.01)  # an export takes its time, and shares a processor with this loop
        pytest.fail("there is always something left to do")

    return run


def _hurry(*, years):
    with operations() as session:
        idle = claims.Claim.kind != claims.ABANDONMENT, claims.Claim.leased_until.is_(None)
        session.execute(update(claims.Claim).where(*idle).values(due_at=LONG_AGO))
        tenant_ids = [tenant_id for (tenant_id,) in session.execute(select(Tenant.id))]
    for tenant_id in tenant_ids if years else ():
        ago = datetime.now(UTC) - timedelta(days=2)
        with tenant_work(tenant_id) as session:
            for column in (Backfill.troubled_at, Backfill.moved_at):
                session.execute(update(Backfill).where(column.is_not(None)).values({column: ago}))


def work():
    """Run what is queued; returns whether that was anything."""
    with current().queues.worker_redis() as connection:
        worker = SteadyWorker(NAMES, connection=connection, serializer=JSONSerializer, job_class=JsonJob)
        return worker.work(burst=True, logging_level="WARNING")
