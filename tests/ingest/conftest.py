"""Stores to apply deliveries to."""

import pytest

from tests.ingest.world import World


@pytest.fixture
def world(app_context):
    """Two stores and a stranger, all empty."""
    return World.made()
