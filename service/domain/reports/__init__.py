"""Figures: monthly reports for each doctor and the clinic, and the live statistics.

Doors: `reports` and `clinic_reports` create and read monthly reports, `report_versions` keeps earlier ones,
`statistics` computes the dashboard.
"""
