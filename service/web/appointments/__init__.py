"""Pages about appointments: lists, booking, moving, outcomes, treatments, appointment types, links in messages."""
