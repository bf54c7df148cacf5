"""Upkeep: health, metrics, back-ups, contact verification, retention, erasure and export."""
