"""Orders, customers, products and checkouts: GraphQL tells the same story as the webhook bodies and the records."""

from decimal import Decimal

import pytest

from devstore import payloads, totals
from devstore.graphql.checkouts import is_listed
from devstore.graphql.scalars import decimal, parse_gid

BAG = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
ORDER_BAGS = {
    "currentShippingPriceSet": "current_shipping_price_set",
    "currentSubtotalPriceSet": "current_subtotal_price_set",
    "currentTotalDiscountsSet": "current_total_discounts_set",
    "currentTotalPriceSet": "current_total_price_set",
    "currentTotalTaxSet": "current_total_tax_set",
    "subtotalPriceSet": "subtotal_price_set",
    "totalDiscountsSet": "total_discounts_set",
    "totalPriceSet": "total_price_set",
    "totalShippingPriceSet": "total_shipping_price_set",
    "totalTaxSet": "total_tax_set",
}


def amounts(bag):
    """Read a MoneyBag of either wire into comparable values."""
    shop = bag.get("shopMoney") or bag["shop_money"]
    shown = bag.get("presentmentMoney") or bag["presentment_money"]
    return [(Decimal(one["amount"]), one.get("currencyCode") or one["currency_code"]) for one in (shop, shown)]


def gid(kind, number):
    return f"gid://shopify/{kind}/{number}"


def ask_order(shopify, order, fields):
    return shopify.ask(f"query O($id: ID!) {{ order(id: $id) {{ {fields} }} }}", id=gid("Order", order.id))["order"]


def some(store, wanted):
    """Return the first order a predicate holds for."""
    return next(order for order in store.orders.values() if wanted(order))


@pytest.fixture(params=["plain", "discounted", "refunded", "presented", "test", "guest"])
def order(request, store):
    """Orders of every sort the generator makes."""
    kinds = {
        "plain": lambda order: not order.refunds and not order.discount_code,
        "discounted": lambda order: totals.ordered(order).discounts,
        "refunded": lambda order: order.refunds,
        "presented": lambda order: order.presentment_currency != order.currency,
        "test": lambda order: order.test,
        "guest": lambda order: order.customer_id is None,
    }
    found = next(filter(kinds[request.param], store.orders.values()), None)
    assert found is not None, f"the small store has no {request.param} order"
    return found


def test_an_orders_amounts_are_those_of_its_webhook(installed, order):
    fields = " ".join(f"{name} {BAG}" for name in ORDER_BAGS)

    answer = ask_order(installed, order, fields)

    body = payloads.order_body(installed.store, order)
    assert {name: amounts(answer[name]) for name in ORDER_BAGS} == {
        name: amounts(body[key]) for name, key in ORDER_BAGS.items()
    }


def test_an_orders_facts_are_those_of_its_webhook(installed, order):
    answer = ask_order(
        installed,
        order,
        "id legacyResourceId name email phone test note tags cartToken checkoutToken sourceName statusPageUrl "
        "cancelReason displayFinancialStatus discountCodes paymentGatewayNames currencyCode presentmentCurrencyCode",
    )

    body = payloads.order_body(installed.store, order)
    same = {"email": "email", "name": "name", "phone": "phone", "test": "test", "note": "note"}
    same |= {"cartToken": "cart_token", "checkoutToken": "checkout_token", "sourceName": "source_name"}
    same |= {"statusPageUrl": "order_status_url", "paymentGatewayNames": "payment_gateway_names"}
    same |= {"currencyCode": "currency", "presentmentCurrencyCode": "presentment_currency"}
    assert {name: answer[name] for name in same} == {name: body[key] for name, key in same.items()}
    assert answer["id"] == body["admin_graphql_api_id"]
    assert answer["legacyResourceId"] == str(body["id"])
    assert answer["displayFinancialStatus"] == body["financial_status"].upper()
    assert answer["discountCodes"] == [code["code"] for code in body["discount_codes"]]


