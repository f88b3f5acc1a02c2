"""The state of the service: checks, readiness, last backup, unfinished setup, and gauges."""
