"""Exports of a patient's history, and of the whole clinic.

Doors: `exports` is what people do with them, `export_ledger` what a job does, `export_files` writes and finds the
file in each format, `clinic_zip` packs the whole clinic. The other modules are the formats.
"""
