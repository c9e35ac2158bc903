"""Deliveries on their way in: each is kept as it came, once, before anybody is told that it arrived."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from shopify_app.shopify import notices
from shopify_app.shopify.compliance import SHOP_REDACT

if TYPE_CHECKING:
    from shopify_app.direct import Line, Value

# What is kept of deliveries that belong to no tenant: enough to find out why they came.
MOST_OF_SHOP = 1_000
MOST_IN_ALL = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A delivery whose signature was good. ``shop_domain`` is the store's full host; ``payload`` the body's bytes.

    ``claim_id`` is the claim whose own secret signed it; None: Shopify did.
    """

    shop_domain: str
    topic: str
    webhook_id: str
    event_id: str | None
    triggered_at: datetime | None
    api_version: str | None
    payload: bytes
    claim_id: int | None = None


def receive(line: Line, incoming: Incoming) -> bool:
    """Keep a delivery, in one statement; return False when it was kept before (Shopify delivers at least once).

    A delivery from a shop we do not know, and one whose body is not a JSON object, go into quarantine. The row is on
    disk when this returns.
    """
    if incoming.claim_id is not None:
        return notices.is_object(incoming.payload) and _keep_for_claim(line, incoming, incoming.claim_id)
    if not notices.is_object(incoming.payload):
        return quarantine(line, incoming)
    if line.ask(_KEEP, _values(incoming)):
        return True
    return not line.ask(_KNOWN, [incoming.shop_domain]) and quarantine(line, incoming)


def quarantine(line: Line, incoming: Incoming) -> bool:
    """Keep a delivery that proves nothing about any tenant, without one; return whether it was kept.

    Of a shop that has been erased nothing is kept, and of others a bounded number: whoever sees an ID token can sign
    it as often as they like.
    """
    limits = [str(MOST_OF_SHOP), str(MOST_IN_ALL)]
    ((erased, full),) = line.ask(_QUARANTINED, [incoming.shop_domain, SHOP_REDACT, *limits])
    if b"t" in {erased, full}:
        log.warning("a delivery was not kept", topic=incoming.topic, erased=erased == b"t", full=full == b"t")
        return False
    return bool(line.ask(_KEEP_ASTRAY, _values(incoming)))


def _keep_for_claim(line: Line, incoming: Incoming, claim_id: int) -> bool:
    """Keep a delivery for a claim that is still alive, and for no other tenant.

    Its webhook id is set apart, so that nothing a claim sends can pass for a repeat of what Shopify sends.
    """
    apart = replace(incoming, webhook_id=f"claim {claim_id}: {incoming.webhook_id}")
    return bool(line.ask(_KEEP_FOR_CLAIM, [*_values(apart), str(claim_id)]))


def _values(incoming: Incoming) -> list[Value]:
    return [
        incoming.shop_domain,
        incoming.topic,
        incoming.webhook_id,
        incoming.event_id,
        incoming.triggered_at.isoformat() if incoming.triggered_at else None,
        incoming.api_version,
        incoming.payload,
    ]


_INSERT = """
    INSERT INTO inbox (tenant_id, shop_domain, topic, webhook_id, event_id, triggered_at, api_version, payload)
    SELECT {tenant}, $1::text, $2::text, $3::text, $4::text, $5::timestamptz, $6::text, $7::bytea
    {origin}
    ON CONFLICT (shop_domain, webhook_id) DO NOTHING
    RETURNING id
"""
_KEEP = _INSERT.format(tenant="id", origin="FROM tenants WHERE store_url = $1 AND installed_at IS NOT NULL")
_KEEP_ASTRAY = _INSERT.format(tenant="NULL", origin="")
# The lock makes a claim that ends at this moment take the delivery along.
_KEEP_FOR_CLAIM = _INSERT.format(
    tenant="id",
    origin="""
    FROM (SELECT id FROM tenants
          WHERE id = $8::bigint AND installed_at IS NULL AND superseded_at IS NULL FOR SHARE) claim""",
)
_KNOWN = "SELECT 1 FROM tenants WHERE store_url = $1 AND installed_at IS NOT NULL"
# Whether the shop was erased, and whether there is a quota that is used up; each count looks no further than that.
_QUARANTINED = """
    SELECT EXISTS (SELECT FROM privacy_requests
                   WHERE shop_domain = $1::text AND topic = $2::text AND rows_affected > 0),
           (SELECT count(*) FROM (SELECT FROM inbox
                                  WHERE tenant_id IS NULL AND shop_domain = $1::text LIMIT $3::int) s) >= $3::int
           OR (SELECT count(*) FROM (SELECT FROM inbox WHERE tenant_id IS NULL LIMIT $4::int) a) >= $4::int
"""
