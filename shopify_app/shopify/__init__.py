"""Everything on Shopify's wire: signatures, tokens, the Admin API, bulk files, topics. It knows no tables."""
