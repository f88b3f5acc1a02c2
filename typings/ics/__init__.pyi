from collections.abc import Iterable
from datetime import datetime

class ContentLine:
    name: str
    value: str

class Organizer:
    email: str

class Event:
    begin: datetime
    end: datetime
    uid: str
    name: str
    organizer: Organizer
    extra: Iterable[ContentLine]

class Calendar:
    events: set[Event]
    def __init__(self, imports: str) -> None: ...
