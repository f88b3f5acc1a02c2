"""Scheduled and queued work. A ledger in the database records what is due and done; ticks and threads only run it."""
