"""Patients as JSON."""
