"""Texts, through Twilio."""
