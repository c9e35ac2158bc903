"""A devstore and an app for it to frame, each served from a thread, for the tests of the admin and its scripts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, jsonify, redirect, request
from werkzeug.serving import WSGIRequestHandler, make_server

from devstore import installs
from devstore.app import close, create_app
from devstore.options import AppRegistration, Options
from devstore.state import Store

SHOP = "aurora-outfitters.myshopify.com"
CLIENT_ID = "client-id-of-the-tests"
SECRET = "client-secret-of-the-tests"


def small_options(data: Path, *, port: int, app_port: int = 1) -> Options:
    """Options of a devstore whose stores are made in an instant."""
    url = f"http://127.0.0.1:{app_port}"
    app = AppRegistration(
        client_id=CLIENT_ID,
        client_secret=SECRET,
        name="Framed",
        url=url,
        redirect_urls=(f"{url}/auth/callback",),
    )
    return Options(data=data, port=port, customers=40, products=8, orders=120, app=app)


class QuietHandler(WSGIRequestHandler):
    """Keeps requests out of the tests' output."""

    def log_request(self, code="-", size="-"):
        """Write nothing."""


@contextmanager
def running(app: Flask, host: str, port: int, handler: type[WSGIRequestHandler] = QuietHandler) -> Iterator[None]:
    """Serve an app from a thread while the block runs."""
    server = make_server(host, port, app, threaded=True, request_handler=handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def made_devstore(options: Options) -> Iterator[Flask]:
    """Make the devstore's Flask app and close what it holds at the end."""
    app = create_app(options)
    try:
        yield app
    finally:
        close(app)


def install(app: Flask) -> Store:
    """Install the app in the first store, with its registered scopes."""
    store: Store = app.extensions["devstore"].stores[SHOP]
    with app.app_context():
        installs.grant(store, app.extensions["devstore"].options.app.scopes)
    return store


def page(cdn: str, body: str = "", *, before: str = "", client_id: str = CLIENT_ID) -> str:
    """An embedded app's document: App Bridge first, Polaris second, and a menu."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Framed</title>
<meta name="shopify-api-key" content="{client_id}">{before}
<script src="{cdn}/shopifycloud/app-bridge.js"></script>
<script src="{cdn}/shopifycloud/polaris-1.js"></script></head>
<body><s-app-nav><s-link href="/" rel="home">Home</s-link><s-link href="/orders">Orders</s-link>
<a href="/settings">Settings</a></s-app-nav>
<p id="where">{request.full_path.rstrip("?")}</p>{body}</body></html>"""


framed = Blueprint("framed", __name__)


def framed_app(cdn: str) -> Flask:
    """An app with what App Bridge has to deal with: an API, a stale session, a bounce, a way out of the frame.

    ``SEEN`` holds the Authorization headers that /api/stale and /api/refused were sent.
    """
    app = Flask("framed", static_folder=None)
    app.config.update(CDN=cdn, SEEN=[])
    app.register_blueprint(framed)
    return app


def echo() -> Response:
    """What the request looked like; readable from every origin."""
    headers = {name.lower(): value for name, value in request.headers}
    response = jsonify(method=request.method, headers=headers, body=request.get_data(as_text=True))
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@framed.route("/api/echo", methods=["GET", "POST"])
def answer():
    return echo()


@framed.post("/api/stale")
def stale():
    current_app.config["SEEN"].append(request.headers["Authorization"])
    if len(current_app.config["SEEN"]) > 1:
        return echo()
    return "", 401, {"X-Shopify-Retry-Invalid-Session-Request": "1"}


@framed.get("/api/refused")
def refused():
    current_app.config["SEEN"].append(request.headers["Authorization"])
    return "", 401


@framed.get("/api/outside")
def outside():
    return "", 401, {"X-Shopify-API-Request-Failure-Reauthorize-Url": "/left"}


@framed.post("/hooks")
def hooks():
    return ""


@framed.get("/guarded")
def guarded():
    if "id_token" not in request.args:
        return redirect(f"/bounce?shopify-reload=%2Fguarded%3Frange%3D{request.args['range']}%26hmac%3Dold")
    return page(current_app.config["CDN"])


@framed.get("/bounce")
def bounce():
    source = f"{current_app.config['CDN']}/shopifycloud/app-bridge.js"
    return f'<script data-api-key="{CLIENT_ID}" src="{source}"></script>'


@framed.get("/late")
def late():
    return page(current_app.config["CDN"], before="<script>0</script>")


@framed.get("/impostor")
def impostor():
    return page(current_app.config["CDN"], client_id="somebody-else")


@framed.get("/", defaults={"path": ""})
@framed.get("/<path:path>")
def anything(path):
    return page(current_app.config["CDN"], f"<h1>{path}</h1>")
