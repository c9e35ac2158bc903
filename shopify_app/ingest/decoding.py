"""From bytes to typed bodies; what cannot be read is refused by name."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from shopify_app.ingest.outcome import PayloadRejected
from shopify_app.shopify.scalars import OutOfRange

Body = TypeVar("Body")

_DECODERS: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def decode(payload: bytes, shape: type[Body], delivery_id: int | None = None) -> Body:
    """Return the body; raises PayloadRejected with the path of the first field that is not what it must be."""
    try:
        body: Body = _decoder(shape).decode(payload)
    except msgspec.ValidationError as error:
        raise PayloadRejected(delivery_id, *_where_and_why(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadRejected(delivery_id, "$", f"not JSON: {error}") from error
    return body


def _where_and_why(error: msgspec.ValidationError) -> tuple[str, str]:
    """Return the JSON path of the field at fault and what is wrong with it; neither quotes its value."""
    reason, _, path = str(error).partition(" - at `")
    path = path.rstrip("`") or "$"
    return (f"{path}.{error.__cause__.field}" if isinstance(error.__cause__, OutOfRange) else path), reason


def _decoder(shape: type[Any]) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a shape; making one costs more than most decodes."""
    if shape not in _DECODERS:
        _DECODERS[shape] = msgspec.json.Decoder(shape)
    return _DECODERS[shape]
