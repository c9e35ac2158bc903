"""What loading is measured against: scripts that put an export of orders into two tables and look after nothing else.

``copy`` decodes lines with msgspec, copies a batch into temporary tables and upserts once from each; ``executemany``
upserts through psycopg's pipelined ``executemany``. Both have the app's columns, amounts and times as the text they
came as, and no more than a primary key: no other store, no webhook that may be newer, no ledger, no totals, nothing
to go on from after a crash.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BATCH = 5_000
Row = tuple[Any, ...]
Connection = psycopg.Connection[Any]

ORDER_COLUMNS = (
    "tenant_id bigint", "shopify_id bigint", "created_at timestamptz", "updated_at timestamptz", "name text",
    "status text", "financial_status text", "fulfillment_status text", "customer_shopify_id bigint", "email text",
    "phone text", "country_code text", "source_name text", "tags text[]", "discount_codes text[]", "currency text",
    "total_price numeric(22,4)", "subtotal_price numeric(22,4)", "total_discounts numeric(22,4)",
    "total_tax numeric(22,4)", "total_shipping numeric(22,4)", "current_total_price numeric(22,4)",
    "presentment_currency text", "presentment_total_price numeric(22,4)", "taxes_included boolean", "test boolean",
    "edited boolean", "cart_token text", "checkout_token text", "cancel_reason text", "processed_at timestamptz",
    "cancelled_at timestamptz", "closed_at timestamptz",
)  # fmt: skip
LINE_COLUMNS = (
    "tenant_id bigint", "order_shopify_id bigint", "shopify_id bigint", "product_shopify_id bigint",
    "variant_shopify_id bigint", "title text", "variant_title text", "sku text", "vendor text", "quantity integer",
    "current_quantity integer", "price numeric(22,4)", "discount numeric(22,4)", "tax numeric(22,4)",
    "gift_card boolean",
)  # fmt: skip
TABLES = {"orders": (ORDER_COLUMNS, 2), "order_lines": (LINE_COLUMNS, 3)}  # and how many of the columns are the key


class Money(msgspec.Struct):
    """An amount."""

    amount: str


class Bag(msgspec.Struct, rename="camel"):
    """An amount in the shop's currency."""

    shop_money: Money


class Both(msgspec.Struct, rename="camel"):
    """An amount in the shop's and in the customer's currency."""

    shop_money: Money
    presentment_money: Money


class Ref(msgspec.Struct):
    """Another object."""

    id: str


class Address(msgspec.Struct, rename="camel"):
    """An address."""

    country_code_v2: str | None = msgspec.field(default=None, name="countryCodeV2")


class Order(msgspec.Struct, rename="camel"):
    """An order."""

    id: str
    name: str
    created_at: str
    processed_at: str
    updated_at: str
    cancelled_at: str | None
    closed_at: str | None
    cancel_reason: str | None
    test: bool
    edited: bool
    taxes_included: bool
    email: str | None
    phone: str | None
    currency_code: str
    presentment_currency_code: str
    display_financial_status: str
    display_fulfillment_status: str
    source_name: str | None
    cart_token: str | None
    checkout_token: str | None
    tags: list[str]
    discount_codes: list[str]
    customer: Ref | None
    shipping_address: Address | None
    total_price_set: Both
    current_total_price_set: Bag
    subtotal_price_set: Bag
    total_discounts_set: Bag
    total_tax_set: Bag
    current_shipping_price_set: Bag


class Allocation(msgspec.Struct, rename="camel"):
    """A share of a discount."""

    allocated_amount_set: Bag


class Tax(msgspec.Struct, rename="camel"):
    """A tax."""

    price_set: Bag


class Line(msgspec.Struct, rename="camel"):
    """A line of an order."""

    id: str
    parent_id: str = msgspec.field(name="__parentId")
    title: str
    variant_title: str | None
    sku: str | None
    vendor: str | None
    quantity: int
    current_quantity: int
    is_gift_card: bool
    product: Ref | None
    variant: Ref | None
    original_unit_price_set: Bag
    discount_allocations: list[Allocation]
    tax_lines: list[Tax]


def _number(gid: str) -> str:
    return gid.rpartition("/")[2]


def _array(items: list[str]) -> str:
    return "{" + ",".join(f'"{item}"' for item in items) + "}"


