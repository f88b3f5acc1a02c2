"""The table of languages: what each one needs, besides its folder of message texts."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.config.languages import Language


@dataclass(frozen=True)
class Speech:
    """How things are said in one language."""

    name: str
    """As its speakers call it."""
    short_day: str
    """The pattern of a weekday, day and month, as Babel reads it."""
    calendar_summary: str
    """What a visit is called in somebody's calendar."""


LANGUAGES: Mapping[Language, Speech] = {
    Language.EN: Speech("English", short_day="EEE d MMM", calendar_summary="Visit at {clinic}"),
    Language.DE: Speech("Deutsch", short_day="ccc d. MMM", calendar_summary="Termin bei {clinic}"),
}
NAMES: Mapping[str, str] = {language: speech.name for language, speech in LANGUAGES.items()}
