"""The guides people read in the app."""
