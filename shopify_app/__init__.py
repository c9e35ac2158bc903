"""Storelens: what a store's data means, kept from Shopify and shown to its merchant."""
