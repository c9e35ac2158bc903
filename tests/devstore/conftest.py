"""A small store of a devstore, a recorder in the place of deliveries, and an app's end of a webhook."""

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from devstore import actions, installs
from devstore.installs import Subscription
from devstore.options import AppRegistration, Options
from devstore.state import Store, Stores

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DOMAINS = ("aurora-outfitters.myshopify.com", "birch-and-bloom.myshopify.com")


def small(data: Path) -> Options:
    """Options of two small stores; their app listens nowhere."""
    app = AppRegistration(client_secret="hush", url="http://127.0.0.1:1")
    return Options(data=data, shops=DOMAINS, customers=40, products=8, orders=120, now=NOW, app=app)


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of generated stores, to start from."""
    options = small(tmp_path_factory.mktemp("generated"))
    Stores(options).close()
    return options.data / "devstore.sqlite3"


@pytest.fixture
def options(tmp_path: Path, generated: Path) -> Options:
    """Options of a devstore whose stores are generated already."""
    shutil.copy(generated, tmp_path)
    return small(tmp_path)


@pytest.fixture
def stores(options: Options) -> Iterator[Stores]:
    """The generated stores, closed at the end."""
    made = Stores(options)
    yield made
    made.close()


@pytest.fixture
def store(stores: Stores) -> Store:
    """The first store."""
    return stores[DOMAINS[0]]


class Recorder:
    """Stands where deliveries stand and keeps what was emitted."""

    def __init__(self):
        self.emitted: list[dict[str, Any]] = []

    def emit(self, _store, topic, body, *, event_id=None, triggered_at=None):
        self.emitted.append({"topic": topic, "body": body, "event_id": event_id, "triggered_at": triggered_at})
        return []

    @property
    def topics(self) -> list[str]:
        return [one["topic"] for one in self.emitted]

    def body(self, topic: str) -> dict[str, Any]:
        return next(one["body"] for one in reversed(self.emitted) if one["topic"] == topic)


@pytest.fixture
def recorder() -> Recorder:
    """A recorder without entries."""
    return Recorder()


@pytest.fixture
def act(store: Store, recorder: Recorder) -> Callable[..., Any]:
    """Does a merchant action by name, as the control blueprint does."""

    def perform(name, /, **arguments):
        recorder.emitted.clear()
        return actions.perform(store, recorder, name, arguments)

    return perform


@pytest.fixture
def subscribe(store: Store) -> Callable[..., Subscription]:
    """Makes a subscription of the app and returns it."""

    def make(uri, topic="orders/create", **attributes):
        return installs.subscribe(store, topic=topic, uri=uri, **{"api_version": "2026-10", **attributes})

    return make


class Receiver:
    """An app's end of a webhook: keeps requests and answers with `statuses`, the last of them for ever."""

    def __init__(self):
        self.requests: list[dict[str, Any]] = []
        self.statuses = [200]
        self.delay = 0.0
        self.waiter = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
                receiver.waiter.wait(receiver.delay)
                status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self):
        self.waiter.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A listening receiver."""
    made = Receiver()
    yield made
    made.close()