def test_an_orders_lines_are_those_of_its_webhook(installed, order):
    answer = ask_order(
        installed,
        order,
        "lineItems(first: 50) { nodes { id title name sku vendor quantity currentQuantity isGiftCard variantTitle "
        f"originalUnitPriceSet {BAG} discountAllocations {{ allocatedAmountSet {BAG} }} "
        f"taxLines {{ title rate priceSet {BAG} }} }} }}",
    )

    body = payloads.order_body(installed.store, order)["line_items"]
    lines = answer["lineItems"]["nodes"]
    plain = {"title": "title", "name": "name", "sku": "sku", "vendor": "vendor", "quantity": "quantity"}
    plain |= {"currentQuantity": "current_quantity", "isGiftCard": "gift_card", "variantTitle": "variant_title"}
    for line, theirs in zip(lines, body, strict=True):
        assert {name: line[name] for name in plain} == {name: theirs[key] for name, key in plain.items()}
        assert amounts(line["originalUnitPriceSet"]) == amounts(theirs["price_set"])
        assert [amounts(one["allocatedAmountSet"]) for one in line["discountAllocations"]] == [
            amounts(one["amount_set"]) for one in theirs["discount_allocations"]
        ]
        assert [(one["title"], one["rate"], amounts(one["priceSet"])) for one in line["taxLines"]] == [
            (one["title"], one["rate"], amounts(one["price_set"])) for one in theirs["tax_lines"]
        ]


def test_a_refund_is_that_of_its_webhook(installed, store):
    order = some(store, lambda order: order.refunds and order.refunds[0].lines)
    refund = order.refunds[0]

    answer = installed.ask(
        "query R($id: ID!) { refund(id: $id) { order { id } totalRefundedSet { shopMoney { amount } } "
        f"refundLineItems(first: 50) {{ nodes {{ quantity restockType lineItem {{ id }} subtotalSet {BAG} "
        f"totalTaxSet {BAG} }} }} transactions(first: 5) {{ nodes {{ kind status amountSet {BAG} }} }} "
        f"refundShippingLines(first: 5) {{ nodes {{ subtotalAmountSet {BAG} }} }} }} }}",
        id=gid("Refund", refund.id),
    )["refund"]

    body = payloads.refund_body(store, order, refund)
    lines = answer["refundLineItems"]["nodes"]
    assert answer["order"]["id"] == gid("Order", order.id)
    assert Decimal(answer["totalRefundedSet"]["shopMoney"]["amount"]) == refund.amount
    assert [
        (line["quantity"], line["restockType"].lower(), amounts(line["subtotalSet"]), amounts(line["totalTaxSet"]))
        for line in lines
    ] == [
        (one["quantity"], one["restock_type"], amounts(one["subtotal_set"]), amounts(one["total_tax_set"]))
        for one in body["refund_line_items"]
    ]
    assert [amounts(one["subtotalAmountSet"]) for one in answer["refundShippingLines"]["nodes"]] == [
        amounts(one["subtotal_amount_set"]) for one in body["refund_shipping_lines"]
    ]


def test_order_level_discounts_are_not_in_a_lines_own_discounts(installed, store):
    order = some(store, lambda order: order.discount_code and order.lines[0].discount)
    line = order.lines[0]
    amount = "{ shopMoney { amount } }"

    answer = ask_order(
        installed,
        order,
        f"lineItems(first: 1) {{ nodes {{ totalDiscountSet {amount} plain: discountedTotalSet {amount} "
        f"withCode: discountedTotalSet(withCodeDiscounts: true) {amount} "
        f"discountedUnitPriceAfterAllDiscountsSet {amount} }} }}",
    )["lineItems"]["nodes"][0]

    gross = line.price * line.quantity
    values = {name: Decimal(bag["shopMoney"]["amount"]) for name, bag in answer.items()}
    assert values == {
        "totalDiscountSet": 0,
        "plain": gross,
        "withCode": gross - line.discount,
        "discountedUnitPriceAfterAllDiscountsSet": totals.cents((gross - line.discount) / line.quantity),
    }


