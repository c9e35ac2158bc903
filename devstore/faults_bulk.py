"""Ways in which a store's bulk operations and its API go wrong on demand, beside its webhooks (``devstore.faults``).

A bulk operation keeps the faults it was started under, whatever is set later. ``README.md`` has a row for each.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

LONGEST = 3600
Seconds = Annotated[float, Meta(ge=0, le=LONGEST)]
Share = Annotated[float, Meta(ge=0, le=1)]  # 0.1: one request in ten
Number = Annotated[int, Meta(ge=0)]
Status = Annotated[int, Meta(ge=400, le=599)]
BulkResource = Literal["customers", "products", "orders", "checkouts"]
FailureCode = Literal["TIMEOUT", "INTERNAL_SERVER_ERROR", "ACCESS_DENIED"]
Refusal = Literal["OPERATION_IN_PROGRESS", "LIMIT_REACHED", "INVALID"]
Partial = Literal["lines", "torn", "none"]
Plan = Literal["Standard", "Advanced", "Plus", "Enterprise"]
FAR_APART = 100_000
ANY_VERSION = r"^20\d\d-(01|04|07|10)$"

# The root field of an export's query → its resource.
ROOTS: dict[str, BulkResource] = {
    "abandonedCheckouts": "checkouts",
    "customers": "customers",
    "orders": "orders",
    "products": "products",
}


class BulkFaults(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What goes wrong with bulk operations, of all ``resources`` or of those named; by default nothing.

    ``times`` limits it to the first so many operations since the faults were set. Lines are counted from 1.

    While an operation runs: ``seconds`` it takes, ``apart`` parents between a parent and its children (``scattered``:
    lines all over the file), ``fail_at`` a line, ``fail_over`` so many root objects, with ``fail_code`` and ``partial``
    results; ``cancel_at`` a line by Shopify, ``stall_at`` a line for good, ``expire_after`` seconds from its end;
    ``no_finish`` webhook; ``refuse`` its start. In its file: ``lines_missing`` and ``lines_repeated`` that its counts
    do not tell of, ``garbage_at`` a line.

    Of the first ``downloads`` of a file, or all: an address lasts ``url_seconds``, the storage answers
    ``download_status``, the connection closes ``break_after`` so many bytes or falls silent (``freeze_after``, for
    ``freeze_seconds``), ranges are ignored, and bytes come as ``gzip`` unasked.
    """

    resources: list[BulkResource] = []
    times: Number | None = None
    seconds: Seconds | None = None
    apart: Annotated[int, Meta(ge=0, le=FAR_APART)] = 3
    scattered: bool = False
    fail_at: Number | None = None
    fail_over: Number | None = None
    fail_code: FailureCode = "TIMEOUT"
    partial: Partial = "lines"
    cancel_at: Number | None = None
    stall_at: Number | None = None
    expire_after: Number | None = None
    no_finish: bool = False
    refuse: Refusal | None = None
    lines_missing: Number = 0
    lines_repeated: Number = 0
    garbage_at: Number | None = None
    downloads: Number | None = None
    url_seconds: Number | None = None
    download_status: Status | None = None
    break_after: Number | None = None
    freeze_after: Number | None = None
    freeze_seconds: Seconds = 60.0
    ignore_range: bool = False
    gzip: bool = False

    def concern(self, resource: str | None) -> bool:
        """Tell whether operations over a resource are among those that go wrong."""
        return not self.resources or resource in self.resources


class ApiFaults(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What goes wrong with GraphQL requests; by default nothing.

    ``only`` names operations or root fields, ``times`` limits it to so many requests and ``share`` to a part of them.
    What a request meets, all that is set, in this order: it is ``slow`` by seconds; its connection closes (``close``)
    before or after it was carried out; it is answered ``status`` (with ``retry_after`` seconds), ``html`` or ``code``.

    For every request: ``unapproved`` types (``Customer``) and fields (``Customer.email``) are null, ``version`` is the
    one answers name, and the bucket is that of ``plan`` and starts ``drained``.
    """

    only: list[str] = []
    times: Number | None = None
    share: Share = 1.0
    slow: Seconds = 0.0
    close: Literal["before", "after"] | None = None
    status: Status | None = None
    retry_after: Seconds | None = None
    html: bool = False
    code: str | None = None
    unapproved: list[str] = []
    version: Annotated[str, Meta(pattern=ANY_VERSION)] | None = None
    plan: Plan | None = None
    drained: bool = False

    @property
    def meddles(self) -> bool:
        """Tell whether anything befalls single requests."""
        return bool(self.slow or self.close or self.status or self.html or self.code)

    def concern(self, names: frozenset[str]) -> bool:
        """Tell whether a request whose operation and root fields have these names is among those that go wrong."""
        return not self.only or not names.isdisjoint(self.only)


NO_BULK_FAULTS = BulkFaults()
NO_API_FAULTS = ApiFaults()
