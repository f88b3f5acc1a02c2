"""Backups: copying the database while it is in use, verifying, rotating, and restoring the copies."""
