"""What the apps of a test process share, so that each test can have an app of its own."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from httpx._transports import default as transports
from sqlalchemy.engine import make_url
from werkzeug.routing import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from sqlalchemy.engine import Engine


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """What apps make for themselves and could share, made once: it is most of what an app costs a test.

    That is what httpx knows of certificates, the functions that werkzeug compiles of routes, and engines, which keep
    every statement they have compiled.
    """
    engines: dict[str, Engine] = {}
    make = SQLAlchemy._make_engine
    builders: dict[tuple[Any, ...], Callable[..., Any]] = {}
    compile_builder = Rule._compile_builder

    def engine(self: SQLAlchemy, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        address = make_url(options["url"]).render_as_string(hide_password=False)
        asked = repr((address, sorted((name, value) for name, value in options.items() if name != "url")))
        if asked not in engines:
            engines[asked] = make(self, bind_key, options, app)
        return engines[asked]

    def builder(self: Rule, append_unknown: bool = True) -> Callable[..., Any]:  # noqa: FBT001, FBT002 - werkzeug's
        of = (self.rule, *self._trace, repr(self.defaults), append_unknown)
        if of not in builders:
            builders[of] = compile_builder(self, append_unknown)
        return builders[of]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLAlchemy, "_make_engine", engine)
        patch.setattr(Rule, "_compile_builder", builder)
        patch.setattr(transports, "create_ssl_context", functools.cache(transports.create_ssl_context))
        yield
