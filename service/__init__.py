"""Rounds: appointments for a small clinic, in one process."""

import os
import zoneinfo

__version__ = "0.1.0"

if "PYTHONTZPATH" not in os.environ:
    # The tzdata we pin wins over the system's, which may be years older and would move appointments by an hour.
    zoneinfo.reset_tzpath(())
