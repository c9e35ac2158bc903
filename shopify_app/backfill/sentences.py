"""What people are told of a backfill: causes, what is lacking, and what to do."""

from __future__ import annotations

from types import MappingProxyType

# How an export ended → why.
CAUSES = MappingProxyType(
    {
        "ACCESS_DENIED": "the app may not read all that it asked for",
        "TIMEOUT": "it took Shopify too long",
        "STALLED": "nothing was added to it for 30 minutes",
        "INTERNAL_SERVER_ERROR": "Shopify had trouble of its own",
        "EXPIRED": "it was not done within the time that Shopify gives an export",
        "CANCELED": "it was cancelled, and not by this app",
        "FAILED": "Shopify did not say why",
    }
)
# What an app has to be granted to read a resource.
SCOPES = MappingProxyType(
    {
        "customers": "read_customers",
        "products": "read_products",
        "orders": "read_orders",
        "refunds": "read_orders",
        "checkouts": "read_orders",
    }
)
SIXTY_DAYS = (
    "Shopify gives the last 60 days of orders. For older ones, Storelens has to be granted the access scope"
    " read_all_orders: open the app in the Shopify admin, allow it there, and sync the orders again."
)
ERASED = "Customers whose data was erased on request, and whom Shopify still counts: {}."
BARE = "Refunds of which only the amount is known, as Shopify shows their orders no longer: {}."
NO_PLACE = "Shopify runs as many exports for this store as it allows; this one waits for a free place."
TELL = "If it fails again, tell whoever runs Storelens."
AGAIN = "Sync again later."
KEPT = "What was loaded before is kept."
