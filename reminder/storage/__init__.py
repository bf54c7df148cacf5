"""The storage: tables, keys, transactions, and one module of queries for each entity."""
