"""Whether what is held ends as what the store has, over many more lists of steps than the tests take."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psycopg
from sqlalchemy.engine import make_url

from config import Config
from shopify_app.app import create_app
from supervisor.postgres import embedded_postgres
from supervisor.redis import embedded_redis
from tests.conftest import LOGIN, OWNER, SETTINGS, release
from tests.flows.convergence import Deck, Step
from tests.flows.convergence_hands import made_up_time, read_once
from tests.flows.convergence_runs import ORIGIN, converge, drawn

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK, LONG = 40, 5_000


def main() -> int:
    """Run, print, and return 1 if any list of steps came out wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} lists of steps instead of {LONG:,}")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a table")
    parser.add_argument("--runs", type=int, help="how many lists of steps")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    options = parser.parse_args()
    wanted = options.runs or (QUICK if options.quick else LONG)
    began = time.monotonic()
    with deck() as made:
        failures = list(filter(None, (attempt(made, options.seed, number) for number in range(wanted))))
    figures = {"runs": wanted, "failures": len(failures), "seconds": round(time.monotonic() - began, 1)}
    report(figures, as_json=options.json)
    return int(bool(failures))


def report(figures: dict[str, float], *, as_json: bool) -> None:
    """Print what came of it."""
    print(json.dumps(figures) if as_json else "\n".join(f"{name:<10}{value:>10,}" for name, value in figures.items()))


def attempt(made: Deck, seed: int, number: int) -> str:
    """Print what went wrong in a run, with the fewest of its steps that it takes, and return it; or nothing."""
    steps = drawn(Random(f"{seed}:{number}"))
    if not outcome(made, steps):
        return ""
    for place in reversed(range(len(steps))):
        fewer = [*steps[:place], *steps[place + 1 :]]
        if outcome(made, fewer):
            steps = fewer
    lines = "\n".join(f"    {step!r}," for step in steps)
    failure = f"run {seed}:{number}\n{lines}\n{outcome(made, steps)}"
    print(failure, file=sys.stderr, flush=True)
    return failure


def outcome(made: Deck, steps: list[Step]) -> str:
    """Return what went wrong, or nothing."""
    try:
        converge(made, steps)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
        return f"{type(error).__name__}: {error}"
    return ""


@contextlib.contextmanager
def deck() -> Iterator[Deck]:
    """Start servers with the disk's safety off, and the app over a fresh database."""
    logging.disable()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, contextlib.ExitStack() as held:
        directory = Path(name)
        directory.chmod(0o755)
        parts = [directory / part for part in ("postgres", "redis", "devstore")]
        for part in parts:
            part.mkdir(mode=0o755)
        postgres = held.enter_context(embedded_postgres(parts[0], durable=False))
        redis = held.enter_context(embedded_redis(parts[1]))
        postgres.create_role(LOGIN)
        owner_url = postgres.create_database("convergence", owner=OWNER)
        urls = {"DATABASE_OWNER_URL": owner_url, "DATABASE_URL": postgres.url_of("convergence", LOGIN)}
        release(urls)
        config = Config.from_env({**SETTINGS, **urls, "REDIS_URL": redis.url, "SHOPIFY_SHOP_ORIGIN": ORIGIN})
        address = make_url(postgres.url).set(database="convergence").render_as_string(hide_password=False)
        with made_up_time(), read_once(), psycopg.connect(address, autocommit=True) as superuser:
            yield Deck(create_app(config), superuser, parts[2])


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
