"""API versions: which are served, and what a request for another one gets (notes of 2026-11)."""

from __future__ import annotations

SUPPORTED = ("2026-01", "2026-04", "2026-07", "2026-10")
LATEST = SUPPORTED[-1]
CANDIDATE = "2027-01"


def served(version: str) -> str | None:
    """Return the version a request is answered with: an expired one falls forward; None for no such version."""
    if version in {*SUPPORTED, CANDIDATE, "unstable"}:
        return version
    year, _, month = version.partition("-")
    if not (year.isdecimal() and month in {"01", "04", "07", "10"}) or version > LATEST:
        return None
    return SUPPORTED[0]


def title(version: str) -> str:
    """``2026-10`` → ``2026-10 (Latest)``, as ``ApiVersion.displayName`` has it."""
    if version == LATEST:
        return f"{version} (Latest)"
    return f"{version} (Release candidate)" if version == CANDIDATE else version
