"""The app's own file says what the table of topics says."""

import tomllib
from pathlib import Path

import pytest

from config import DEFAULT_SCOPES, OPTIONAL_SCOPES, Config
from shopify_app.shopify import manifest
from shopify_app.shopify.topics import TOPICS

FILE = Path(__file__).resolve().parents[2] / "shopify.app.toml"


def topics(text):
    """Each topic of the file with its address."""
    tables = tomllib.loads(text)["webhooks"]["subscriptions"]
    return {
        topic: table["uri"]
        for table in tables
        for topic in [*table.get("topics", ()), *table.get("compliance_topics", ())]
    }


def test_committed_file_is_what_the_command_writes():
    text = FILE.read_text()

    assert manifest.written(text, Config.webhook_subscriptions) == text


def test_compliance_topics_stand_there_also_where_others_are_registered_store_by_store():
    assert topics(manifest.written(FILE.read_text(), "shop")) == {
        "customers/data_request": "/webhooks/compliance",
        "customers/redact": "/webhooks/compliance",
        "shop/redact": "/webhooks/compliance",
    }


def test_every_topic_stands_there_where_the_app_subscribes_for_all():
    found = topics(manifest.written(FILE.read_text(), "app"))

    assert found == {topic.name: f"/webhooks/{topic.resource}" for topic in TOPICS.values()}


def test_going_back_and_forth_changes_nothing_else():
    text = FILE.read_text()

    assert manifest.written(manifest.written(text, "app"), "shop") == text


@pytest.mark.parametrize(
    "text", ["", manifest.BEGIN + "\n", manifest.END + "\n", f"{manifest.BEGIN}\n{manifest.BEGIN}\n{manifest.END}\n"]
)
def test_file_without_its_marks_is_refused(text):
    with pytest.raises(manifest.MarkersMissing, match="webhooks"):
        manifest.written(text, "shop")


def test_committed_scopes_are_the_default_settings():
    scopes = tomllib.loads(FILE.read_text())["access_scopes"]

    assert scopes["scopes"] == DEFAULT_SCOPES
    assert scopes["optional_scopes"] == OPTIONAL_SCOPES.split(",")
