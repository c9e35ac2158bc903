"""The admin's pages: the stores, a store's home, the page that frames the app, and the CDN's scripts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_from_directory,
)

from devstore import formats, installs, panel, signing
from devstore.state import current

if TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.wrappers import Response as AnyResponse

    from devstore.options import AppRegistration
    from devstore.state import Store

STATIC = Path(__file__).parent / "static"
POLARIS_PARTS = ("foundation", "layout", "text", "actions", "fields", "choices", "tables")
LAUNCH_PARAMETERS = frozenset(
    {
        "appLoadId",
        "embedded",
        "hmac",
        "host",
        "id_token",
        "locale",
        "protocol",
        "session",
        "shop",
        "timestamp",
    }
)
# What App Bridge may add to the address it reloads: without the HMAC, which covers a launch by the admin only.
RELOAD_PARAMETERS = ("embedded", "host", "id_token", "locale", "shop")
FRAME_PERMISSIONS = "camera; clipboard-read; clipboard-write; fullscreen; microphone"

blueprint = Blueprint("admin", __name__, static_folder="static", static_url_path="/_static")
blueprint.register_blueprint(panel.blueprint)
blueprint.add_app_template_filter(formats.money)
blueprint.add_app_template_filter(formats.moment)


@blueprint.url_value_preprocessor
def find_store(_: str | None, values: dict[str, Any] | None) -> None:
    """Give views the store that the address names (``/store/<name>``); 404 where there is none."""
    if values and "name" in values:
        values["store"] = panel.store_named(values.pop("name"))


@blueprint.before_request
def keep_to_the_host() -> AnyResponse | None:
    """Send visitors of another host name to the admin's own, where the frame is a third party and origins match."""
    origin = current().options.origin
    if request.host_url.rstrip("/") == origin:
        return None
    if request.method not in {"GET", "HEAD"}:
        abort(403)
    return redirect(f"{origin}{request.full_path.rstrip('?')}")


@blueprint.before_request
def require_same_origin() -> None:
    """Refuse a write that did not come from the admin's own pages."""
    if request.method == "POST" and request.headers.get("Origin") != current().options.origin:
        abort(403)


@blueprint.after_request
def harden(response: Response) -> Response:
    """Keep pages out of caches and frames, and let them frame the app alone."""
    app_origin = origin_of(current().options.app.url)
    policy = (
        f"default-src 'self'; img-src 'self' data:; frame-src {app_origin}; frame-ancestors 'none'; base-uri 'none'"
    )
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Content-Security-Policy"] = policy
    # Not no-referrer: with it a browser would send `Origin: null` along with our own forms.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@blueprint.errorhandler(404)
def missing(_: Exception) -> tuple[str, int]:
    """Say that there is no such store, app or record."""
    return render_template("missing.html"), 404


@blueprint.get("/")
def stores() -> str:
    """List the stores and whether the app is installed in each."""
    known = [(store, installs.installation(store)) for store in current().stores]
    return render_template("stores.html", stores=known, app=current().options.app)


@blueprint.get("/store/<name>")
def home(store: Store) -> str:
    """Show a store's home with the app's card: both ways to install it, or how to open and uninstall it."""
    app = current().options.app
    return render_template(
        "home.html",
        **panel.frame_of(store, "home"),
        code_grant=f"{app.url}/auth/install?{urlencode({'shop': store.domain})}",
        managed=install_address(store, app),
        subscriptions=installs.subscriptions(store),
    )


@blueprint.post("/store/<name>/uninstall")
def uninstall(store: Store) -> AnyResponse:
    """Uninstall the app; where it is not installed there is nothing to do."""
    installs.uninstall(store)
    return redirect(f"/store/{signing.store_name(store.domain)}")


@blueprint.get("/store/<name>/apps/<client_id>")
@blueprint.get("/store/<name>/apps/<client_id>/<path:path>")
def framed(store: Store, client_id: str, path: str = "") -> AnyResponse:
    """Frame the app at ``path`` with the launch parameters; ask for consent first where scopes are missing."""
    app = registered(client_id)
    if not installs.has_granted(store, app.scopes):
        return redirect(install_address(store, app))
    extra = [pair for pair in request.args.items(multi=True) if pair[0] not in LAUNCH_PARAMETERS]
    page = render_template(
        "app.html",
        **panel.frame_of(store, "app"),
        source=launch_address(store, path, extra),
        base=f"/store/{signing.store_name(store.domain)}/apps/{app.client_id}",
        app_origin=origin_of(app.url),
        app_path=urlsplit(app.url).path,
        launch_host=signing.launch_host(current().options, store.domain),
        locale=installs.staff(store).locale,
        permissions=FRAME_PERMISSIONS,
    )
    return make_response(page)


