"""The demo's secrets: made at the first start, kept in one file that only its owner can read."""

import base64
import json
import os
import secrets
from pathlib import Path

from supervisor.errors import CannotStart

NAMES = ("SECRET_KEY", "TOKEN_KEYS", "SHOPIFY_API_KEY", "SHOPIFY_API_SECRET")


def kept_keys(data: Path) -> dict[str, str]:
    """Return the settings of `NAMES` from `data`/keys.json, making the file when missing.

    Raises:
        CannotStart: the file is not what this function wrote.
    """
    file = data / "keys.json"
    if not file.exists():
        _write_private(file, json.dumps(_new_keys(), indent=1))
    try:
        keys = json.loads(file.read_text())
        return {name: str(keys[name]) for name in NAMES}
    except (ValueError, KeyError, TypeError) as error:
        raise CannotStart(f"{file} is damaged: restore it, or remove {data} and start over.") from error


def _new_keys() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "TOKEN_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),  # the form of a Fernet key
        "SHOPIFY_API_KEY": secrets.token_hex(16),
        "SHOPIFY_API_SECRET": f"shpss_{secrets.token_hex(16)}",
    }


def _write_private(file: Path, text: str) -> None:
    """Write through a second name, so that a start cut short leaves no half a file."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.rename(file)
