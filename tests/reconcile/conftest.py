"""A devstore served over HTTP with two stores that installed the app, whose webhooks the tests pass on or drop."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from rq.serializers import JSONSerializer
from sqlalchemy import delete, text, update

from devstore import actions, graphql, installs, reports, tokens
from devstore.bulk import Runner
from devstore.options import AppRegistration, Options
from devstore.state import Devstore, Stores
from shopify_app import claims, ingest, insights, reconcile, rollups, tenants
from shopify_app.database import db, directory, operations, tenant_work
from shopify_app.jobs import schedule
from shopify_app.jobs.queues import NAMES, JsonJob
from shopify_app.models import OfflineToken, Tenant
from shopify_app.models.base import TENANT
from shopify_app.runtime import current
from shopify_app.worker import SteadyWorker
from supervisor.ports import free_port
from tests.devstore.serving import running

DOMAINS = ("aurora-outfitters.myshopify.com", "birch-and-bloom.myshopify.com")
SCOPES = ("read_all_orders", "read_customers", "read_orders", "read_products")
FAR_OFF = datetime(2100, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
# What tells about the telling, or is nobody's but ours.
UNCOMPARED = frozenset(
    {
        "tenant_id", "id", "backfill_id", "triggered_at", "ingested_at", "lines_read_at", "tags_at",
        "email_consent_at", "sms_consent_at", "purchases_at",
    }
)  # fmt: skip

MORTAL = ("customers", "products", "orders")
PARENTS = {
    "product_variants": ("products", "product_shopify_id"),
    "order_lines": ("orders", "order_shopify_id"),
    "refunds": ("orders", "order_shopify_id"),
    "order_edits": ("orders", "order_shopify_id"),
}


class Mailbox:
    """Stands where deliveries stand: what is emitted waits until a test passes it on or throws it away."""

    def __init__(self):
        self.waiting = []

    def emit(self, store, topic, body, *, triggered_at=None, **_):
        told = json.dumps(body, default=float).encode()
        self.waiting.append((store.domain, topic, told, triggered_at or datetime.now(UTC)))
        return []


class Shop:
    """One store on both sides: what a merchant does in it, and the tenant that holds it."""

    def __init__(self, store, mailbox, tenant_id):
        self.store, self.mailbox, self.tenant_id = store, mailbox, tenant_id

    def act(self, name, /, **arguments):
        return actions.perform(self.store, self.mailbox, name, arguments)

    def drop(self):
        """Lose every webhook that waits."""
        self.mailbox.waiting = [told for told in self.mailbox.waiting if told[0] != self.store.domain]

    def deliver(self, *topics):
        """Apply the webhooks that wait, or those of these topics, and lose the others."""
        now = datetime.now(UTC)
        bodies = [
            ingest.WebhookBody(number, topic, body, triggered_at, now)
            for number, (domain, topic, body, triggered_at) in enumerate(self.mailbox.waiting, start=1)
            if domain == self.store.domain and (topic in topics or not topics)
        ]
        self.drop()
        with tenant_work(self.tenant_id) as session:
            outcome = ingest.apply_webhooks(
                session, session.get_one(Tenant, self.tenant_id), bodies, now, ingest.tombstone_key(SECRET())
            )
            claims.put_all(session, claims.ORDER_DETAILS, self.tenant_id, outcome.details_wanted, due_at=now)

    def start(self, *resources, mode="asked", **how):
        """Plan checks up to this very second; there is nothing under way that could be waited for."""
        how.setdefault("ceiling", datetime.now(UTC) + timedelta(seconds=1))
        with tenant_work(self.tenant_id) as session:
            granted = tenants.granted_scopes(session, self.tenant_id)
            named = resources or reconcile.RESOURCES
            return reconcile.start(
                session, self.tenant_id, granted, datetime.now(UTC), mode=mode, resources=named, **how
            )

    def checks(self):
        """Return the last finished check of each resource."""
        with tenant_work(self.tenant_id) as session:
            return {standing.resource: standing for standing in reconcile.latest(session)[0]}

    def wrong(self, *resources):
        """Return what was (missing, stale, deleted) of each of the resources."""
        checks = self.checks()
        assert {check.state for check in checks.values()} == {"done"}, checks
        return {of: (checks[of].missing, checks[of].stale, checks[of].deleted) for of in resources or checks}

    def rows(self, table):
        """Return a table's rows of what lives, as the tenant sees them, without what is ours alone."""
        parent, column = PARENTS.get(table, (table, "shopify_id"))
        dead = f"{column} IN (SELECT shopify_id FROM {parent} WHERE deleted_at IS NOT NULL)"  # noqa: S608 constants
        query = f"SELECT * FROM {table} WHERE NOT {dead}" if parent in MORTAL else f"SELECT * FROM {table}"  # noqa: S608
        with tenant_work(self.tenant_id) as session:
            found = session.execute(text(query)).mappings()
            kept = [{name: row[name] for name in row if name not in UNCOMPARED} for row in found]
        return sorted(map(repr, kept))

    def forget_everything(self):
        """Hold nothing of the store any more."""
        with tenant_work(self.tenant_id) as session:
            for table in reversed(db.metadata.sorted_tables):
                if table.info == TENANT:
                    session.execute(delete(table).where(table.c.tenant_id == self.tenant_id))

    def grant(self, scopes):
        """Let what is held of the grant be this, whatever Shopify's side says."""
        with directory() as session:
            mine = OfflineToken.tenant_id == self.tenant_id
            session.execute(update(OfflineToken).where(mine).values(scopes=list(scopes)))

    def assert_same_answers(self):
        """Fail unless the tenant's figures are those that the store computes for itself."""
        today = datetime.now(UTC).date()
        chosen = insights.custom(today - timedelta(days=364), today)
        with tenant_work(self.tenant_id) as session:
            tenant = session.get_one(Tenant, self.tenant_id)
            rollups.refresh(session, tenant, datetime.now(UTC))
            mine = insights.overview(session, tenant, chosen)
        theirs = reports.overview(self.store, chosen.start_on, chosen.end_on)
        for name, figure in mine.figures.items():
            told = theirs["aov" if name == "average_order_value" else name]
            assert round(Decimal(figure.value or 0), 6) == round(Decimal(str(told or 0)), 6), name
        days = [(str(day.total_sales.quantize(Decimal("0.01"))), day.orders) for day in mine.days]
        assert days == [(day["total_sales"], day["orders"]) for day in theirs["sales_by_day"]]

    def assert_same_objects(self, *tables):
        """Fail unless what is held and lives is what the store has, each in its last version."""
        for table, records in (("customers", self.store.customers), ("products", self.store.products),
                               ("orders", self.store.orders)):  # fmt: skip
            if tables and table not in tables:
                continue
            with tenant_work(self.tenant_id) as session:
                query = f"SELECT shopify_id, updated_at FROM {table} WHERE deleted_at IS NULL"  # noqa: S608 likewise
                held = {number: at for number, at in session.execute(text(query))}  # noqa: C416 rows are no pairs
            assert held == {number: record.updated_at for number, record in records.items()}, table


