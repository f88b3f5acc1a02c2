"""Doctors and their free slots as JSON."""
