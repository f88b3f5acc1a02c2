"""Patients: access to records, search, changes, merging, consent, and emergency access.

Entry points: `patients` checks access, `patient_records` changes a record, `patient_search` finds one, `merging` merges
two, `consent` records which messages a patient agreed to, and `emergency_access` opens a record in an emergency.
"""
