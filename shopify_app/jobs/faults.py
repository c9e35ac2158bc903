"""What may be said of an error outside the database: its kind and its cause, never a row's values."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError


def describe(error: Exception) -> str:
    """Return an error in one line.

    A database error's own text quotes the statement's parameters and the row at fault, which are a customer's data:
    of it only the server's primary message is kept.
    """
    kind = type(error).__name__
    if not isinstance(error, DBAPIError):
        return f"{kind}: {error}"
    diagnosis = getattr(error.orig, "diag", None)
    message = getattr(diagnosis, "message_primary", None)
    return f"{kind}: {message}" if message else kind
