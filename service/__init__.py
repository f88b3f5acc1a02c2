"""Rounds: appointments for a small clinic, in one process."""

__version__ = "0.1.0"
