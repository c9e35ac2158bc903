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
from shopify_app.database import db, directory
from shopify_app.runtime import current
from shopify_app.shopify import compliance
from shopify_app.shopify.compliance import ComplianceRejected, DataRequest
from shopify_app.shopify.domains import store_url
from shopify_app.shopify.topics import COMPLIANCE, TOPICS
from shopify_app.web import guards

log = structlog.get_logger(__name__)

RESOURCES = frozenset({"app", "carts", "checkouts", "customers", "orders", "products", "refunds"})
# Classic webhooks, then Shopify's newer events, which carry the same facts without the X.
PREFIXES = ("X-Shopify-", "Shopify-")

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
        with db.engine.connect() as connection:
            inbox.quarantine(connection.execution_options(isolation_level="AUTOCOMMIT"), incoming)
        return Response(status=200)
    with directory() as session:
        privacy.receive(session, _arrival(incoming, asked), datetime.now(UTC))
    return Response(status=200)


@blueprint.post("/<resource>")
def receive(resource: str) -> Response:
    """Keep one delivery, and answer 200 once it is on disk; a repeat is answered alike."""
    if resource not in RESOURCES:
        raise NotFound
    incoming = _incoming(_topic(resource))
    with db.engine.connect() as connection:
        kept = inbox.receive(connection.execution_options(isolation_level="AUTOCOMMIT"), incoming)
    if kept:
        current().bell.ring()
    return Response(status=200)


def _topic(resource: str) -> str:
    """Return the delivery's topic, which has to be one that is delivered to this address."""
    name = _required("Topic")
    topic = TOPICS.get(name)
    if topic is None or topic.resource != resource:
        raise BadRequest(f"The topic {name} is not delivered to /webhooks/{resource}.")
    return name


def _incoming(topic: str) -> inbox.Incoming:
    domain = store_url(_required("Shop-Domain"))
    if domain is None:
        raise BadRequest("The header X-Shopify-Shop-Domain is not the address of a store.")
    payload = request.get_data(cache=True)
    return inbox.Incoming(
        shop_domain=domain,
        topic=topic,
        webhook_id=_header("Webhook-Id") or _own_id(topic, payload),
        event_id=_header("Event-Id"),
        triggered_at=_triggered_at(),
        api_version=_header("API-Version"),
        payload=payload,
        claim_id=guards.signing_claim(),
    )


def _arrival(incoming: inbox.Incoming, asked: compliance.Request) -> privacy.Arrival:
    return privacy.Arrival(
        shop_domain=incoming.shop_domain,
        topic=incoming.topic,
        webhook_id=incoming.webhook_id,
        triggered_at=incoming.triggered_at,
        api_version=incoming.api_version,
        payload=incoming.payload,
        subject=asked.data_request.id if isinstance(asked, DataRequest) else None,
    )


def _header(name: str) -> str | None:
    return next((request.headers[prefix + name] for prefix in PREFIXES if request.headers.get(prefix + name)), None)


def _required(name: str) -> str:
    value = _header(name)
    if value is None:
        raise BadRequest(f"The header X-Shopify-{name} is missing.")
    return value


def _own_id(topic: str, payload: bytes) -> str:
    """Return an id for a delivery that came without one: the same body again is the same delivery."""
    return hashlib.sha256(topic.encode() + b"\0" + payload).hexdigest()


def _triggered_at() -> datetime | None:
    """Return when the event happened. The signature does not cover headers: an unreadable time costs no delivery."""
    given = _header("Triggered-At")
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        log.warning("a delivery came with an unreadable time", given=given)
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
