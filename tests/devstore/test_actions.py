"""Merchant actions: what they change, what they send, what they refuse."""

from decimal import Decimal

import pytest

from devstore import actions, totals
from devstore.actions import ActionRefused
from devstore.state import Stores

SPENT = "customers/purchasing_summary"
PLACED = ["orders/create", "orders/paid", "customers/update", SPENT]


@pytest.fixture
def variant(store):
    """A variant at 40.00."""
    product = next(one for one in store.products.values() if not one.gift_card and one.status == "active")
    product.variants[0].price, product.variants[0].grams = Decimal("40.00"), 100
    return product.variants[0]


@pytest.fixture
def order(act, variant):
    """A paid order of three units, by a new customer."""
    return act("place_order", lines=[{"variant_id": variant.id, "quantity": 3}], customer_id="new")


def units(order, quantity):
    return [{"line_item_id": order.lines[0].id, "quantity": quantity}]


def test_placing_an_order_sends_what_shopify_sends_with_one_event_id(act, recorder, order):
    assert recorder.topics == ["customers/create", *PLACED]
    assert len({one["event_id"] for one in recorder.emitted}) == 1
    assert len({one["triggered_at"] for one in recorder.emitted}) == 1
    assert recorder.body("customers/purchasing_summary")["numberOfOrders"] == 1


def test_a_placed_order_is_priced_paid_and_kept(options, stores, store, order):
    # 120.00 + 8.25 % tax, shipped free
    assert totals.ordered(order).total == Decimal("129.90") == totals.captured(order)
    assert (order.financial_status, order.customer_id in store.customers) == ("paid", True)
    assert Stores(options)[store.domain].orders[order.id] == order


def test_an_unpaid_order_by_a_guest_sends_only_its_creation(act, recorder, variant):
    order = act("place_order", lines=[{"variant_id": variant.id}], paid=False)

    assert recorder.topics == ["orders/create"]
    assert (order.financial_status, order.transactions, order.customer_id) == ("pending", [], None)


def test_an_order_without_lines_is_of_random_products(act, store):
    order = act("place_order")

    assert 1 <= len(order.lines) <= 3
    assert all(line.product_id in store.products for line in order.lines)


def test_an_orders_customer_moves_with_it(act, store, variant):
    customer = next(iter(store.customers.values()))

    order = act("place_order", lines=[{"variant_id": variant.id}], customer_id=customer.id, test=True)

    assert customer.updated_at == order.created_at
    assert (order.email, order.test, order.transactions[0].gateway) == (customer.email, True, "bogus")


def test_an_order_at_the_counter_is_not_shipped(act, variant):
    order = act("place_order", lines=[{"variant_id": variant.id}], source_name="pos")

    assert (order.shipping_lines, order.checkout_token, order.source_name) == ([], None, "pos")


def test_paying_a_pending_order(act, recorder, variant):
    order = act("place_order", lines=[{"variant_id": variant.id}], paid=False)

    act("pay_order", order_id=order.id)

    assert recorder.topics == ["orders/paid", "orders/updated"]
    assert (order.financial_status, totals.outstanding(order)) == ("paid", 0)


def test_fulfilling_an_order(act, recorder, order):
    act("fulfill_order", order_id=order.id)

    assert recorder.topics == ["orders/fulfilled", "orders/updated"]
    assert recorder.body("orders/fulfilled")["line_items"][0]["fulfillable_quantity"] == 0


def test_shipping_in_parts(act, recorder, order):
    act("fulfill_order", order_id=order.id, lines=units(order, 1))

    assert recorder.topics == ["orders/partially_fulfilled", "orders/updated"]
    (line,) = recorder.body("orders/partially_fulfilled")["line_items"]
    assert (line["fulfillable_quantity"], line["fulfillment_status"]) == (2, "partial")
    assert (order.fulfillment_status, order.closed_at) == ("partial", None)

    act("fulfill_order", order_id=order.id, lines=units(order, 2))

    assert recorder.topics == ["orders/fulfilled", "orders/updated"]
    assert recorder.body("orders/fulfilled")["line_items"][0]["fulfillment_status"] == "fulfilled"
    assert order.closed_at == order.updated_at


