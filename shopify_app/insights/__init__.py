"""Read-only questions about a store, answered as frozen dataclasses."""

from shopify_app.insights.definitions import DEFINITIONS
from shopify_app.insights.overview import Day, Figure, Overview, TopCustomer, TopProduct, overview
from shopify_app.insights.ranges import COMPARISONS, PRESETS, InvalidRange, Range, comparison, custom, resolve

__all__ = [
    "COMPARISONS",
    "DEFINITIONS",
    "PRESETS",
    "Day",
    "Figure",
    "InvalidRange",
    "Overview",
    "Range",
    "TopCustomer",
    "TopProduct",
    "comparison",
    "custom",
    "overview",
    "resolve",
]
