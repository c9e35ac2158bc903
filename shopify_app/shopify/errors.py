"""What can go wrong between Shopify and us, named for what happened; each error says whether trying again can help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SUSPECTED_FOR = 60.0  # seconds; Shopify names no time


class ShopifyError(Exception):
    """Shopify did not do what was asked.

    Attributes:
        retryable: the same request may succeed later.
        retry_after: seconds Shopify asked to wait, if it said.
        advice: what this kind of failure means and what to do, for people who read it on a page; may be empty.
    """

    retryable: bool = False
    advice: str = ""

    def __init__(self, message: str, *, retryable: bool | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = type(self).retryable if retryable is None else retryable
        self.retry_after = retry_after


class Unauthorized(ShopifyError):
    """401: the access token is unknown or has expired. Only another token helps."""

    advice = (
        "Shopify no longer takes the app's access to the store. "
        "Open the app once in the store's Shopify admin, which renews it."
    )


class AccessDenied(ShopifyError):
    """403, or a query refused as a whole: the app may not do this in this store."""

    advice = (
        "The store does not let the app do this. "
        "Open the app in the store's Shopify admin, grant the access it asks for, and start again."
    )


class NotApproved(AccessDenied):
    """Protected customer data came as null, because Shopify has not approved the app for it.

    Attributes:
        fields: the names of what came null, such as ``customers``.
    """

    advice = (
        "Whoever runs the app has to request this data in Shopify's Partner Dashboard, under API access requests, "
        "Protected customer data access."
    )

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(f"Shopify has not approved the app to read {', '.join(fields)}. {self.advice}")
        self.fields = tuple(fields)


class ShopFrozen(ShopifyError):
    """402: the store does not pay its plan; it may thaw, but not while a job waits."""

    advice = (
        "Shopify has frozen the store, usually because a bill is open. "
        "Its owner has to pay in the Shopify admin, under Settings, Billing; then start again."
    )


class ShopLocked(ShopifyError):
    """423: Shopify has locked the store, after too many requests or because it looks broken into."""

    advice = (
        "Shopify has locked the store. Its owner has to ask Shopify's support to unlock it; then start again. "
        "Nothing can be read before."
    )


class Suspected(ShopifyError):
    """430: Shopify's security takes the request for an attack. Asking on makes it worse; it passes after a while."""

    retryable = True
    advice = (
        "Shopify's security turned the request away. The app tries again by itself; "
        "if this goes on, whoever runs the app has to ask Shopify's support about its address."
    )

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=SUSPECTED_FOR if retry_after is None else retry_after)


class NotAccepted(ShopifyError):
    """Any other refusal (4xx): the request is at fault and will be refused again."""


class Throttled(ShopifyError):
    """The store's rate limit is used up, and waiting for it took longer than a request may."""

    retryable = True


class Unavailable(ShopifyError):
    """No usable answer: the network, a timeout, a 5xx, or a body that is not what the API speaks."""

    retryable = True


class AnswerLost(Unavailable):
    """A mutation was sent and its answer never came: it may have happened."""


class QueryFailed(ShopifyError):
    """GraphQL answered with errors; retryable when all of them are Shopify's own trouble.

    Attributes:
        errors: the error objects, as Shopify sent them.
        data: what was answered all the same (fields may be null), or None.
        codes: every ``extensions.code`` among the errors.
    """

    def __init__(self, errors: Sequence[dict[str, Any]], data: dict[str, Any] | None) -> None:
        codes = error_codes(errors)
        super().__init__(
            "; ".join(str(error.get("message", error)) for error in errors),
            retryable=len(codes) == len(errors) and set(codes) == {"INTERNAL_SERVER_ERROR"},
        )
        self.errors = tuple(errors)
        self.data = data
        self.codes = frozenset(codes)


class BulkRefused(ShopifyError):
    """A bulk operation was not started, is not known or cannot be cancelled.

    Attributes:
        codes: the codes of the user errors; a store that already runs as many operations as it may is retryable.
    """

    def __init__(self, message: str, codes: Sequence[str] = ()) -> None:
        super().__init__(message, retryable=bool({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"} & set(codes)))
        self.codes = frozenset(codes)


class BulkFileExpired(ShopifyError):
    """The result file is no longer there: its signed address lives seven days. Run the operation again."""


class ExchangeRefused(ShopifyError):
    """Shopify gave no token: a code or ID token used twice or too old, or our credentials are wrong.

    Attributes:
        error: OAuth's error code, such as ``invalid_subject_token``.
    """

    def __init__(self, message: str, error: str = "") -> None:
        super().__init__(message)
        self.error = error


class RefreshRefused(ShopifyError):
    """The refresh token is dead for good: the merchant has to open the app again."""


class IdTokenInvalid(ShopifyError):
    """An ID (session) token that proves nothing; the message says why, and holds nothing of the token."""


BY_STATUS: dict[int, type[ShopifyError]] = {
    401: Unauthorized,
    402: ShopFrozen,
    403: AccessDenied,
    408: Unavailable,
    423: ShopLocked,
    429: Throttled,
    430: Suspected,
}


def for_status(status: int, *, detail: str = "", retry_after: float | None = None) -> ShopifyError:
    """Return the error that an HTTP status of 300 or more stands for (3xx is a misconfigured address)."""
    kind = BY_STATUS.get(status) or (Unavailable if status >= 500 else NotAccepted)  # noqa: PLR2004 - HTTP's classes
    said = f"Shopify answered {status}{': ' if detail else ''}{detail}"
    return kind(f"{kind.advice} ({said})" if kind.advice else said, retry_after=retry_after)


def error_codes(errors: Sequence[dict[str, Any]]) -> list[str]:
    """Return the ``extensions.code`` of each GraphQL error that has one."""
    extensions = [error.get("extensions") for error in errors]
    return [found["code"] for found in extensions if isinstance(found, dict) and isinstance(found.get("code"), str)]
