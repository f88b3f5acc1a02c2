"""Booking, rescheduling, outcomes and treatments.

Doors: `booking`, `series` and `walk_ins` create appointments, `outcomes` and `treatments` complete them,
`appointments`, `appointment_search` and `timeline` read them, `open_hours` says when doctors see people,
`free_times` computes slots, `holds` reserves one, `visit_types` are the kinds that can be booked.
"""
