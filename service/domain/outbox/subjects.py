"""The subject of a message that isn't about an appointment: a row or a day, stored as `export/ab12`."""

from dataclasses import dataclass
from enum import StrEnum

from service.storage.models import Message


class Kind(StrEnum):
    """What messages can be about, besides appointments."""

    OFFER = "offer"
    EXPORT = "export"
    REPORT = "report"
    MORNING_SHEET = "morning_sheet"


@dataclass(frozen=True)
class Subject:
    """A subject."""

    kind: Kind
    key: str
    """The row's id, or the day in ISO form."""

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"


KINDS = {kind.value: kind for kind in Kind}


def of(message: Message) -> Subject | None:
    """Return what a message is about; None for an appointment, an account, or a subject this version doesn't know."""
    kind, _slash, key = (message.about or "").partition("/")
    return Subject(KINDS[kind], key) if kind in KINDS else None
