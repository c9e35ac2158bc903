"""Starts PostgreSQL, Valkey and the app's processes for the demo and the tests; production needs none of it."""
