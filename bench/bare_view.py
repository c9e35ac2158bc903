"""The bare view that accepting is measured against: HMAC, one INSERT that is committed, 200. No app around it.

    gunicorn bare_view:app --worker-class gthread --workers 2 --threads 8

(in bench/, with DSN and SHOPIFY_API_SECRET in the environment). It knows its one store by heart, reads four headers,
and looks at the body for nothing but its signature.
"""

from __future__ import annotations

import base64
import hmac
import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import psycopg
from flask import Flask, request
from psycopg_pool import ConnectionPool

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

SCHEMA = """
    CREATE TABLE inbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant_id int NOT NULL,
        topic text NOT NULL,
        webhook_id text NOT NULL UNIQUE,
        received_at timestamptz NOT NULL DEFAULT now(),
        payload bytea NOT NULL
    )
"""
KEEP = "INSERT INTO inbox (tenant_id, topic, webhook_id, payload) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
STORES = {"bench-0.myshopify.com": (1, os.environ.get("SHOPIFY_API_SECRET", "").encode())}

app = Flask(__name__)
making = threading.Lock()


@app.post("/webhooks/orders")
def orders() -> ResponseReturnValue:
    """Keep one delivery."""
    headers = request.headers
    store = STORES.get(headers.get("X-Shopify-Shop-Domain", ""))
    if store is None:
        return "", 401
    tenant_id, key = store
    body = request.get_data(cache=False)
    expected = base64.b64encode(hmac.digest(key, body, "sha256")).decode()
    if not hmac.compare_digest(expected, headers.get("X-Shopify-Hmac-Sha256", "")):
        return "", 401
    row = (tenant_id, headers["X-Shopify-Topic"], headers["X-Shopify-Webhook-Id"], body)
    with making:
        connections = pool()
    with connections.connection() as connection:
        connection.execute(KEEP, row)
    return "", 200


@cache
def pool() -> ConnectionPool[psycopg.Connection[Any]]:
    """Return this process's connections, one for each thread."""
    size = int(os.environ.get("WEB_THREADS", "8"))
    return ConnectionPool(os.environ["DSN"], min_size=size, max_size=size, configure=_configure, open=True)


def _configure(connection: psycopg.Connection[Any]) -> None:
    connection.autocommit = True
    connection.prepare_threshold = 1
