"""The demo clinic: made-up people, and more than a year of appointments."""
