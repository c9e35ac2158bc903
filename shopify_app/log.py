"""Structured logs on standard output, with everything that looks like a Shopify secret taken out."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

# Shopify's prefixes: access, custom and refresh tokens, client secrets; and JSON Web Tokens, as id tokens are.
SECRETS = re.compile(r"shp[a-z]{2}_[0-9a-zA-Z]+|eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")


def redact(_logger: WrappedLogger | None, _method: str | None, event: EventDict) -> EventDict:
    """Replace secrets in every text of a log event, the traceback included."""
    return {key: SECRETS.sub("[secret]", value) if isinstance(value, str) else value for key, value in event.items()}


def configure(*, level: int = logging.INFO) -> None:
    """Send the logs of this process, ours and the libraries', through one chain to standard output."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # A line for each call to Shopify is noise at this level, and would show the addresses of result files.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _renderer() -> Processor:
    if sys.stdout.isatty():
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "logger", "event"], drop_missing=True)