def test_what_came_back_is_not_shipped(act, recorder, order):
    act("fulfill_order", order_id=order.id, lines=units(order, 1))
    act("refund_order", order_id=order.id, lines=units(order, 1))

    act("fulfill_order", order_id=order.id)

    assert (order.fulfillment_status, order.lines[0].shipped) == ("fulfilled", 2)


def test_more_than_is_left_and_nothing_at_all_cannot_be_shipped(act, order):
    act("fulfill_order", order_id=order.id, lines=units(order, 1))

    with pytest.raises(ActionRefused, match="has 2 units left, not 3"):
        act("fulfill_order", order_id=order.id, lines=units(order, 3))
    with pytest.raises(ActionRefused, match="has something in it"):
        act("fulfill_order", order_id=order.id, lines=[])


def test_an_orders_note_and_tags_are_changed(act, recorder, order):
    act("update_order", order_id=order.id, note="call first", tags=["b", "a", "b"])

    assert recorder.topics == ["orders/updated"]
    assert (recorder.body("orders/updated")["note"], recorder.body("orders/updated")["tags"]) == ("call first", "a, b")
    act("update_order", order_id=order.id, note="")
    assert (order.note, order.tags) == (None, ["a", "b"])
    with pytest.raises(ActionRefused, match="nothing would change"):
        act("update_order", order_id=order.id)


def test_a_customers_summary_follows_what_is_paid_back(act, recorder, order):
    act("refund_order", order_id=order.id)
    summary = recorder.body(SPENT)
    assert (summary["numberOfOrders"], summary["amountSpent"]["amount"]) == (1, "0.00")

    act("delete_order", order_id=order.id)
    assert (recorder.body(SPENT)["numberOfOrders"], recorder.body(SPENT)["lastOrderId"]) == (0, None)


def test_a_test_order_says_nothing_about_its_customer_when_it_is_deleted(act, recorder, variant):
    order = act("place_order", lines=[{"variant_id": variant.id}], customer_id="new", test=True)

    act("delete_order", order_id=order.id)

    assert recorder.topics == ["orders/delete"]


def test_editing_adds_lines_and_removes_units(act, recorder, order, variant):
    act("edit_order", order_id=order.id, add=[{"variant_id": variant.id, "quantity": 2}], remove=units(order, 1))

    assert recorder.topics == ["orders/edited", "orders/updated"]
    changes = recorder.body("orders/edited")["order_edit"]["line_items"]
    assert changes["additions"] == [{"id": order.lines[1].id, "delta": 2}]
    assert changes["removals"] == [{"id": order.lines[0].id, "delta": 1}]
    assert [line.current_quantity for line in order.lines] == [2, 2]
    assert order.financial_status == "partially_paid"


def test_a_partial_refund(act, recorder, order):
    act("refund_order", order_id=order.id, lines=units(order, 1), shipping=False)

    assert recorder.topics == ["refunds/create", "orders/updated", SPENT]
    assert (order.financial_status, totals.refunded(order)) == ("partially_refunded", Decimal("43.30"))


def test_a_refund_of_all_that_is_left(act, order):
    act("refund_order", order_id=order.id, lines=units(order, 1))

    act("refund_order", order_id=order.id)

    assert (order.financial_status, totals.refunded(order)) == ("refunded", Decimal("129.90"))
    assert totals.current(order).total == 0


def test_a_refund_of_shipping_alone(act, variant):
    order = act("place_order", lines=[{"variant_id": variant.id}])

    act("refund_order", order_id=order.id, lines=[], shipping=True)

    assert order.refunds[0].lines == []
    assert totals.refunded(order) == Decimal("7.47")


