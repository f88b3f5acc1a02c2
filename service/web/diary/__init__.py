"""Pages about the clinic's days: today, calendar, doctors and their hours, time off, waitlist."""
