"""The probes: alive, and ready."""

import dataclasses

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shopify_app.jobs.queues import Queues
from shopify_app.web import health


def test_a_process_with_all_it_needs_is_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json == {"status": "ready"}


def test_without_redis_it_is_not_ready_and_says_why(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = dataclasses.replace(app.extensions["storelens"], queues=Queues("redis://127.0.0.1:1/0"))
    monkeypatch.setitem(app.extensions, "storelens", deaf)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert list(response.json["problems"]) == ["redis"]


def test_with_a_schema_of_another_version_it_is_not_ready_and_names_both(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_expected_heads", lambda _root: ("9999",))

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "this version needs 9999" in response.json["problems"]["postgresql"]
