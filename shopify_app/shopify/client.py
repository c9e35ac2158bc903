"""The Admin GraphQL API of one store: typed failures, waits for the rate limit, bounded retries, a token renewed once.

Limits and error codes: https://shopify.dev/docs/api/usage/limits and …/usage/response-codes.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

import httpx
import msgspec
import structlog

from shopify_app.shopify import answers, wire
from shopify_app.shopify.answers import Answer, Cost
from shopify_app.shopify.errors import AnswerLost, QueryFailed, ShopifyError, Unauthorized, Unavailable
from shopify_app.shopify.traffic import LONGEST_WAIT, Spent, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTEMPTS = 4
FIRST_BACKOFF = 0.5
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

log = structlog.get_logger(__name__)


class Renews(Protocol):
    """Where another token comes from when Shopify refuses one that should be good."""

    def instead_of(self, refused: str) -> str:
        """Return a token to use instead.

        Raises:
            ShopifyError: there is none; see ``retryable``.
        """

    def disown(self, refused: str, error: Unauthorized) -> None:
        """Take down that Shopify refuses a token although it was renewed or cannot be."""


@dataclass(frozen=True)
class Call:
    """A document and its variables, ready to be sent as often as need be."""

    document: str
    body: bytes

    @property
    def is_mutation(self) -> bool:
        """Whether sending it twice may do its work twice."""
        return self.document.lstrip().startswith("mutation")

    @property
    def name(self) -> str:
        """The operation's name; empty for one that has none."""
        return self.document.partition("{")[0].partition("(")[0].strip().partition(" ")[2]


@dataclass
class AdminClient:
    """One store's Admin API. ``origin`` is where the store answers, such as ``https://some-shop.myshopify.com``.

    Attributes:
        spent: what the calls of this client have cost so far.
        unapproved: protected fields that came null because Shopify has not approved the app for them.
    """

    origin: str
    api_version: str
    access_token: str = field(repr=False)
    http: wire.Http = field(repr=False)
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)
    traffic: Traffic = field(default_factory=Traffic, repr=False)
    tokens: Renews | None = field(default=None, repr=False)
    spent: Spent = field(default_factory=Spent)
    unapproved: set[str] = field(default_factory=set)

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
        ``ATTEMPTS`` times, ``LONGEST_WAIT`` seconds a wait, and once more so with a renewed token when Shopify
        refuses the one in use. A mutation that may have reached Shopify is not sent again. Protected fields that the
        app was not approved for are null, and named in ``unapproved``.

        Raises:
            NotApproved: whole objects are missing for want of that approval (with ``partial`` only all of them).
            QueryFailed: GraphQL errors; carries whatever data came (with ``partial`` only when none came).
            ShopifyError: any other failure, by its type.
        """
        call = Call(document, msgspec.json.encode({"query": document, "variables": dict(variables or {})}))
        answer = self._authorized(call, partial=partial)
        return answer if partial else answer.data

    def _authorized(self, call: Call, *, partial: bool) -> Answer:
        """Run a call; a token that is refused is renewed once. What is refused with 401 was not run."""
        try:
            return self._with_retries(call, partial=partial)
        except Unauthorized as error:
            if self.tokens is None:
                raise
            log.info("shopify.token_refused", origin=self.origin, reason=str(error))
        self.access_token = self.tokens.instead_of(self.access_token)
        try:
            return self._with_retries(call, partial=partial)
        except Unauthorized as error:
            self.tokens.disown(self.access_token, error)
            raise

    def _with_retries(self, call: Call, *, partial: bool) -> Answer:
        for attempt in range(1, ATTEMPTS):
            try:
                return self._once(call, partial=partial)
            except ShopifyError as error:
                wait = _wait_before_next(error, attempt, is_mutation=call.is_mutation)
                if wait is None:
                    raise
                log.info("shopify.retry", origin=self.origin, reason=str(error), wait=round(wait, 2))
            self.pause(wait)
            self.spent.waited += wait
        return self._once(call, partial=partial)

    def _once(self, call: Call, *, partial: bool) -> Answer:
        with self.traffic.pace(self.origin).turn(call.document, self.pause) as waited:
            self.spent.calls += 1
            self.spent.waited += waited
            response = self._post(call)
        if call.is_mutation and response.status_code >= 500:  # noqa: PLR2004 - HTTP's class of server errors
            raise AnswerLost(f"Shopify answered {response.status_code} to a mutation, which may have happened.")
        wire.raise_for_status(response)
        self._notice_version(response)
        answer = self._read(call, response, waited)
        self.unapproved.update(answer.unapproved)
        if not partial:
            answer.check()
        return answer

    def _post(self, call: Call) -> httpx.Response:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Shopify-Access-Token": self.access_token,
        }
        address = f"{self.origin}/admin/api/{self.api_version}/graphql.json"
        try:
            with wire.translated():
                return wire.post(self.http, address, call.body, headers)
        except Unavailable as error:
            if call.is_mutation and not isinstance(error.__cause__, NEVER_SENT):
                raise AnswerLost(f"A mutation was sent and not answered: {error}") from error
            raise

    def _read(self, call: Call, response: httpx.Response, waited: float) -> Answer:
        try:
            content = answers.decoded(response)
            if cost := answers.cost(content):
                self._reckon(call, cost, waited)
            return answers.answer(content)
        except Unavailable as error:
            if call.is_mutation:
                raise AnswerLost(f"A mutation may have happened: {error}") from error
            raise

    def _reckon(self, call: Call, cost: Cost, waited: float) -> None:
        self.traffic.pace(self.origin).learn(call.document, cost)
        self.spent.cost += cost.actual or 0.0
        log.debug(
            "shopify.called",
            origin=self.origin,
            operation=call.name,
            requested=cost.requested,
            actual=cost.actual,
            available=cost.available,
            waited=round(waited, 3),
        )

    def _notice_version(self, response: httpx.Response) -> None:
        """Say so when Shopify answered with another version: an expired one silently becomes the oldest supported."""
        served = response.headers.get("X-Shopify-API-Version", self.api_version)
        if self.traffic.notice(self.api_version, served):
            log.warning("shopify.version_differs", asked=self.api_version, served=served)


def _wait_before_next(error: ShopifyError, attempt: int, *, is_mutation: bool) -> float | None:
    """Return the seconds to wait before trying again, or None when that cannot help or would take too long."""
    if not error.retryable or isinstance(error, AnswerLost) or (is_mutation and isinstance(error, QueryFailed)):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_WAIT else None
    # Full jitter keeps workers that failed together from coming back together.
    return float(random.uniform(0.0, FIRST_BACKOFF * 2.0**attempt))  # noqa: S311 - spreads load, keeps no secret
