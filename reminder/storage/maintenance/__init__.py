"""Looking after the rows: audit, counters, snapshots, erasure, export, key rotation."""
