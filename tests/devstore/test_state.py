"""The stores in memory and what of them outlives the process."""

import time
from datetime import datetime

import msgspec
import pytest
from flask import Flask

from devstore.options import Options
from devstore.state import Devstore, Stores, current


class Note(msgspec.Struct):
    text: str


def test_an_unknown_domain_is_a_key_error(stores):
    with pytest.raises(KeyError):
        stores["nobody.myshopify.com"]


def test_the_first_shop_is_the_full_one_and_the_others_keep_their_books_in_euro(stores):
    first, second = stores

    assert (len(first.customers), len(first.products), len(first.orders)) == (40, 8, 120)
    assert (len(second.customers), len(second.products), len(second.orders)) == (4, 1, 12)
    assert (first.shop.currency, first.shop.timezone) == ("USD", "America/New_York")
    assert (second.shop.currency, second.shop.timezone) == ("EUR", "Europe/Berlin")


def test_a_second_start_reads_the_same_stores(options, stores):
    before = {store.domain: (store.shop, store.customers, store.products, store.orders) for store in stores}
    baskets = {store.domain: (store.carts, store.checkouts) for store in stores}

    again = Stores(options)

    assert {store.domain: (store.shop, store.customers, store.products, store.orders) for store in again} == before
    assert {store.domain: (store.carts, store.checkouts) for store in again} == baskets
    again.close()


@pytest.mark.long
def test_a_second_start_of_the_full_store_takes_under_two_seconds(tmp_path):
    options = Options(data=tmp_path)
    Stores(options).close()

    started = time.perf_counter()
    Stores(options).close()

    assert time.perf_counter() - started < 2


def test_changes_outlive_the_process(options, stores, store):
    order, customer = next(iter(store.orders.values())), next(iter(store.customers.values()))
    cart = next(iter(store.carts.values()))
    order.note = "changed"
    store.put("order", order.id, order)
    store.remove("customer", customer.id)
    store.remove("cart", cart.token)

    again = Stores(options)[store.domain]

    assert again.orders[order.id].note == "changed"
    assert customer.id not in again.customers
    assert again.deleted["customer"] == store.deleted["customer"]
    assert list(again.deleted["cart"]) == [cart.token]
    assert isinstance(again.deleted["customer"][customer.id], datetime)


def test_removing_what_is_not_there_is_a_key_error_and_leaves_no_tombstone(store):
    with pytest.raises(KeyError):
        store.remove("order", 1)

    assert store.deleted["order"] == {}


def test_an_unknown_kind_is_a_key_error(store):
    with pytest.raises(KeyError):
        store.put("parcel", 1, Note("x"))


def test_documents_are_typed_and_outlive_the_process(options, stores, store):
    store.save("note", "b", Note("second"))
    store.save("note", "a", Note("first"))
    store.save("note", "b", Note("changed"))
    store.drop("note", "a")
    store.drop("note", "never was")

    again = Stores(options)[store.domain]

    assert again.load("note", "b", Note) == Note("changed")
    assert again.load("note", "a", Note) is None
    assert again.all("note", Note) == {"b": Note("changed")}
    assert again.all("other", Note) == {}


def test_a_document_of_another_type_is_a_validation_error(store):
    store.save("note", "a", 7)

    with pytest.raises(msgspec.ValidationError):
        store.load("note", "a", Note)


def test_ids_are_unique_over_stores_and_starts(options, stores):
    first, second = stores
    ids = [first.next_id(), second.next_id(), first.next_id()]
    stores.close()

    again = Stores(options)
    later = again[first.domain].next_id()

    assert len({*ids, later}) == 4
    assert later > max(ids)
    assert ids[0] > max(*first.orders, *first.customers)


def test_an_id_taken_in_a_failed_change_is_not_given_again(store):
    def fail():
        with store.changing():
            taken.extend(store.next_id() for _ in range(6000))
            raise RuntimeError("failed")

    taken: list[int] = []
    with pytest.raises(RuntimeError):
        fail()

    later = [store.next_id() for _ in range(6000)]

    assert not set(taken) & set(later)


def test_a_failed_change_writes_nothing(options, stores, store):
    order = next(iter(store.orders.values()))

    def fail():
        with store.changing():
            order.note = "half"
            store.put("order", order.id, order)
            raise RuntimeError("failed")

    with pytest.raises(RuntimeError):
        fail()

    again = Stores(options)[store.domain]
    assert again.orders[order.id].note != "half"


def test_order_numbers_go_on_after_a_restart(options, stores, store):
    assert store.next_order_number() == 1121

    assert Stores(options)[store.domain].next_order_number() == 1121


def test_the_orders_of_a_customer_come_oldest_first_and_lose_deleted_ones(store):
    customer_id = max(store.customers, key=lambda id_: len(store.orders_of(id_)))
    orders = store.orders_of(customer_id)
    store.remove("order", orders[0].id)

    left = store.orders_of(customer_id)

    assert left == orders[1:]
    assert [order.processed_at for order in orders] == sorted(order.processed_at for order in orders)
    assert store.orders_of(1) == []


def test_current_is_the_devstore_of_the_running_app(options, stores, recorder):
    app = Flask(__name__)
    app.extensions["devstore"] = Devstore(options, stores, recorder)

    with app.app_context():
        assert current().stores is stores
