"""What the Admin API answers: data, the errors beside it, what the query cost, and what Shopify has not approved.

Error codes: https://shopify.dev/docs/api/usage/response-codes. Protected customer data that the app was not approved
for comes as null beside an error: https://shopify.dev/docs/apps/launch/protected-customer-data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from shopify_app.shopify import wire
from shopify_app.shopify.errors import (
    AccessDenied,
    NotApproved,
    QueryFailed,
    ShopFrozen,
    ShopifyError,
    Throttled,
    Unavailable,
    error_codes,
)

if TYPE_CHECKING:
    import httpx

Error = dict[str, Any]

# Such errors have no code, so the text is all there is to know them by.
NOT_APPROVED = re.compile(r"not approved to (?:access|use) the (\w+) (?:object|field)")
WRAPPERS = frozenset({"edges", "nodes", "node"})


@dataclass(frozen=True)
class Cost:
    """What a query cost, in points, and the store's bucket after it; ``rate`` points a second flow back.

    ``actual`` is None for a query that was not run.
    """

    requested: float
    actual: float | None
    available: float
    maximum: float
    rate: float

    @property
    def wait(self) -> float:
        """Seconds until the bucket holds what was requested: (requested − available) ÷ restore rate."""
        return max(0.0, (self.requested - self.available) / self.rate)


@dataclass(frozen=True)
class Answer:
    """What a query answered although some of it may have failed: ``data`` with nulls, and the error objects."""

    data: dict[str, Any]
    errors: tuple[Error, ...] = ()

    @property
    def unapproved(self) -> tuple[str, ...]:
        """The protected fields that came null because Shopify has not approved the app, such as ``customer.phone``."""
        return unapproved(self.errors)

    def check(self) -> None:
        """Raise unless the data may be taken for the whole answer, but for protected fields that are null.

        Raises:
            NotApproved: whole objects are missing, not fields of theirs.
            QueryFailed: anything else failed.
        """
        others = [error for error in self.errors if not _is_unapproved(error)]
        if others:
            raise QueryFailed(self.errors, self.data)
        if not all(_is_mere_field(error) for error in self.errors):
            # An object that is null reads like one that was deleted, so it must not pass for an answer.
            raise NotApproved(self.unapproved)


def decoded(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a response.

    Raises:
        Unavailable: it holds something else.
    """
    try:
        content = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unavailable(f"Shopify answered with something that is not JSON: {wire.short_text(response)}") from error
    if not isinstance(content, dict):
        raise Unavailable("Shopify answered with JSON that is not an object.")
    return content


def cost(content: dict[str, Any]) -> Cost | None:
    """Return the cost block of an answer; None where there is none to reckon with."""
    try:
        block = content["extensions"]["cost"]
        status, actual = block["throttleStatus"], block.get("actualQueryCost")
        found = Cost(
            requested=float(block["requestedQueryCost"]),
            actual=None if actual is None else float(actual),
            available=float(status["currentlyAvailable"]),
            maximum=float(status["maximumAvailable"]),
            rate=float(status["restoreRate"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if found.rate > 0 else None


def answer(content: dict[str, Any]) -> Answer:
    """Read the envelope of a GraphQL answer.

    Raises:
        ShopifyError: it holds errors and no data.
    """
    errors, data = _errors(content), content.get("data")
    codes = set(error_codes(errors))
    if "THROTTLED" in codes:
        known = cost(content)
        raise Throttled("The store's rate limit is used up.", retry_after=known.wait if known else None)
    if isinstance(data, dict):
        return Answer(data, errors)
    if not errors:
        raise Unavailable("Shopify answered with neither data nor errors.")
    raise _failure_without_data(errors, codes)


def unapproved(errors: tuple[Error, ...]) -> tuple[str, ...]:
    """Return the names of the protected fields that errors are about, each once: their path without list positions."""
    return tuple(dict.fromkeys(_field_name(error) for error in errors if _is_unapproved(error)))


def _failure_without_data(errors: tuple[Error, ...], codes: set[str]) -> ShopifyError:
    failure = QueryFailed(errors, None)
    if all(map(_is_unapproved, errors)):
        return NotApproved(unapproved(errors))
    if "SHOP_INACTIVE" in codes:
        return ShopFrozen(f"{ShopFrozen.advice} ({failure})")
    if "ACCESS_DENIED" in codes:
        return AccessDenied(f"{AccessDenied.advice} ({failure})")
    if "INTERNAL_SERVER_ERROR" in codes:
        return Unavailable(str(failure))
    return failure


def _errors(content: dict[str, Any]) -> tuple[Error, ...]:
    """Return the error objects; outside GraphQL's own, Shopify also sends ``errors`` as one text."""
    errors = content.get("errors") or []
    found = errors if isinstance(errors, list) else [errors]
    return tuple(error if isinstance(error, dict) else {"message": str(error)} for error in found)


def _is_unapproved(error: Error) -> bool:
    return NOT_APPROVED.search(str(error.get("message"))) is not None


def _path(error: Error) -> list[Any]:
    path = error.get("path")
    return path if isinstance(path, list) else []


def _is_mere_field(error: Error) -> bool:
    """Return whether what came null is a field of an object, rather than the object or a list of them."""
    path = _path(error)
    return len(path) > 1 and isinstance(path[-1], str) and path[-1] not in WRAPPERS


def _field_name(error: Error) -> str:
    path = [step for step in _path(error) if isinstance(step, str) and step not in WRAPPERS]
    named = NOT_APPROVED.search(str(error.get("message")))
    return ".".join(path) or (named.group(1) if named else "")
