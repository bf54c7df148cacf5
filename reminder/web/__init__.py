"""The web: pages, API, webhooks and health checks."""
