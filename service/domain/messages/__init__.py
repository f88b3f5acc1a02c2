"""Messages on their way out: their contents and links, delivery, the log, the call list and upcoming reminders.

Doors: `deliveries` claims and settles them, `messages` and `message_log` serve the front desk, `message_links` is what
a recipient may do without signing in, `upcoming_reminders` and `call_lists` show a day's reminders before and after
they are sent, `notifications` says who was or will be notified, `decisions` explains why a patient is or is not
notified, `content_preview` shows a text.
"""
