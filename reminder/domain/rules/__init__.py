"""The rules by which reminders are planned: pure functions of dates and settings."""
