"""When doctors see patients: their hours, time off, covers, calendar and waitlist.

Doors: `doctors` and `hours` say who works when, `time_off` and `covers` change that, `hit_visits` lists the
appointments time off affects, `waiting_list` and `offers` fill slots that open up, `calendar` and `day_sheets` show a
day, `offered_times` answers other programs, `capacity` counts hours.
"""
