"""Door: Shopify's webhooks. Keep the bytes, commit, answer; everything else happens behind the inbox.

The guard has checked the signature by the time a view runs. Nothing here asks Redis for anything.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, NotFound

from shopify_app import inbox, privacy
from shopify_app.database import directory
from shopify_app.runtime import current
from shopify_app.shopify import compliance
from shopify_app.shopify.compliance import ComplianceRejected, DataRequest
from shopify_app.shopify.topics import COMPLIANCE, TOPICS
from shopify_app.web import deliveries, guards

log = structlog.get_logger(__name__)

RESOURCES = frozenset({"app", "bulk", "carts", "checkouts", "customers", "orders", "products", "refunds"})

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@blueprint.post("/compliance")
def comply() -> Response:
    """Take down a compliance request, of shops we do not know too; a worker does it within minutes.

    A body that does not name the shop asks for nothing: it goes into quarantine, and is answered alike.
    """
    incoming = _incoming(_topic(COMPLIANCE))
    try:
        asked = compliance.decode(incoming.topic, incoming.payload, incoming.shop_domain)
    except ComplianceRejected as error:
        log.warning("a compliance request proves nothing", topic=incoming.topic, reason=str(error))
        current().direct.run(lambda line: inbox.quarantine(line, incoming))
        return _taken()
    with directory() as session:
        privacy.receive(session, _arrival(incoming, asked), datetime.now(UTC))
    return _taken()


@blueprint.post("/<resource>")
def receive(resource: str) -> Response:
    """Keep one delivery, and answer 200 once it is on disk; a repeat is answered alike."""
    if resource not in RESOURCES:
        raise NotFound
    incoming = _incoming(_topic(resource))
    if current().direct.run(lambda line: inbox.receive(line, incoming)):
        current().bell.ring()
    return _taken()


def _taken() -> Response:
    return Response(status=200, mimetype="text/plain")  # no page, for which a policy would have to be written


def _topic(resource: str) -> str:
    """Return the delivery's topic, which has to be one that is delivered to this address."""
    name = deliveries.required("Topic")
    topic = TOPICS.get(name)
    if topic is None or not topic.is_taken_at(resource):
        raise BadRequest(f"The topic {name} is not delivered to /webhooks/{resource}.")
    return name


def _incoming(topic: str) -> inbox.Incoming:
    payload = request.get_data(cache=True)
    return inbox.Incoming(
        shop_domain=deliveries.shop_domain(),
        topic=topic,
        webhook_id=deliveries.header("Webhook-Id") or _own_id(topic, payload),
        event_id=deliveries.header("Event-Id"),
        triggered_at=deliveries.triggered_at(),
        api_version=deliveries.header("API-Version"),
        payload=payload,
        claim_id=guards.signing_claim(),
    )


def _arrival(incoming: inbox.Incoming, asked: compliance.Request) -> privacy.Arrival:
    """Return a request to take down. Its id is set apart: nothing signs it, and another delivery's may be alike."""
    return privacy.Arrival(
        shop_domain=incoming.shop_domain,
        topic=incoming.topic,
        webhook_id=f"{incoming.topic}: {incoming.webhook_id}",
        triggered_at=incoming.triggered_at,
        api_version=incoming.api_version,
        payload=incoming.payload,
        subject=asked.data_request.id if isinstance(asked, DataRequest) else None,
    )


def _own_id(topic: str, payload: bytes) -> str:
    """Return an id for a delivery that came without one: the same body again is the same delivery."""
    return hashlib.sha256(topic.encode() + b"\0" + payload).hexdigest()
