"""The sales ledger: what each agreement of an order booked."""

from decimal import Decimal

from devstore import totals
from devstore.graphql import ledger as books
from devstore.graphql.context import Line

SALE = (
    "id actionType lineType quantity totalAmount { shopMoney { amount } } totalTaxAmount { shopMoney { amount } } "
    "totalDiscountAmountBeforeTaxes { shopMoney { amount } } totalDiscountAmountAfterTaxes { shopMoney { amount } } "
    "taxes { id amount { shopMoney { amount } } taxLine { title } } "
    "... on ProductSale { lineItem { id } } ... on ShippingLineSale { shippingLine { id title } }"
)
AGREEMENTS = (
    "query A($id: ID!) { order(id: $id) { agreements(first: 4) { nodes { __typename id reason happenedAt "
    f"sales(first: 12) {{ nodes {{ __typename {SALE} }} }} "
    "... on RefundAgreement { refund { id } } ... on OrderAgreement { order { id } } } } } }"
)


def ledger(shopify, order):
    answer = shopify.ask(AGREEMENTS, id=f"gid://shopify/Order/{order.id}")
    return answer["order"]["agreements"]["nodes"]


def amount(sale, name="totalAmount"):
    return Decimal(sale[name]["shopMoney"]["amount"])


def first(store, wanted):
    return next(order for order in store.orders.values() if wanted(order))


def test_placing_an_order_books_its_lines_and_shipping(installed, store):
    order = first(store, lambda order: not order.refunds and not order.edits and order.shipping_lines)

    (placed,) = ledger(installed, order)

    sales = placed["sales"]["nodes"]
    assert (placed["__typename"], placed["reason"]) == ("OrderAgreement", "ORDER")
    assert placed["happenedAt"] == order.processed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [sale["lineType"] for sale in sales][-1] == "SHIPPING"
    assert {sale["actionType"] for sale in sales} == {"ORDER"}
    assert [sale["quantity"] for sale in sales[:-1]] == [line.quantity for line in order.lines]
    assert sum(map(amount, sales)) == totals.ordered(order).total


def test_a_refund_books_negative_sales_on_its_own_time(installed, store):
    order = first(store, lambda order: order.refunds and order.refunds[0].lines and not order.edits)

    _, refunded, *_ = ledger(installed, order)

    refund = order.refunds[0]
    sales = [sale for sale in refunded["sales"]["nodes"] if sale["lineType"] != "SHIPPING"]
    assert refunded["__typename"] == "RefundAgreement"
    assert refunded["refund"]["id"] == f"gid://shopify/Refund/{refund.id}"
    assert refunded["happenedAt"] == refund.processed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert {sale["actionType"] for sale in sales} == {"RETURN"}
    assert [sale["quantity"] for sale in sales] == [-line.quantity for line in refund.lines]
    assert [amount(sale) for sale in sales] == [-(line.subtotal + line.tax) for line in refund.lines]


def test_an_edit_books_what_it_added_and_removed(installed, act, store):
    order = first(store, lambda order: not order.refunds and not order.edits and order.lines[0].quantity > 1)
    product = next(product for product in store.products.values() if not product.gift_card)
    line = order.lines[0]
    act(
        "edit_order",
        order_id=order.id,
        add=[{"variant_id": product.variants[0].id, "quantity": 2}],
        remove=[{"line_item_id": line.id, "quantity": 1}],
    )

    placed, edited = ledger(installed, store.orders[order.id])

    sales = edited["sales"]["nodes"]
    assert (edited["__typename"], edited["reason"]) == ("OrderEditAgreement", "ORDER_EDIT")
    assert sorted(sale["quantity"] for sale in sales) == [-1, 2]
    assert {sale["actionType"]: amount(sale) > 0 for sale in sales} == {"RETURN": False, "ORDER": True}
    assert placed["sales"]["nodes"][0]["quantity"] == line.quantity


def test_the_ledger_of_every_order_adds_up_to_what_is_left_of_it(store):
    for order in store.orders.values():
        sales = [sale for agreement in books.agreements(order) for sale in books.sales(agreement)]

        left = totals.current(order)
        goods = [sale for sale in sales if isinstance(sale.item, Line)]
        assert sum(sale.total for sale in sales) == left.total, order.id
        assert sum(sale.tax for sale in sales) == left.tax, order.id
        assert sum(sale.discount for sale in goods) == left.discounts, order.id
        assert sum(sale.units for sale in goods) == sum(line.current_quantity for line in order.lines), order.id


def test_a_gift_card_is_a_sale_of_its_own_kind(store):
    order = first(store, lambda order: order.lines)
    order.lines[0].gift_card = True

    sale = books.sales(books.agreements(order)[0])[0]

    assert books.sale_type(sale) == "GiftCardSale"
    assert books.SALE["lineType"](sale, None) == "GIFT_CARD"
