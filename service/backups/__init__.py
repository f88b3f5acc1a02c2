"""Backups: an online copy of the database, packed, opened again and counted; kept, rotated, restored."""
