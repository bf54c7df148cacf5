"""Reminders, replies to them, and notices."""
