"""Access scopes and their algebra (``write_x`` implies ``read_x``), as ShopifyAPI defines it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shopify.api_access import ApiAccess

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse(text: str | None) -> frozenset[str]:
    """Return the scopes of a token response's ``scope``, comma or space separated."""
    return frozenset(filter(None, re.split(r"[,\s]+", text or "")))


def missing(granted: Iterable[str], wanted: Iterable[str]) -> frozenset[str]:
    """Return the wanted scopes that the granted ones neither hold nor imply."""
    held = frozenset(granted)
    access = ApiAccess(sorted(filter(_is_algebraic, held)))
    return frozenset(scope for scope in wanted if scope not in held and not _implied(access, scope))


def _implied(access: ApiAccess, scope: str) -> bool:
    return _is_algebraic(scope) and bool(access.covers(ApiAccess([scope])))


def _is_algebraic(scope: str) -> bool:
    """Whether ShopifyAPI can reason about the scope; it refuses others, such as ``customer_read_orders``."""
    return ApiAccess.SCOPE_RE.match(scope) is not None
