"""Pages about figures: monthly reports, the dashboard, small figures."""
