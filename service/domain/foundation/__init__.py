"""What every area builds on: actors, errors, audit, paging, contact details, CSV, throttling, and job runs.

All modules are doors.
"""
