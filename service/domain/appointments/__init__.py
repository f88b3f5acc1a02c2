"""Booking, rescheduling, outcomes, and treatments.

`booking`, `series`, and `walk_ins` create appointments; `outcomes` and `treatments` complete them; `appointments`,
`appointment_search`, and `timeline` read them. `open_hours` computes when doctors see patients, `free_times` the free
slots; `holds` reserves slots, and `visit_types` are the appointment types.
"""
