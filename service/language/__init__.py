"""How text is written: translations, formats of dates and numbers, and message templates."""
