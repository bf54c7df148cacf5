"""Storage for authentication and authorisation: accounts, sessions, passkeys, tokens and signed links."""
