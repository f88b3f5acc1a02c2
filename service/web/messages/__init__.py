"""Pages about messages: the log, the morning sheet, the next run."""
