"""Plain lines of an orders export are read to the same rows as any, and lines that are not plain are found."""

import pytest

from shopify_app.ingest import PayloadRejected, read_bulk_lines
from shopify_app.ingest.bulk_orders import read_closely, read_plainly
from shopify_app.ingest.lines import read_lines
from tests.ingest.world import bag, bulk_line, bulk_order, compact, gid

NOTHING = {"amount": None}
ORDER_WITHOUT_ANYTHING = {"id": gid("Order", 1)}
LINE_WITHOUT_ANYTHING = {"id": gid("LineItem", 11), "__parentId": gid("Order", 1)}
HEADER = {"id": gid("Refund", 31), "createdAt": "2026-03-01T13:00:00Z", "totalRefundedSet": bag("1.00")}

PLAIN = {
    "an order with a line": [bulk_order(), bulk_line()],
    "lines of another batch's order": [bulk_line(11, 5), bulk_line(12, 6)],
    "nothing but numbers": [ORDER_WITHOUT_ANYTHING, LINE_WITHOUT_ANYTHING],
    "nulls": [dict.fromkeys(bulk_order()) | ORDER_WITHOUT_ANYTHING, dict.fromkeys(bulk_line()) | LINE_WITHOUT_ANYTHING],
    "an amount without a value": [bulk_order(totalTaxSet={"shopMoney": NOTHING}), bulk_line(originalUnitPriceSet=None)],
    "what COPY writes another way": [
        bulk_order(email='a\t"b"\\N\n'),
        bulk_line(title="\\N"),
        bulk_line(12, title="\r"),
    ],
    "a character that is none": [bulk_order(name="a\0b"), bulk_line(sku="\0")],
    "letters of the world": [bulk_order(name="Bestellung № 1 🎉"), bulk_line(title="Ünïcödé")],
    "empty texts": [bulk_order(sourceName="", tags=[""]), bulk_line(sku="", vendor="")],
    "lists": [bulk_order(tags=['a "b"', "c,d", "{}", "NULL"], discountCodes=["ONE", "TWO"])],
    "sums": [
        bulk_order(currentShippingPriceSet=bag("5.10"), totalRefundedShippingSet=bag("0.90")),
        bulk_line(
            taxLines=[{"priceSet": bag("0.10")}, {"priceSet": bag("0.20")}],
            discountAllocations=[{"allocatedAmountSet": bag("-1.005")}, {"allocatedAmountSet": bag("0.0")}],
        ),
    ],
    "what happened later": [bulk_order(refunds=[HEADER]), bulk_order(2, edited=True), bulk_order(3)],
    "times with an offset": [bulk_order(updatedAt="2026-03-01T12:00:00.123+05:30", closedAt="2026-03-01T12:00:00Z")],
    "ids with parameters": [bulk_order(), bulk_line(product={"id": gid("Product", 5) + "?x=1"})],
}
UNUSUAL = {
    "no number": [bulk_order(totalPriceSet=bag("NaN"))],
    "no end": [bulk_line(price="Infinity")],
    "a power": [bulk_line(price="1e3")],
    "a word for a time": [bulk_order(updatedAt="yesterday")],
    "an amount that is no text": [bulk_order(totalTaxSet=bag(1))],
    "a quantity that is one": [bulk_line(quantity="1")],
    "a line without an order": [{"id": gid("LineItem", 11)}],
    "another kind of line": [bulk_order(), {"id": gid("Customer", 1)}],
    "an id that is not first": [{"name": "#1", "id": gid("Order", 1)}],
    "an id without a number": [bulk_line(product={"id": "gid://shopify/Product/none"})],
    "an order twice": [bulk_order(), bulk_order(name="#2")],
    "a line twice": [bulk_line(), bulk_line(quantity=2)],
}


def both(lines):
    """Return what both ways of reading make of lines, with the rows in one order."""
    read = (read_plainly(lines, 7), read_closely(read_lines("orders", lines), 7))
    return [
        (sorted(texts.orders.split("\n")), sorted(texts.lines.split("\n")), texts.count, texts.headers, texts.detailed)
        for texts in read
        if texts is not None
    ]


@pytest.mark.parametrize("case", PLAIN)
def test_plain_lines_become_the_rows_that_reading_one_by_one_makes(case):
    plainly, closely = both([compact(line) for line in PLAIN[case]])

    assert plainly == closely
    assert len("".join(plainly[0] + plainly[1])) > 0


def test_slashes_may_be_escaped():
    plainly, closely = both([compact(line).replace(b"/", b"\\/") for line in (bulk_order(), bulk_line())])

    assert plainly == closely == both([compact(bulk_order()), compact(bulk_line())])[0]


@pytest.mark.parametrize("case", UNUSUAL)
def test_lines_that_are_not_plain_are_found(case):
    lines = [compact(line) for line in (bulk_order(90), bulk_line(91, 90), *UNUSUAL[case])]

    assert read_plainly(lines, 7) is None


def test_a_line_that_is_no_json_is_found():
    assert read_plainly([b'{"id":"gid://shopify/Order/1","name":"#1'], 7) is None


def test_more_lines_than_are_read_at_once_all_come():
    lines = [line for number in range(1, 1500) for line in (bulk_order(number), bulk_line(9000 + number, number))]

    plainly, closely = both([compact(line) for line in lines])

    assert plainly == closely
    assert plainly[2] == 1499


def test_lines_are_read_one_by_one_only_where_they_have_to_be():
    plain, unusual = [compact(bulk_order())], [compact(bulk_order(totalTaxSet=bag(1)))]

    assert read_bulk_lines("orders", plain, 7).read is None
    assert read_bulk_lines("orders", unusual, 7).texts is None


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        (bulk_order(2, totalPriceSet=bag("1.2.3")), "$.totalPriceSet.shopMoney.amount"),
        (bulk_line(price="--1"), "$.originalUnitPriceSet.shopMoney.amount"),
        (bulk_line(quantity=2**31), "$.quantity"),
        (bulk_line(2**63), "$.id"),
    ],
)
def test_what_only_postgresql_finds_wrong_is_refused_by_name_and_nothing_is_written(world, bad, pointer):
    with pytest.raises(PayloadRejected) as refused:
        world.bulk("orders", bulk_order(), bulk_line(12), bad)

    assert refused.value.pointer == pointer
    assert world.rows("orders") == world.rows("order_lines") == []
    world.bulk("orders", bulk_order(), bulk_line(12))
    assert len(world.rows("order_lines")) == 1
