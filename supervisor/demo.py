"""The whole demo: the embedded servers, devstore, and the app's processes as the Procfile starts them."""

import contextlib
import http.client
import shlex
import shutil
import signal
import time
from collections.abc import Iterator

from supervisor.console import Console
from supervisor.errors import CannotStart
from supervisor.identity import data_directory
from supervisor.ports import ensure_free
from supervisor.postgres import EmbeddedPostgres, embedded_postgres
from supervisor.processes import Process, procfile
from supervisor.redis import RedisServer, embedded_redis
from supervisor.settings import (
    REPOSITORY,
    DemoOptions,
    app_environment,
    devstore_command,
    devstore_environment,
)
from supervisor.tether import hold

DATABASE = "storelens"
OWNER = "storelens_owner"
LOGIN = "storelens_login"
READY_SECONDS = 90.0
# These are started again when they die: their work is kept in PostgreSQL. Without the others there is no demo.
REVIVED = ("worker", "clock")


class Revival:
    """When a dead process is to start again: each time later, until it has lived calmly for a while."""

    FIRST_PAUSE, LONGEST_PAUSE, CALM = 0.5, 30.0, 60.0  # seconds

    def __init__(self) -> None:
        """Nothing has died yet."""
        self.due_at: float | None = None
        self._pause = 0.0

    def plan(self, lived: float) -> float:
        """Set `due_at` after a life of `lived` seconds, and return the pause until then in seconds."""
        doubled = min(2 * self._pause, self.LONGEST_PAUSE)
        self._pause = self.FIRST_PAUSE if lived > self.CALM else max(doubled, self.FIRST_PAUSE)
        self.due_at = time.monotonic() + self._pause
        return self._pause


class Demo:
    """One running demo. `start` and `stop` it from one and the same thread, which outlives it."""

    def __init__(self, options: DemoOptions, console: Console | None = None) -> None:
        """Prepare a demo; `console` is told what its processes say (nobody is, by default; the logs are kept)."""
        self.options = options
        self.redis: RedisServer | None = None
        self.postgres: EmbeddedPostgres | None = None
        self.environ: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        self._console = console
        self._held = contextlib.ExitStack()
        self._revivals: dict[str, Revival] = {}

    def start(self) -> None:
        """Start everything and return when the app and devstore answer.

        Raises:
            CannotStart: a server, the migration or a process did not start; whatever did is stopped again.
        """
        try:
            data = data_directory(self.options.data)
            self._held.enter_context(hold(data / "demo.lock", data))
            ensure_free(self.options.app_port, "the app (DEMO_PORT)")
            ensure_free(self.options.devstore_port, "devstore (DEVSTORE_PORT)")
            self._start_devstore()  # first: it needs none of the servers, and reading its stores takes a while
            self.environ = app_environment(self.options, database=self._database(), redis_url=self._redis())
            self._release_and_start()
        except BaseException:  # Ctrl-C too: leave nothing behind
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything; the data stays."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.stop()
        self._held.close()

    def kill(self, name: str) -> None:
        """Kill the process `name` (web, worker, clock or devstore) outright, with all it forked."""
        self.processes[name].kill()

    def restart(self, name: str) -> None:
        """Start the process `name` again; return at once, or when it answers if it is web or devstore."""
        self.processes[name].stop()
        self.processes[name].start()
        self._wait_until_ready()

    def stop_redis(self) -> None:
        """Stop the embedded Redis."""
        self._embedded_redis().stop()

    def start_redis(self) -> None:
        """Start the embedded Redis again, at the same address, on the same data."""
        self._embedded_redis().start()

    def kill_redis(self) -> None:
        """Kill the embedded Redis outright; `start_redis` starts it again on what it had written."""
        self._embedded_redis().kill()

    def kill_postgres(self) -> None:
        """Kill the embedded PostgreSQL outright."""
        self._embedded_postgres().kill()

    def kill_postgres_backend(self) -> bool:
        """Kill one of PostgreSQL's backends outright, after which it recovers by itself; return whether it had one."""
        return self._embedded_postgres().kill_backend()

    def start_postgres(self) -> None:
        """Start the embedded PostgreSQL again, at the same address, on the same data."""
        self._embedded_postgres().start()

    def watch(self) -> None:
        """Look once at every process: pass on what they said, start a dead worker or clock again after a pause.

        Raises:
            CannotStart: a process the demo cannot do without has ended.
        """
        self._pass_on()
        for process in self.processes.values():
            if process.exit_code is None:
                continue
            if process.name not in REVIVED:
                raise CannotStart(process.obituary())
            self._revive(process)

    def _database(self) -> dict[str, str]:
        """Return DATABASE_URL and DATABASE_OWNER_URL: the environment's, or the embedded server's two plain logins."""
        if "DATABASE_URL" in self.options.environ:
            return {}
        server = self._held.enter_context(embedded_postgres(self.options.data, durable=self.options.durable))
        server.create_role(LOGIN)
        owner_url = server.create_database(DATABASE, owner=OWNER)
        self.postgres = server
        return {"DATABASE_OWNER_URL": owner_url, "DATABASE_URL": server.url_of(DATABASE, LOGIN)}

    def _redis(self) -> str:
        if url := self.options.environ.get("REDIS_URL"):
            return url
        self.redis = self._held.enter_context(embedded_redis(self.options.data))
        return self.redis.url

    def _embedded_redis(self) -> RedisServer:
        if self.redis is None:
            raise CannotStart("This demo uses the Redis of REDIS_URL, which is not its own to stop.")
        return self.redis

    def _embedded_postgres(self) -> EmbeddedPostgres:
        if self.postgres is None:
            raise CannotStart("This demo uses the PostgreSQL of DATABASE_URL, which is not its own to stop.")
        return self.postgres

    def _start_devstore(self) -> None:
        command = shlex.join(devstore_command(self.options))
        process = self._process("devstore", command, devstore_environment(self.options))
        self.processes[process.name] = process
        process.start()

    def _release_and_start(self) -> None:
        commands = procfile(REPOSITORY / "Procfile")
        self._process("release", commands.pop("release"), self.environ).run()
        app = {name: self._process(name, command, self.environ) for name, command in commands.items()}
        self.processes.update(app)
        app["web"].start()
        self._wait_until_ready()
        for name in REVIVED:  # once there is something to look at: starting them takes the others' processor time
            app[name].start()

    def _process(self, name: str, command: str, environ: dict[str, str]) -> Process:
        logs = data_directory(self.options.data / "logs")
        return Process(name, command, environ=environ, cwd=REPOSITORY, log=logs / f"{name}.log")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        waiting = {"web": (self.options.app_port, "/healthz"), "devstore": (self.options.devstore_port, "/")}
        while waiting:
            self._pass_on()
            for name in list(waiting):
                self._refuse_dead(name)
                if _answers(*waiting[name]):
                    del waiting[name]
            if waiting and time.monotonic() > deadline:
                raise CannotStart(f"{' and '.join(waiting)} did not answer within {READY_SECONDS:.0f} seconds.")
            time.sleep(0.1 if waiting else 0)

    def _refuse_dead(self, name: str) -> None:
        if self.processes[name].exit_code is not None:
            raise CannotStart(self.processes[name].obituary())

    def _pass_on(self) -> None:
        if self._console is None:
            return
        for process in self.processes.values():
            for line in process.new_lines():
                self._console.line(process.name, line)

    def _revive(self, process: Process) -> None:
        revival = self._revivals.setdefault(process.name, Revival())
        if revival.due_at is None:
            pause = revival.plan(lived=time.monotonic() - process.started_at)
            self._report(f"{process.obituary()}; it starts again in {pause:g} s")
        elif time.monotonic() >= revival.due_at:
            revival.due_at = None
            process.start()

    def _report(self, text: str) -> None:
        if self._console is not None:
            self._console.say(text)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("localhost", port, timeout=2)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    return False


