"""Pages about the clinic itself: first start, settings, jobs, system, health."""