def test_cancelling_a_paid_order_pays_back(act, recorder, order):
    act("cancel_order", order_id=order.id)

    assert recorder.topics == ["refunds/create", "orders/cancelled", "orders/updated", SPENT]
    assert (order.financial_status, totals.refunded(order)) == ("refunded", Decimal("129.90"))


def test_cancelling_a_paid_order_without_refund_keeps_the_money(act, recorder, order):
    act("cancel_order", order_id=order.id, refund=False)

    assert recorder.topics == ["orders/cancelled", "orders/updated"]
    assert (order.financial_status, order.refunds) == ("paid", [])


@pytest.mark.parametrize(("refund", "booked"), [(True, 1), (False, 0)])
def test_cancelling_an_unpaid_order_voids_it(act, variant, refund, booked):
    order = act("place_order", lines=[{"variant_id": variant.id}], paid=False)

    act("cancel_order", order_id=order.id, refund=refund)

    assert (order.financial_status, len(order.refunds)) == ("voided", booked)
    assert [one.transactions for one in order.refunds] == [[]] * booked
    assert (totals.current(order).total == 0) is refund


def test_deleting_an_order(act, recorder, store, order):
    act("delete_order", order_id=order.id)

    assert recorder.emitted[0]["body"] == {"id": order.id}
    assert recorder.topics == ["orders/delete", SPENT]
    assert order.id in store.deleted["order"]


def test_creating_a_customer_who_wants_mail(act, recorder):
    customer = act(
        "create_customer", first_name="Ada", email="ada@example.com", tags=["b", "a"], email_consent="subscribed"
    )

    assert recorder.topics == [
        *("customers/create", "customer.tags_added", "customers_email_marketing_consent/update"),
    ]
    assert recorder.body("customer.tags_added")["tags"] == ["a", "b"]
    assert recorder.body("customers_email_marketing_consent/update")["email_marketing_consent"]["state"] == "subscribed"
    assert customer.email_consent_at == customer.created_at


def test_updating_a_customer_sends_a_webhook_for_each_thing_that_changed(act, recorder, store):
    customer = act("create_customer")
    act(
        "update_customer",
        customer_id=customer.id,
        last_name="Byron",
        state="enabled",
        email_consent="subscribed",
        sms_consent="unsubscribed",
    )

    assert recorder.topics == [
        *("customers/update", "customers/enable"),
        *("customers_email_marketing_consent/update", "customers_marketing_consent/update"),
    ]
    assert recorder.body("customers/update")["last_name"] == "Byron"
    act("update_customer", customer_id=customer.id, state="disabled", email_consent="subscribed")
    assert recorder.topics == ["customers/update", "customers/disable"]


def test_tagging_a_customer_sends_only_what_changed(act, recorder):
    customer = act("create_customer", tags=["vip"])

    act("tag_customer", customer_id=customer.id, add=["vip", "local"], remove=["vip", "unknown"])

    assert recorder.topics == ["customers/update", "customer.tags_added", "customer.tags_removed"]
    assert (recorder.emitted[1]["body"]["tags"], recorder.emitted[2]["body"]["tags"]) == (["local"], ["vip"])
    assert customer.tags == ["local"]


def test_deleting_a_customer_without_orders(act, recorder, store):
    customer = act("create_customer")

    act("delete_customer", customer_id=customer.id)

    assert recorder.topics == ["customers/delete"]
    assert customer.id not in store.customers


