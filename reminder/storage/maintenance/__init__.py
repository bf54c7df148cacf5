"""Maintenance of the rows: audit, counters, snapshots, erasure, export, key rotation."""
