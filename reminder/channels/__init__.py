"""The ways to reach people: a folder for each, registered in registry.py. Each client is a domain.messages.Channel."""
