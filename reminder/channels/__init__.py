"""The channels to reach people: a package for each, registered in registry.py.

Each client is a domain.model.messages.Channel.
"""