def test_merging_gives_the_orders_and_checkouts_to_whom_is_kept(act, recorder, options, store, order, variant):
    kept = act("create_customer", tags=["vip"])
    gone = store.customers[order.customer_id]
    act("tag_customer", customer_id=gone.id, add=["local"])
    checkout = act("start_checkout", lines=[{"variant_id": variant.id}], customer_id=gone.id)
    before = order.updated_at

    act("merge_customers", customer_id=gone.id, into_id=kept.id)

    assert recorder.topics == ["customers/merge", "customers/update", SPENT]
    body = recorder.body("customers/merge")
    assert body["admin_graphql_api_customer_kept_id"] == f"gid://shopify/Customer/{kept.id}"
    assert body["admin_graphql_api_customer_deleted_id"] == f"gid://shopify/Customer/{gone.id}"
    assert recorder.body(SPENT)["numberOfOrders"] == 1
    assert gone.id in store.deleted["customer"]
    assert kept.tags == ["local", "vip"]
    assert (order.customer_id, checkout.customer_id, order.updated_at >= before) == (kept.id, kept.id, True)
    assert (store.orders_of(kept.id), store.orders_of(gone.id)) == ([order], [])
    assert Stores(options)[store.domain].orders_of(kept.id) == [order]


def test_a_customer_is_not_merged_with_themselves(act):
    customer = act("create_customer")

    with pytest.raises(ActionRefused, match="with themselves"):
        act("merge_customers", customer_id=customer.id, into_id=customer.id)


def test_products_are_created_changed_and_deleted(act, recorder, store):
    product = act("create_product", title="Camp Chair", price="49.9")
    assert recorder.topics == ["products/create"]
    assert recorder.body("products/create")["variants"][0]["price"] == "49.90"

    act("update_product", product_id=product.id, price="0", status="archived")
    assert recorder.topics == ["products/update"]
    assert recorder.body("products/update")["variants"][0]["price"] == "0.00"

    act("delete_product", product_id=product.id)
    assert recorder.emitted[0]["body"] == {"id": product.id}


def test_a_deleted_product_is_forgotten_by_its_orders_without_a_word(act, recorder, store, order):
    act("delete_product", product_id=order.lines[0].product_id)

    assert recorder.topics == ["products/delete"]
    assert (order.lines[0].product_id, order.lines[0].variant_id) == (None, None)


def test_the_shop_can_move_to_another_time_zone(act, recorder, store):
    act("update_shop", name="Aurora", timezone="Asia/Tokyo")

    assert recorder.topics == ["shop/update"]
    assert recorder.body("shop/update")["iana_timezone"] == "Asia/Tokyo"
    assert store.zone.key == "Asia/Tokyo"


def test_a_cart_is_created_then_updated_then_emptied(act, recorder, variant):
    cart = act("fill_cart", lines=[{"variant_id": variant.id, "quantity": 2}])
    assert recorder.topics == ["carts/create"]

    act("fill_cart", token=cart.token, lines=[])

    assert recorder.topics == ["carts/update"]
    assert recorder.body("carts/update")["line_items"] == []


def test_a_checkout_becomes_an_order_that_carries_its_tokens(act, recorder, store, variant):
    customer = act("create_customer")
    cart = act("fill_cart", lines=[{"variant_id": variant.id, "quantity": 2}])
    checkout = act("start_checkout", cart_token=cart.token, customer_id=customer.id, discount_code="WELCOME10")
    assert recorder.topics == ["checkouts/create"]
    body = recorder.body("checkouts/create")

    order = act("finish_checkout", token=checkout.token)

    assert recorder.topics == [*PLACED, "checkouts/update"]
    assert (order.checkout_token, order.cart_token) == (checkout.token, cart.token)
    assert str(totals.ordered(order).total) == body["total_price"]
    assert checkout.completed_at == order.processed_at
    assert cart.token not in store.carts


def test_a_checkout_of_an_address_alone_places_an_order_of_a_guest(act, variant):
    checkout = act("start_checkout", lines=[{"variant_id": variant.id}], email="guest@example.com")

    order = act("finish_checkout", token=checkout.token)

    assert (order.email, order.customer_id, checkout.cart_token) == ("guest@example.com", None, None)


