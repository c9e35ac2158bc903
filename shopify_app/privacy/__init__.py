"""Room: what Shopify asks for on people's behalf. Requests are taken down as they come, and then done by a job.

``requests`` keeps the list with its deadlines, ``people`` finds out what is held of somebody, ``exports`` hands it
over, ``erasure`` removes it, and ``leaving`` removes a whole store.
"""

from shopify_app.privacy.erasure import erase
from shopify_app.privacy.exports import Export, export, exports, hand_over
from shopify_app.privacy.leaving import Verdict, erase_store, verdict
from shopify_app.privacy.people import find
from shopify_app.privacy.requests import (
    Arrival,
    Open,
    Pending,
    awaiting_uninstall,
    complete,
    due,
    note,
    open_request,
    receive,
)

__all__ = [
    "Arrival",
    "Export",
    "Open",
    "Pending",
    "Verdict",
    "awaiting_uninstall",
    "complete",
    "due",
    "erase",
    "erase_store",
    "export",
    "exports",
    "find",
    "hand_over",
    "note",
    "open_request",
    "receive",
    "verdict",
]
