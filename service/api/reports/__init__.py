"""Monthly reports and statistics as JSON."""
