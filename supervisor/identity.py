"""Which system user a server runs as, and what that user can reach: PostgreSQL refuses to run as root."""

import os
import pwd
import subprocess
from pathlib import Path
from typing import Literal, TypedDict

from supervisor.errors import CannotStart

CANDIDATES = ("postgres", "nobody")


class RunAs(TypedDict, total=False):
    """The arguments of `subprocess` that choose the user of a program."""

    user: int
    group: int
    extra_groups: list[int]


def unprivileged(data: Path) -> pwd.struct_passwd | None:
    """Return the user a server over `data` must run as, or None for the user we already are.

    As root: the owner of existing data, else `postgres`, else `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    known = {user.pw_name: user for user in pwd.getpwall()}
    found = next((known[name] for name in CANDIDATES if name in known), None)
    if found is None:
        message = f"PostgreSQL refuses to run as root and there is no user named {' or '.join(CANDIDATES)}: make one."
        raise CannotStart(message)
    return found


def run_as(user: pwd.struct_passwd | None) -> RunAs:
    """Return the arguments of `subprocess` that run a program as `user`, with none of root's groups left."""
    return RunAs() if user is None else RunAs(user=user.pw_uid, group=user.pw_gid, extra_groups=[])


def give(path: Path, user: pwd.struct_passwd | None) -> None:
    """Make `user` the owner of `path`."""
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def can(user: pwd.struct_passwd | None, mode: Literal["r", "w", "x"], path: Path) -> bool:
    """Tell whether `user` can read, write, or execute (enter) `path`, parents included."""
    question = ["/bin/sh", "-c", f'test -{mode} "$0"', str(path)]
    return subprocess.run(question, cwd="/", check=False, **run_as(user)).returncode == 0


def data_directory(path: Path) -> Path:
    """Make `path` where it is missing and return it absolute.

    Raises:
        CannotStart: it cannot be made or written.
    """
    path = path.absolute()
    try:
        if not path.is_dir():
            path.mkdir(parents=True)
            path.chmod(0o711)  # whatever the umask: PostgreSQL's user must pass through; the files inside are private
    except OSError as error:
        raise CannotStart(f"The data directory {path} cannot be made: {error.strerror}.") from error
    if not can(None, "w", path):
        raise CannotStart(f"The data directory {path} is not writable by this user: choose another one.")
    return path
