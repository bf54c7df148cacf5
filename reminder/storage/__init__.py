"""What is kept: tables, keys, transactions, and one file of queries for each noun."""
