"""The people whom two acts are about, with what has to be there before each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count

from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Booking
from service.domain.appointments.requests import BookingRequest
from service.domain.exports import export_ledger, exports
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.domain.messages import message_links
from service.domain.privacy import legal_holds
from service.storage.models import (
    AppointmentStatus,
    CancelledBy,
    Channel,
    Doctor,
    Guardian,
    LinkPurpose,
    Message,
    User,
)
from service.storage.search_keys import search_key
from tests import waiting
from tests.house import House, at, day

EIGHT, NINE, TEN, ELEVEN = (at(f"2026-05-04 0{hour}:00") for hour in (6, 7, 8, 9))
"""On a Monday in Berlin: now, and times that are free."""
TODAY, MONTH = day("2026-05-04"), "2026-04"
ONE_AT_ONCE = Booking(max_open=1)
NUMBERS = count()
Go = Callable[[Session], object]
"""An act, done in a transaction."""


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


@dataclass
class Clinic:
    """The people who act, one clinic for all scenes."""

    house: House
    admin: Actor
    desk: Actor
    colleague: int
    """A doctor who has to do with no scene, but may stand in."""

    @classmethod
    def of(cls, house: House) -> "Clinic":
        """An admin, a desk, and a doctor."""
        admin, desk, colleague = (
            house.user(role, f"{role}@clinic.example") for role in ("admin", "receptionist", "doctor")
        )
        assert colleague.doctor_id is not None
        return cls(house, admin, desk, colleague.doctor_id)


class Scene:
    """A patient, another record that may be the same person's, and a doctor; no one else has to do with them."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic, self.house, self.word = clinic, clinic.house, _letters(next(NUMBERS)).title()
        self.name = f"Pia {self.word}"
        self.patient = self.person(self.name, email=f"pia.{self.word}@mail.example".lower())
        self.other = self.person(f"Paula {self.word}")
        with self.house.writing() as session:
            doctor = Doctor(name=f"Dr. {self.word}", department=self.word, created_at=at("2020-01-01 08:00"))
            session.add(doctor)
            session.flush()
            self.doctor = doctor.id
        self.house.hours(self.doctor)
        self.house.treated(self.doctor, self.patient, at("2026-04-07 08:00"), diagnosis=f"Hay fever of {self.word}")
        self._booked = 0

    def person(self, name: str, **more: object) -> int:
        return self.house.patient(name, folded_name=search_key(name), birth_date=day("1980-02-01"), **more)

    @cached_property
    def pia(self) -> Actor:
        """The patient's own account."""
        address = f"account.{self.word}@mail.example".lower()
        with self.house.writing() as session:
            user = User(role=Role.PATIENT, email=address, name=self.name, created_at=clock.now())
            session.add(user)
            session.flush()
            session.add(Guardian(user_id=user.id, patient_id=self.patient, created_at=clock.now()))
        return self.house.actor(address)

    @cached_property
    def colleague(self) -> Actor:
        """The doctor, as someone who acts."""
        return Actor(Role.DOCTOR, f"Dr. {self.word}", None, self.doctor)

    @cached_property
    def visit(self) -> int:
        """An appointment of today, still ahead."""
        return self.house.visit(self.doctor, self.patient, NINE + timedelta(minutes=30), overbooked=False)

    @cached_property
    def begun(self) -> int:
        """An appointment that has just begun."""
        return self.house.visit(self.doctor, self.patient, EIGHT - timedelta(minutes=5), overbooked=False)

    @cached_property
    def called_off(self) -> int:
        """An appointment that its patient has just canceled."""
        called_off = {"status": AppointmentStatus.CANCELLED, "cancelled_at": EIGHT, "cancelled_by": CancelledBy.PATIENT}
        return self.house.visit(self.doctor, self.patient, ELEVEN, overbooked=False, **called_off)

    @cached_property
    def entry(self) -> int:
        """The patient waits."""
        return waiting.entry(self.house, self.patient)

    @cached_property
    def offered(self) -> int:
        """Ten o'clock is held for them."""
        return waiting.offer(self.house, self.entry, self.doctor, TEN)

    @cached_property
    def hold(self) -> int:
        """A legal hold that stands."""
        with self.house.writing() as session:
            return legal_holds.put(session, self.clinic.admin, self.patient, reason="A court").id

    @cached_property
    def tomorrow(self) -> int:
        """A visit that the next run of reminders tells of."""
        return self.house.visit(self.doctor, self.patient, ELEVEN + timedelta(days=1), overbooked=False)

    @cached_property
    def message(self) -> int:
        """A message about the appointment waits to be sent."""
        times = {"due_at": EIGHT, "lease_until": EIGHT, "created_at": EIGHT}
        about = {"appointment_id": self.visit, "starts_at": NINE + timedelta(minutes=30)}
        with self.house.writing() as session:
            message = Message(
                rule="booking_confirmation",
                patient_id=self.patient,
                channel=Channel.EMAIL,
                recipient=f"pia.{self.word}@mail.example".lower(),
                **times,
                **about,
            )
            session.add(message)
            session.flush()
            return message.id

    @cached_property
    def link(self) -> str:
        """The token in a message about tomorrow's visit."""
        times = {"due_at": EIGHT, "lease_until": EIGHT, "created_at": EIGHT}
        about = {"appointment_id": self.tomorrow, "starts_at": ELEVEN + timedelta(days=1)}
        with self.house.writing() as session:
            told = Message(rule="visit_moved", patient_id=self.patient, channel=Channel.EMAIL, **times, **about)
            session.add(told)
            session.flush()
            return message_links.make(
                session,
                told,
                LinkPurpose.VISIT,
                patient_id=self.patient,
                appointment_id=self.tomorrow,
                expires_at=ELEVEN + timedelta(days=1),
            )

    @cached_property
    def file(self) -> str:
        """The patient's history is being written to a file; the export's id."""
        with self.house.writing() as session:
            made = exports.request(session, SYSTEM, self.patient, most_waiting=10_000).id
            assert export_ledger.claim(session, made, "somebody") is not None
            return made

    def own_time(self) -> BookingRequest:
        """Each time another one that no one else has."""
        self._booked += 1
        return self.wish(ELEVEN + timedelta(hours=self._booked))

    def wish(self, starts_at: datetime = NINE) -> BookingRequest:
        return BookingRequest(self.patient, starts_at, self.doctor)
