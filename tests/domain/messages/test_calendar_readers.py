"""T3: whatever program reads a calendar entry, it begins and ends at the second that was booked."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from service.domain.appointments import appointments, free_times
from service.domain.messages import visit_calendar
from service.language.translation import speaking
from service.storage.models import Appointment, Message
from tests.domain.messages import calendar_readers
from tests.domain.messages.calendar_readers import NotFound, Read
from tests.house import House, at

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]
NAME = 'Praxis "Am Park"; Dr. Müller, Söhne: Straße 5\\7 – 診療所'
EMAIL = {"enabled": True, "host": "mail.example", "sender": "Our desk <desk@clinic.example>"}
NOW = at("2026-01-02 06:00")
QUARTER = timedelta(minutes=15)
ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "America/Anchorage",
    "America/Argentina/Buenos_Aires",
    "America/Caracas",
    "America/Chicago",
    "America/Havana",
    "America/Mexico_City",
    "America/New_York",
    "America/Nuuk",
    "America/Phoenix",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Vancouver",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Asia/Yangon",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Eucla",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Honolulu",
    "Pacific/Kiritimati",
)
YEARS = range(2026, 2039)


@pytest.fixture
def database_kind() -> str:
    """What an entry says does not depend on the database."""
    return "sqlite"


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Before all that is booked."""
    with time_machine.travel(NOW, tick=False):
        yield


@dataclass(frozen=True)
class Entry:
    """A calendar file, and what was booked."""

    booked: str
    """In words, for a failure."""
    start: datetime
    end: datetime
    text: str


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """The instants at which clocks are changed, to the minute."""

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(zone).utcoffset()

    days = [datetime(YEARS[0], 1, 2, tzinfo=UTC) + timedelta(days=n) for n in range(len(YEARS) * 365)]
    for day, next_day in pairwise(days):
        if offset(day) != offset(next_day):
            minutes = [day + timedelta(minutes=n) for n in range(24 * 60 + 1)]
            yield next(minute for minute in minutes if offset(minute) != offset(day))


def times(zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta]]:
    """What is booked in a zone: a morning of each half of each year, and all around the changes of its clocks.

    Around a change that is the hour that comes twice, both times, or the last and first quarter beside the hour that
    is missing, where nothing can be booked.
    """
    for year in YEARS:
        for month in (1, 7):
            instant = free_times.local_instant(date(year, month, 15), time(10, 15), zone)
            assert instant is not None
            yield instant, QUARTER
    for change in changes(zone):
        for minutes, length in ((-60, QUARTER), (-30, QUARTER), (-15, 2 * QUARTER), (15, QUARTER), (45, QUARTER)):
            yield change + timedelta(minutes=minutes), length


def booked(house: House, wanted: Sequence[tuple[ZoneInfo, datetime, timedelta]]) -> None:
    """Put appointments down, each zone's with a doctor of its own."""
    people = {}
    for number, zone in enumerate(dict.fromkeys(zone.key for zone, _start, _length in wanted)):
        doctor = house.user("doctor", f"d{number}@clinic.example", f"Dr. {zone}").doctor_id
        people[zone] = {"doctor_id": doctor, "patient_id": house.patient(zone)}
    with house.writing() as session:
        session.add_all(
            Appointment(starts_at=start, ends_at=start + length, created_at=NOW, **people[zone.key])
            for zone, start, length in wanted
        )


def entries(house: House) -> list[Entry]:
    """The files a patient gets of all appointments."""
    message = Message(rule="booking_confirmation", recipient="o'hara+1@mail.example", language="de")
    with house.writing() as session, speaking("de"):
        visits = session.scalars(appointments.with_people().order_by(Appointment.id)).all()
        files = visit_calendar.entries(session, message, visits, house.settings)
    return [
        Entry(f"{visit.starts_at} {visit.patient.name}", visit.starts_at, visit.ends_at, file.content.decode())
        for visit, file in zip(visits, files, strict=True)
    ]


@pytest.fixture
def read_by_all(tmp_path: Path) -> Callable[[Sequence[Entry]], Mapping[str, list[Read]]]:
    """Hands entries to every program. Without node it is skipped, or fails where nothing may be skipped."""

    def ask(found: Sequence[Entry]) -> dict[str, list[Read]]:
        texts, folder = [one.text for one in found], tmp_path / "readers"
        folder.mkdir()
        try:
            by_node = calendar_readers.in_javascript(texts, folder)
        except NotFound as reason:
            if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
                pytest.fail(f"Calendar programs are needed: {reason}")
            pytest.skip(f"no calendar programs: {reason}")
        return {
            **{name: [read(text) for text in texts] for name, read in calendar_readers.IN_PYTHON.items()},
            **by_node,
        }

    return ask


def test_t3_all_programs_read_the_second_that_was_booked(make_house: Any, read_by_all: Any) -> None:
    assert len(ZONES) >= 40
    house = make_house(email=EMAIL, clinic={"name": NAME})
    booked(house, [(ZoneInfo(name), *one) for name in ZONES for one in times(ZoneInfo(name))])
    found = entries(house)
    assert len(found) > 2 * len(ZONES) * len(YEARS) + 1000, "the changes of clocks are among them"
    late = {
        name: [
            f"{one.booked}: {read.start - one.start.timestamp():+} s, {read.end - one.end.timestamp():+} s"
            for one, read in zip(found, reads, strict=True)
            if (read.start, read.end) != (one.start.timestamp(), one.end.timestamp())
        ]
        for name, reads in read_by_all(found).items()
    }
    assert {name: (len(wrong), wrong[:5]) for name, wrong in late.items() if wrong} == {}
    assert set(late) == {"icalendar", "ics", "recurring-ical-events", "vobject", "ical.js", "node-ical"}


def test_all_programs_read_the_same_name_number_and_words(make_house: Any, read_by_all: Any) -> None:
    house = make_house(email=EMAIL, clinic={"name": NAME})
    booked(house, [(ZoneInfo("Europe/Berlin"), at("2027-07-01 08:15"), QUARTER)])
    (found,) = entries(house)
    (uid,) = [line[4:] for line in found.text.splitlines() if line.startswith("UID:")]
    for name, (read,) in read_by_all([found]).items():
        facts = (read.uid, read.sequence, read.summary, read.organizer)
        assert facts == (uid, 0, f"Termin bei {NAME}", "desk@clinic.example"), name
