"""The web: pages, webhooks and health answers."""
