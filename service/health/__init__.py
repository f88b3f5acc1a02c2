"""Whether the service is well: checks, readiness, last backup, unfinished setup, gauges."""
