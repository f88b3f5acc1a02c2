"""A small clinic with hours, for tests of booking: two doctors, two patients, the desk."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.config.settings import Booking
from service.domain.appointments import booking
from service.domain.appointments.requests import BookingRequest, MoveRequest
from service.domain.foundation.actor import Actor
from service.storage.models import Appointment
from tests.house import House, at

RULES = Booking()


@dataclass(frozen=True)
class Week:
    """Dr Ahrens and Dr Beyer see people from 8 to 12 every day, a quarter of an hour each."""

    house: House
    ahrens: Actor
    beyer: Actor
    pia: Actor
    otto: Actor
    desk: Actor

    @property
    def zone(self) -> Any:
        return self.house.settings.clinic.zone

    def book(self, actor: Actor, starts_at: str | datetime, **more: Any) -> int:
        """Book (times in UTC) with Dr Ahrens for the actor's own patient unless told otherwise; returns the id."""
        rules = more.pop("rules", RULES)
        values = {"doctor_id": self.ahrens.doctor_id, "patient_id": min(actor.patient_ids, default=0), **more}
        when = at(starts_at) if isinstance(starts_at, str) else starts_at
        with self.house.writing() as session:
            return booking.book(session, actor, BookingRequest(starts_at=when, **values), rules, self.zone).id

    def move(self, actor: Actor, visit: int, starts_at: str, **more: Any) -> int:
        rules = more.pop("rules", RULES)
        with self.house.writing() as session:
            wanted = MoveRequest(at(starts_at), **more)
            return booking.reschedule(session, actor, visit, wanted, rules, self.zone).id

    def row(self, visit: int) -> Appointment:
        with self.house.reading() as session:
            return session.get_one(Appointment, visit)


def open_week(house: House) -> Week:
    """Fill an empty house."""
    week = Week(
        house=house,
        ahrens=house.user("doctor", "ahrens@clinic.example", "Dr. Ahrens", department="Eyes"),
        beyer=house.user("doctor", "beyer@clinic.example", "Dr. Beyer", department="Ears"),
        pia=house.user("patient", "pia@clinic.example", "Pia Ahorn"),
        otto=house.user("patient", "otto@clinic.example", "Otto Birke"),
        desk=house.user("receptionist", "desk@clinic.example", "Rita Tresen"),
    )
    for doctor in (week.ahrens, week.beyer):
        house.hours(doctor.doctor_id, "08:00", "12:00")
    return week
