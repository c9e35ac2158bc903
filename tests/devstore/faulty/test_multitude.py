"""Orders by formula: the same in a bulk file, on pages, one by one, and in every count."""

import json
import time
import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import httpx
import msgspec
import pytest

from devstore import export, multitude, totals
from devstore.bulk_downloads import Source
from devstore.multitude import PERIOD, SPAN, Wanted
from devstore.multitude_file import Formula
from devstore.state import Stores

ORDERS = 1234
FIELDS = """
    id name createdAt processedAt updatedAt test email currencyCode displayFinancialStatus checkoutToken tags
    legacyResourceId customer { id } totalPriceSet { shopMoney { amount } presentmentMoney { amount currencyCode } }
    subtotalPriceSet { shopMoney { amount } } totalTaxSet { shopMoney { amount } } totalDiscountsSet { shopMoney {
    amount } } currentShippingPriceSet { shopMoney { amount } } refunds { id } shippingAddress { countryCodeV2 }
"""
LINE = """
    id title sku quantity currentQuantity product { id } variant { id } originalUnitPriceSet { shopMoney { amount } }
    discountAllocations { allocatedAmountSet { shopMoney { amount } } } taxLines { priceSet { shopMoney { amount } } }
"""
RUN = (
    "mutation R($q: String!, $g: Boolean!) { bulkOperationRunQuery(query: $q, groupObjects: $g) "
    "{ bulkOperation { id } userErrors { message } } }"
)


@pytest.fixture
def many(app):
    """The store with generated orders beside its own."""
    assert app.control("multitude", orders=ORDERS, lines=2, seed=5).json() == {"orders": ORDERS, "lines": 2, "seed": 5}
    return app


def document(search=""):
    argument = f"(query: {json.dumps(search)})" if search else ""
    return f"{{ orders{argument} {{ edges {{ node {{ {FIELDS} lineItems {{ edges {{ node {{ {LINE} }} }} }} }} }} }} }}"


def exported(app, search="", *, grouped=False):
    gid = app.ask(RUN, q=document(search), g=grouped)["bulkOperationRunQuery"]["bulkOperation"]["id"]
    return app.until(gid, lambda one: one["completedAt"])


def split(lines):
    orders = {line["id"]: line for line in lines if "__parentId" not in line}
    return orders, [line for line in lines if "__parentId" in line]


def generated(app):
    held = app.store.multitude
    return [held.order(index) for index in range(held.series.orders)]


def test_the_file_holds_every_order_with_its_lines_once(many):
    over = exported(many)

    orders, lines = split(many.lines(over["url"]))
    wanted = [*many.store.orders.values(), *generated(many)]
    assert orders.keys() == {f"gid://shopify/Order/{order.id}" for order in wanted}
    assert Counter(line["__parentId"] for line in lines) == {
        f"gid://shopify/Order/{order.id}": len(order.lines) for order in wanted
    }
    assert len({line["id"] for line in lines}) == len(lines)
    assert over["rootObjectCount"] == str(len(wanted))
    assert over["objectCount"] == str(len(orders) + len(lines))
    assert over["fileSize"] == str(len(many.download(over["url"]).content))


def test_a_line_of_the_file_is_what_the_page_shows(many):
    orders, lines = split(many.lines(exported(many)["url"]))
    first = many.store.multitude.series.first_id
    ids = [f"gid://shopify/Order/{first + index}" for index in (0, 99, 100, ORDERS - 1)]

    order = f"{FIELDS} lineItems(first: 5) {{ nodes {{ {LINE} }} }}"
    shown = many.ask(f"query N($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Order {{ {order} }} }} }}", ids=ids)["nodes"]

    for node in shown:
        items = node.pop("lineItems")["nodes"]
        assert node == orders[node["id"]]
        found = [
            {name: line[name] for name in line if name != "__parentId"}
            for line in lines
            if line["__parentId"] == node["id"]
        ]
        assert sorted(items, key=lambda one: one["id"]) == sorted(found, key=lambda one: one["id"])


