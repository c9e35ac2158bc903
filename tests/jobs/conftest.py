"""Stores with tokens, a scripted Admin API on a local socket, and a worker that runs until nothing is queued."""

import http.server
import json
import re
import threading
import time
from datetime import UTC, datetime

import pytest
from rq.serializers import JSONSerializer

from shopify_app import claims
from shopify_app.database import db, directory, operations
from shopify_app.jobs import schedule
from shopify_app.jobs.queues import NAMES, JsonJob
from shopify_app.models import OfflineToken, Tenant
from shopify_app.runtime import current
from shopify_app.worker import SteadyWorker

INSTALLED = datetime(2026, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2100, 1, 1, tzinfo=UTC)
SCOPES = ["read_customers", "read_orders", "read_products"]


class ScriptedShopify:
    """An Admin API that exports what `files` holds, and tells what it was asked.

    `files` maps a root field (customers, products, orders, abandonedCheckouts) to the lines of its result. `statuses`
    are answered before an operation is COMPLETED. `refusals` are (status, body) pairs answered before anything else.
    `pause` seconds pass between the chunks of a file. `counts` overrules the number of objects a root field's operation
    has, and `counted` that of its root objects in the store.
    """

    def __init__(self):
        self.files = {}
        self.counts = {}
        self.statuses = []
        self.refusals = []
        self.details = {}
        self.pause = 0.0
        self.runs = []
        self.ranges = []
        self.detailed = []
        self.cancelled = []
        self.underway = []
        self.documents = []
        self.listed = {}
        self.counted = {}
        self.replies = {
            "query Approval": lambda *_: {},
            "query Counted": self.count,
            "query Listed": self.list,
            "query Oldest": lambda *_: {"oldest": {"nodes": [{"at": "2026-01-01T00:00:00Z"}]}},
            "query BulkOperationsOf": lambda *_: {"bulkOperations": {"nodes": self.underway}},
            "mutation CancelBulkOperation": self.cancel,
        }
        scripted = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # a body does not wait for its headers to be acknowledged

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.reply(*scripted.answer(json.loads(body)))

            def do_GET(self):
                scripted.send_file(self)

            def reply(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, request):
        if self.refusals:
            return self.refusals.pop(0)
        query, variables = request["query"], request.get("variables") or {}
        if "bulkOperationRunQuery" in query:
            return 200, {"data": {"bulkOperationRunQuery": self.run(variables["query"])}}
        if "bulkOperation(id" in query:
            return 200, {"data": {"bulkOperation": self.status(variables["id"])}}
        if "OrderDetails" in query:
            self.detailed += variables["ids"]
            return 200, {"data": {"nodes": [self.details.get(gid) for gid in variables["ids"]]}}
        if scripted := next((reply for name, reply in self.replies.items() if name in query), None):
            return 200, {"data": scripted(query, variables)}
        return 400, {"errors": f"not scripted: {query}"}

    def count(self, query, _variables):
        field = re.search(r"(\w+)Count", query).group(1)
        roots = [line for line in self.files.get(field, []) if "__parentId" not in line]
        return {f"{field}Count": {"count": self.counted.get(field, len(roots))}}

    def list(self, query, _variables):
        field = re.search(r"\{\s*(\w+)\(", query).group(1)
        return {field: {"nodes": self.listed.get(field, [])}}

    def cancel(self, _query, variables):
        self.cancelled.append(variables["id"])
        return {"bulkOperationCancel": {"bulkOperation": None, "userErrors": []}}

    def run(self, document):
        self.documents.append(document)
        self.runs.append(re.search(r"\w+", document).group())
        gid = f"gid://shopify/BulkOperation/{len(self.runs)}"
        return {"bulkOperation": {"id": gid, "status": "CREATED"}, "userErrors": []}

    def status(self, gid):
        number = int(gid.rpartition("/")[2])
        lines = self.files.get(self.runs[number - 1], [])
        status, code = self.statuses.pop(0) if self.statuses else ("COMPLETED", None)
        done = status == "COMPLETED"
        count = self.counts.get(self.runs[number - 1], len(lines))
        return {
            "id": gid,
            "status": status,
            "errorCode": code,
            "objectCount": str(count if done else 0),
            "rootObjectCount": "0",
            "fileSize": None,
            "url": f"{self.origin}/bulk/{number}.jsonl" if done and lines else None,
            "partialDataUrl": None,
        }

    def send_file(self, handler):
        number = int(re.search(r"(\d+)\.jsonl", handler.path).group(1))
        data = b"".join(json.dumps(line).encode() + b"\n" for line in self.files[self.runs[number - 1]])
        start = int(re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "bytes=0-")).group(1))
        self.ranges.append((number, start))
        if start >= len(data):
            handler.send_response(416)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        try:
            for offset in range(start, len(data), 50_000):
                handler.wfile.write(data[offset : offset + 50_000])
                time.sleep(self.pause)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True


@pytest.fixture
def shopify():
    scripted = ScriptedShopify()
    yield scripted
    scripted.server.shutdown()
    scripted.server.server_close()


@pytest.fixture
def environ(environ, shopify):
    """The test's settings, with the scripted Admin API as every store's."""
    return environ | {"SHOPIFY_SHOP_ORIGIN": shopify.origin + "/{shop}"}


@pytest.fixture
def tenant_ids(app_context):
    """Two stores that have installed the app."""
    made = []
    for name in ("aurora", "birch"):
        with directory() as session:
            tenant = Tenant(store_url=f"{name}.myshopify.com", name=name, installed_at=INSTALLED)
            session.add(tenant)
            session.flush()
            token = current().vault.encrypt(f"shpat_{name}")
            session.add(
                OfflineToken(
                    tenant_id=tenant.id,
                    access_token=token,
                    access_expires_at=FAR_OFF,
                    scopes=SCOPES,
                    obtained_at=INSTALLED,
                )
            )
            made.append(tenant.id)
    return made


@pytest.fixture
def tenant_id(tenant_ids):
    return tenant_ids[0]


@pytest.fixture
def deliver(app_context):
    """Keeps a delivery in the inbox, as the webhook door does."""
    from shopify_app import inbox  # noqa: PLC0415 the name is a fixture's elsewhere

    numbers = iter(range(1, 1_000_000))

    def keep(topic, body, shop="aurora.myshopify.com", triggered_at=None, event_id=None):
        incoming = inbox.Incoming(
            shop_domain=shop,
            topic=topic,
            webhook_id=f"w-{next(numbers)}",
            event_id=event_id,
            triggered_at=triggered_at,
            api_version="2026-10",
            payload=body if isinstance(body, bytes) else json.dumps(body).encode(),
        )
        assert current().direct.run(lambda line: inbox.receive(line, incoming))

    return keep


@pytest.fixture
def work_off(app_context):
    """Ticks and works until nothing is due, as the clock and a worker would; waits that were asked for are skipped."""

    def run(rounds=20):
        for _ in range(rounds):
            schedule.tick()
            with current().queues.worker_redis() as connection:
                worker = SteadyWorker(NAMES, connection=connection, serializer=JSONSerializer, job_class=JsonJob)
                worked = worker.work(burst=True, logging_level="WARNING")
            if not worked:
                return
            _hurry()
        pytest.fail("there is always something left to do")

    return run


def _hurry():
    """Skip every wait but that for a cart to be abandoned, which would only begin anew."""
    waits = (claims.Claim.leased_until.is_(None), claims.Claim.kind != claims.ABANDONMENT)
    with operations() as session:
        session.execute(db.update(claims.Claim).where(*waits).values(due_at=INSTALLED))
