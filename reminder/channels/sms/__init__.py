"""Text messages, through Twilio."""
