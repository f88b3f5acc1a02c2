"""Messages on their way out: their texts and links, delivery, the log, the call list and upcoming reminders.

Doors: `deliveries` claims and settles them, `messages` and `message_log` serve the desk, `message_links` is what a
recipient may do without signing in, `morning_sheets` and `next_run` show a day's run after and before it happens,
`decisions` explains why a patient is or is not told, `letter_texts` shows a text.
"""
