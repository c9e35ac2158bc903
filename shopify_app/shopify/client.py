"""The Admin GraphQL API of one store: typed failures, waits for the rate limit, bounded retries.

Limits and error codes: https://shopify.dev/docs/api/usage/limits and …/usage/response-codes.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

import httpx
import msgspec
import structlog

from shopify_app.shopify import wire
from shopify_app.shopify.errors import (
    AccessDenied,
    AnswerLost,
    QueryFailed,
    ShopFrozen,
    ShopifyError,
    Throttled,
    Unavailable,
    error_codes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTEMPTS = 4
LONGEST_WAIT = 30.0  # seconds for one wait; a job that would wait longer is better put back in its queue
FIRST_BACKOFF = 0.5
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a query answered although some of it failed: ``data`` with nulls, and the error objects."""

    data: dict[str, Any]
    errors: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class AdminClient:
    """One store's Admin API. ``origin`` is where the store answers, such as ``https://some-shop.myshopify.com``."""

    origin: str
    api_version: str
    access_token: str = field(repr=False)
    http: wire.Http = field(repr=False)
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)

    @overload
    def execute(
        self, document: str, variables: Mapping[str, Any] | None = None, *, partial: Literal[False] = False
    ) -> dict[str, Any]: ...

    @overload
    def execute(
        self, document: str, variables: Mapping[str, Any] | None = None, *, partial: Literal[True]
    ) -> Answer: ...

    def execute(
        self, document: str, variables: Mapping[str, Any] | None = None, *, partial: bool = False
    ) -> dict[str, Any] | Answer:
        """Run a query or mutation and return its ``data``; with ``partial``, an :class:`Answer` that may be incomplete.

        Waits for the rate limit by Shopify's cost formula and tries failures again that may pass: at most
        ``ATTEMPTS`` times, ``LONGEST_WAIT`` seconds a wait. A mutation that may have reached Shopify is not sent
        again.

        Raises:
            QueryFailed: GraphQL errors; carries whatever data came (with ``partial`` only when none came).
            ShopifyError: any other failure, by its type.
        """
        body = msgspec.json.encode({"query": document, "variables": dict(variables or {})})
        answer = self._with_retries(body, is_mutation=document.lstrip().startswith("mutation"))
        if not partial and answer.errors:
            raise QueryFailed(answer.errors, answer.data)
        return answer if partial else answer.data

    def _with_retries(self, body: bytes, *, is_mutation: bool) -> Answer:
        for attempt in range(1, ATTEMPTS):
            try:
                return self._once(body, is_mutation=is_mutation)
            except ShopifyError as error:
                wait = _wait_before_next(error, attempt)
                if wait is None:
                    raise
                log.info("shopify.retry", origin=self.origin, reason=str(error), wait=round(wait, 2))
            self.pause(wait)
        return self._once(body, is_mutation=is_mutation)

    def _once(self, body: bytes, *, is_mutation: bool) -> Answer:
        response = self._post(body, is_mutation=is_mutation)
        if is_mutation and response.status_code >= 500:  # noqa: PLR2004 - HTTP's class of server errors
            raise AnswerLost(f"Shopify answered {response.status_code} to a mutation, which may have happened.")
        wire.raise_for_status(response)
        self._notice_version(response)
        return _answer(_json_object(response))

    def _post(self, body: bytes, *, is_mutation: bool) -> httpx.Response:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Shopify-Access-Token": self.access_token,
        }
        address = f"{self.origin}/admin/api/{self.api_version}/graphql.json"
        try:
            with wire.translated():
                return self.http.post(address, content=body, headers=headers)
        except Unavailable as error:
            if is_mutation and not isinstance(error.__cause__, NEVER_SENT):
                raise AnswerLost(f"A mutation was sent and not answered: {error}") from error
            raise

    def _notice_version(self, response: httpx.Response) -> None:
        """Say so when Shopify answered with another version: an expired one silently becomes the oldest supported."""
        served = response.headers.get("X-Shopify-API-Version", self.api_version)
        if served != self.api_version:
            log.warning("shopify.version_differs", asked=self.api_version, served=served)


def _wait_before_next(error: ShopifyError, attempt: int) -> float | None:
    """Return the seconds to wait before trying again, or None when that cannot help or would take too long."""
    if not error.retryable or isinstance(error, AnswerLost):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_WAIT else None
    # Full jitter keeps workers that failed together from coming back together.
    return float(FIRST_BACKOFF * 2.0**attempt * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unavailable(f"Shopify answered with something that is not JSON: {wire.short_text(response)}") from error
    if not isinstance(content, dict):
        raise Unavailable("Shopify answered with JSON that is not an object.")
    return content


def _answer(content: dict[str, Any]) -> Answer:
    """Read the envelope of a GraphQL answer.

    Raises:
        ShopifyError: it holds errors and no data.
    """
    errors, data = _errors(content), content.get("data")
    codes = set(error_codes(errors))
    if "THROTTLED" in codes:
        raise Throttled("The store's rate limit is used up.", retry_after=_throttle_wait(content))
    if isinstance(data, dict):
        return Answer(data, errors)
    if not errors:
        raise Unavailable("Shopify answered with neither data nor errors.")
    raise _failure_without_data(errors, codes)


def _failure_without_data(errors: tuple[dict[str, Any], ...], codes: set[str]) -> ShopifyError:
    failure = QueryFailed(errors, None)
    if "SHOP_INACTIVE" in codes:
        return ShopFrozen(str(failure))
    if "ACCESS_DENIED" in codes:
        return AccessDenied(str(failure))
    if "INTERNAL_SERVER_ERROR" in codes:
        return Unavailable(str(failure))
    return failure


def _errors(content: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the error objects; outside GraphQL's own, Shopify also sends ``errors`` as one text."""
    errors = content.get("errors") or []
    found = errors if isinstance(errors, list) else [errors]
    return tuple(error if isinstance(error, dict) else {"message": str(error)} for error in found)


def _throttle_wait(content: dict[str, Any]) -> float | None:
    """Return the seconds until the bucket holds what was asked: (requested − available) ÷ restore rate."""
    try:
        cost = content["extensions"]["cost"]
        status = cost["throttleStatus"]
        lacking = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(0.0, lacking / float(status["restoreRate"]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
