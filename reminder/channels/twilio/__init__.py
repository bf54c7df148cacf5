"""Parts that texts and calls through Twilio share: transport, webhooks and the table of its errors."""
