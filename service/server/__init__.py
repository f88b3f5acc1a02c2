"""The `serve` command: an HTTP server that starts, restarts, and stops in order."""
