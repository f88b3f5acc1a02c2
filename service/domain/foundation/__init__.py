"""What every area builds on: who acts, errors, audit, paging, contact details, CSV, throttling and job runs.

All modules are doors.
"""
