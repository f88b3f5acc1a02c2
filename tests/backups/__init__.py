"""Backups: made, tried out, kept, restored."""
