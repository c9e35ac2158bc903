"""What every test may ask for: real servers, a migrated database of its own, the app over it, a browser, a whole demo.

The servers are embedded ones, a set for each pytest process, with the disk's safety off. `STORELENS_TEST_PG_BIN`
names the programs of another PostgreSQL (`/usr/lib/postgresql/15/bin` runs the suite on the oldest one supported);
`DATABASE_URL` and `REDIS_URL` name servers that run already, whose login may make databases and roles.
"""

import dataclasses
import itertools
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from sqlalchemy.engine import make_url

from config import Config
from supervisor.demo import Demo, demo_environment
from supervisor.ports import free_port
from supervisor.postgres import PostgresServer, embedded_postgres
from supervisor.redis import RedisServer, embedded_redis
from supervisor.settings import DemoOptions
from tests.emptying import Emptying
from tests.sharing import made_once  # noqa: F401 - a fixture, which pytest finds by this name

ROOT = Path(__file__).resolve().parent.parent
OWNER = "storelens_owner"
LOGIN = "storelens_login"
SMALL_STORE = ("--customers", "60", "--products", "12", "--orders", "200")
SETTINGS = {
    "SECRET_KEY": "a secret of the tests, long enough to be one",
    "TOKEN_KEYS": "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdCE=",
    "APP_URL": "http://127.0.0.1:8000",
    "SHOPIFY_API_KEY": "client-id-of-the-tests",
    "SHOPIFY_API_SECRET": "client-secret-of-the-tests",
}
NEVER_INHERITED = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "SHOPIFY_SCOPES", "SHOPIFY_API_VERSION")


@dataclasses.dataclass(frozen=True)
class Database:
    """A migrated database: the URL of the plain role that owns it, and of the login that owns nothing."""

    name: str
    owner_url: str
    login_url: str


def missing(what: str) -> None:
    """Skip the test, or fail it in CI, where a skipped test would go unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process run all stories over the whole demo: to start it costs as much as any of them."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("stack"))


@pytest.fixture(scope="session")
def reference() -> Path:
    """The directory of Shopify's published samples and schema, which are not ours to copy."""
    directory = Path(os.environ.get("REFERENCE_DIR") or ROOT.parent / "shared" / "reference").resolve()
    if not (directory / "payloads").is_dir():
        missing(f"no reference data in {directory}: set REFERENCE_DIR")
    return directory


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        missing("no Chromium on PATH")
    return str(found)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One headless Chromium for all tests of a process: Playwright's driver cannot be started beside itself."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield made
        made.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A person's browser, empty at first."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def unprivileged() -> pwd.struct_passwd | None:
    """The user to become for what root must not be tried as; None when the tests do not run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


@pytest.fixture(scope="session")
def make_directory() -> Iterator[Callable[[], Path]]:
    """Makes directories that the servers' own users can reach, unlike pytest's; all are removed at the end."""
    with tempfile.TemporaryDirectory(prefix="storelens-tests-", dir="/var/tmp") as parent:
        Path(parent).chmod(0o755)
        numbers = itertools.count()

        def make() -> Path:
            directory = Path(parent) / str(next(numbers))
            directory.mkdir()
            directory.chmod(0o755)
            return directory

        yield make


@pytest.fixture(scope="session")
def postgres(make_directory: Callable[[], Path]) -> Iterator[PostgresServer]:
    """A PostgreSQL server on which databases and roles can be made."""
    if url := os.environ.get("DATABASE_URL"):
        yield PostgresServer(url)
        return
    with pytest.MonkeyPatch.context() as patch:
        if programs := os.environ.get("STORELENS_TEST_PG_BIN"):
            patch.setenv("PG_BIN", programs)
        with embedded_postgres(make_directory(), durable=False) as server:
            yield server


@pytest.fixture(scope="session")
def redis_server(make_directory: Callable[[], Path]) -> Iterator[RedisServer]:
    """An embedded Valkey that a test may stop and must start again."""
    with embedded_redis(make_directory()) as server:
        yield server


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """The URL of a Redis database that holds nothing."""
    url = os.environ.get("REDIS_URL") or request.getfixturevalue("redis_server").url
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def template(postgres: PostgresServer, worker_id: str) -> Iterator[str]:
    """The name of a database migrated by the real release command, as a plain owner; tests get copies of it."""
    name = f"storelens_template_{worker_id}"
    postgres.drop_database(name)
    postgres.create_role(LOGIN)
    owner_url = postgres.create_database(name, owner=OWNER)
    release({"DATABASE_OWNER_URL": owner_url, "DATABASE_URL": postgres.url_of(name, LOGIN)})
    yield name
    postgres.drop_database(name)


def release(database: Mapping[str, str]) -> None:
    """Run the Procfile's release command over `database`; it needs no Redis."""
    kept = {name: value for name, value in os.environ.items() if name not in NEVER_INHERITED}
    environ = {**kept, **SETTINGS, "REDIS_URL": "redis://127.0.0.1:1/0", **database}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "release"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _copy(postgres: PostgresServer, template: str, name: str) -> Database:
    postgres.drop_database(name)
    owner_url = postgres.create_database(name, owner=OWNER, template=template)
    return Database(name, owner_url, postgres.url_of(name, LOGIN))


