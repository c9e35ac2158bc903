"""What the stories over the whole stack share: devstore's own figures, the app's rows, and waiting for either."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from supervisor.demo import Demo

AURORA = "aurora-outfitters.myshopify.com"
BIRCH = "birch-and-bloom.myshopify.com"
PATIENCE = 90.0  # seconds; what is waited for takes a few on a quiet machine


def devstore_url(stack: Demo) -> str:
    """The origin of the local Shopify."""
    return f"http://localhost:{stack.options.devstore_port}"


def app_url(stack: Demo) -> str:
    """The origin of the app: another site than devstore's, to a browser."""
    return f"http://127.0.0.1:{stack.options.app_port}"


def client_id(stack: Demo) -> str:
    """The app's client id, as devstore knows it."""
    return stack.environ["SHOPIFY_API_KEY"]


def report(stack: Demo, shop: str, start_on: str, end_on: str) -> dict[str, Any]:
    """What devstore computes of its own store, by a path of its own."""
    return _get(stack, shop, f"report.json?from={start_on}&to={end_on}")


def export(stack: Demo, shop: str) -> dict[str, Any]:
    """Row counts and money totals of a store."""
    return _get(stack, shop, "export.json")


def install(stack: Demo, shop: str) -> None:
    """Install as Shopify does: the merchant consents, and the admin opens the app in its frame."""
    origin, name = devstore_url(stack), shop.partition(".")[0]
    sent = {"Origin": origin}
    consent = f"{origin}/stores/{shop}/admin/oauth/install?client_id={client_id(stack)}"
    assert httpx.post(consent, data={"decision": "install"}, headers=sent, timeout=30).status_code == 302
    launch = httpx.post(f"{origin}/store/{name}/launch", headers=sent, timeout=30).json()
    opened = httpx.get(app_url(stack) + "/", params=launch, headers={"Sec-Fetch-Dest": "iframe"}, timeout=60)
    assert opened.status_code == 200, opened.text


def act(stack: Demo, shop: str, action: str, **arguments: object) -> dict[str, Any]:
    """Do something in the store, as its merchant or a buyer would."""
    url = f"{devstore_url(stack)}/_dev/stores/{shop}/actions/{action}"
    answer = httpx.post(url, json=arguments, timeout=30, headers={"Origin": devstore_url(stack)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _get(stack: Demo, shop: str, path: str) -> dict[str, Any]:
    answer = httpx.get(f"{devstore_url(stack)}/_dev/stores/{shop}/{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def tenant(stack: Demo, shop: str) -> dict[str, Any] | None:
    """The app's tenant of a store, or None."""
    with _connect(stack) as connection:
        return connection.execute("SELECT * FROM tenants WHERE store_url = %s", [shop]).fetchone()


def rows(stack: Demo, shop: str, query: str) -> list[dict[str, Any]]:
    """Rows of the store's tenant, read as the app reads them: by its role, under row-level security."""
    with _connect(stack) as connection:
        found = connection.execute("SELECT id FROM tenants WHERE store_url = %s", [shop]).fetchone()
        assert found is not None, f"{shop} has no tenant"
        connection.execute(f"SET LOCAL app.tenant_id = '{found['id']}'")
        return connection.execute(query).fetchall()


def _connect(stack: Demo) -> psycopg.Connection[dict[str, Any]]:
    url = stack.environ["DATABASE_URL"]
    return psycopg.connect(url, row_factory=dict_row, options="-c role=storelens_app -c timezone=UTC")


def states(stack: Demo, shop: str) -> dict[str, str]:
    """The state of each resource of the store's latest backfill."""
    latest = "SELECT DISTINCT ON (resource) resource, state FROM backfills ORDER BY resource, id DESC"
    return {row["resource"]: row["state"] for row in rows(stack, shop, latest)}


def wait_until(what: str, ask: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    """Return the first true answer of ``ask``."""
    give_up_at = time.monotonic() + patience
    while time.monotonic() < give_up_at:
        if answer := ask():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {patience:g} seconds; last answer: {ask()!r}")


def settled(stack: Demo, shop: str) -> bool:
    """Whether the history is complete and nothing waits to be applied."""
    if tenant(stack, shop) is None:
        return False
    found = states(stack, shop)
    return len(found) == 5 and set(found.values()) == {"done"} and idle(stack)


def idle(stack: Demo) -> bool:
    """Whether every delivery is applied and every claim is worked off, but for carts that are not abandoned yet."""
    with _connect(stack) as connection:
        waiting = connection.execute(
            """SELECT (SELECT count(*) FROM claims WHERE kind <> 'abandonment' OR due_at <= now()) + count(*) AS n
               FROM inbox
               WHERE processed_at IS NULL AND dead_at IS NULL AND tenant_id IS NOT NULL"""
        ).fetchone()
    return waiting is not None and waiting["n"] == 0


def held(stack: Demo, shop: str) -> dict[str, Mapping[str, object]]:
    """What the app's tables hold of a store, in the shape of devstore's export."""
    (counts,) = rows(
        stack,
        shop,
        """SELECT (SELECT count(*) FROM customers WHERE deleted_at IS NULL) AS customers,
                  (SELECT count(*) FROM products WHERE deleted_at IS NULL) AS products,
                  (SELECT count(*) FROM product_variants) AS variants,
                  (SELECT count(*) FROM orders WHERE deleted_at IS NULL) AS orders,
                  (SELECT count(*) FROM order_lines) AS line_items,
                  (SELECT count(*) FROM refunds) AS refunds,
                  (SELECT count(*) FROM refund_lines) AS refund_lines,
                  (SELECT count(*) FROM checkouts WHERE deleted_at IS NULL) AS abandoned_checkouts""",
    )
    (totals,) = rows(
        stack,
        shop,
        """SELECT (SELECT sum(total_price) FROM orders WHERE deleted_at IS NULL) AS orders_total_price,
                  (SELECT sum(price * quantity) FROM order_lines) AS line_items_gross,
                  (SELECT sum(amount) FROM refunds) AS refunds_total""",
    )
    return {"counts": counts, "totals": {name: Decimal(value or 0) for name, value in totals.items()}}