@contextlib.contextmanager
def demo_environment(options: DemoOptions, console: Console | None = None) -> Iterator[Demo]:
    """Run a demo for the length of the block; see `Demo.start` for what it raises."""
    demo = Demo(options, console)
    demo.start()
    try:
        yield demo
    finally:
        demo.stop()


def run(options: DemoOptions, console: Console) -> None:
    """Run the demo until Ctrl-C or SIGTERM.

    Raises:
        CannotStart: it could not start, or a process it cannot do without has ended.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console.say(f"Starting the Storelens demo; its data and logs are in {options.data} …")
    with contextlib.suppress(KeyboardInterrupt), demo_environment(options, console) as demo:
        console.say(_welcome(options))
        while True:
            demo.watch()
            time.sleep(0.2)
    console.say("The demo has stopped; its data is kept.")


def _welcome(options: DemoOptions) -> str:
    return "\n".join(
        [
            "",
            "Storelens demo is ready",
            f"  Start here   {options.devstore_url}/   the local Shopify: choose a store, install Storelens",
            f"  The app      {options.app_url}/login   the same insights outside the admin",
            f"  Ctrl-C stops everything; the data is kept in {options.data} (`make demo-reset` removes it).",
            "",
        ]
    )


def reset(options: DemoOptions, console: Console) -> None:
    """Remove the demo's data for good; a running demo must be stopped first.

    Raises:
        CannotStart: the directory is not a demo's, or a demo is running on it.
    """
    if not options.data.exists():
        console.say(f"There is nothing in {options.data}.")
        return
    if not (options.data / "keys.json").exists():
        raise CannotStart(f"{options.data} does not look like the demo's data; nothing is removed.")
    with hold(options.data / "demo.lock", options.data):
        shutil.rmtree(options.data)
    console.say(f"Removed {options.data}.")