def test_a_checkout_is_changed_until_it_is_completed(act, recorder, variant):
    checkout = act("start_checkout", lines=[{"variant_id": variant.id}], email="guest@example.com")
    before = checkout.updated_at

    act("update_checkout", token=checkout.token, lines=[{"variant_id": variant.id, "quantity": 4}])
    act("update_checkout", token=checkout.token, email="other@example.com", discount_code="WELCOME10")

    assert recorder.topics == ["checkouts/update"]
    body = recorder.body("checkouts/update")
    # four at 40.00, 10 % off
    assert (body["email"], body["subtotal_price"], checkout.updated_at >= before) == (
        "other@example.com",
        "144.00",
        True,
    )
    act("finish_checkout", token=checkout.token)
    with pytest.raises(ActionRefused, match="is completed"):
        act("update_checkout", token=checkout.token, email="late@example.com")


@pytest.mark.parametrize(
    ("change", "why"), [({"lines": []}, "needs a line"), ({"discount_code": "NONE"}, "no discount code NONE")]
)
def test_a_refused_change_leaves_the_checkout_as_it_is(act, variant, change, why):
    checkout = act("start_checkout", lines=[{"variant_id": variant.id}], email="guest@example.com")

    with pytest.raises(ActionRefused, match=why):
        act("update_checkout", token=checkout.token, email="other@example.com", **change)

    assert (len(checkout.lines), checkout.email, checkout.discount_code) == (1, "guest@example.com", None)


def test_deleting_a_checkout(act, recorder, variant):
    checkout = act("start_checkout", lines=[{"variant_id": variant.id}], email="guest@example.com")

    act("delete_checkout", token=checkout.token)

    assert recorder.topics == ["checkouts/delete"]
    assert recorder.emitted[0]["body"]["id"] == checkout.id


def test_privacy_requests_name_the_customer_and_their_orders(act, recorder, store, order):
    act("request_customer_data", customer_id=order.customer_id)
    assert recorder.body("customers/data_request")["orders_requested"] == [order.id]

    act("redact_customer", customer_id=order.customer_id)
    assert recorder.body("customers/redact")["customer"]["id"] == order.customer_id

    act("redact_shop")
    assert recorder.body("shop/redact") == {"shop_id": store.shop.id, "shop_domain": store.domain}


REFUSED = [
    ("place_order", {"lines": []}, "needs a line"),
    ("place_order", {"lines": [{"variant_id": 1}]}, "no variant 1"),
    ("place_order", {"lines": "tent"}, "lines"),
    ("place_order", {"customer_id": 1}, "no customer 1"),
    ("place_order", {"discount_code": "NONE"}, "no discount code NONE"),
    ("place_order", {"colour": "red"}, "colour"),
    ("place_order", {"from_checkout_token": "x"}, "no checkout x"),
    ("pay_order", {"order_id": 1}, "no order 1"),
    ("pay_order", {}, "order_id"),
    ("create_customer", {"email": "nobody"}, "not an email address"),
    ("tag_customer", {"customer_id": 1}, "no customer 1"),
    ("create_product", {"title": " ", "price": "1"}, "needs a title"),
    ("create_product", {"title": "Tent", "price": "-1"}, "-1 is not a price"),
    ("create_product", {"title": "Tent", "price": "1.001"}, "1.001 is not a price"),
    ("create_product", {"title": "Tent", "price": "NaN"}, "NaN is not a price"),
    ("update_product", {"product_id": 1}, "no product 1"),
    ("update_product", {"product_id": 1, "status": "gone"}, "status"),
    ("update_shop", {"timezone": "Moon/Crater"}, "no time zone Moon/Crater"),
    ("fill_cart", {"lines": [], "token": "x"}, "no cart x"),
    ("start_checkout", {"email": "a@example.com"}, "needs a line"),
    ("start_checkout", {"lines": []}, "needs an email address"),
    ("start_checkout", {"email": "a@example.com", "discount_code": "NONE"}, "no discount code NONE"),
    ("finish_checkout", {"token": "x"}, "no checkout x"),
]


