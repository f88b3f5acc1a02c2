"""The table of languages: what each one needs, besides its folder of message texts."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.config.languages import Language


@dataclass(frozen=True)
class Speech:
    """How things are said in one language."""

    name: str
    """As its speakers call it."""
    calendar_summary: str
    """What a visit is called in somebody's calendar."""
    cancelled_by_patient: str
    """What introduces an appointment that its patient has cancelled."""
    cancelled_by_clinic: str
    """The same where the clinic has."""


LANGUAGES: Mapping[Language, Speech] = {
    Language.EN: Speech(
        "English",
        calendar_summary="Visit at {clinic}",
        cancelled_by_patient="This visit was cancelled as you asked",
        cancelled_by_clinic="We had to cancel this visit",
    ),
    Language.DE: Speech(
        "Deutsch",
        calendar_summary="Termin bei {clinic}",
        cancelled_by_patient="Dieser Termin wurde auf Ihren Wunsch abgesagt",
        cancelled_by_clinic="Wir mussten diesen Termin absagen",
    ),
}
NAMES: Mapping[str, str] = {language: speech.name for language, speech in LANGUAGES.items()}
