"""Bulk operations: their states, and result files that break, move and expire on real sockets."""

import gzip
import json

import graphql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_app.shopify import bulk, errors
from shopify_app.shopify.bulk import FRUITLESS_ATTEMPTS
from tests.shopify.scripted import Asked, Reply

FILE = b"".join(b'{"id":"gid://shopify/Order/%d"}\n' % number for number in range(1, 2001))
ID = "gid://shopify/BulkOperation/1"


def ranged(asked: Asked, content: bytes = FILE, *, cut_after: int | None = None) -> Reply:
    """Serve a file as storage hosts do."""
    start = int(asked.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    if start >= len(content):
        return Reply(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return Reply(content[start:], 206, {"Content-Range": span}, cut_after=cut_after)


def read(http, url, offset=0):
    return list(bulk.lines(http, url, offset, pause=lambda _seconds: None))


def whole_lines(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if line]


def test_every_line_comes_with_the_byte_after_it(server, http):
    server.otherwise = ranged

    found = read(http, f"{server.url}/bulk/1.jsonl")

    assert [line for line, _end in found] == whole_lines(FILE)
    assert all(FILE[:end].endswith(line + b"\n") for line, end in found)
    assert found[-1][1] == len(FILE)
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def test_interrupted_download_goes_on_at_the_byte(server, http):
    cuts = [10_000, 1_234, 20_001]
    server.otherwise = lambda asked: ranged(asked, cut_after=cuts.pop(0) if cuts else None)

    found = read(http, f"{server.url}/bulk/1.jsonl")

    assert [line for line, _end in found] == whole_lines(FILE)
    assert len(server.asked) == 4
    starts = [int(asked.headers["Range"][6:-1]) for asked in server.asked]
    assert starts == sorted(starts)
    assert all(start == 0 or FILE[start - 1 : start] == b"\n" for start in starts)


def test_reading_begins_at_the_given_byte(server, http):
    server.otherwise = ranged
    middle = FILE.index(b"\n", 30_000) + 1

    found = read(http, f"{server.url}/bulk/1.jsonl", middle)

    assert [line for line, _end in found] == whole_lines(FILE[middle:])


def test_host_that_ignores_the_range_is_read_from_the_right_line(server, http):
    server.otherwise = lambda _asked: Reply(FILE)
    middle = FILE.index(b"\n", 30_000) + 1

    found = read(http, f"{server.url}/bulk/1.jsonl", middle)

    assert [line for line, _end in found] == whole_lines(FILE[middle:])
    assert found[-1][1] == len(FILE)


def test_reading_from_the_end_finds_nothing_more(server, http):
    server.otherwise = ranged

    assert read(http, f"{server.url}/bulk/1.jsonl", len(FILE)) == []


def test_last_line_without_a_newline_counts(server, http):
    server.otherwise = lambda asked: ranged(asked, b'{"a":1}\n\n{"b":2}')

    assert read(http, f"{server.url}/x") == [(b'{"a":1}', 8), (b'{"b":2}', 16)]


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_expired_address_says_so_and_is_final(server, http, status):
    server.replies = [Reply("<Error>expired</Error>", status)]

    with pytest.raises(errors.BulkFileExpired) as caught:
        read(http, f"{server.url}/bulk/1.jsonl")

    assert not caught.value.retryable
    assert len(server.asked) == 1


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(server, http, monkeypatch):
    monkeypatch.setattr(bulk, "LONGEST_LINE", 100_000)
    server.otherwise = lambda asked: ranged(asked, FILE + b"x" * 300_000)

    with pytest.raises(bulk.LineTooLong, match=f"The line at byte {len(FILE)} of") as caught:
        read(http, f"{server.url}/bulk/1.jsonl")

    assert not caught.value.retryable
    assert caught.value.advice


def test_a_long_line_comes_whole_whatever_pieces_it_comes_in(server, http):
    long = b'{"a":"' + b"x" * 1_000_000 + b'"}'
    server.otherwise = lambda asked: ranged(asked, long + b"\n" + long)

    found = read(http, f"{server.url}/x")

    assert found == [(long, len(long) + 1), (long, 2 * len(long) + 1)]


def test_download_without_progress_is_given_up(server, http):
    server.otherwise = lambda _asked: Reply(status=503)

    with pytest.raises(errors.Unavailable):
        read(http, f"{server.url}/bulk/1.jsonl")

    assert len(server.asked) == FRUITLESS_ATTEMPTS


def test_answer_from_another_byte_is_not_read(server, http):
    server.otherwise = lambda _asked: Reply(FILE[7:], 206, {"Content-Range": f"bytes 7-{len(FILE) - 1}/{len(FILE)}"})

    with pytest.raises(errors.Unavailable, match="another byte"):
        read(http, f"{server.url}/bulk/1.jsonl")


def test_compressed_answer_is_not_read(server, http):
    server.otherwise = lambda _asked: Reply(gzip.compress(FILE), 200, {"Content-Encoding": "gzip"})

    with pytest.raises(errors.Unavailable, match="compressed"):
        read(http, f"{server.url}/bulk/1.jsonl")


@settings(max_examples=200, deadline=None)
@given(content=st.lists(st.sampled_from([b"{}", b"", b'{"a":1}', '{"ü":"é"}'.encode()])), data=st.data())
def test_chunks_may_end_anywhere(content, data):
    whole = b"\n".join(content)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    surplus = data.draw(st.sampled_from([0, *[index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]]))

    found = list(bulk._split(iter(chunks), surplus, surplus))

    assert [line for line, _end in found if line] == whole_lines(whole[surplus:])
    assert all(whole[:end].removesuffix(b"\n").endswith(line) for line, end in found)


def test_run_returns_the_operations_id_and_asks_for_ungrouped_lines(server, admin):
    started = {"bulkOperation": {"id": ID, "status": "CREATED"}, "userErrors": []}
    server.replies = [Reply({"data": {"bulkOperationRunQuery": started}})]

    assert bulk.run(admin, "{ orders { edges { node { id } } } }") == ID
    assert "groupObjects: false" in server.asked[0].json["query"]
    assert server.asked[0].json["variables"] == {"query": "{ orders { edges { node { id } } } }"}


@pytest.mark.parametrize(
    ("code", "retryable"), [("OPERATION_IN_PROGRESS", True), ("LIMIT_REACHED", True), ("INVALID", False)]
)
def test_refused_run_says_whether_waiting_helps(server, admin, code, retryable):
    refusal = {"field": ["query"], "message": "Bulk queries must contain at least one connection.", "code": code}
    server.replies = [Reply({"data": {"bulkOperationRunQuery": {"bulkOperation": None, "userErrors": [refusal]}}})]

    with pytest.raises(errors.BulkRefused, match="at least one connection") as caught:
        bulk.run(admin, "{ shop { id } }")

    assert caught.value.retryable is retryable
    assert caught.value.codes == {code}


def test_status_reads_shopifys_texts_as_numbers(server, admin):
    node = {
        "id": ID,
        "status": "COMPLETED",
        "errorCode": None,
        "objectCount": "9007199254740993",
        "rootObjectCount": "17",
        "fileSize": "1024",
        "url": "https://storage.example/x",
        "partialDataUrl": None,
    }
    server.replies = [Reply({"data": {"bulkOperation": node}})]

    operation = bulk.status(admin, ID)

    assert (operation.status, operation.object_count, operation.root_object_count) == (
        "COMPLETED",
        9007199254740993,
        17,
    )
    assert (operation.file_size, operation.url) == (1024, "https://storage.example/x")


def test_unknown_operation_is_refused(server, admin):
    server.replies = [Reply({"data": {"bulkOperation": None}})]

    with pytest.raises(errors.BulkRefused, match=ID):
        bulk.status(admin, ID)


def test_cancel_says_when_there_is_nothing_to_cancel(server, admin):
    done = {"field": ["id"], "message": "A bulk operation cannot be canceled when it is completed"}
    cancelled = {"bulkOperation": {"id": ID, "status": "CANCELING"}, "userErrors": []}
    refused = {"bulkOperation": None, "userErrors": [done]}
    server.replies = [Reply({"data": {"bulkOperationCancel": answer}}) for answer in (cancelled, refused)]

    bulk.cancel(admin, ID)
    with pytest.raises(errors.BulkRefused, match="cannot be canceled"):
        bulk.cancel(admin, ID)

    assert json.loads(server.asked[0].body)["variables"] == {"id": ID}


@pytest.mark.parametrize("document", [bulk.RUN, bulk.STATUS, bulk.CANCEL])
def test_documents_are_valid_against_shopifys_schema(schema: graphql.GraphQLSchema, document: str):
    assert graphql.validate(schema, graphql.parse(document)) == []