def SECRET():  # noqa: N802 reads as the constant it is
    return current().config.secret_key


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def devstore(tmp_path, mailbox):
    """Two small stores, the second in another currency and time zone, served on a local port."""
    registered = AppRegistration(client_id="client-id", client_secret="hush", url="http://127.0.0.1:1", scopes=SCOPES)
    port = free_port()
    options = Options(data=tmp_path, shops=DOMAINS, customers=12, products=4, orders=16, app=registered, port=port)
    stores = Stores(options)
    made = Devstore(options=options, stores=stores, deliveries=mailbox)
    app = Flask("devstore")
    app.extensions["devstore"] = made
    app.extensions[graphql.BULK] = Runner(made)
    app.register_blueprint(graphql.blueprint)
    with running(app, "127.0.0.1", port):
        yield dataclasses.make_dataclass("Served", ["app", "stores", "origin"])(
            app, stores, f"http://127.0.0.1:{port}/stores/"
        )
    stores.close()


@pytest.fixture
def environ(environ, devstore):
    return environ | {"SHOPIFY_SHOP_ORIGIN": devstore.origin + "{shop}"}


@pytest.fixture
def shops(app_context, devstore, mailbox):
    """Both stores, with the app installed, and nothing of them held yet."""
    return [_installed(devstore, store, mailbox) for store in devstore.stores]


def _installed(devstore, store, mailbox):
    with devstore.app.app_context():
        granted = installs.grant(store, SCOPES).scopes
        token = tokens.acquire(store, granted).access.token
    mailbox.waiting.clear()
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
        return Shop(store, mailbox, tenant.id)


@pytest.fixture
def shop(shops):
    return shops[0]


@pytest.fixture
def held(shop, work_off):
    """The first store, taken in whole."""
    shop.start()
    work_off()
    return shop


@pytest.fixture
def work_off(app_context):
    """Ticks and works until nothing is due, as the clock and a worker would; waits that were asked for are skipped."""

    def run(rounds=30):
        for _ in range(rounds):
            with operations() as session:
                idle = claims.Claim.kind != claims.ABANDONMENT, claims.Claim.leased_until.is_(None)
                session.execute(update(claims.Claim).where(*idle).values(due_at=LONG_AGO))
            schedule.tick()
            if not work():
                return
        pytest.fail("there is always something left to do")

    return run


def work():
    """Run what is queued; returns whether that was anything."""
    with current().queues.worker_redis() as connection:
        worker = SteadyWorker(NAMES, connection=connection, serializer=JSONSerializer, job_class=JsonJob)
        return worker.work(burst=True, logging_level="WARNING")
