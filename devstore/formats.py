"""How the pages write amounts and times."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


def money(amount: Decimal, currency: str) -> str:
    """``1234.5, "EUR"`` → ``1,234.50 EUR``."""
    return f"{amount:,.2f} {currency}"


def moment(at: datetime | None, timezone: str, *, seconds: bool = False) -> str:
    """Write a time in the shop's zone (``22 Nov 2026, 13:41``, or ``13:41:07`` at the end); nothing for None."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{local.day} {local:%b %Y, %H:%M:%S}" if seconds else f"{local.day} {local:%b %Y, %H:%M}"
