"""What pages share: rendering, the catalog of their words, authorization, WebAuthn."""
