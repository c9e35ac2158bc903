"""Registering a store without installing the app: `POST /tenants/register`, where a setting allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

import msgspec
from babel.numbers import list_currencies
from flask import Blueprint, jsonify, make_response, request
from werkzeug.exceptions import NotFound, Unauthorized

from shopify_app import logins, registrations
from shopify_app.database import directory
from shopify_app.runtime import current
from shopify_app.shopify import domains, signatures
from shopify_app.web import deliveries
from shopify_app.web.errors import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

blueprint = Blueprint("registrations", __name__, url_prefix="/tenants")

LONGEST_NAME = 200
# What a claim may send: a store's records. What is said of an installation, only Shopify can say.
CLAIMABLE = frozenset({"carts", "checkouts", "customers", "orders", "products", "refunds"})


class FieldRejected(Exception):
    """The value of a field cannot be taken; the message says what would do."""


@blueprint.post("/register")
def register() -> Response:
    """Make a claim, and say its id and secret this once; the same whether store or address are known or not."""
    if not current().config.standalone_registration:
        raise NotFound
    values, problems = _read(_body())
    if problems:
        return problem(422, "The registration cannot be taken as it is.", errors=problems)
    application = registrations.Application(**values)
    with directory() as session:
        made = registrations.register(session, application, current().vault)
    return make_response(jsonify(id=made.tenant_id, webhook_secret=made.webhook_secret), 201)


def claim_that_signed(body: bytes, given: str | None) -> int:
    """Return the tenant id of the claim whose secret signed a delivery, which it has to be about.

    ``X-Storelens-Tenant`` names the claim; without it, the claims of the store in ``X-Shopify-Shop-Domain`` are tried.

    Raises:
        Unauthorized: no live claim's secret signed it, or claims may not send this.
    """
    store_url = domains.store_url(deliveries.header("Shop-Domain"))
    allowed = current().config.standalone_registration and (request.view_args or {}).get("resource") in CLAIMABLE
    if store_url is not None and allowed:
        for tenant_id, secret in _secrets(store_url).items():
            if signatures.webhook_is_signed(body, given, (secret,)):
                return tenant_id
    raise Unauthorized("The request is not signed by Shopify.")


def _secrets(store_url: str) -> dict[int, str]:
    """Return the secrets that may have signed, by tenant id.

    Raises:
        Unauthorized: the claim that is named has ended. Its holder is told why, and nobody which store it was about.
    """
    vault, named = current().vault, request.headers.get("X-Storelens-Tenant", type=int)
    with directory() as session:
        if named is None:
            return registrations.secrets_of(session, store_url, vault)
        claim = registrations.find(session, named, vault)
    if claim is not None and claim.webhook_secret is None:
        raise Unauthorized(f"This secret no longer works: {registrations.SUPERSEDED}.")
    return {named: claim.webhook_secret} if claim and claim.webhook_secret and claim.store_url == store_url else {}


def _body() -> dict[str, Any]:
    """Return the JSON object that was sent; empty where it is something else, so that every field is missed."""
    try:
        body = msgspec.json.decode(request.get_data())
    except (msgspec.DecodeError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _read(body: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the application's values, and what is wrong by the name of the field."""
    values, problems = {}, {}
    for name, (check, becomes) in FIELDS.items():
        given = body.get(name)
        try:
            values[becomes] = check(given if isinstance(given, str) else "")
        except FieldRejected as error:
            problems[name] = str(error)
    return values, problems


def _store_url(text: str) -> str:
    store_url = domains.store_url(text.strip())
    if store_url is None:
        raise FieldRejected("Give the store's address, such as some-shop.myshopify.com.")
    return store_url


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise FieldRejected(f"Give the store's name, in at most {LONGEST_NAME} characters.")
    return name


def _email(text: str) -> str:
    try:
        return logins.email_address(text)
    except logins.EmailRejected as error:
        raise FieldRejected("Give an email address.") from error


def _password_hash(text: str) -> str:
    try:
        return logins.hash_password(text)
    except logins.PasswordRejected as error:
        raise FieldRejected(str(error)) from error


def _currency(text: str) -> str:
    code = text.strip().upper()
    if code not in list_currencies():
        raise FieldRejected("Give the store's currency as its three letters, such as USD.")
    return code


def _time_zone(text: str) -> str:
    if text not in available_timezones():
        raise FieldRejected("Give the store's time zone by its name, such as Europe/Berlin.")
    return text


# The field's name in the request, what it has to be, and what it becomes. The slow one comes last.
FIELDS: dict[str, tuple[Callable[[str], str], str]] = {
    "store_url": (_store_url, "store_url"),
    "name": (_name, "name"),
    "email": (_email, "email"),
    "currency": (_currency, "currency"),
    "time_zone": (_time_zone, "time_zone"),
    "password": (_password_hash, "password_hash"),
}
