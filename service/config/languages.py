"""The languages of messages; language/languages.py says what each one needs."""

from enum import StrEnum


class Language(StrEnum):
    """One of them, by its code."""

    EN = "en"
    DE = "de"
