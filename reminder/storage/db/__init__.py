"""How the database is opened and what a transaction carries."""
