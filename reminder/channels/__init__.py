"""The ways to reach people: one file for each provider, all of them a domain.messages.Channel."""