@pytest.mark.parametrize(("action", "arguments", "why"), REFUSED)
def test_bad_input_is_refused_by_name_and_sends_nothing(act, recorder, store, action, arguments, why):
    counts = len(store.orders), len(store.customers), len(store.checkouts)

    with pytest.raises(ActionRefused, match=why):
        act(action, **arguments)

    assert recorder.topics == []
    assert (len(store.orders), len(store.customers), len(store.checkouts)) == counts


def test_a_quantity_below_one_is_refused(act, variant):
    with pytest.raises(ActionRefused, match="is 0, not at least 1"):
        act("fill_cart", lines=[{"variant_id": variant.id, "quantity": 0}])


def test_what_the_state_of_an_order_does_not_allow_is_refused(act, order):
    with pytest.raises(ActionRefused, match="nothing left to pay"):
        act("pay_order", order_id=order.id)
    with pytest.raises(ActionRefused, match="adds or removes"):
        act("edit_order", order_id=order.id)
    with pytest.raises(ActionRefused, match="has 3 units left, not 4"):
        act("edit_order", order_id=order.id, remove=units(order, 4))
    with pytest.raises(ActionRefused, match="has 1 units left, not 2"):
        act("refund_order", order_id=order.id, lines=units(order, 2) * 2)
    with pytest.raises(ActionRefused, match="has no line 1"):
        act("refund_order", order_id=order.id, lines=[{"line_item_id": 1, "quantity": 1}])
    with pytest.raises(ActionRefused, match="nothing of that left"):
        act("refund_order", order_id=order.id, lines=[], shipping=True)


def test_a_shipped_order_is_neither_shipped_nor_cancelled_again(act, order):
    act("fulfill_order", order_id=order.id)

    with pytest.raises(ActionRefused, match="shipped before"):
        act("fulfill_order", order_id=order.id)
    with pytest.raises(ActionRefused, match="refund it instead"):
        act("cancel_order", order_id=order.id)


@pytest.mark.parametrize("action", ["cancel_order", "pay_order", "edit_order", "fulfill_order"])
def test_a_cancelled_order_stays_as_it_is(act, order, action):
    act("cancel_order", order_id=order.id)

    with pytest.raises(ActionRefused, match="is cancelled"):
        act(action, order_id=order.id)


def test_an_unpaid_order_has_nothing_to_pay_back(act, variant):
    order = act("place_order", lines=[{"variant_id": variant.id}], paid=False)

    with pytest.raises(ActionRefused, match="nothing to pay back"):
        act("refund_order", order_id=order.id)


def test_two_customers_do_not_share_an_address(act):
    act("create_customer", email="ada@example.com")
    other = act("create_customer")

    with pytest.raises(ActionRefused, match="another customer"):
        act("create_customer", email="ada@example.com")
    with pytest.raises(ActionRefused, match="another customer"):
        act("update_customer", customer_id=other.id, email="ada@example.com")


def test_a_customer_who_ordered_is_not_deleted(act, order):
    with pytest.raises(ActionRefused, match="has orders"):
        act("delete_customer", customer_id=order.customer_id)


def test_tags_that_change_nothing_are_refused(act):
    customer = act("create_customer", tags=["vip"])

    with pytest.raises(ActionRefused, match="no tag would come or go"):
        act("tag_customer", customer_id=customer.id, add=["vip"])


def test_a_checkout_is_completed_once(act, variant):
    checkout = act("start_checkout", lines=[{"variant_id": variant.id}], email="guest@example.com")
    act("finish_checkout", token=checkout.token)

    with pytest.raises(ActionRefused, match="is completed"):
        act("finish_checkout", token=checkout.token)


def test_a_store_without_products_has_no_random_order(act, store):
    for product_id in list(store.products):
        store.remove("product", product_id)

    with pytest.raises(ActionRefused, match="no active product"):
        act("place_order")


def test_an_unknown_action_is_a_key_error(store, recorder):
    with pytest.raises(KeyError):
        actions.perform(store, recorder, "burn_down", {})