@pytest.fixture(scope="session")
def shared_database(postgres: PostgresServer, template: str, worker_id: str) -> Iterator[Database]:
    """The database of all tests of this pytest process; ask for `database`, which is this one emptied."""
    made = _copy(postgres, template, f"storelens_test_{worker_id}")
    yield made
    postgres.drop_database(made.name)


@pytest.fixture(scope="session")
def empty(postgres: PostgresServer, shared_database: Database) -> Iterator[Emptying]:
    """Empties the database of all tests."""
    url = make_url(postgres.url).set(database=shared_database.name).render_as_string(hide_password=False)
    made = Emptying(url)
    yield made
    made.close()


@pytest.fixture
def database(shared_database: Database, empty: Emptying) -> Database:
    """A migrated, empty database. A test that changes its schema or rights asks for `own_database` instead."""
    empty()
    return shared_database


@pytest.fixture
def own_database(postgres: PostgresServer, template: str, worker_id: str) -> Iterator[Database]:
    """A migrated, empty database of this test's own; costs some tenths of a second more."""
    made = _copy(postgres, template, f"storelens_own_{worker_id}")
    yield made
    postgres.drop_database(made.name)


@pytest.fixture
def environ(database: Database, redis_url: str) -> dict[str, str]:
    """The environment of a process over this test's database."""
    return {
        **SETTINGS,
        "DATABASE_URL": database.login_url,
        "DATABASE_OWNER_URL": database.owner_url,
        "REDIS_URL": redis_url,
    }


@pytest.fixture
def config(environ: dict[str, str]) -> Config:
    """The settings of an app over this test's database."""
    return Config.from_env(environ)


@pytest.fixture
def app(config: Config) -> Iterator[Flask]:
    """The app over this test's database; its connections are closed at the end.

    No application context is pushed: a request made inside one would share its `g` with the next.
    """
    from shopify_app.app import create_app  # noqa: PLC0415 a test of the supervisor needs no app
    from shopify_app.database import db  # noqa: PLC0415
    from shopify_app.runtime import current  # noqa: PLC0415

    made = create_app(config)
    made.testing = True
    yield made
    with made.app_context():
        current().close()
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def app_context(app: Flask) -> Iterator[None]:
    """An application context around the whole test, for tests below HTTP."""
    with app.app_context():
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client that speaks to the app without a network."""
    return app.test_client()


@pytest.fixture(scope="session")
def stack(make_directory: Callable[[], Path]) -> Iterator[Demo]:
    """The whole demo with a small store: real processes on free ports, started once."""
    options = DemoOptions(
        data=make_directory(),
        app_port=free_port(),
        devstore_port=free_port(),
        devstore_arguments=SMALL_STORE,
        durable=False,
        environ={name: value for name, value in os.environ.items() if name not in NEVER_INHERITED},
    )
    with demo_environment(options) as demo:
        yield demo
