"""The database: its tables, its connections and its transactions."""
