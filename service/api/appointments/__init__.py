"""Appointments and their treatments as JSON."""
