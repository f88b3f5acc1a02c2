"""The running service, who uses it, and the memory it takes."""
