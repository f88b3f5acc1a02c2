"""The commands of `run.py`, one module per topic."""
