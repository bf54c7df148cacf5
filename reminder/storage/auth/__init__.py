"""Who may do what: accounts, sessions, passkeys, tokens, signed links and what belongs to whom."""
