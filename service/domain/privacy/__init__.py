"""Who did what to whose data, and how data is erased.

Doors: `audit_log` and `record_changes` read the past, `audit_check` verifies it, `erasure` and `legal_holds` decide
what is removed.
"""
