"""Translations, formats of dates and numbers, and message templates."""
