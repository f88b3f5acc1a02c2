"""The demo clinic: made-up people, and a plan of more than a year of appointments."""
