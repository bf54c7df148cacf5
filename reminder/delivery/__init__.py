"""Delivery: handing messages to providers and learning what became of them."""
