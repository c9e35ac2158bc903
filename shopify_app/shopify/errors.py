"""What can go wrong between Shopify and us, named for what happened; each error says whether trying again can help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class ShopifyError(Exception):
    """Shopify did not do what was asked.

    Attributes:
        retryable: the same request may succeed later.
        retry_after: seconds Shopify asked to wait, if it said.
    """

    retryable: bool = False

    def __init__(self, message: str, *, retryable: bool | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = type(self).retryable if retryable is None else retryable
        self.retry_after = retry_after


class Unauthorized(ShopifyError):
    """401: the access token is unknown or has expired. Only another token helps."""


class AccessDenied(ShopifyError):
    """403, or a query refused as a whole: the app may not do this in this store."""


class ShopFrozen(ShopifyError):
    """402: the store does not pay its plan; it may thaw, but not while a job waits."""


class ShopLocked(ShopifyError):
    """423: Shopify has locked the store."""


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
    """GraphQL answered with errors.

    Attributes:
        errors: the error objects, as Shopify sent them.
        data: what was answered all the same (fields may be null), or None.
        codes: every ``extensions.code`` among the errors.
    """

    def __init__(self, errors: Sequence[dict[str, Any]], data: dict[str, Any] | None) -> None:
        super().__init__("; ".join(str(error.get("message", error)) for error in errors))
        self.errors = tuple(errors)
        self.data = data
        self.codes = frozenset(error_codes(errors))


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
    430: Throttled,
}


def for_status(status: int, *, detail: str = "", retry_after: float | None = None) -> ShopifyError:
    """Return the error that an HTTP status of 300 or more stands for (3xx is a misconfigured address)."""
    kind = BY_STATUS.get(status) or (Unavailable if status >= 500 else NotAccepted)  # noqa: PLR2004 - HTTP's classes
    return kind(f"Shopify answered {status}{': ' if detail else ''}{detail}", retry_after=retry_after)


def error_codes(errors: Sequence[dict[str, Any]]) -> list[str]:
    """Return the ``extensions.code`` of each GraphQL error that has one."""
    extensions = [error.get("extensions") for error in errors]
    return [found["code"] for found in extensions if isinstance(found, dict) and isinstance(found.get("code"), str)]
