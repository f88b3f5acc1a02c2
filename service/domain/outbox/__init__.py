"""What is to be sent and to whom; a row is written in the transaction of what caused it.

Doors: `outbox` writes a message, `announcements` and `reminders` decide on those about appointments,
`message_rules` is the table of all rules.
"""
