"""T4: a calendar entry keeps its UID, whatever the clinic's address becomes; no two clinics share one."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from icalendar import Calendar

from service.config.settings import Booking
from service.domain.appointments import booking, outcomes
from service.domain.appointments.requests import BookingRequest, MoveRequest
from service.domain.foundation.actor import Actor
from service.storage.database import Database, migrate
from tests.house import House, at, build
from tests.services.mail_server import MailServer, running

Opened = Callable[..., House]
RULES = Booking()
BEFORE, AFTER = {"public_url": "http://192.168.1.20:8000"}, {"public_url": "https://rounds.clinic.example"}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Stands at 8 o'clock in Berlin on Monday, 4 May 2026; `shift` moves it on."""
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything."""
    made = MailServer()
    with running(made):
        yield made


def booked(house: House, starts_at: datetime) -> tuple[Actor, int]:
    """An appointment that the desk books for a new patient; returns the desk and the appointment's id."""
    desk = house.user("receptionist", "rita@clinic.example", "Rita")
    doctor = house.user("doctor", "ada@clinic.example", "Dr. Ada Berg").doctor_id
    assert doctor is not None
    house.hours(doctor)
    lena = house.patient("Lena Vogt", email="lena@mail.example")
    zone = house.settings.clinic.zone
    with house.writing() as session:
        visit = booking.book(session, desk, BookingRequest(lena, starts_at, doctor), RULES, zone)
        return desk, visit.id


def moved(house: House, desk: Actor, visit: int, starts_at: datetime) -> int:
    zone = house.settings.clinic.zone
    with house.writing() as session:
        return booking.reschedule(session, desk, visit, MoveRequest(starts_at), RULES, zone).id


def cancelled(house: House, desk: Actor, visit: int) -> None:
    with house.writing() as session:
        outcomes.cancel(session, desk, visit, reason="", rules=RULES)


def received(house: House, server: MailServer) -> list[Any]:
    """The calendar of each mail so far, after all that is due has left."""
    house.deliver()
    calendars = []
    for mail in server.mails:
        (part,) = mail.parsed.iter_attachments()
        assert part.get_content_type() == "text/calendar"
        calendars.append(Calendar.from_ical(part.get_content()))
    return calendars


def uids(calendars: list[Any]) -> list[str]:
    return [str(calendar.walk("VEVENT")[0]["uid"]) for calendar in calendars]


def test_t4_an_entry_is_rescheduled_and_canceled_by_its_uid_after_the_address_changed(
    make_house: Opened, server: MailServer, clock: time_machine.Traveller
) -> None:
    house = make_house(clinic=BEFORE, email=server.settings())
    desk, visit = booked(house, at("2026-05-11 08:00"))
    received(house, server)
    house = make_house(clinic=AFTER, email=server.settings())
    clock.shift(60)
    later = moved(house, desk, visit, at("2026-05-12 08:00"))
    received(house, server)
    clock.shift(60)
    cancelled(house, desk, later)
    calendars = received(house, server)
    assert [str(one["method"]) for one in calendars] == ["REQUEST", "REQUEST", "CANCEL"]
    (uid,) = set(uids(calendars))
    assert uid.startswith(f"visit-{visit}@")
    assert "192.168" not in uid
    events = [one.walk("VEVENT")[0] for one in calendars]
    numbers = [event["sequence"] for event in events]
    assert numbers == sorted(set(numbers))
    assert {str(event["organizer"]) for event in events} == {"mailto:desk@clinic.example"}
    assert {str(event["attendee"]) for event in events} == {"mailto:lena@mail.example"}


def test_t4_two_clinics_at_one_address_send_different_uids(server: MailServer, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        database = Database(f"sqlite:///{folder / 'rounds.db'}")
        migrate(database)
        database.close()
        house = build(folder, clinic=BEFORE, email=server.settings())
        booked(house, at("2026-05-11 08:00"))
        calendars = received(house, server)
        house.wiring.database.close()
    one, two = uids(calendars)
    assert one != two
    assert one.partition("@")[0] == two.partition("@")[0] == "visit-1"
