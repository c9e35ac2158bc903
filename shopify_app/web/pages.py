"""Pages of a store: every one knows whose it is, who looks, and how that store writes money and dates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import current_app, g, make_response, render_template, request, url_for

from shopify_app.database import directory
from shopify_app.models import Tenant
from shopify_app.runtime import current
from shopify_app.web.formats import Formats
from shopify_app.web.guards import current_viewer
from shopify_app.web.headers import APP_BRIDGE, POLARIS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask, Response

    from shopify_app.web.guards import Viewer


@dataclass(frozen=True, kw_only=True)
class Store:
    """What pages say about a store."""

    name: str
    store_url: str
    formats: Formats


def register(app: Flask) -> None:
    """Give templates the addresses of our files and Shopify's, and say whether the admin shows the page."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_surroundings)


def store_page(template: str, **context: object) -> str:
    """Render a page of the viewer's store."""
    viewer = current_viewer()
    store = store_of(viewer)
    return render_template(template, viewer=viewer, store=store, fmt=store.formats, **context)


def live_page(template: str, *, facts: object, context: Callable[[], Mapping[str, object]]) -> Response:
    """Render a page whose content follows from ``facts``, or answer 304 to a browser that shows just these.

    ``context`` is asked only when the page has to be made. ``facts`` are values whose ``repr`` says all of them.
    """
    version = hashlib.sha256(repr((facts, current_viewer())).encode()).hexdigest()[:24]
    if version in request.if_none_match:
        response = make_response("", 304)
    else:
        response = make_response(store_page(template, version=f'"{version}"', **context()))
    response.set_etag(version)
    return response


def store_of(viewer: Viewer) -> Store:
    """Return what pages say about the viewer's store."""
    with directory() as session:
        tenant = session.get_one(Tenant, viewer.tenant_id)
        formats = Formats(tenant.locale, tenant.currency, tenant.time_zone)
        return Store(name=tenant.name, store_url=tenant.store_url, formats=formats)


def _surroundings() -> dict[str, object]:
    config = current().config
    return {
        "embedded": bool(g.get("framed_by")),
        "asset": _asset,
        "api_key": config.shopify_api_key,
        "app_bridge": config.shopify_cdn_origin + APP_BRIDGE,
        "polaris": config.shopify_cdn_origin + POLARIS,
    }


def _asset(name: str) -> str:
    """Return the address of one of our files, which changes with its content."""
    static = Path(str(current_app.static_folder))
    return url_for("static", filename=name, v=_digest(static / name))


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
