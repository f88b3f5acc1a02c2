"""When an instant moves, anyone who was mailed the calendar entry gets one update; no one else hears of it."""

from datetime import datetime, timedelta

import pytest
import time_machine
from icalendar import Calendar, Event
from sqlalchemy import true, update

from service.config.settings import Booking
from service.domain.appointments import booking, series
from service.domain.appointments.requests import BookingRequest, SeriesRequest
from service.domain.foundation.actor import Actor
from service.domain.outbox import calendar_updates
from service.notifications.message import OutgoingMessage
from service.storage.models import Appointment, Message
from tests.domain.outbox import planning as hand
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")
HOUR = timedelta(hours=1)
GATEWAY = {"enabled": True, "url": "https://gateway.example/", "body": "{to} {text}"}


@pytest.fixture(name="people")
def a_desk_and_a_doctor(house: House) -> tuple[Actor, int]:
    desk = house.user("receptionist", "rita@clinic.example", "Rita Tresen")
    doctor = house.user("doctor", "berg@clinic.example", "Dr. Ada Berg").doctor_id
    assert doctor is not None
    house.hours(doctor)
    return desk, doctor


def book(house: House, people: tuple[Actor, int], patient: int, starts_at: datetime) -> None:
    with house.writing() as session:
        booking.book(session, people[0], BookingRequest(patient, starts_at, people[1]), Booking(), hand.CLINIC.zone)


def sent(house: House) -> list[OutgoingMessage]:
    """All letters that are due, each sent."""
    found = []
    while (claimed := hand.claim(house, sms=GATEWAY)) is not None:
        assert claimed.outgoing is not None
        found.append(claimed.outgoing)
        hand.hand_over(house, claimed)
        hand.sent(house, claimed)
    return found


def law_changed(house: House) -> int:
    """All instants are an hour later now, those of messages too; returns how many updates were queued."""
    with house.writing() as session:
        for appointment in session.query(Appointment).order_by(Appointment.starts_at.desc()):
            appointment.starts_at, appointment.ends_at = appointment.starts_at + HOUR, appointment.ends_at + HOUR
            session.flush()
        for message in session.query(Message):
            message.starts_at = message.starts_at and message.starts_at + HOUR
    with house.writing() as session:
        return calendar_updates.queue(session, true())


def the_event(letter: OutgoingMessage) -> Event:
    (part,) = letter.attachments
    calendar = Calendar.from_ical(part.content)
    assert calendar["method"] == "REQUEST"
    (event,) = calendar.events
    return event


def test_the_entry_is_replaced_each_time_the_instant_moves(
    house: House, people: tuple[Actor, int], clock: time_machine.Traveller
) -> None:
    book(house, people, house.patient("Lena Vogt", email="lena@mail.example"), at("2026-05-11 08:00"))
    told = sent(house)
    for _turn in range(2):
        clock.shift(60)
        assert law_changed(house) == 1
        told += sent(house)
        assert sent(house) == []
    events = [the_event(one) for one in told]
    assert [event.start for event in events] == [at(f"2026-05-11 {hour}:00") for hour in ("08", "09", "10")]
    assert len({str(event["uid"]) for event in events}) == 1
    numbers = [event.sequence for event in events]
    assert numbers == sorted(set(numbers))
    assert told[1].subject == "Please update your calendar: Mon, 11 May, 11:00"


def test_an_update_that_still_waits_is_sent_once(house: House, people: tuple[Actor, int]) -> None:
    book(house, people, house.patient("Lena Vogt", email="lena@mail.example"), at("2026-05-11 08:00"))
    sent(house)
    law_changed(house)
    law_changed(house)
    (update_,) = sent(house)
    assert the_event(update_).start == at("2026-05-11 10:00")


def test_each_appointment_of_a_series_is_updated(house: House, people: tuple[Actor, int]) -> None:
    lena = house.patient("Lena Vogt", email="lena@mail.example")
    weekly = SeriesRequest(BookingRequest(lena, at("2026-05-11 08:00"), people[1]), count=3, every_days=7)
    with house.writing() as session:
        series.book(session, people[0], weekly, Booking(), hand.CLINIC)
    (confirmed,) = sent(house)
    assert len(confirmed.attachments) == 3
    assert law_changed(house) == 3
    assert [the_event(one).start.day for one in sent(house)] == [11, 18, 25]


def test_nobody_else_is_told(house: House, people: tuple[Actor, int], clock: time_machine.Traveller) -> None:
    by_sms = house.patient("Short", email="s@mail.example", phone="+4915735550132", preferred_channel="sms")
    gone, over = (house.patient(name, email=f"{name}@mail.example") for name in ("gone", "over"))
    house.visit(people[1], house.patient("Imported", email="i@mail.example"), at("2026-05-12 08:00"))
    book(house, people, by_sms, at("2026-05-11 09:00"))
    book(house, people, gone, at("2026-05-11 10:00"))
    book(house, people, over, at("2026-05-04 07:00"))
    sent(house)
    with house.writing() as session:
        session.execute(update(Appointment).where(Appointment.patient_id == gone).values(status="cancelled"))
    clock.move_to(at("2026-05-04 09:00"))
    assert law_changed(house) == 0
