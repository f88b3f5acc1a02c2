"""The acts of the pages as JSON for other programs, over the same domain functions."""
