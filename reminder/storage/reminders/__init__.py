"""The reminders, what was answered, and what those around a person are told."""
