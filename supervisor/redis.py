"""The embedded Redis: Valkey over one data directory, stoppable and startable again at the same address."""

import contextlib
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import redis

from supervisor.errors import CannotStart
from supervisor.identity import data_directory
from supervisor.ports import LOOPBACK, ensure_free, free_port
from supervisor.programs import redis_program
from supervisor.tether import clear_leftovers, dies_with_parent, hold, stop, stop_at_exit

START_SECONDS = 10.0
STOP_SECONDS = 10.0


class RedisServer:
    """A Valkey whose address and password stay the same from start to start."""

    def __init__(self, directory: Path, port: int) -> None:
        """Prepare to serve `directory`, which exists, on `port` of the loopback interface."""
        self._directory = directory
        self._log = directory.with_name("redis.log")
        self._port = port
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://:{self._password}@{LOOPBACK}:{port}/0"

    def start(self) -> None:
        """Start the server over its data and return when it answers.

        Raises:
            CannotStart: the port is in use, the program is missing, or the server refuses to start.
        """
        program = redis_program()
        clear_leftovers(self._directory, program.name, signal.SIGTERM)
        ensure_free(self._port, "Redis")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, self._configuration()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
                preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 the supervisor starts no thread before it
            )
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Stop the server; it writes its data first. Stopping a stopped one changes nothing."""
        if self._process is not None:
            stop(self._process, signal.SIGTERM, STOP_SECONDS)
            self._process = None

    def kill(self) -> None:
        """Kill the server outright: what it had not written is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _configuration(self) -> Path:
        """Write the settings to a file of ours alone: a password on a command line is for all to read."""
        file = self._directory.with_name("redis.conf")
        file.touch(mode=0o600)
        lines = (
            f"port {self._port}",
            f"bind {LOOPBACK}",
            f"requirepass {self._password}",
            f'dir "{self._directory}"',
            "save 60 1",  # it only rings the bell: losing the last minute of it loses time, never data
            "appendonly no",
        )
        file.write_text("\n".join(lines) + "\n")
        return file

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    lines = self._log.read_text(errors="replace").splitlines() or ["it said nothing"]
                    raise CannotStart(f"Redis did not start: {lines[-1]} (see {self._log}).")
                with contextlib.suppress(redis.exceptions.ConnectionError):  # BusyLoadingError is one too
                    client.ping()
                    return
                time.sleep(0.02)
        raise CannotStart(f"Redis did not answer within {START_SECONDS:.0f} seconds (see {self._log}).")


@contextlib.contextmanager
def embedded_redis(data: Path, *, port: int | None = None) -> Iterator[RedisServer]:
    """Run Valkey over `data`/redis for the length of the block, on `port` of the loopback interface or a free one.

    Raises:
        CannotStart: see `RedisServer.start`; or another supervisor serves the directory, or it is unwritable.
    """
    directory = data_directory(data_directory(data) / "redis")
    with hold(directory.with_name("redis.lock"), directory):
        server = RedisServer(directory, free_port() if port is None else port)
        with stop_at_exit(server.stop):
            server.start()
            yield server
