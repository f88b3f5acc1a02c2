"""Doctors' schedules: hours, time off, covers, the calendar, and the waitlist.

Doors: `doctors` and `hours` say who works when, `time_off` and `covers` change that, `affected_appointments` lists the
appointments time off affects, `waitlist` and `offers` fill slots that open up, `calendar` and `day_sheets` show a
day, `offered_times` answers other programs, `capacity` counts hours.
"""
