"""Pages about messages: the log, the call list, the next run."""
