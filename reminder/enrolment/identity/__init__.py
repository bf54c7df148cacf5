"""Identity: accounts, members, invitations and API tokens."""
