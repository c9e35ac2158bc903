"""What the supervisor says to the person at the terminal: lines of several processes, told apart."""

import os
import sys
from typing import TextIO

WIDTH = 8
COLOURS = (36, 33, 32, 35, 34, 31)  # ECMA-48: cyan, yellow, green, magenta, blue, red


class Console:
    """Prints lines with the name of the process that said them, coloured on a terminal only."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to `stream`, by default the standard output; `NO_COLOR` is honoured (https://no-color.org)."""
        self._stream = sys.stdout if stream is None else stream
        self._colourful = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._colours: dict[str, int] = {}

    def line(self, name: str, text: str) -> None:
        """Print one line of the process `name`."""
        colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        label = f"{name:<{WIDTH}} |"
        prefix = f"\x1b[{colour}m{label}\x1b[0m" if self._colourful else label
        self.say(f"{prefix} {text}")

    def say(self, text: str) -> None:
        """Print words of the supervisor's own, at once."""
        print(text, file=self._stream, flush=True)
