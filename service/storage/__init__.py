"""Tables, database connections, transactions, and migrations."""
