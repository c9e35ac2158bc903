"""One ingest: a webhook, a bulk line and a detail query end in the same tables by the same decision.

Payload → typed body (``decoding``) → which is newest (``freshness``) → rows (``staging``) → sales (``ledger``). The
caller opens and commits the transaction, of the role that sees the tenant.
"""

from shopify_app.ingest.baskets import checkout_token
from shopify_app.ingest.batch import Batch
from shopify_app.ingest.bulk import BulkLines, apply_bulk_lines, read_bulk_lines
from shopify_app.ingest.ledger import rebook
from shopify_app.ingest.order_details import apply_order_details
from shopify_app.ingest.outcome import Outcome, PayloadRejected, WebhookBody
from shopify_app.ingest.reading import TOPICS, read
from shopify_app.ingest.snapshots import Applied, apply_snapshots
from shopify_app.ingest.tombstones import count as count_tombstones
from shopify_app.ingest.tombstones import key_of as tombstone_key
from shopify_app.ingest.webhooks import apply_batch, apply_webhooks

__all__ = [
    "TOPICS",
    "Applied",
    "Batch",
    "BulkLines",
    "Outcome",
    "PayloadRejected",
    "WebhookBody",
    "apply_batch",
    "apply_bulk_lines",
    "apply_order_details",
    "apply_snapshots",
    "apply_webhooks",
    "checkout_token",
    "count_tombstones",
    "read",
    "read_bulk_lines",
    "rebook",
    "tombstone_key",
]
