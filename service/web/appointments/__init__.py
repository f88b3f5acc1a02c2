"""Pages about appointments: lists, booking, rescheduling, outcomes, treatments, types, and links in messages."""