def test_money_is_consistent(many):
    def amount(bag):
        return Decimal(bag["shopMoney"]["amount"])

    orders, lines = split(many.lines(exported(many)["url"]))
    first = many.store.multitude.series.first_id
    for gid, order in orders.items():
        if int(gid.rpartition("/")[2]) < first:
            continue
        own = [line for line in lines if line["__parentId"] == gid]
        gross = sum(amount(line["originalUnitPriceSet"]) * line["quantity"] for line in own)
        off = sum(amount(part["allocatedAmountSet"]) for line in own for part in line["discountAllocations"])
        assert amount(order["subtotalPriceSet"]) == gross - off
        assert amount(order["totalPriceSet"]) == sum(
            amount(order[name]) for name in ("subtotalPriceSet", "totalTaxSet", "currentShippingPriceSet")
        )


def test_children_lie_apart_from_their_parents_unless_grouped(many):
    loose = many.lines(exported(many)["url"])
    grouped = many.lines(exported(many, grouped=True)["url"])

    assert sorted(map(json.dumps, loose)) == sorted(map(json.dumps, grouped))
    parents = [line.get("__parentId", line["id"]) for line in grouped]
    assert sum(a != b for a, b in pairwise(parents)) == len(set(parents)) - 1
    places = {line["id"]: place for place, line in enumerate(loose)}
    gaps = [places[line["id"]] - places[line["__parentId"]] for line in loose if "__parentId" in line]
    assert min(gaps) > 0
    assert sum(gap > 3 for gap in gaps) > len(gaps) / 2


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 0), (0, 1), (0, ORDERS), (17, 63), (0, 100), (100, 200), (99, 101), (250, 999), (1200, 1234)],
)
def test_a_window_holds_the_orders_of_its_time(many, start, stop):
    series = many.store.multitude.series
    own = max(many.store.orders)
    since, until = series.updated_at(start).isoformat(), series.updated_at(stop).isoformat()
    search = f"id:>{own} updated_at:>='{since}' updated_at:<'{until}'"

    over = exported(many, search)
    counted = many.ask("query C($q: String!) { ordersCount(query: $q, limit: null) { count } }", q=search)

    wanted = {f"gid://shopify/Order/{series.first_id + index}" for index in range(start, stop)}
    orders, lines = split(many.lines(over["url"]) if over["url"] else [])
    assert orders.keys() == wanted
    assert Counter(line["__parentId"] for line in lines) == dict.fromkeys(wanted, 2)
    assert counted["ordersCount"]["count"] == len(wanted) == int(over["rootObjectCount"])