def test_a_customer_is_that_of_its_webhook_with_orders_counted(installed, store):
    customer = next(one for one in store.customers.values() if store.orders_of(one.id) and one.email)

    answer = installed.ask(
        "query C($id: ID!) { customer(id: $id) { id legacyResourceId firstName lastName displayName state "
        "numberOfOrders amountSpent { amount currencyCode } lastOrder { id } orders(first: 5) { nodes { id } } "
        "defaultEmailAddress { emailAddress marketingState } defaultAddress { countryCodeV2 name } } }",
        id=gid("Customer", customer.id),
    )["customer"]

    body = payloads.customer_body(store, customer)
    orders = [order for order in store.orders_of(customer.id) if not order.test]
    assert (answer["firstName"], answer["lastName"]) == (body["first_name"], body["last_name"])
    assert answer["state"] == body["state"].upper()
    assert answer["defaultEmailAddress"]["emailAddress"] == body["email"]
    assert answer["numberOfOrders"] == str(len(orders))
    paid = sum((totals.captured(order) - totals.refunded(order) for order in orders), Decimal(0))
    assert Decimal(answer["amountSpent"]["amount"]) == paid


def test_a_product_is_that_of_its_webhook(installed, store):
    product = next(iter(store.products.values()))

    answer = installed.ask(
        "query P($id: ID!) { product(id: $id) { title handle vendor productType status tags totalInventory "
        "priceRangeV2 { minVariantPrice { amount } } variantsCount { count precision } "
        "variants(first: 50) { nodes { id sku price compareAtPrice position inventoryItem { legacyResourceId } } } } }",
        id=gid("Product", product.id),
    )["product"]

    body = payloads.product_body(store, product)
    variants = answer["variants"]["nodes"]
    assert (answer["title"], answer["handle"], answer["vendor"]) == (body["title"], body["handle"], body["vendor"])
    assert answer["status"] == body["status"].upper()
    assert [(one["sku"], one["price"], one["position"]) for one in variants] == [
        (one["sku"], one["price"], one["position"]) for one in body["variants"]
    ]
    assert Decimal(answer["priceRangeV2"]["minVariantPrice"]["amount"]) == min(one.price for one in product.variants)
    assert answer["variantsCount"] == {"count": len(product.variants), "precision": "EXACT"}


def test_an_abandoned_checkout_is_that_of_its_webhook(installed, store):
    checkout = next(one for one in store.checkouts.values() if is_listed(one) and one.shipping)

    answer = installed.ask(
        f"query N($id: ID!) {{ node(id: $id) {{ ... on AbandonedCheckout {{ name abandonedCheckoutUrl completedAt "
        f"totalPriceSet {BAG} subtotalPriceSet {BAG} totalTaxSet {BAG} totalDiscountSet {BAG} "
        f"totalLineItemsPriceSet {BAG} lineItems(first: 50) {{ nodes {{ quantity title }} }} }} }} }}",
        id=gid("AbandonedCheckout", checkout.id),
    )["node"]

    body = payloads.checkout_body(store, checkout)
    plain = {"totalPriceSet": "total_price", "subtotalPriceSet": "subtotal_price", "totalTaxSet": "total_tax"}
    plain |= {"totalDiscountSet": "total_discounts", "totalLineItemsPriceSet": "total_line_items_price"}
    assert answer["abandonedCheckoutUrl"] == body["abandoned_checkout_url"]
    assert answer["name"] == body["name"]
    assert {name: Decimal(answer[name]["shopMoney"]["amount"]) for name in plain} == {
        name: Decimal(body[key]) for name, key in plain.items()
    }
    assert len(answer["lineItems"]["nodes"]) == len(body["line_items"])


