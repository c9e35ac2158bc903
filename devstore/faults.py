"""Ways in which a store's webhooks, bulk operations and API go wrong on demand, and the dice for each delivery.

Everything drawn follows from ``seed`` and from how many deliveries there were since the faults were set, so that the
same actions after the same faults meet the same fate. Ids and times are not drawn: they are always new.
"""

from __future__ import annotations

import secrets
from random import Random
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from devstore.delivery_log import RETRIES, Flaws, Garbage
from devstore.faults_bulk import LONGEST, NO_API_FAULTS, NO_BULK_FAULTS, ApiFaults, BulkFaults, Seconds, Share
from devstore.payloads_versions import VERSION_PATTERN

GARBAGE: tuple[Garbage, ...] = ("malformed", "truncated", "no_object")


class Faults(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What goes wrong; by default nothing. Webhooks: for all topics or only for ``topics``.

    ``duplicate`` sends each delivery so many times, ``delay`` waits seconds (or between two), ``reorder`` holds so many
    and lets them go shuffled, ``burst`` holds all for so many seconds, ``drop`` never sends a share of them,
    ``garbage`` breaks the bodies of a share under a true HMAC, ``wrong_hmac`` signs a share of the attempts wrongly,
    ``second_subscription`` lists topics the app is subscribed to twice, ``api_version`` is the version of all bodies,
    ``silence`` and ``dribble`` are seconds between connecting and the first byte, and for the body to go through.
    ``bulk`` is for bulk operations and ``api`` for GraphQL requests.
    """

    seed: int | None = None
    topics: list[str] = []
    duplicate: Annotated[int, Meta(ge=1, le=100)] = 1
    delay: float | tuple[Seconds, Seconds] = 0.0  # plain: msgspec 0.22 crashes on a constrained number beside a pair
    reorder: Annotated[int, Meta(ge=0, le=1000)] = 0
    burst: Seconds = 0.0
    drop: Share = 0.0
    garbage: Share = 0.0
    garbage_kinds: Annotated[tuple[Garbage, ...], Meta(min_length=1)] = GARBAGE
    wrong_hmac: Share = 0.0
    second_subscription: list[str] = []
    api_version: Annotated[str, Meta(pattern=VERSION_PATTERN)] | None = None
    silence: Seconds = 0.0
    dribble: Seconds = 0.0
    plain_names: bool = False
    bulk: BulkFaults = NO_BULK_FAULTS
    api: ApiFaults = NO_API_FAULTS

    def __post_init__(self) -> None:
        """Raise ValueError for a delay that is no time, and for a range of them that ends before it begins."""
        low, high = self.delays
        if not 0 <= low <= high <= LONGEST:
            message = f"delay is {self.delay}, not seconds from 0 to {LONGEST} or two of them, the shorter first"
            raise ValueError(message)

    @property
    def delays(self) -> tuple[float, float]:
        """The shortest and the longest delay in seconds."""
        return self.delay if isinstance(self.delay, tuple) else (self.delay, self.delay)

    def concern(self, topic: str) -> bool:
        """Tell whether a topic is among those that go wrong."""
        return not self.topics or topic in self.topics

    def seeded(self) -> Faults:
        """Return the faults with a seed, a new one where none was given, by which they can be repeated."""
        return self if self.seed is not None else msgspec.structs.replace(self, seed=secrets.randbits(32))


NO_FAULTS = Faults()


class Fate(NamedTuple):
    """What becomes of one delivery: ``delays`` has the seconds that each of its copies waits."""

    dropped: bool = False
    delays: tuple[float, ...] = (0.0,)
    flaws: Flaws = Flaws()


def read(settings: object) -> Faults:
    """Read JSON-like settings; numbers may be text. Raises ``msgspec.ValidationError``, naming what does not fit."""
    return msgspec.convert(settings, Faults, strict=False)


def read_assignments(assignments: list[str]) -> Faults:
    """Read ``NAME=VALUE`` texts whose values are JSON or plain text; raises as :func:`read`, or ValueError.

    ``bulk.NAME`` and ``api.NAME`` are settings of those groups.
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator:
            message = f"{assignment} is not NAME=VALUE"
            raise ValueError(message)
        group, dot, inner = name.strip().partition(".")
        place = settings.setdefault(group, {}) if dot else settings
        if not isinstance(place, dict):
            message = f"{group} is set as a whole and by {name}"
            raise ValueError(message)  # noqa: TRY004 (what is wrong is the text that was given)
        place[inner or group] = _value(value)
    return read(settings)


def fate(faults: Faults, topic: str, number: int) -> Fate:
    """Throw the dice for the delivery that is the ``number``th since the faults were set."""
    if not faults.concern(topic):
        return Fate()
    dice = Random(f"{faults.seed}:{number}")
    dropped = dice.random() < faults.drop
    garbage = dice.choice(faults.garbage_kinds) if dice.random() < faults.garbage else None
    forged = next((tries for tries in range(RETRIES + 1) if dice.random() >= faults.wrong_hmac), RETRIES + 1)
    flaws = Flaws(
        garbage=garbage,
        forged=forged,
        silence=faults.silence,
        dribble=faults.dribble,
        plain_names=faults.plain_names,
    )
    return Fate(dropped, tuple(dice.uniform(*faults.delays) for _ in range(faults.duplicate)), flaws)


def shuffled(faults: Faults, held: list[Any], number: int) -> list[Any]:
    """Return what was held in the order it goes out; ``number`` tells one release from the next."""
    dice = Random(f"{faults.seed}:release:{number}")
    return dice.sample(held, len(held))


def broken(body: bytes, garbage: Garbage | None) -> bytes:
    """Return what is sent in place of ``body``; itself where nothing is wrong with it."""
    made = {
        "malformed": lambda: b"{" + body + b",,",
        "truncated": lambda: body[: len(body) // 2],
        "no_object": lambda: b"[" + body + b"]",
    }
    return made[garbage]() if garbage else body


def _value(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
