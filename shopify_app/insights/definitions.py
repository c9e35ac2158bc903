"""What each figure means: the sentence the page shows beside it. They are Shopify's definitions."""

from __future__ import annotations

from types import MappingProxyType

DEFINITIONS = MappingProxyType(
    {
        "total_sales": "Net sales plus shipping and taxes.",
        "gross_sales": (
            "Price × quantity of everything ordered, before discounts, returns, taxes and shipping. Cancelled and "
            "unpaid orders count; test orders, deleted orders and gift cards do not."
        ),
        "discounts": "What discounts took off the lines of orders, before taxes, shares of order-wide ones included.",
        "returns": (
            "The value of returned, removed and cancelled goods, on the day of the refund, edit or cancellation and "
            "not of the order. Shopify also calls them sales reversals."
        ),
        "net_sales": "Gross sales − discounts − returns.",
        "shipping": "Shipping charged, after its discounts, less what was refunded of it.",
        "taxes": "Taxes charged on goods and shipping, less what was refunded of them.",
        "orders": "Orders placed on these days. Test and deleted orders do not count.",
        "average_order_value": (
            "Gross sales less discounts, divided by orders. What was edited or returned after an order was placed is "
            "left out."
        ),
        "returning_customer_rate": (
            "Of the customers who ordered on these days, how many have ordered more than once in the store's whole "
            "history. Orders without a customer are left out."
        ),
    }
)
