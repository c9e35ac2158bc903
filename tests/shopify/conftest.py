"""What tests of Shopify's wire need: a scripted server, the one HTTP client with short patience, recorded waits."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import graphql
import httpx
import pytest
import structlog

from shopify_app.shopify import client, wire
from shopify_app.shopify.client import AdminClient
from shopify_app.shopify.traffic import Traffic
from tests.shopify.scripted import Scripted, scripted_server


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def http() -> Iterator[wire.Http]:
    with wire.open_http() as opened:
        opened.timeout = httpx.Timeout(0.5)
        yield opened


@pytest.fixture
def waits() -> list[float]:
    """Collects the seconds that would have been slept."""
    return []


@pytest.fixture
def logged(monkeypatch) -> list[structlog.typing.EventDict]:
    """What the client logs, in order, whatever level and chain the process logs with."""
    capture = structlog.testing.LogCapture()
    monkeypatch.setattr(client, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture
def admin(server: Scripted, http: wire.Http, waits: list[float]) -> AdminClient:
    """A client for which no time passes but what it waits."""
    traffic = Traffic(clock=lambda: sum(waits))
    return AdminClient(server.url, "2026-10", "shpat_0123", http, pause=waits.append, traffic=traffic)


@pytest.fixture(scope="session")
def schema(reference: Path) -> graphql.GraphQLSchema:
    """Shopify's own Admin schema, of the version the app asks for."""
    with gzip.open(reference / "admin-schema" / "admin_2026-10.json.gz") as file:
        return graphql.build_client_schema(json.load(file)["data"], assume_valid=True)
