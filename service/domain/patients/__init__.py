"""Patients: who may open a record, how it is found, merged and corrected, and what they agreed to.

Doors: `patients` checks access, `patient_records` changes a record, `patient_search` finds one, `merging` joins two,
`consent` and `emergency_access` record what a patient agreed to and a doctor's emergency access.
"""
