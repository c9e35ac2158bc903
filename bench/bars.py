"""What a benchmark is held to: figures with a target each, printed as they come and written to a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Bars:
    """What is held to a figure."""

    made: list[dict[str, Any]] = field(default_factory=list)

    def least(self, name: str, value: float, target: float) -> None:
        """Add one that has to reach its target."""
        self._add(name, value, target, holds=value >= target)

    def most(self, name: str, value: float, target: float) -> None:
        """Add one that may not exceed its target."""
        self._add(name, value, target, holds=value <= target)

    def end(self, file: Path | None) -> int:
        """Write them to the file, if there is one; return 1 where one does not hold."""
        if file:
            file.write_text(json.dumps({"bars": self.made}, indent=2) + "\n")
        return 0 if all(bar["holds"] for bar in self.made) else 1

    def _add(self, name: str, value: float, target: float, *, holds: bool) -> None:
        self.made.append({"name": name, "value": round(value, 3), "target": target, "holds": holds})
        print(f"    {'ok' if holds else 'NO'}  {name}: {value:.3g} (bar {target:g})", flush=True)
