"""Conversation: what people answer."""
