"""A local stand-in for Shopify, run as its own process: ``python -m devstore``.

It knows nothing of the application it serves: it speaks Shopify's wire (OAuth, Admin GraphQL,
webhooks, the admin that frames an app) and nothing else. It is not Shopify's software.
"""
