"""Parsers of what people and programs write: dates, addresses, tags."""
