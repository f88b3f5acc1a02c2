"""The running service, who visits it, and the memory it takes."""
