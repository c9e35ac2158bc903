"""What the demo is started with, and the environment its processes get from it."""

import dataclasses
import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path

from config import DEFAULT_SCOPES, OPTIONAL_SCOPES
from supervisor.errors import CannotStart
from supervisor.identity import can, unprivileged
from supervisor.keys import kept_keys

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path("/var/tmp")  # noqa: S108 survives a reboot; the owner of what is found there is checked
# Settings of the app a developer may want to try in the demo; everything else is the demo's own.
PASSED_ON = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "SHOPIFY_SCOPES", "SHOPIFY_API_VERSION")

# The demo shows the whole history at once: what a merchant would grant later is asked for at the install.
DEMO_SCOPES = f"{DEFAULT_SCOPES},{OPTIONAL_SCOPES}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Where the demo keeps its data and listens, and how large its stores are.

    `environ` is the environment it is started from: `DATABASE_URL` and `REDIS_URL` in it replace the embedded
    servers. `devstore_arguments` are added to devstore's command line. `durable=False` is for tests.
    """

    data: Path
    app_port: int = 8000
    devstore_port: int = 9292
    devstore_arguments: tuple[str, ...] = ()
    durable: bool = True
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def app_url(self) -> str:
        """The app's origin; another site than devstore's, so that its frame is a third party's, as in Shopify."""
        return f"http://127.0.0.1:{self.app_port}"

    @property
    def devstore_url(self) -> str:
        """The origin of devstore's admin."""
        return f"http://localhost:{self.devstore_port}"


def options_from(environ: Mapping[str, str]) -> DemoOptions:
    """Read `STORELENS_DATA`, `DEMO_PORT` and `DEVSTORE_PORT`.

    Raises:
        CannotStart: a port is not a number.
    """
    return DemoOptions(
        data=Path(environ["STORELENS_DATA"]) if environ.get("STORELENS_DATA") else default_data(REPOSITORY),
        app_port=_port(environ, "DEMO_PORT", 8000),
        devstore_port=_port(environ, "DEVSTORE_PORT", 9292),
        environ=environ,
    )


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise CannotStart(f"{name} is {text}, which is not a port number between 1 and 65535.")
    return int(text)


def default_data(repository: Path) -> Path:
    """Return `.data` of the repository, or a directory under /var/tmp where PostgreSQL's user cannot reach that.

    Raises:
        CannotStart: the directory under /var/tmp, where everybody may write, is somebody else's.
    """
    inside = repository / ".data"
    if can(unprivileged(inside), "x", repository):
        return inside
    outside = SHARED / f"storelens-{os.geteuid()}"
    if outside.exists() and outside.stat().st_uid != os.geteuid():
        owner = pwd.getpwuid(outside.stat().st_uid).pw_name
        raise CannotStart(f"{outside} belongs to {owner}: set STORELENS_DATA to a directory of your own.")
    return outside


def app_environment(options: DemoOptions, *, database: Mapping[str, str], redis_url: str) -> dict[str, str]:
    """Return the environment of the Procfile's processes; `database` holds DATABASE_URL and DATABASE_OWNER_URL."""
    return {
        **_surroundings(options.environ),
        "SHOPIFY_SCOPES": DEMO_SCOPES,
        **{name: options.environ[name] for name in PASSED_ON if name in options.environ},
        **database,
        **kept_keys(options.data),
        "REDIS_URL": redis_url,
        "APP_URL": options.app_url,
        "SHOPIFY_SHOP_ORIGIN": f"{options.devstore_url}/stores/{{shop}}",
        "SHOPIFY_ADMIN_ORIGIN": options.devstore_url,
        "SHOPIFY_CDN_ORIGIN": options.devstore_url,
        "PORT": str(options.app_port),
        "BIND": "127.0.0.1",  # the demo is nobody else's business
    }


def devstore_environment(options: DemoOptions) -> dict[str, str]:
    """Return devstore's environment: the secret travels in it, where a process list does not show it."""
    secret = kept_keys(options.data)["SHOPIFY_API_SECRET"]
    return {**_surroundings(options.environ), "DEVSTORE_CLIENT_SECRET": secret}


def devstore_command(options: DemoOptions) -> list[str]:
    """Return the command that starts devstore knowing our app."""
    return [
        *(sys.executable, "-m", "devstore"),
        *("--port", str(options.devstore_port)),
        *("--data", str(options.data / "devstore")),
        *("--app-name", "Storelens"),
        *("--app-url", options.app_url),
        *("--client-id", kept_keys(options.data)["SHOPIFY_API_KEY"]),
        *("--scopes", options.environ.get("SHOPIFY_SCOPES") or DEMO_SCOPES),
        *("--optional-scopes", OPTIONAL_SCOPES),
        *options.devstore_arguments,
    ]


def _surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what any program needs; a stray setting of the developer's shell must not reach the demo."""
    kept = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "LOG_LEVEL", "WEB_CONCURRENCY")
    programs = Path(sys.executable).parent  # flask, gunicorn and python of our own virtual environment come first
    return {
        **{name: environ[name] for name in kept if name in environ},
        "PATH": os.pathsep.join([str(programs), environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",  # a log that lags behind is no help
    }
