"""What benchmarks run on: servers with safe settings, databases as `release` leaves them, and the app's processes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psycopg
import redis
from sqlalchemy.engine import make_url

from bench import bare_view, load, orders
from supervisor.ports import LOOPBACK, free_port
from supervisor.postgres import embedded_postgres
from supervisor.processes import Process, procfile
from supervisor.redis import embedded_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervisor.postgres import PostgresServer
    from supervisor.redis import RedisServer

LOGIN, OWNER = "bench_login", "bench_owner"
SECRET = "client-secret-of-the-benchmark"  # noqa: S105 - made up
SETTINGS = {
    "SECRET_KEY": "a secret of the benchmark, long enough to be one",
    "TOKEN_KEYS": "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdCE=",
    "APP_URL": "http://127.0.0.1:8000",
    "SHOPIFY_API_KEY": "client-id-of-the-benchmark",
    "SHOPIFY_API_SECRET": SECRET,
    "BIND": LOOPBACK,
}
READY_SECONDS = 30.0
STORES = (
    "INSERT INTO tenants (store_url, name, time_zone, currency, installed_at)"
    " SELECT %s || number || %s, 'Store ' || number, 'America/New_York', 'USD', now()"
    " FROM generate_series(0, %s) number"
)


@dataclass
class Stand:
    """Servers and what was started on them. Make one with :func:`stand`."""

    directory: Path
    postgres: PostgresServer
    redis: RedisServer
    form: Path
    held: contextlib.ExitStack
    numbers: dict[str, int] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def app_database(self, name: str, *, stores: int = 1) -> None:
        """Make a database with the app's schema and that many installed stores."""
        self.postgres.create_role(LOGIN)
        owner_url = self.postgres.create_database(name, owner=OWNER)
        self._process("release", procfile(ROOT / "Procfile")["release"], self.environ(name, owner_url)).run()
        with self.connect(name) as connection:
            connection.execute(STORES, [*load.shop("|").split("|"), stores - 1])

    def bare_database(self, name: str) -> None:
        """Make a database with the bare view's one table."""
        self.postgres.create_database(name, owner=OWNER)
        with self.connect(name) as connection:
            connection.execute(bare_view.SCHEMA)

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """Return a connection of the superuser, whom row-level security does not bind."""
        return psycopg.connect(
            make_url(self.postgres.url).set(database=database).render_as_string(hide_password=False), autocommit=True
        )

    def environ(self, database: str, owner_url: str = "") -> dict[str, str]:
        """Return the environment of the app's processes on a database."""
        address = self.postgres.url_of(database, LOGIN)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        urls = {"DATABASE_URL": address, "DATABASE_OWNER_URL": owner_url or address, "REDIS_URL": self.redis.url}
        return {**os.environ, **SETTINGS, **self.settings, **urls, "PATH": path}

    def web(self, database: str, command: str | None = None) -> int:
        """Start the Procfile's web process, or another one, on a database; return its port once it answers."""
        return self._listening(f"web-{database}", command or web_command(), self.environ(database), ROOT)

    def bare_web(self, database: str, command: str | None = None) -> int:
        """Start the bare view with the same command."""
        bare = (command or web_command()).replace("wsgi:app", "bare_view:app")
        environ = self.environ(database) | {
            "DSN": make_url(self.postgres.url).set(database=database).render_as_string(hide_password=False)
        }
        return self._listening(f"bare-{database}", bare, environ, ROOT / "bench")

    def storage(self, files: Path) -> int:
        """Serve exports from a directory, and have the app take the server for Shopify; return its port."""
        port = self._listening(
            "storage", f"{sys.executable} {ROOT}/bench/storage.py {files} $PORT", {**os.environ}, ROOT
        )
        self.settings["SHOPIFY_SHOP_ORIGIN"] = f"http://{LOOPBACK}:{port}/stores/{{shop}}"
        return port

    @contextlib.contextmanager
    def running(self, name: str, database: str) -> Iterator[Process]:
        """Run one of the Procfile's processes on a database."""
        process = self._process(name, procfile(ROOT / "Procfile")[name], self.environ(database))
        process.start()
        try:
            yield process
        finally:
            process.stop()

    def load(self, port: int, **options: float) -> dict[str, Any]:
        """Send deliveries from a process of their own; see `load.py` for the options and what it returns."""
        result: dict[str, Any] = json.loads(self.start_load(port, **options).communicate()[0])
        return result

    def start_load(self, port: int, **options: float) -> subprocess.Popen[bytes]:
        """Start sending deliveries."""
        command = [sys.executable, str(ROOT / "bench" / "load.py"), "--port", str(port), "--form", str(self.form)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "SHOPIFY_API_SECRET": SECRET})

    def empty_redis(self) -> None:
        """Forget what is queued."""
        with redis.Redis.from_url(self.redis.url) as connection:
            connection.flushdb()

    def _listening(self, name: str, command: str, environ: dict[str, str], cwd: Path) -> int:
        port = free_port()
        process = self._process(name, command, {**environ, "PORT": str(port)}, cwd)
        process.start()
        self.held.callback(process.stop)
        ends_at = time.monotonic() + READY_SECONDS
        while not _answers(port):
            if process.exit_code is not None or time.monotonic() > ends_at:
                raise SystemExit(process.obituary())
            time.sleep(0.1)
        return port

    def _process(self, name: str, command: str, environ: dict[str, str], cwd: Path = ROOT) -> Process:
        number = self.numbers[name] = self.numbers.get(name, 0) + 1
        return Process(name, command, environ=environ, cwd=cwd, log=self.directory / f"{name}-{number}.log")


@contextlib.contextmanager
def stand(directory: Path) -> Iterator[Stand]:
    """Start the servers over a directory, and end everything at the end."""
    with contextlib.ExitStack() as held:
        form = directory / "form.txt"
        form.write_text(orders.make().text)
        yield Stand(
            directory=directory,
            postgres=held.enter_context(embedded_postgres(directory / "postgres")),
            redis=held.enter_context(embedded_redis(directory / "redis")),
            form=form,
            held=held.enter_context(contextlib.ExitStack()),
        )


def web_command() -> str:
    """Return the Procfile's web command."""
    return procfile(ROOT / "Procfile")["web"]


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