@blueprint.post("/store/<name>/id_token")
def id_token(store: Store) -> Response:
    """Give the admin's page a fresh ID token for the framed app: ``{"id_token"}``; 409 where it is not installed."""
    require_installed(store)
    return jsonify(id_token=signing.launch_query(store, installs.staff(store), current().options)["id_token"])


@blueprint.post("/store/<name>/launch")
def launch(store: Store) -> Response:
    """Give the parameters that App Bridge adds to the address it reloads after a bounce."""
    require_installed(store)
    query = signing.launch_query(store, installs.staff(store), current().options)
    return jsonify({name: query[name] for name in RELOAD_PARAMETERS})


@blueprint.post("/store/<name>/user")
def user(store: Store) -> Response:
    """Say what App Bridge tells an app about the user: the kind of access, no name."""
    return jsonify(accountAccess="Full access" if installs.staff(store).account_owner else "Limited access")


@blueprint.post("/store/<name>/scopes")
def scopes(store: Store) -> Response:
    """Answer ``{granted, required, optional}``, after ``{"grant": […]}`` or ``{"revoke": […]}`` of optional scopes.

    A scope the app did not register as optional (or requires, for a grant) is refused with 422.
    """
    require_installed(store)
    app, body = current().options.app, request.get_json()
    granted = set(_granted(store))
    wanted = (granted | _optional(body.get("grant", []))) - _optional(body.get("revoke", []))
    if wanted != granted:
        installs.grant(store, wanted)
    return jsonify(granted=_granted(store), required=list(app.scopes), optional=list(app.optional_scopes))


@blueprint.get("/shopifycloud/app-bridge.js")
def app_bridge() -> Response:
    """Serve the App Bridge stand-in where the CDN has the real one."""
    return _uncached(send_from_directory(STATIC, "app-bridge.js"))


@blueprint.get("/shopifycloud/polaris.js")
@blueprint.get("/shopifycloud/polaris-1.js")
@blueprint.get("/shopifycloud/polaris-1.0.js")
def polaris() -> Response:
    """Serve the Polaris stand-in: its parts joined into one classic script."""
    return _uncached(Response(polaris_script(), mimetype="text/javascript"))


@cache
def polaris_script() -> str:
    """Join the parts of the Polaris stand-in into one script with a scope of its own."""
    parts = [(STATIC / "polaris" / f"{part}.js").read_text(encoding="utf-8") for part in POLARIS_PARTS]
    header = "/* devstore's plain stand-in for Polaris web components. It is not Shopify's. */"
    return "\n".join([header, "(() => {", '"use strict";', *parts, "})();", ""])


def registered(client_id: str) -> AppRegistration:
    """Return the app of a client id; 404 for any other."""
    app = current().options.app
    if client_id != app.client_id:
        abort(404)
    return app


def require_installed(store: Store) -> None:
    """Answer 409 where the app is not installed: then there is no one to hand a token to."""
    if installs.installation(store) is None:
        abort(409)


def install_address(store: Store, app: AppRegistration) -> str:
    """Return the address of the managed install's consent."""
    return f"/stores/{store.domain}/admin/oauth/install?{urlencode({'client_id': app.client_id})}"


def launch_address(store: Store, path: str, extra: Iterable[tuple[str, str]]) -> str:
    """Return the address the frame opens: App URL, path, the page's own query and the signed launch parameters."""
    options = current().options
    query = signing.launch_query(store, installs.staff(store), options)
    pairs = [*extra, *((name, value) for name, value in query.items() if name != "hmac")]
    signed = signing.query_hmac(pairs, options.app.client_secret)
    return f"{options.app.url}/{path}?{urlencode([*pairs, ('hmac', signed)])}"


def origin_of(url: str) -> str:
    """``https://app.example.com/x`` → ``https://app.example.com``."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _granted(store: Store) -> list[str]:
    found = installs.installation(store)
    return list(found.scopes) if found else []


def _optional(asked: Any) -> set[str]:  # noqa: ANN401 (whatever JSON the page sent)
    """Check scopes that an app asks for or gives back while it runs: only optional ones can be."""
    optional = current().options.app.optional_scopes
    if not isinstance(asked, list) or not all(scope in optional for scope in asked):
        abort(422)
    return set(asked)


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-cache"
    return response
