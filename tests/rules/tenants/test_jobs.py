"""Walk every job that can be queued: run for one store, it neither reads nor changes a row of another.

A new job needs nothing here unless it takes something else than ids, for which ``ARGUMENTS`` must have a value.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType

import pytest
from flask import Flask

import shopify_app.jobs
from shopify_app import claims, inbox
from shopify_app.database import operations
from shopify_app.jobs import queues, schedule
from shopify_app.runtime import current
from shopify_app.shopify.errors import ShopifyError
from tests.rules.tenants.conftest import Walls
from tests.rules.tenants.rows import FOREIGN_ID
from tests.web.conftest import STORE

PREFIX = "shopify_app.jobs."
ENQUEUING = frozenset({"enqueue", "enqueue_once", "nudge"})
# What stands for a job's arguments that are not numbers of rows; those are the other store's.
ARGUMENTS: dict[str, object] = {}
# Jobs for all stores at once, and the queue's tables from which they delete what is old, whosever it was.
LETS_GO = {queues.EXPIRE: ("inbox", "applied_events")}


def _modules() -> list[ModuleType]:
    return [importlib.import_module(PREFIX + found.name) for found in pkgutil.iter_modules(shopify_app.jobs.__path__)]


def _named() -> Iterator[str]:
    """Yield the names written down: constants, the clock's table, and what each kind of claim is taken by."""
    constants = (value for name, value in vars(queues).items() if name.isupper())
    yield from (value for value in constants if isinstance(value, str) and value.startswith(PREFIX))
    yield from (entry.job for entry in schedule.SCHEDULE)
    yield from (job for job, _ in schedule.WORK.values())


def _queued_by_function() -> Iterator[str]:
    """Yield the jobs that other jobs queue by handing over the function itself."""
    for module in _modules():
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ENQUEUING:
                given = getattr(module, node.args[0].id, None) if isinstance(node.args[0], ast.Name) else None
                if inspect.isfunction(given):
                    yield f"{given.__module__}.{given.__qualname__}"


JOBS = sorted({*_named(), *_queued_by_function()})


@pytest.mark.parametrize("name", JOBS)
def test_a_job_of_one_store_touches_no_other(app: Flask, walls: Walls, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    job = getattr(importlib.import_module(module), attribute)
    with app.app_context():
        _give_work(walls.alpha)

        error = _run(job, _arguments(job, walls))

    assert error is None or isinstance(error, ShopifyError | LookupError), error
    walls.watch.assert_untouched(but=LETS_GO.get(name, ()))


def test_the_jobs_that_name_a_store_really_work_for_it(app: Flask, walls: Walls) -> None:
    with app.app_context():
        _give_work(walls.alpha)
        for name in (queues.DRAIN, queues.REFRESH):
            module, _, attribute = name.rpartition(".")
            job = getattr(importlib.import_module(module), attribute)
            job(**_arguments(job, walls))

    assert walls.watch.entered == {walls.alpha}
    walls.watch.assert_untouched()


def test_every_job_is_found_that_the_clock_or_a_claim_can_start() -> None:
    assert {entry.job for entry in schedule.SCHEDULE} <= set(JOBS)
    assert len(JOBS) >= 8


def _arguments(job: object, walls: Walls) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, parameter in inspect.signature(job).parameters.items():
        if name == "tenant_id":
            values[name] = walls.alpha
        elif parameter.annotation in {"int", int}:
            values[name] = FOREIGN_ID
        elif parameter.default is inspect.Parameter.empty:
            assert name in ARGUMENTS, f"{job}: say in ARGUMENTS what stands for {name}"
            values[name] = ARGUMENTS[name]
    return values


def _run(job: object, arguments: dict[str, object]) -> Exception | None:
    """Call the job. What Shopify's stand-in does not know it refuses, and a row that is not there is none of ours."""
    try:
        job(**arguments)
    except Exception as error:  # noqa: BLE001 - the test says which are expected, and shows the others
        return error
    return None


def _give_work(tenant_id: int) -> None:
    """Let everything be due for one store, with the numbers of the other's rows as subjects."""
    now = datetime.now(UTC)
    with operations() as session:
        for kind in schedule.WORK:
            claims.put_all(session, kind, tenant_id, (0, FOREIGN_ID), due_at=now)
    bodies = {
        "customers/update": {"id": FOREIGN_ID, "email": "x@example.com", "updated_at": "2026-11-20T10:00:00Z"},
        "customers/delete": {"id": FOREIGN_ID},
        "products/delete": {"id": FOREIGN_ID},
        "orders/delete": {"id": FOREIGN_ID},
        "checkouts/delete": {"id": FOREIGN_ID},
        "bulk_operations/finish": {"admin_graphql_api_id": f"gid://shopify/BulkOperation/{FOREIGN_ID}"},
    }
    for topic, body in bodies.items():
        _deliver(topic, body)


def _deliver(topic: str, body: dict[str, object]) -> None:
    incoming = inbox.Incoming(
        shop_domain=STORE,
        topic=topic,
        webhook_id=f"delivery-{topic}",
        event_id=None,
        triggered_at=None,
        api_version=current().config.shopify_api_version,
        payload=json.dumps(body).encode(),
    )
    assert current().direct.run(lambda line: inbox.receive(line, incoming))
