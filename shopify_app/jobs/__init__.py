"""The door of the queue and the clock: jobs open transactions, call Shopify between them, and schedule what follows.

A job takes ids and plain values by keyword, and can be run again at any time: what it does is claimed in PostgreSQL.
"""
