"""How long the demo takes to come up: the first time, generating its store, and the second time, on the same data.

Wall-clock seconds from the command to the moment the app and the local Shopify answer. An absolute figure of the
machine it ran on: `python bench/start.py [--quick] [--json FILE]`; `--quick` generates a small store.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from supervisor.demo import demo_environment
from supervisor.ports import free_port
from supervisor.settings import DemoOptions

SECOND_START = 10.0  # seconds
SMALL_STORE = ("--customers", "60", "--products", "12", "--orders", "200")


def seconds_to_ready(options: DemoOptions) -> float:
    """Start the demo, stop it again, and return the seconds until it was ready."""
    started_at = time.perf_counter()
    with demo_environment(options):
        return time.perf_counter() - started_at


def main() -> int:
    """Measure both starts, print the table, and return 1 where the bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small store")
    parser.add_argument("--json", type=Path, help="write the bars to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="storelens-bench-", dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)  # PostgreSQL runs as another user where this runs as root
        options = DemoOptions(
            data=Path(directory) / "data",
            app_port=free_port(),
            devstore_port=free_port(),
            devstore_arguments=SMALL_STORE if arguments.quick else (),
            environ={"PATH": os.environ["PATH"]},
        )
        first, second = seconds_to_ready(options), seconds_to_ready(options)
    holds = second <= SECOND_START
    print(f"first start   {first:6.1f} s")
    print(f"second start  {second:6.1f} s   at most {SECOND_START:g}   {'ok' if holds else 'NO'}")
    bars = [{"name": "second start, seconds", "value": round(second, 2), "target": SECOND_START, "holds": holds}]
    if arguments.json:
        arguments.json.write_text(json.dumps({"bars": bars}, indent=2) + "\n")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
