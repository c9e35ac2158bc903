"""A store that was lost sight of in every way a webhook can be lost is held again as it is after one check."""

from datetime import UTC, datetime, timedelta

import pytest

from devstore import installs
from shopify_app import reconcile
from shopify_app.database import tenant_work
from shopify_app.ingest import tombstone_key, tombstones
from shopify_app.models import Order
from tests.reconcile.conftest import SCOPES, SECRET

NOTHING = dict.fromkeys(reconcile.RESOURCES, (0, 0, 0))
COMPARED = (
    "customers", "products", "product_variants", "orders", "order_lines", "refunds", "refund_lines", "order_edits",
    "order_edit_lines", "day_totals", "dirty_days",
)  # fmt: skip


def paid_order(shop, **how):
    return shop.act("place_order", customer_id=how.pop("customer_id", "new"), **how)


def number_of_a_customer_without_orders(store):
    return next(number for number in store.customers if not store.orders_of(number))


def bustle(shop):
    """Do something of every kind. The product that goes was never sold: orders no longer name one that went."""
    unsold = shop.act("create_product", title="Shelf", price="80.00")
    shop.deliver()
    orders = [paid_order(shop) for _ in range(6)]
    shop.act("refund_order", order_id=orders[0].id)
    shop.act("edit_order", order_id=orders[1].id, remove=[{"line_item_id": orders[1].lines[0].id, "quantity": 1}])
    shop.act("fulfill_order", order_id=orders[2].id)
    shop.act("cancel_order", order_id=orders[3].id)
    shop.act("update_order", order_id=orders[4].id, tags=["late"])
    shop.act("delete_order", order_id=orders[5].id)
    shop.act("delete_order", order_id=min(shop.store.orders))
    shop.act("update_customer", customer_id=orders[0].customer_id, first_name="Ada", email_consent="subscribed")
    shop.act("tag_customer", customer_id=orders[1].customer_id, add=["vip"])
    shop.act("delete_customer", customer_id=number_of_a_customer_without_orders(shop.store))
    products = sorted(shop.store.products)
    shop.act("create_product", title="Lamp", price="12.50")
    shop.act("update_product", product_id=products[0], price="3.00")
    shop.act("delete_product", product_id=unsold.id)


def test_a_store_that_nothing_is_held_of_is_taken_in_by_a_check_alone(shop, work_off):
    shop.start()

    work_off()

    missing = {of: counts[0] for of, counts in shop.wrong().items()}
    store = shop.store
    sizes = {"customers": len(store.customers), "products": len(store.products), "orders": len(store.orders)}
    assert missing == {**sizes, "checkouts": shop.checks()["checkouts"].checked}
    shop.assert_same_objects()
    shop.assert_same_answers()


def test_a_second_check_finds_nothing(held, work_off):
    held.start()
    work_off()

    assert held.wrong() == NOTHING
    assert held.checks()["orders"].compared == len(held.store.orders)
    assert {check.corrected for check in held.checks().values()} == {0}
    assert {check.unexplained for check in held.checks().values()} == {0}


def test_everything_whose_webhooks_were_lost_is_repaired(held, work_off):
    whose_order_went = int(held.store.orders[min(held.store.orders)].customer_id is not None)
    bustle(held)
    held.drop()

    held.start()
    work_off()

    assert held.wrong("orders", "customers", "products") == {
        "orders": (5, 0, 1),
        "customers": (6, whose_order_went, 1),
        "products": (1, 1, 1),
    }
    held.assert_same_objects()
    held.assert_same_answers()
    repaired = {table: held.rows(table) for table in COMPARED}
    held.forget_everything()
    held.start()
    work_off()
    held.assert_same_answers()
    assert {table: held.rows(table) for table in COMPARED} == repaired


def test_everything_whose_webhooks_came_is_found_right(held, work_off):
    bustle(held)
    held.deliver()
    work_off()

    held.start()
    work_off()

    assert held.wrong() == NOTHING
    held.assert_same_answers()


def test_what_happened_in_the_same_second_as_what_was_told_is_found(held, work_off):
    second = held.store.now()
    held.store.clock = lambda: second
    order = paid_order(held)
    held.deliver()
    held.act("refund_order", order_id=order.id)
    held.drop()

    held.start("orders", mode="recent")
    work_off()

    assert sum(held.wrong("orders")["orders"]) + held.checks()["orders"].corrected == 1
    held.assert_same_objects()
    held.assert_same_answers()


def test_an_edit_that_only_the_orders_update_tells_of_is_found(held, work_off):
    order = paid_order(held)
    held.act("edit_order", order_id=order.id, add=[{"variant_id": order.lines[0].variant_id, "quantity": 2}])
    held.deliver()
    work_off()
    held.act("edit_order", order_id=order.id, remove=[{"line_item_id": order.lines[0].id, "quantity": 1}])
    held.deliver("orders/updated")

    held.start("orders", mode="recent")
    work_off()

    assert len(held.rows("order_edits")) == len([1 for one in held.store.orders.values() for _ in one.edits])
    held.assert_same_answers()


def test_customers_who_became_one_while_nobody_listened_are_one_again(held, work_off):
    kept, gone = (paid_order(held).customer_id for _ in range(2))
    held.deliver()
    held.act("merge_customers", customer_id=gone, into_id=kept)
    held.drop()

    held.start()
    work_off()

    held.assert_same_objects()
    with tenant_work(held.tenant_id) as session:
        theirs = [
            order.customer_shopify_id for order in session.query(Order) if order.customer_shopify_id in {kept, gone}
        ]
    assert theirs == [kept, kept]


