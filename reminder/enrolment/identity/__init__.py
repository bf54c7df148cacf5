"""Who signs in: accounts, members, invitations and API tokens."""
