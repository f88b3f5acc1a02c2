"""The clinic's job runs as JSON."""
