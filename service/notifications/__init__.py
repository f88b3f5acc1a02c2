"""Sending messages: one class per channel, and one error that says whether to retry."""
