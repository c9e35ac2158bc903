"""The Admin GraphQL API of a devstore: Shopify's schema 2026-10, as far as it is served, over the store's records."""

from devstore.graphql.endpoint import BULK, blueprint

__all__ = ["BULK", "blueprint"]
