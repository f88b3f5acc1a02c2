"""What can be typed behind `run.py`, a module for each kind of command."""
