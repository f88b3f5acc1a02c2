"""The clinic as a whole: the first administrator and doctor, and the state after a restore.

Doors: `setting_up`, `restored`.
"""
