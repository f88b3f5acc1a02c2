"""What runs when, and what brings it to run: the ledger in the database decides, ticks and threads only serve it."""
