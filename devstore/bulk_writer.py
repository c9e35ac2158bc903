"""Writing the file of a bulk operation: line after line, counted, and the ways in which that goes wrong on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from devstore.bulk_rows import PARENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from devstore.faults_bulk import BulkFaults
    from devstore.graphql.walker import Row
    from devstore.multitude_file import Formula

STEPS = 20  # in which the counts of generated orders grow


class EndedError(Exception):
    """The operation ended otherwise than it should have; ``values`` are the attributes it ends with."""

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 (an operation's attributes)
        """Keep the attributes."""
        super().__init__(str(values))
        self.values = values


class StalledError(Exception):
    """Nothing more is written, and the operation runs on."""


class Stop(NamedTuple):
    """What happens once so many lines, or root objects, are written."""

    at: float
    error: EndedError | StalledError


class Writer:
    """Writes the rows of one operation; ``objects`` and ``roots`` are what its counts tell."""

    def __init__(self, file: BinaryIO, faults: BulkFaults) -> None:
        """Begin an empty file."""
        self.objects = self.roots = 0
        self._file = file
        self._faults = faults
        self._encode = msgspec.json.Encoder().encode
        self._last = 0
        self._missing, self._repeated = faults.lines_missing, faults.lines_repeated
        self._line_stop = _first_stop(faults)
        failure = EndedError(status="FAILED", error_code=faults.fail_code)
        self._root_stop = Stop(float("inf") if faults.fail_over is None else faults.fail_over, failure)

    @property
    def counts(self) -> dict[str, int]:
        """What an operation tells of its progress."""
        return {"object_count": self.objects, "root_object_count": self.roots}

    def write(self, groups: Iterable[list[Row]], advance: Callable[[int], None]) -> None:
        """Write groups of rows, telling ``advance`` how many root objects each had.

        Raises ``EndedError`` and ``StalledError`` where the faults say so.
        """
        self._check_lines()
        for rows in groups:
            before = self.roots
            for row in rows:
                self._row(row)
            advance(self.roots - before)

    def multiply(self, formula: Formula, keep: Callable[[Formula], None], advance: Callable[[int], None]) -> None:
        """Have the formula of generated rows kept, cut where the faults say so, and count its rows; raises as above.

        Of the faults in a file only those that end it are heeded.
        """
        stop = self._stop_within(formula)
        torn = isinstance(stop.error, EndedError) and self._faults.partial == "torn"
        keep(formula.cut(int(stop.at), torn=torn) if stop.at < formula.lines else formula)
        lines, objects, roots = int(min(stop.at, formula.lines)), self.objects, self.roots
        for step in range(1, STEPS + 1):
            before = self.roots
            self.objects = objects + lines * step // STEPS
            self.roots = roots + (self.objects - objects) * formula.orders // formula.lines
            advance(self.roots - before)
        if stop.at <= formula.lines:
            raise stop.error

    def _stop_within(self, formula: Formula) -> Stop:
        """Return what happens first, after so many lines of a formula."""
        orders = self._root_stop.at - self.roots
        stops = [Stop(self._line_stop.at - self.objects, self._line_stop.error)]
        if orders < formula.orders:
            stops.append(Stop(orders * formula.lines // formula.orders, self._root_stop.error))
        return min(stops, key=lambda stop: stop.at)

    def _row(self, row: Row) -> None:
        if PARENT not in row:
            if self.roots >= self._root_stop.at:
                self._end(self._root_stop)
            self.roots += 1
        self.objects += 1
        self._line(self._encode(row) + b"\n")
        self._check_lines()

    def _line(self, line: bytes) -> None:
        """Write a line, or what the faults make of it: every second is left out, or is there twice, as long as due."""
        if self.objects == self._faults.garbage_at:
            line = line[: len(line) // 2] + b"\n"
        if self._missing and self.objects % 2:
            self._missing -= 1
            return
        if self._repeated:
            self._repeated -= 1
            line += line
        self._last = len(line)
        self._file.write(line)

    def _check_lines(self) -> None:
        if self.objects >= self._line_stop.at:
            self._end(self._line_stop)

    def _end(self, stop: Stop) -> None:
        """Tear the last line where that is asked for, and raise."""
        if isinstance(stop.error, EndedError) and self._faults.partial == "torn" and self._last:
            self._file.truncate(self._file.tell() - (self._last + 1) // 2)
        raise stop.error


def _first_stop(faults: BulkFaults) -> Stop:
    """Return what happens first of what happens after so many lines."""
    failure = EndedError(status="FAILED", error_code=faults.fail_code)
    stops = (
        (faults.fail_at, failure),
        (faults.cancel_at, EndedError(status="CANCELED")),
        (faults.stall_at, StalledError()),
    )
    reached = [Stop(at, error) for at, error in stops if at is not None]
    return min(reached, key=lambda stop: stop.at, default=Stop(float("inf"), failure))
