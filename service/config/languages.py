"""The languages in which Rounds writes to people; what each needs is the table in language/languages.py."""

from enum import StrEnum


class Language(StrEnum):
    """One of them, by its code."""

    EN = "en"
    DE = "de"
