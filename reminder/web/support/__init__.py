"""Support for pages: rendering, the catalog of their words, authorization, WebAuthn."""
