"""The web's fixtures: a Shopify that installs, session tokens it could have signed, two stores."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import ROOT
from tests.web.conftest import FRAME, STORE, environ, id_token, quick_hashes, shopify, world  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """How Shopify knows the app: shopify.app.toml."""
    return tomllib.loads((ROOT / "shopify.app.toml").read_text())


@pytest.fixture
def open_in_admin(client: FlaskClient, id_token: Callable[..., str]) -> Callable[..., TestResponse]:  # noqa: F811
    """Opens a page as the admin does: in a frame, with a session token in its address."""

    def show(path: str = "/", store_url: str = STORE) -> TestResponse:
        query = {"shop": store_url, "embedded": "1", "id_token": id_token(store_url)}
        return client.get(path, query_string=query, headers=FRAME)

    return show