def test_a_range_may_begin_at_any_byte(many):
    over = exported(many)
    whole = many.download(over["url"]).content

    for start in (0, 1, len(whole) // 7, len(whole) // 2, len(whole) - 1):
        answer = many.download(over["url"], Range=f"bytes={start}-")
        assert (answer.status_code, answer.content) == (206, whole[start:])
    middle = many.download(over["url"], Range=f"bytes={len(whole) - 90_000}-{len(whole) - 40_001}")
    assert middle.content == whole[-90_000:-40_000]


def test_a_file_stays_the_same_whatever_becomes_of_the_store(many):
    over = exported(many)
    before = many.download(over["url"]).content

    many.control("multitude", orders=10)
    many.store.customers.clear()

    assert many.download(over["url"]).content == before


def paged(app, arguments):
    found, after = [], None
    query = (
        f"query P($after: String) {{ orders(first: 200, after: $after, {arguments}) "
        "{ nodes { id updatedAt } pageInfo { hasNextPage endCursor } } }"
    )
    while True:
        page = app.ask(query, after=after)["orders"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize("arguments", ["sortKey: ID", "sortKey: UPDATED_AT", "sortKey: CREATED_AT, reverse: true"])
def test_pages_hold_all_orders_in_their_order(many, arguments):
    found = paged(many, arguments)

    ids = [int(node["id"].rpartition("/")[2]) for node in found]
    everyone = {*many.store.orders, *(order.id for order in generated(many))}
    assert len(ids) == len(set(ids))
    assert set(ids) == everyone
    if "UPDATED" in arguments:
        assert [node["updatedAt"] for node in found] == sorted(node["updatedAt"] for node in found)


def test_a_page_sorted_by_what_does_not_rise_is_in_order_too(many):
    fields = "nodes { totalPriceSet { shopMoney { amount } } }"
    query = f"{{ orders(first: 250, sortKey: TOTAL_PRICE, reverse: true) {{ {fields} }} }}"

    amounts = [Decimal(node["totalPriceSet"]["shopMoney"]["amount"]) for node in many.ask(query)["orders"]["nodes"]]

    assert amounts == sorted(amounts, reverse=True)
    assert len(amounts) == 250


@pytest.mark.parametrize(
    "search",
    [
        "financial_status:paid",
        "financial_status:refunded",
        "test:false status:any",
        "customer_id:>0",
        "source_name:web AND created_at:>2025-06-01",
        "updated_at:2025-08-15",
        "created_at:<=2025-08-15 id:>7",
        "name:#10000005",
        "10000005",
        "(created_at:<2025-06-01 OR created_at:>2026-06-01) financial_status:paid",
        "NOT source_name:pos",
        "-source_name:pos",
    ],
)
def test_counts_are_those_of_looking_at_every_order(many, search):
    counted = many.ask("query C($q: String!) { ordersCount(query: $q, limit: null) { count } }", q=search)

    added = {order.id: order for order in generated(many)}
    held, many.store.multitude = many.store.multitude, None
    many.store.orders.update(added)
    looked = many.ask("query C($q: String!) { ordersCount(query: $q, limit: null) { count } }", q=search)
    for number in added:
        del many.store.orders[number]
    many.store.multitude = held
    assert counted == looked


def test_a_search_by_status_is_a_bulk_operation_and_one_by_name_is_not(many):
    own = max(many.store.orders)

    by_status = exported(many, f"source_name:web id:>{own}")
    by_name = exported(many, "name:#10000005")

    orders, lines = split(many.lines(by_status["url"]))
    wanted = [order for order in generated(many) if order.source_name == "web"]
    assert orders.keys() == {f"gid://shopify/Order/{order.id}" for order in wanted}
    assert len(lines) == 2 * len(wanted)
    assert (by_name["status"], by_name["errorCode"]) == ("FAILED", "INTERNAL_SERVER_ERROR")


def test_only_sixty_days_are_seen_without_the_scope(many):
    many.grant("read_orders", "read_customers", "read_products")
    oldest = many.store.multitude.order(0)

    over = exported(many)

    share = 60 / SPAN.days
    recent = [order for order in generated(many) if (many.store.now() - order.created_at).days < 60]
    assert len(recent) < ORDERS * share * 1.2
    orders, _ = split(many.lines(over["url"]))
    assert {f"gid://shopify/Order/{order.id}" for order in recent} <= orders.keys()
    assert f"gid://shopify/Order/{oldest.id}" not in orders
    assert many.ask("query O($id: ID!) { order(id: $id) { id } }", id=f"gid://shopify/Order/{oldest.id}") == {
        "order": None
    }


def test_the_stores_own_figures_hold_them(many):
    summary = many.http.get(f"{many.origin}/_dev/stores/{many.store.domain}/export.json").json()

    records = [*many.store.orders.values(), *generated(many)]
    assert summary["counts"]["orders"] == len(records)
    assert summary["counts"]["line_items"] == sum(len(order.lines) for order in records)
    assert summary["totals"]["orders_total_price"] == str(sum(totals.ordered(order).total for order in records))
    assert summary["totals"]["line_items_gross"] == str(
        sum(line.price * line.quantity for order in records for line in order.lines)
    )
    full = [json.loads(line) for line in export.lines(many.store)]
    assert sum(line["kind"] == "order" for line in full) == len(records)


@pytest.mark.parametrize(
    ("faults", "status", "ended"),
    [
        ({"fail_at": 700}, "FAILED", "partial"),
        ({"fail_at": 700, "partial": "torn"}, "FAILED", "torn"),
        ({"cancel_at": 700}, "CANCELED", None),
        ({"fail_over": 333}, "FAILED", "roots"),
    ],
)
def test_an_operation_ends_among_generated_lines(many, faults, status, ended):
    whole = many.download(exported(many)["url"]).content.splitlines(keepends=True)
    many.faults(bulk=faults)

    over = exported(many)

    assert over["status"] == status
    if ended is None:
        assert (over["url"], over["partialDataUrl"], over["objectCount"]) == (None, None, "700")
        return
    partial = many.download(over["partialDataUrl"]).content.splitlines(keepends=True)
    last = -1 if ended == "torn" else None
    assert len(partial) == int(over["objectCount"])
    assert partial[:last] == whole[: len(partial)][:last]
    if ended == "torn":
        assert whole[699].startswith(partial[-1])
        assert len(partial[-1]) < len(whole[699]) - 1
    if ended == "roots":
        assert over["rootObjectCount"] == "333"


def test_a_stalled_operation_tells_of_generated_lines(many):
    many.faults(bulk={"stall_at": 900})
    gid = many.run("orders")["bulkOperation"]["id"]

    many.until(gid, lambda one: one["objectCount"] == "900")

    assert many.cancel(gid) == "CANCELING"
    assert many.until(gid, lambda one: one["completedAt"])["status"] == "CANCELED"


def test_a_download_of_generated_lines_breaks_off_and_is_resumed(many):
    whole = many.download(exported(many)["url"]).content
    cut = len(whole) - 100_000
    many.faults(bulk={"break_after": cut, "downloads": 1})
    url = exported(many)["url"]
    found = []

    with pytest.raises(httpx.RemoteProtocolError), many.http.stream("GET", url) as response:
        found.extend(response.iter_raw())

    assert b"".join(found) == whole[:cut]
    assert many.download(url, Range=f"bytes={cut}-").content == whole[cut:]


def test_seeds_draw_patterns_and_ids_are_never_given_twice(app):
    made = []
    for seed in (1, 1, 2):
        app.control("multitude", orders=PERIOD, lines=3, seed=seed)
        made.append(app.store.multitude)

    def baskets(one):
        return [
            (order.email, [(line.sku, line.quantity, line.price) for line in order.lines]) for order in one.patterns
        ]

    assert baskets(made[0]) == baskets(made[1]) != baskets(made[2])
    everyone = [order.id for one in made for order in map(one.order, range(PERIOD))]
    everyone += [line.id for one in made for order in map(one.order, range(PERIOD)) for line in order.lines]
    assert len(set(everyone)) == len(everyone) == 3 * PERIOD * 4
    assert app.store.next_id() not in everyone
    assert {len(str(number)) for number in everyone} == {13}


def test_a_small_catalogue_repeats_its_variants(store):
    for number in list(store.products)[1:]:
        store.remove("product", number)

    made = multitude.make(store, Wanted(orders=3, lines=20))

    assert {len(order.lines) for order in made.patterns} == {20}


def test_they_outlive_the_process(options, stores, store):
    made = multitude.make(store, Wanted(orders=50))
    stores.close()

    again = Stores(options)
    assert again[store.domain].multitude == made
    again.close()


def test_they_can_be_taken_away(many):
    answer = many.http.delete(f"{many.origin}/_dev/stores/{many.store.domain}/multitude")

    assert answer.status_code == 204
    assert many.http.get(f"{many.origin}/_dev/stores/{many.store.domain}/multitude").json() is None
    assert many.ask("{ ordersCount { count } }")["ordersCount"]["count"] == len(many.store.orders)
    assert exported(many)["rootObjectCount"] == str(len(many.store.orders))


@pytest.mark.parametrize(
    ("body", "why"), [({"orders": 0}, ">= 1"), ({"orders": 5, "lines": 99}, "<= 20"), ({}, "missing")]
)
def test_what_cannot_be_generated_is_refused(app, body, why):
    answer = app.control("multitude", **body)

    assert answer.status_code == 422
    assert why in answer.json()["error"]


def test_two_million_lines_take_no_memory_and_little_time(app, tmp_path):
    app.control("multitude", orders=500_000, lines=3)
    over = exported(app)
    (kept,) = tmp_path.rglob("*.formula")
    source = Source(kept.with_suffix(".jsonl"), msgspec.msgpack.decode(kept.read_bytes(), type=Formula))
    assert over["fileSize"] == str(source.size)

    start, stop = source.size - 200_000_000, source.size
    tracemalloc.start()
    read = sum(map(len, source.read(start, start + 40_000_000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    began, lines = time.process_time(), 0
    for piece in source.read(start, stop):
        lines += piece.count(b"\n")
    seconds = time.process_time() - began

    assert read == 40_000_000
    assert peak < 20_000_000
    assert kept.stat().st_size < 1_000_000
    assert lines / seconds > 300_000
    assert int(over["objectCount"]) > 2_000_000


def test_times_rise_and_lie_in_the_past(app):
    app.control("multitude", orders=10_000)
    series = app.store.multitude.series

    moments = [series.updated_at(index) for index in range(0, 10_000, 97)]

    assert moments == sorted(moments)
    assert moments[-1] < datetime.now(UTC)
    assert series.index_at(moments[5], series.updated_at) <= 97 * 5