def test_a_checkout_that_changed_unheard_is_brought_up_to_date(held, work_off):
    variant = next(iter(held.store.products.values())).variants[0].id
    lines = [{"variant_id": variant, "quantity": 1}]
    checkout = held.act("start_checkout", lines=lines, email="ada@example.com")
    held.deliver()
    held.act("update_checkout", token=checkout.token, lines=[{"variant_id": variant, "quantity": 5}])
    held.drop()

    held.start("checkouts", mode="recent")
    work_off()

    row = next(row for row in held.rows("checkouts") if checkout.token in row)
    assert "'quantity': 5" in row
    held.start("checkouts", mode="recent")
    work_off()
    assert held.wrong("checkouts") == {"checkouts": (0, 0, 0)}


# ── deletions ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("mode", "deleted"), [("recent", 0), ("daily", 1), ("asked", 1)])
def test_a_deletion_is_found_where_ids_are_compared(held, work_off, mode, deleted):
    held.act("delete_order", order_id=max(held.store.orders))
    held.drop()

    held.start("orders", mode=mode)
    work_off()

    check = held.checks()["orders"]
    assert (check.state, check.deleted, check.unexplained) == ("done", deleted, deleted - 1)


def test_a_daily_check_walks_no_ids_while_the_counts_agree(held, work_off):
    held.start("orders", mode="daily", since=datetime.now(UTC) - timedelta(minutes=1))

    work_off()

    check = held.checks()["orders"]
    assert (check.checked, check.compared) == (0, len(held.store.orders))


def test_orders_that_went_out_of_sight_are_not_deleted(held, devstore, work_off):
    gone = paid_order(held).id
    held.deliver()
    before = len(held.store.orders)
    shown = tuple(scope for scope in SCOPES if scope != "read_all_orders")
    with devstore.app.app_context():
        installs.grant(held.store, shown)
    held.grant(shown)
    held.act("delete_order", order_id=gone)
    held.drop()

    held.start("orders")
    work_off()

    assert before - 1 == len(held.store.orders) > 1
    assert held.wrong("orders") == {"orders": (0, 0, 1)}
    held.assert_same_objects("orders")


def test_orders_are_not_deleted_where_the_app_lost_sight_of_them_without_being_told(held, devstore, work_off):
    with devstore.app.app_context():
        installs.grant(held.store, ("read_customers", "read_orders", "read_products"))
    held.drop()

    held.start("orders")
    work_off()

    assert held.wrong("orders") == {"orders": (0, 0, 0)}
    held.assert_same_objects()


# ── what must not be called wrong ───────────────────────────────────────────────────────────────────────────────────


def test_what_changed_a_moment_ago_is_left_to_its_webhook(held, work_off):
    paid_order(held)
    held.act("update_product", product_id=min(held.store.products), title="Other")
    held.drop()

    held.start(ceiling=datetime.now(UTC) - reconcile.SETTLE)
    work_off()

    assert held.wrong() == NOTHING


def test_an_erased_customer_is_neither_missed_nor_brought_back(held, work_off):
    erased = number_of_a_customer_without_orders(held.store)
    with tenant_work(held.tenant_id) as session:
        marks = tombstones.marks(customer=erased)
        tombstones.put(session, held.tenant_id, tombstone_key(SECRET()), marks, datetime.now(UTC))
        session.connection().exec_driver_sql(f"DELETE FROM customers WHERE shopify_id = {erased}")  # noqa: S608 a number

    held.start("customers")
    work_off()

    assert held.wrong("customers") == {"customers": (0, 0, 0)}
    assert not any(f"'shopify_id': {erased}," in row for row in held.rows("customers"))


def test_each_store_is_compared_with_itself_alone(shops, work_off):
    first, second = shops
    first.start()
    work_off()
    before = {table: first.rows(table) for table in COMPARED}

    second.start()
    work_off()

    second.assert_same_objects()
    second.assert_same_answers()
    assert {table: first.rows(table) for table in COMPARED} == before
    with tenant_work(first.tenant_id) as session:
        assert {check.tenant_id for check in reconcile.latest(session)[0]} == {first.tenant_id}
    with tenant_work(max(first.tenant_id, second.tenant_id) + 1) as session:
        assert reconcile.latest(session) == ((), frozenset())


# ── what comes late ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_about_a_part_that_comes_after_a_check_undoes_nothing(held, mailbox, work_off):
    customer_id = paid_order(held).customer_id
    held.act("tag_customer", customer_id=customer_id, add=["vip"])
    held.deliver()
    held.act("tag_customer", customer_id=customer_id, remove=["vip"])
    late = list(mailbox.waiting)
    held.drop()
    held.act("tag_customer", customer_id=customer_id, add=["vip"])
    held.drop()
    held.start("customers")
    work_off()

    mailbox.waiting = late
    held.deliver()

    (row,) = [row for row in held.rows("customers") if f"'shopify_id': {customer_id}," in row]
    assert "'tags': ['vip']" in row


def test_webhooks_that_come_after_a_check_change_nothing(held, mailbox, work_off):
    bustle(held)
    late = list(mailbox.waiting)
    held.drop()
    held.start()
    work_off()
    before = {table: held.rows(table) for table in COMPARED}

    mailbox.waiting = late
    held.deliver()
    work_off()

    held.assert_same_answers()
    assert {table: held.rows(table) for table in COMPARED} == before
    held.start()
    work_off()
    assert held.wrong() == NOTHING
