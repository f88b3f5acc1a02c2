"""Message states as JSON, without texts."""