def test_abandoned_checkouts_are_those_left_and_those_recovered(installed, store):
    answer = installed.ask(
        "{ all: abandonedCheckoutsCount { count } recovered: abandonedCheckoutsCount(query: "
        '"recovery_state:recovered") { count } }'
    )

    listed = [one for one in store.checkouts.values() if is_listed(one)]
    assert answer["all"]["count"] == len(listed)
    assert answer["recovered"]["count"] == len([one for one in listed if one.completed_at])
    assert len(listed) < len(store.checkouts)


def test_what_was_deleted_is_null_where_it_was_referred_to(installed, store):
    order = some(store, lambda order: order.customer_id and order.lines[0].product_id in store.products)
    store.remove("customer", order.customer_id)
    store.remove("product", order.lines[0].product_id)

    answer = ask_order(
        installed, order, "customer { id } lineItems(first: 1) { nodes { product { id } variant { id } } }"
    )

    assert answer["customer"] is None
    assert answer["lineItems"]["nodes"][0] == {"product": None, "variant": None}


@pytest.mark.parametrize("kind", ["Order", "Customer", "Product", "Refund", "ProductVariant", "LineItem", "Colour"])
def test_what_does_not_exist_is_null(installed, kind):
    answer = installed.ask("query N($id: ID!) { node(id: $id) { id } }", id=gid(kind, 1))

    assert answer["node"] is None


def test_an_id_of_another_kind_is_null(installed, store):
    answer = installed.ask(
        "query O($id: ID!) { order(id: $id) { id } }", id=gid("Customer", next(iter(store.customers)))
    )

    assert answer["order"] is None


