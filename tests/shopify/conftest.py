"""What tests of Shopify's wire need: a scripted server, the one HTTP client with short patience, recorded waits."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import graphql
import httpx
import pytest

from shopify_app.shopify import wire
from shopify_app.shopify.client import AdminClient
from tests.shopify.scripted import Scripted, scripted_server


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def http() -> Iterator[wire.Http]:
    with wire.open_http() as client:
        client.timeout = httpx.Timeout(0.5)
        yield client


@pytest.fixture
def waits() -> list[float]:
    """Collects the seconds that would have been slept."""
    return []


@pytest.fixture
def admin(server: Scripted, http: wire.Http, waits: list[float]) -> AdminClient:
    return AdminClient(server.url, "2026-10", "shpat_0123", http, pause=waits.append)


@pytest.fixture(scope="session")
def schema(reference: Path) -> graphql.GraphQLSchema:
    """Shopify's own Admin schema, of the version the app asks for."""
    with gzip.open(reference / "admin-schema" / "admin_2026-10.json.gz") as file:
        return graphql.build_client_schema(json.load(file)["data"], assume_valid=True)
