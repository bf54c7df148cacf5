"""The registry: groups, people, their cards and contacts, and the sheets they were imported from."""