def test_nodes_answers_in_the_order_of_the_ids(installed, store):
    order = some(store, lambda order: order.refunds)
    product = next(iter(store.products.values()))
    ids = [
        gid("Product", product.id),
        gid("Order", 1),
        gid("Order", order.id),
        gid("LineItem", order.lines[0].id),
        gid("Refund", order.refunds[0].id),
        gid("ProductVariant", product.variants[0].id),
        gid("OrderTransaction", order.transactions[0].id),
        gid("Shop", store.shop.id),
    ]

    answer = installed.ask("query N($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids)

    assert [node and node["id"] for node in answer["nodes"]] == [ids[0], None, *ids[2:]]


def test_more_than_250_ids_are_refused(installed):
    answer = installed.post("query N($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [gid("Order", 1)] * 251})

    assert answer.json["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


def pages(shopify, root, arguments, size=7):
    """Walk a whole connection and return the ids."""
    ids, after = [], ""
    while True:
        page = shopify.ask(
            f"{{ {root}(first: {size}{after}{arguments}) {{ nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage "
            "endCursor } } }"
        )[root]
        ids += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return ids
        after = f', after: "{page["pageInfo"]["endCursor"]}"'


@pytest.mark.parametrize(
    ("root", "records", "keys"),
    [
        ("orders", "orders", ["CREATED_AT", "PROCESSED_AT", "UPDATED_AT", "TOTAL_PRICE", "ID"]),
        ("customers", "customers", ["NAME", "UPDATED_AT", "ID"]),
        ("products", "products", ["TITLE", "UPDATED_AT", "PUBLISHED_AT"]),
    ],
)
def test_pages_hold_everything_once_in_order(installed, store, root, records, keys):
    everything = set(getattr(store, records))
    for key in keys:
        ids = [parse_gid(one)[1] for one in pages(installed, root, f", sortKey: {key}", size=25)]
        backwards = [parse_gid(one)[1] for one in pages(installed, root, f", sortKey: {key}, reverse: true", size=25)]

        assert len(ids) == len(everything)
        assert set(ids) == everything
        assert backwards == ids[::-1]


def test_what_is_added_or_deleted_between_two_pages_disturbs_neither(installed, store):
    first = installed.ask("{ orders(first: 3, sortKey: ID) { edges { cursor node { id } } pageInfo { endCursor } } }")
    seen = [edge["node"]["id"] for edge in first["orders"]["edges"]]
    store.remove("order", parse_gid(seen[-1])[1])

    after = first["orders"]["pageInfo"]["endCursor"]
    second = installed.ask(f'{{ orders(first: 1, sortKey: ID, after: "{after}") {{ nodes {{ id }} }} }}')

    remaining = sorted(store.orders)
    assert parse_gid(second["orders"]["nodes"][0]["id"])[1] == remaining[2]


def test_the_last_page_is_counted_from_the_end(installed, store):
    answer = installed.ask(
        "{ orders(last: 2, sortKey: ID) { nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor } } }"
    )["orders"]

    before = installed.ask(
        f'{{ orders(last: 1, sortKey: ID, before: "{answer["pageInfo"]["startCursor"]}") {{ nodes {{ id }} }} }}'
    )["orders"]
    numbers = sorted(store.orders)
    assert [parse_gid(node["id"])[1] for node in answer["nodes"]] == numbers[-2:]
    assert [parse_gid(node["id"])[1] for node in before["nodes"]] == [numbers[-3]]
    assert (answer["pageInfo"]["hasNextPage"], answer["pageInfo"]["hasPreviousPage"]) == (False, True)


def test_an_empty_page_has_no_cursors(installed):
    page = installed.ask('{ orders(first: 1, query: "id:1") { nodes { id } pageInfo { endCursor hasNextPage } } }')[
        "orders"
    ]

    assert page == {"nodes": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (
            "financial_status:refunded OR financial_status:partially_refunded",
            lambda order: "refunded" in order.financial_status,
        ),
        ("status:cancelled", lambda order: order.cancelled_at),
        ("status:open", lambda order: not order.cancelled_at and not order.closed_at),
        ("status:any", lambda _order: True),
        ("test:true", lambda order: order.test),
        ("NOT test:true", lambda order: not order.test),
        ("processed_at:>=2026-01-01", lambda order: order.processed_at.year == 2026),
    ],
)
def test_orders_are_searched(installed, store, query, wanted):
    count = installed.ask("query C($q: String) { ordersCount(query: $q) { count } }", q=query)["ordersCount"]["count"]

    assert count == len([order for order in store.orders.values() if wanted(order)])


def test_a_count_stops_at_its_limit(installed):
    answer = installed.ask("{ ordersCount(limit: 10) { count precision } customersCount { count precision } }")

    assert answer["ordersCount"] == {"count": 10, "precision": "AT_LEAST"}
    assert answer["customersCount"]["precision"] == "EXACT"


def test_the_shop_and_the_installation_are_answered(installed, store):
    answer = installed.ask(
        "{ currentAppInstallation { launchUrl accessScopes { handle description } app { apiKey title handle } } "
        "shop { name email currencyCode ianaTimezone timezoneOffset timezoneOffsetMinutes url "
        "plan { publicDisplayName } primaryDomain { host } enabledPresentmentCurrencies } }"
    )

    scopes = [scope["handle"] for scope in answer["currentAppInstallation"]["accessScopes"]]
    assert scopes == ["read_all_orders", "read_customers", "read_orders", "read_products"]
    assert (
        answer["currentAppInstallation"]["launchUrl"] == "http://localhost:9292/store/aurora-outfitters/apps/client-id"
    )
    assert answer["shop"]["ianaTimezone"] == store.shop.timezone
    assert answer["shop"]["timezoneOffset"] in {"-0500", "-0400"}
    assert store.shop.currency in answer["shop"]["enabledPresentmentCurrencies"]


@pytest.mark.parametrize(
    ("value", "text"), [("10.00", "10.0"), ("9.95", "9.95"), ("1200", "1200.0"), ("-0.50", "-0.5")]
)
def test_decimals_are_written_as_shopify_writes_them(value, text):
    assert decimal(Decimal(value)) == text
