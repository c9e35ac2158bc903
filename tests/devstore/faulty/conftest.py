"""A small devstore on a free port, with the app installed, for faults to befall."""

import dataclasses
from collections.abc import Iterator

import pytest

from devstore.options import Options
from supervisor.ports import free_port
from tests.devstore.faulty.asking import SCOPES, App, QuickOptions, process


@pytest.fixture
def options(options: Options) -> Options:
    """The small stores' options, on a free port, with an app that asks for all it can read."""
    registered = dataclasses.replace(options.app, scopes=SCOPES)
    values = {name: getattr(options, name) for name in ("data", "shops", "customers", "products", "orders", "now")}
    return QuickOptions(**values, port=free_port(), app=registered)


@pytest.fixture
def app(options: Options) -> Iterator[App]:
    """The first store, with the app installed."""
    with process(options) as installed:
        yield installed