def order_row(line: Order) -> Row:
    """Return a row of ``orders``."""
    return (
        "1", _number(line.id), line.created_at, line.updated_at, line.name, "closed" if line.closed_at else "open",
        line.display_financial_status, line.display_fulfillment_status,
        _number(line.customer.id) if line.customer else None, line.email, line.phone,
        line.shipping_address.country_code_v2 if line.shipping_address else None, line.source_name,
        _array(line.tags), _array(line.discount_codes), line.currency_code,
        line.total_price_set.shop_money.amount, line.subtotal_price_set.shop_money.amount,
        line.total_discounts_set.shop_money.amount, line.total_tax_set.shop_money.amount,
        line.current_shipping_price_set.shop_money.amount, line.current_total_price_set.shop_money.amount,
        line.presentment_currency_code, line.total_price_set.presentment_money.amount, str(line.taxes_included),
        str(line.test), str(line.edited), line.cart_token, line.checkout_token, line.cancel_reason,
        line.processed_at, line.cancelled_at, line.closed_at,
    )  # fmt: skip


def line_row(line: Line) -> Row:
    """Return a row of ``order_lines``."""
    discounts, taxes = line.discount_allocations, line.tax_lines
    return (
        "1", _number(line.parent_id), _number(line.id), _number(line.product.id) if line.product else None,
        _number(line.variant.id) if line.variant else None, line.title, line.variant_title, line.sku, line.vendor,
        str(line.quantity), str(line.current_quantity), line.original_unit_price_set.shop_money.amount,
        discounts[0].allocated_amount_set.shop_money.amount if discounts else "0",
        taxes[0].price_set.shop_money.amount if taxes else "0", str(line.is_gift_card),
    )  # fmt: skip


def read(url: str) -> Iterator[dict[str, list[Row]]]:
    """Yield batches of rows of both tables."""
    orders, lines = msgspec.json.Decoder(Order), msgspec.json.Decoder(Line)
    with urllib.request.urlopen(url) as response:  # noqa: S310 - the address is the benchmark's own
        while batch := list(itertools.islice(response, BATCH)):
            rows: dict[str, list[Row]] = {"orders": [], "order_lines": []}
            for text in batch:
                if text.startswith(b'{"id":"gid://shopify/Order/'):
                    rows["orders"].append(order_row(orders.decode(text)))
                else:
                    rows["order_lines"].append(line_row(lines.decode(text)))
            yield rows


def _names(columns: Iterable[str]) -> list[str]:
    return [column.split(" ", 1)[0] for column in columns]


def _conflict(columns: tuple[str, ...], keys: int) -> str:
    names = _names(columns)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[keys:])
    return f"ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET {changes}"


def prepare(connection: Connection) -> None:
    """Make the tables and their temporary twins."""
    for table, (columns, keys) in TABLES.items():
        key = ", ".join(_names(columns)[:keys])
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns)}, PRIMARY KEY ({key}))".encode())
        connection.execute(f"CREATE TEMP TABLE incoming_{table} ({', '.join(columns)}) ON COMMIT DELETE ROWS".encode())
    connection.commit()


def by_copy(connection: Connection, table: str, rows: list[Row]) -> None:
    """Copy the rows into the temporary table, and upsert from there."""
    text = "".join(["\t".join(["\\N" if value is None else value for value in row]) + "\n" for row in rows])
    cursor = connection.cursor()
    with cursor.copy(f"COPY incoming_{table} FROM STDIN".encode()) as copy:
        copy.write(text)
    cursor.execute(f"INSERT INTO {table} SELECT * FROM incoming_{table} {_conflict(*TABLES[table])}".encode())  # noqa: S608 - constants


def by_executemany(connection: Connection, table: str, rows: list[Row]) -> None:
    """Upsert the rows one by one, pipelined."""
    columns, keys = TABLES[table]
    values = ", ".join(f"%s::{column.split(' ', 1)[1]}" for column in columns)
    statement = f"INSERT INTO {table} VALUES ({values}) {_conflict(columns, keys)}"  # noqa: S608 - constants
    connection.cursor().executemany(statement.encode(), rows)


WAYS: dict[str, Callable[[Connection, str, list[Row]], None]] = {"copy": by_copy, "executemany": by_executemany}


def load(connection: Connection, url: str, way: str) -> int:
    """Load the file; returns its lines."""
    write, count = WAYS[way], 0
    for batch in read(url):
        for table, rows in batch.items():
            write(connection, table, rows)
            count += len(rows)
        connection.commit()
    return count


def main() -> None:
    """Load, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("url")
    arguments = parser.parse_args()
    with psycopg.connect(os.environ["DSN"]) as connection:
        prepare(connection)
        began = time.perf_counter()
        lines = load(connection, arguments.url, arguments.way)
        seconds = time.perf_counter() - began
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    result = {"lines": lines, "seconds": seconds, "cpu": time.process_time(), "peak_kb": peak}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
