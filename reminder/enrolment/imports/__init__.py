"""Imports: read a home's sheet, match it with the registered people, show it and save it."""
