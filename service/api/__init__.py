"""JSON API for other programs, on top of the same domain functions as the pages."""
