"""The `serve` command: start, restart and stop in order."""
