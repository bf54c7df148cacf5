"""Delivery: hands messages over to providers and records their outcomes."""
