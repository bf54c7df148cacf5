"""The messages: queued, leased, handed over and settled."""
