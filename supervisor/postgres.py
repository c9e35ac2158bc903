"""The embedded PostgreSQL: one server over one data directory, and the roles and databases made on it."""

import contextlib
import dataclasses
import hashlib
import hmac
import pwd
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from supervisor.errors import CannotStart
from supervisor.identity import can, data_directory, give, run_as, unprivileged
from supervisor.ports import LOOPBACK, ensure_free, free_port
from supervisor.programs import major_version, postgres_programs, reachable_programs
from supervisor.tether import clear_leftovers, dies_with_parent, hold, stop, stop_at_exit

START_SECONDS = 30.0
STOP_SECONDS = 30.0
# A lost write costs a test nothing, and waiting for the disk costs it most of its time.
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclasses.dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL, known by the URL of a role that may make roles and databases."""

    url: str = dataclasses.field(repr=False)

    def url_of(self, database: str, role: str) -> str:
        """Return the URL with which `role`, made by `create_role`, opens `database`."""
        url = make_url(self.url).set(database=database, username=role, password=self._password(role))
        return url.render_as_string(hide_password=False)

    def create_role(self, role: str, *, may_create_roles: bool = False) -> None:
        """Make `role`, which may log in and is never a superuser; an existing one gets these very attributes."""
        attributes = sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB {}").format(
            sql.SQL("CREATEROLE" if may_create_roles else "NOCREATEROLE")
        )
        with psycopg.connect(self.url, autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            password = sql.Literal(self._password(role))
            statement = sql.SQL("{} ROLE {} WITH {} PASSWORD {}")
            connection.execute(statement.format(verb, sql.Identifier(role), attributes, password))

    def create_database(self, database: str, *, owner: str, template: str = "template1") -> str:
        """Make `database` unless it exists, owned by the plain role `owner` (made too), and return its owner's URL."""
        self.create_role(owner, may_create_roles=True)
        with psycopg.connect(self.url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                names = (sql.Identifier(database), sql.Identifier(owner), sql.Identifier(template))
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*names))
        return self.url_of(database, owner)

    def drop_database(self, database: str) -> None:
        """Drop `database` if it exists, closing the connections that are still open on it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def _password(self, role: str) -> str:
        """Return the password of `role`: the same at every start, and derived, so that it need not be kept."""
        key = make_url(self.url).password or ""
        return hmac.new(key.encode(), role.encode(), hashlib.sha256).hexdigest()


class EmbeddedPostgres(PostgresServer):
    """A PostgreSQL of ours, whose address stays the same from start to start."""

    def __init__(self, url: str, cluster: Path, launch: Callable[[], subprocess.Popen[bytes]]) -> None:
        """Prepare to serve the directory `cluster` at `url`, by calling `launch`."""
        super().__init__(url)
        self._cluster = cluster
        self._launch = launch
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and return when it answers, having recovered what a crash left undone.

        Raises:
            CannotStart: it refuses to start.
        """
        clear_leftovers(self._cluster, "postgres", signal.SIGINT)
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)  # its server is gone; its number may be reused
        self._process = self._launch()
        _wait_until_ready(self._process, self, _log_of(self._cluster))

    def stop(self) -> None:
        """Stop the server in good order. Stopping a stopped one changes nothing."""
        if self._process is not None:
            stop(self._process, signal.SIGINT, STOP_SECONDS)  # PostgreSQL's fast shutdown
            self._process = None

    def kill(self) -> None:
        """Kill the postmaster outright. Its backends end by themselves; `start` waits for them."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def kill_backend(self, application: str = "") -> bool:
        """Kill one backend outright, of `application` if it is named; return whether there was one.

        The server ends all others then, and recovers.
        """
        with contextlib.suppress(psycopg.OperationalError):  # it is away already
            with psycopg.connect(self.url, autocommit=True) as connection:
                found = connection.execute(_BACKEND, [application, application]).fetchone()
            if found is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(found[0]).kill()
                return True
        return False


# A busy one sooner than an idle one: the more is lost.
_BACKEND = """
    SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND (%s = '' OR application_name = %s)
    ORDER BY state = 'active' DESC, random() LIMIT 1
