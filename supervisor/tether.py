"""Ties a child process to its supervisor: it dies with it, and what a killed supervisor left behind is cleared away."""

import atexit
import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from supervisor.errors import CannotStart

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LEFTOVER_SECONDS = 10.0


def dies_with_parent(signal_number: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` that has the kernel send `signal_number` to the child when its parent dies (Linux only).

    The kernel watches the thread that forked, so children are started from the supervisor's main thread. Elsewhere
    `atexit` (see `stop_at_exit`) and the clearing of leftovers at the next start take its place.
    """
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def arrange() -> None:
        if prctl is None:
            return
        prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died between fork and prctl
            os.kill(os.getpid(), signal_number)

    return arrange


def stop(process: subprocess.Popen[bytes], signal_number: signal.Signals, grace: float) -> None:
    """Send `signal_number`, wait `grace` seconds, then kill."""
    if process.poll() is not None:
        return
    process.send_signal(signal_number)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def stop_at_exit(stopper: Callable[[], None]) -> Iterator[None]:
    """Call `stopper` at the end of the block, or at the interpreter's exit should the block never end."""
    atexit.register(stopper)
    try:
        yield
    finally:
        atexit.unregister(stopper)
        stopper()


@contextlib.contextmanager
def hold(lock: Path, directory: Path) -> Iterator[None]:
    """Hold `lock`, which marks `directory` as served by a living supervisor; the kernel lets go when it dies.

    Raises:
        CannotStart: another supervisor serves the directory.
    """
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(f"Another supervisor is running on {directory}: stop it first.") from error
        yield


def clear_leftovers(directory: Path, program: str, signal_number: signal.Signals) -> None:
    """Stop every `program` still working inside `directory`; call it only while holding that directory's lock.

    PostgreSQL and Valkey make their data directory their working directory, which is how they are told from strangers.
    """
    left = [process for process in psutil.process_iter() if _works_in(process, directory, program)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal_number)
    _gone, alive = psutil.wait_procs(left, timeout=LEFTOVER_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=LEFTOVER_SECONDS)


def _works_in(process: psutil.Process, directory: Path, program: str) -> bool:
    try:
        name: str = process.name()
        cwd: str = process.cwd()
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # gone meanwhile, or another user's: not ours
        return False
    return name.startswith(program) and cwd == str(directory.resolve())
