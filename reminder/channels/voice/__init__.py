"""Telephone calls, through Twilio."""
