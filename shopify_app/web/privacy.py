"""The store's privacy page: files about customers who asked what is held of them, for the owner to hand over."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from flask import Blueprint
from werkzeug.exceptions import Forbidden, NotFound

from shopify_app import privacy
from shopify_app.database import tenant_work
from shopify_app.web.guards import current_viewer
from shopify_app.web.pages import store_page

blueprint = Blueprint("privacy", __name__, url_prefix="/privacy")


@blueprint.get("")
def index() -> str:
    """List the files that wait and those that were fetched."""
    tenant_id = _owners_tenant()
    with tenant_work(tenant_id) as session:
        exports = privacy.exports(session, tenant_id)
    return store_page("privacy/index.html", exports=exports)


@blueprint.post("/exports/<int:export_id>")
def export(export_id: int) -> str:
    """Show a file with a link that saves it, and note that it was fetched.

    The page carries the file itself: inside the admin a download of its own would come without a session token.
    """
    tenant_id = _owners_tenant()
    with tenant_work(tenant_id) as session:
        content = privacy.hand_over(session, tenant_id, export_id, datetime.now(UTC))
    if content is None:
        raise NotFound
    link = "data:application/json;base64," + base64.b64encode(content).decode()
    return store_page("privacy/export.html", export_id=export_id, content=content.decode(), link=link)


def _owners_tenant() -> int:
    """Return the viewer's tenant; what customers asked for is for the store's owners.

    Raises:
        Forbidden: the viewer is no owner.
    """
    viewer = current_viewer()
    if not viewer.may_manage:
        raise Forbidden
    return viewer.tenant_id