"""


@contextlib.contextmanager
def embedded_postgres(data: Path, *, durable: bool = True, port: int | None = None) -> Iterator[EmbeddedPostgres]:
    """Run PostgreSQL over `data`/postgres-<major version> for the length of the block; make the cluster when missing.

    It listens on the loopback interface alone, on `port` or a free one. As root it runs as another user, see
    `supervisor.identity`. `durable=False` is for tests: a crash of the machine may lose or spoil the data.

    Raises:
        CannotStart: the port is in use, the programs are missing, the data is of another major version or served
            by another supervisor, the directory is unreachable or unwritable, or the server refuses to start.
    """
    base = data_directory(data)
    programs = postgres_programs()
    cluster = base / f"postgres-{major_version(programs)}"
    _refuse_other_version(base, cluster)
    user = unprivileged(cluster)
    _refuse_unreachable(base, cluster, user)
    programs = reachable_programs(programs, user, base)
    with hold(base / "postgres.lock", cluster):
        clear_leftovers(cluster, "postgres", signal.SIGINT)  # before asking for a port that they may still have
        password = _password(base, user)
        if not (cluster / "PG_VERSION").exists():
            _initialise(programs, cluster, user, password, durable=durable)
        chosen = free_port() if port is None else port
        ensure_free(chosen, "PostgreSQL")
        settings = [f"port={chosen}", f"listen_addresses={LOOPBACK}", "unix_socket_directories="]
        settings += [] if durable else NOT_DURABLE
        url = f"postgresql://postgres:{password.read_text()}@{LOOPBACK}:{chosen}/postgres"
        server = EmbeddedPostgres(url, cluster, lambda: _start(programs, cluster, user, settings))
        with stop_at_exit(server.stop):
            server.start()
            yield server


def _refuse_other_version(base: Path, cluster: Path) -> None:
    wanted = cluster.name.removeprefix("postgres-")
    others = [path for path in sorted(base.glob("postgres-*")) if (path / "PG_VERSION").exists()]
    for path in others:
        found = (path / "PG_VERSION").read_text().strip()
        if found != wanted and not (path != cluster and cluster.exists()):
            message = (
                f"The data in {path} is of PostgreSQL {found} and the server found is {wanted}: "
                f"move that directory away, or set PG_BIN to the programs of {found}."
            )
            raise CannotStart(message)


def _refuse_unreachable(base: Path, cluster: Path, user: pwd.struct_passwd | None) -> None:
    if not can(user, "x", base) or (cluster.exists() and not can(user, "w", cluster)):
        name = user.pw_name if user else "this user"
        message = f"The data directory {cluster} cannot be reached by {name}: choose one under /var/tmp."
        raise CannotStart(message)


def _password(base: Path, user: pwd.struct_passwd | None) -> Path:
    """Return the file of the superuser's password, made once; only `user` (and root) can read it."""
    kept = base / "postgres.password"
    if not kept.exists():
        kept.touch(mode=0o600)
        give(kept, user)
        kept.write_text(secrets.token_hex(16))
    return kept


def _initialise(
    programs: Path, cluster: Path, user: pwd.struct_passwd | None, password: Path, *, durable: bool
) -> None:
    cluster.mkdir(mode=0o700, exist_ok=True)
    give(cluster, user)
    locale = "C.UTF-8" if sys.platform == "linux" else "C"  # macOS has no C.UTF-8
    command = [str(programs / "initdb"), f"--pgdata={cluster}", "--username=postgres", "--encoding=UTF8"]
    command += [f"--locale={locale}", "--auth=scram-sha-256", f"--pwfile={password}"]
    command += [] if durable else ["--no-sync"]
    done = subprocess.run(command, check=False, cwd="/", capture_output=True, text=True, **run_as(user))
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr.strip()]
        raise CannotStart(f"PostgreSQL's initdb failed in {cluster}: {said[0]}")


def _start(
    programs: Path, cluster: Path, user: pwd.struct_passwd | None, settings: list[str]
) -> subprocess.Popen[bytes]:
    options = [part for setting in settings for part in ("-c", setting)]
    with _log_of(cluster).open("wb") as log:
        return subprocess.Popen(
            [programs / "postgres", "-D", cluster, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,  # Ctrl-C is the supervisor's to handle
            preexec_fn=dies_with_parent(signal.SIGINT),  # noqa: PLW1509 started before any thread; a launcher of ours could not be reached by `user`
            **run_as(user),
        )


def _log_of(cluster: Path) -> Path:
    return cluster.with_name(f"{cluster.name}.log")


def _wait_until_ready(process: subprocess.Popen[bytes], server: PostgresServer, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CannotStart(f"PostgreSQL did not start: {_complaint(log)} (see {log}).")
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(server.url, connect_timeout=2).close()
            return
        time.sleep(0.05)
    raise CannotStart(f"PostgreSQL did not answer within {START_SECONDS:.0f} seconds (see {log}).")


def _complaint(log: Path) -> str:
    """Return what the server said last that was fatal, or its last line."""
    lines = log.read_text(errors="replace").splitlines() or ["it said nothing"]
    fatal = [line for line in lines if re.search(r"\b(FATAL|PANIC|error)\b", line)]
    return re.sub(r"^.*?(FATAL|PANIC):\s*", "", (fatal or lines)[-1])
