"""What texts and calls through Twilio share: transport, webhooks and the table of its errors."""
