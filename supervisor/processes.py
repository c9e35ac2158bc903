"""One child process of the supervisor: its command, its log, its end."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from supervisor.errors import CannotStart
from supervisor.tether import dies_with_parent

STOP_SECONDS = 10.0


def procfile(path: Path) -> dict[str, str]:
    """Return the commands of a Procfile by process name.

    Raises:
        CannotStart: a line is not of the form `name: command`.
    """
    commands: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon:
            raise CannotStart(f"{path} has a line that is not `name: command`: {line}")
        commands[name.strip()] = command.strip()
    return commands


class Process:
    """A shell command that is started, watched and stopped; what it says goes to a log file.

    A file and not a pipe: a supervisor that is busy never holds its children up, and the words outlive them.
    """

    def __init__(self, name: str, command: str, *, environ: Mapping[str, str], cwd: Path, log: Path) -> None:
        """Prepare `command`; nothing starts yet."""
        self.name = name
        self.log = log
        self.started_at = 0.0
        self._command = command
        self._environ = dict(environ)
        self._cwd = cwd
        self._child: subprocess.Popen[bytes] | None = None
        self._asked_to_end = False
        self._read_to = 0
        log.write_bytes(b"")
        log.chmod(0o600)

    @property
    def pid(self) -> int | None:
        """The process id, or None before the first start."""
        return self._child.pid if self._child else None

    @property
    def exit_code(self) -> int | None:
        """The exit code (minus the signal that killed it), or None while it runs or before the first start."""
        return self._child.poll() if self._child else None

    def start(self) -> None:
        """Start the command; see `tether.dies_with_parent` on the thread to call this from."""
        self.started_at = time.monotonic()
        self._asked_to_end = False
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {self._command}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._cwd,
                env=self._environ,
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
                preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 one system call, no Python lock is taken
            )

    def run(self) -> None:
        """Start the command and wait for its end.

        Raises:
            CannotStart: it failed; the sentence ends with what it said last.
        """
        self.start()
        try:
            code = self._child.wait() if self._child else None
        except BaseException:  # Ctrl-C while waiting: leave nothing behind
            self.stop()
            raise
        if code:
            raise CannotStart(self.obituary())

    def terminate(self) -> None:
        """Ask the process to end, once: a queue's worker takes a second asking for an order to drop its job."""
        if self._child is not None and self.exit_code is None and not self._asked_to_end:
            self._asked_to_end = True
            self._child.terminate()

    def stop(self) -> None:
        """Ask the process to end, insist after a while, and leave none of its descendants behind."""
        descendants = self._descendants()
        self.terminate()
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_SECONDS)
        self.kill()
        _kill(descendants)

    def kill(self) -> None:
        """Kill the process and its descendants outright, as a lost machine would."""
        descendants = self._descendants()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        _kill(descendants)

    def new_lines(self) -> list[str]:
        """Return the whole lines it has said since the last call."""
        with self.log.open("rb") as log:
            log.seek(self._read_to)
            said = log.read()
        whole = said[: said.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return whole.decode(errors="replace").splitlines()

    def obituary(self) -> str:
        """Return one sentence on its end: the exit code and what it said last."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        said = lines[-1].strip() if lines else "it said nothing"
        return f"{self.name} ended with exit code {self.exit_code}: {said} (see {self.log})"

    def _descendants(self) -> list[psutil.Process]:
        if self.pid is None or self.exit_code is not None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self.pid).children(recursive=True))
        return []


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=STOP_SECONDS)
