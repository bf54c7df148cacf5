"""The outbox: messages are queued, leased, handed over and settled."""
