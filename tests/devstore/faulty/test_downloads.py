"""The files of bulk operations, and downloads of them that go wrong on purpose."""

import gzip
import time
from datetime import timedelta

import httpx
import pytest


@pytest.fixture
def file(app):
    """The bytes of an orders export that nothing is wrong with."""
    return app.download(app.exported("orders")["url"]).content


def faulty(app, **faults):
    """Export the same once more under faults, and return the operation."""
    app.faults(bulk=faults)
    return app.exported("orders")


def received(app, url, offset=0, timeout=10.0):
    """Read from a byte on until the connection ends, and return the bytes and how it ended."""
    found = b""
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={offset}-"}
    try:
        with app.http.stream("GET", url, headers=headers, timeout=timeout) as response:
            for piece in response.iter_raw():
                found += piece
    except httpx.TransportError as error:
        return found, type(error)
    return found, None


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-", 0, None), ("bytes=1000-", 1000, None), ("bytes=10-19", 10, 20), ("bytes=-500", -500, None)],
)
def test_a_range_is_answered(app, file, asked, start, stop):
    answer = app.download(app.exported("orders")["url"], Range=asked)

    part = file[start:stop]
    first = start % len(file)
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(file)}"
    assert answer.headers["Content-Length"] == str(len(part))


def test_without_a_range_all_of_the_file_is_answered(app, file):
    answer = app.download(app.exported("orders")["url"])

    assert (answer.status_code, answer.content) == (200, file)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Encoding" not in answer.headers


def test_a_range_behind_the_end_is_not_satisfiable(app, file):
    answer = app.download(app.exported("orders")["url"], Range=f"bytes={len(file)}-")

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(file)}")


def test_an_address_that_never_was_good_is_refused_until_its_downloads_are_through(app, file):
    gid = faulty(app, url_seconds=0, downloads=2)["id"]

    answers = [app.download(app.operation(gid)["url"]) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [403, 403, 200]
    assert answers[2].content == file


def test_an_address_runs_out_and_another_is_given(app, file, monkeypatch):
    over = faulty(app, url_seconds=60)
    first = app.operation(over["id"])["url"]
    assert app.download(first).content == file
    later = app.store.now() + timedelta(seconds=61)
    monkeypatch.setattr(app.store, "clock", lambda: later)

    refused, again = app.download(first), app.download(app.operation(over["id"])["url"])

    assert refused.status_code == 403
    assert again.content == file


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_the_storage_answers_with_a_status(app, file, status):
    url = faulty(app, download_status=status, downloads=1)["url"]

    assert [app.download(url).status_code for _ in range(2)] == [status, 200]


@pytest.mark.parametrize("after", [0, 1, 5000])
def test_a_download_breaks_off_and_can_be_resumed(app, file, after):
    url = faulty(app, break_after=after, downloads=1)["url"]

    broken, ended = received(app, url)
    rest, ended_well = received(app, url, len(broken))

    assert broken == file[:after]
    assert ended is httpx.RemoteProtocolError
    assert (broken + rest, ended_well) == (file, None)


def test_every_download_breaks_off_after_so_many_bytes_of_its_own(app, file):
    url = faulty(app, break_after=4000)["url"]
    found, downloads = b"", 0

    while len(found) < len(file):
        piece, _ = received(app, url, len(found))
        found, downloads = found + piece, downloads + 1

    assert found == file
    assert downloads == -(-len(file) // 4000)


def test_a_download_falls_silent_while_its_connection_stays_open(app, file):
    url = faulty(app, freeze_after=3000, downloads=1, freeze_seconds=30)["url"]
    began = time.monotonic()

    frozen, ended = received(app, url, timeout=0.5)

    assert (frozen, ended) == (file[:3000], httpx.ReadTimeout)
    assert time.monotonic() - began < 10
    assert received(app, url) == (file, None)


def test_a_silent_connection_closes_after_its_time(app, file):
    url = faulty(app, freeze_after=3000, freeze_seconds=0.3)["url"]
    began = time.monotonic()

    frozen, ended = received(app, url)

    assert (frozen, ended) == (file[:3000], httpx.RemoteProtocolError)
    assert time.monotonic() - began > 0.25


def test_a_range_is_ignored(app, file):
    url = faulty(app, ignore_range=True, downloads=1)["url"]

    answers = [app.download(url, Range="bytes=1000-") for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(200, file), (206, file[1000:])]
    assert "Content-Range" not in answers[0].headers


def test_a_file_comes_compressed_although_it_was_asked_for_as_it_is(app, file):
    url = faulty(app, gzip=True)["url"]

    with app.http.stream("GET", url, headers={"Accept-Encoding": "identity", "Range": "bytes=1000-"}) as answer:
        body = b"".join(answer.iter_raw())

    assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == file


def test_partial_results_break_off_too(app, file):
    url = faulty(app, fail_at=20, break_after=100, downloads=1)["partialDataUrl"]

    broken, ended = received(app, url)

    assert (broken, ended) == (file[:100], httpx.RemoteProtocolError)
    assert received(app, url)[0] == b"".join(file.splitlines(keepends=True)[:20])


def test_fields_that_are_not_approved_are_null_in_every_line(app):
    query = "{ orders { edges { node { id email customer { id } lineItems { edges { node { id } } } } } } }"
    app.faults(api={"unapproved": ["Order.email", "Customer"]})

    gid = app.ask("mutation R($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } } }", q=query)[
        "bulkOperationRunQuery"
    ]["bulkOperation"]["id"]
    over = app.until(gid, lambda one: one["completedAt"])

    orders = [line for line in app.lines(over["url"]) if "__parentId" not in line]
    assert over["status"] == "COMPLETED"
    assert {(order["email"], order["customer"]) for order in orders} == {(None, None)}


def test_a_list_of_what_is_not_approved_is_denied(app):
    app.faults(api={"unapproved": ["Customer"]})

    over = app.exported("customers")

    assert (over["status"], over["errorCode"]) == ("FAILED", "ACCESS_DENIED")
