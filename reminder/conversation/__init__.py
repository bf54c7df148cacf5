"""Conversation: the replies that people send and what follows from them."""
