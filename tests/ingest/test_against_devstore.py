"""A generated store, taken in by either way, answers as the store itself does, which computes by a path of its own."""

import itertools
import json
import random
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from flask import Flask
from graphql import execute_sync, parse

from devstore import graphql, installs, payloads, reports
from devstore.bulk import Runner
from devstore.bulk_files import path
from devstore.graphql.context import Context
from devstore.graphql.schema import SCHEMA, resolve, type_name
from devstore.options import AppRegistration, Options
from devstore.state import Devstore, Stores
from shopify_app import ingest, insights, rollups
from shopify_app.database import directory, tenant_work
from shopify_app.models import Tenant
from shopify_app.shopify.details import order_details
from shopify_app.shopify.exports import EXPORTS

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DOMAINS = ("aurora-outfitters.myshopify.com", "birch-and-bloom.myshopify.com")
SCOPES = ("read_all_orders", "read_customers", "read_orders", "read_products")
RANGES = (
    insights.resolve("last_365_days", NOW.date()),
    insights.resolve("last_30_days", NOW.date()),
    insights.custom(date(2024, 10, 1), NOW.date()),
    insights.custom(date(2026, 3, 1), date(2026, 3, 31)),  # a clock change is in it
)
NAMES = {name: name for name in insights.DEFINITIONS} | {"average_order_value": "aov"}
BATCH = 300


class Silent:
    """Deliveries that are sent nowhere."""

    def emit(self, *_, **__):
        return []


class Client:
    """The Admin API without HTTP."""

    def __init__(self, context):
        self.context = context

    def execute(self, document, variables=None):
        done = execute_sync(
            SCHEMA,
            parse(document),
            context_value=self.context,
            variable_values=variables,
            field_resolver=resolve,
            type_resolver=type_name,
        )
        assert not done.errors
        return json.loads(json.dumps(done.data))


@pytest.fixture
def devstore(tmp_path):
    """A devstore of two small stores, of different currencies and time zones, that nobody listens to."""
    app = AppRegistration(client_secret="hush", url="http://127.0.0.1:1", scopes=SCOPES)
    options = Options(data=tmp_path, shops=DOMAINS, customers=80, products=20, orders=400, now=NOW, app=app)
    stores = Stores(options)
    made = Devstore(options=options, stores=stores, deliveries=Silent())
    around = Flask("devstore")
    around.extensions["devstore"] = made
    with around.app_context():
        for domain in DOMAINS:
            installs.grant(stores[domain], SCOPES)
    yield made
    stores.close()


@pytest.fixture(params=DOMAINS)
def store(request, devstore):
    return devstore.stores[request.param]


@pytest.fixture
def tenant_id(app_context, store):
    with directory() as session:
        tenant = Tenant(
            store_url=store.domain,
            name=store.shop.name,
            time_zone=store.shop.timezone,
            currency=store.shop.currency,
            installed_at=NOW,
        )
        session.add(tenant)
        session.flush()
        return tenant.id


def in_tenant(tenant_id, work, *arguments):
    with tenant_work(tenant_id) as session:
        return work(session, session.get_one(Tenant, tenant_id), *arguments)


def read_details(devstore, store, tenant_id, wanted):
    context = Context(devstore, store, installs.installation(store), "2026-10", None)
    nodes = order_details(Client(context), sorted(wanted))
    in_tenant(tenant_id, ingest.apply_order_details, nodes, NOW)


def assert_same_answers(store, tenant_id):
    in_tenant(tenant_id, rollups.refresh, NOW)
    for chosen in RANGES:
        mine = in_tenant(tenant_id, insights.overview, chosen)
        theirs = reports.overview(store, chosen.start_on, chosen.end_on)
        for name, figure in mine.figures.items():
            told = Decimal(str(theirs[NAMES[name]] or 0))
            assert round(Decimal(figure.value or 0), 6) == round(told, 6), (chosen, name)
        days = [(str(day.total_sales.quantize(Decimal("0.01"))), day.orders) for day in mine.days]
        assert days == [(day["total_sales"], day["orders"]) for day in theirs["sales_by_day"]]
        assert [(one.shopify_id, one.orders, one.net_sales) for one in mine.top_customers] == [
            (one["id"], one["orders"], Decimal(one["net_sales"])) for one in theirs["top_customers"]
        ]
        assert [(one.shopify_id, one.title, one.units, one.net_sales) for one in mine.top_products] == [
            (one["product_id"], one["title"], one["units"], Decimal(one["net_sales"])) for one in theirs["top_products"]
        ]


def exported(devstore, store, query):
    """Return the lines of a bulk operation's file."""
    runner = Runner(devstore)
    number = runner.start(store, query, "2026-10", grouped=False).id
    ends_at = time.monotonic() + 20
    while (operation := runner.find(store, number)).status in {"CREATED", "RUNNING"}:
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    assert operation.status == "COMPLETED"
    return path(devstore, operation).read_bytes().splitlines()


def test_a_store_taken_in_by_bulk_results_answers_as_the_store_does(devstore, store, tenant_id):
    wanted = set()

    for resource, query in EXPORTS.items():
        lines = exported(devstore, store, query)
        for start in range(0, len(lines), BATCH):
            told = ingest.read_bulk_lines(resource, lines[start : start + BATCH], 7)
            assert (told.texts is not None) == (resource == "orders"), "a store's orders are plain lines"
            outcome = in_tenant(tenant_id, ingest.apply_bulk_lines, told, NOW, b"k")
            wanted |= outcome.details_wanted
    read_details(devstore, store, tenant_id, wanted)

    assert_same_answers(store, tenant_id)


def test_a_store_taken_in_by_webhooks_in_any_order_answers_as_the_store_does(devstore, store, tenant_id):
    deliveries = [
        ingest.WebhookBody(number, topic, json.dumps(body, default=float).encode(), triggered_at, NOW)
        for number, (topic, body, triggered_at) in enumerate(told(store), start=1)
    ]
    random.Random(3).shuffle(deliveries)
    wanted = set()

    for start in range(0, len(deliveries), BATCH):
        wanted |= in_tenant(
            tenant_id, ingest.apply_webhooks, deliveries[start : start + BATCH], NOW, b"k"
        ).details_wanted
    read_details(devstore, store, tenant_id, wanted)

    assert wanted == {order.id for order in store.orders.values() if order.edits}
    assert_same_answers(store, tenant_id)


def told(store):
    """Yield (topic, body, time of the event) of all that ever happened in a store."""
    for customer in store.customers.values():
        yield "customers/create", payloads.customer_body(store, customer), customer.updated_at
    for product in store.products.values():
        yield "products/create", payloads.product_body(store, product), product.updated_at
    for order in store.orders.values():
        yield "orders/updated", payloads.order_body(store, order), order.updated_at
        for refund in order.refunds:
            yield "refunds/create", payloads.refund_body(store, order, refund), refund.created_at
        for edit in order.edits:
            yield "orders/edited", payloads.order_edited_body(store, order, edit), edit.created_at
    yield from itertools.chain(
        (("checkouts/create", payloads.checkout_body(store, one), one.updated_at) for one in store.checkouts.values()),
        (("carts/create", payloads.cart_body(store, one), one.updated_at) for one in store.carts.values()),
    )


assert graphql.blueprint  # the package is imported before its modules, which import one another through it
