"""LINE messages."""
