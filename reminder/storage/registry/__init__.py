"""Queries for what is registered: groups, persons, contacts, cards and imports."""
