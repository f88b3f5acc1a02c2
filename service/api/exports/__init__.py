"""Exports of a history as JSON."""
