"""Whom the service knows: groups, people, their cards and contacts, and the lists that they came in."""
