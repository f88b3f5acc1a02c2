"""Queued messages: what to send to whom. A row is written in the transaction of its cause.

Doors: `outbox` queues a message, `announcements` and `reminders` decide on those about appointments, and
`message_rules` is the table of all rules.
"""
