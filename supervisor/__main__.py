"""The command line: `python -m supervisor demo` runs the demo, `python -m supervisor reset` removes its data."""

import argparse
import dataclasses
import os

from supervisor.console import Console
from supervisor.demo import reset, run
from supervisor.settings import options_from


def main() -> None:
    """Parse the command line and do what it says; whatever `demo` does not know is passed on to devstore."""
    parser = argparse.ArgumentParser(prog="python -m supervisor", description=__doc__)
    parser.add_argument("command", choices=("demo", "reset"))
    arguments, rest = parser.parse_known_args()
    options = options_from(os.environ)
    if arguments.command == "demo":
        run(dataclasses.replace(options, devstore_arguments=tuple(rest)), Console())
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    else:
        reset(options, Console())


if __name__ == "__main__":
    main()
