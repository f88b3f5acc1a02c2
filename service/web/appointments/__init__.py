"""Pages about visits: lists, booking, moving, outcomes, treatments, visit types, links in messages."""
