"""A request whose transaction PostgreSQL ended for another one's sake is begun again, and nobody has to press twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service.domain.diary import waiting_list
from service.http.collisions import TRIES
from service.storage.models import Appointment, AuditEntry, Doctor, Message, Patient, WaitingEntry
from tests.house import Browser, House, at
from tests.interleaving import until_done_or_waiting

NINE = "2026-05-04T09:00"


@pytest.fixture(name="desk")
def a_desk(house: House) -> Iterator[Browser]:
    """The desk on a Monday at eight o'clock in Berlin."""
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        house.user("receptionist", "desk@clinic.example")
        yield house.browser("desk@clinic.example")


@pytest.fixture(name="doctor")
def a_doctor(house: House, desk: Browser) -> int:
    made = house.user("doctor", "ada@clinic.example", "Dr Ada").doctor_id
    assert made is not None
    house.hours(made)
    return made


def refusing(monkeypatch: pytest.MonkeyPatch, error: type[Exception], times: int) -> list[int]:
    """Let the database end so many transactions after they have put somebody on the list; each is noted."""
    add, tries = waiting_list.add, []

    def add_and_collide(session: Session, *more: Any) -> WaitingEntry:
        entry = add(session, *more)
        tries.append(entry.patient_id)
        if len(tries) <= times:
            raise OperationalError("INSERT", {}, error("collided"))
        return entry

    monkeypatch.setattr(waiting_list, "add", add_and_collide)
    return tries


@pytest.mark.parametrize("error", [DeadlockDetected, SerializationFailure])
def test_h13_a_request_that_collides_is_begun_again_and_done_once(
    house: House, desk: Browser, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    tries = refusing(monkeypatch, error, TRIES - 1)
    assert desk.post("/waiting-list", {"patient_id": house.patient("Eve")}).status_code == 303
    assert len(tries) == TRIES
    assert house.count(WaitingEntry) == house.count(AuditEntry, AuditEntry.act == "waiting.add") == 1


def test_h13_a_request_that_collides_every_time_is_refused_and_nothing_of_it_is_kept(
    house: House, desk: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = refusing(monkeypatch, DeadlockDetected, 100)
    refused = desk.post("/waiting-list", {"patient_id": house.patient("Eve")})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert len(tries) == TRIES
    assert house.count(WaitingEntry) == house.count(AuditEntry, AuditEntry.act == "waiting.add") == 0


@pytest.mark.postgresql
def test_h13_a_booking_that_waits_for_somebody_who_waits_for_it_is_made(
    house: House, desk: Browser, doctor: int
) -> None:
    """Somebody else holds the doctor and then wants the patient, the wrong way round."""
    patient, database = house.patient("Eve"), house.wiring.database
    form = {"patient_id": patient, "doctor_id": doctor, "starts_at": NINE}
    desk.token()
    with ThreadPoolExecutor(1) as pool, database.engine.connect() as other:
        other.execute(select(Doctor.id).where(Doctor.id == doctor).with_for_update())
        other.execute(text("SET LOCAL deadlock_timeout = '1min'"))  # the booking is who finds out, and gives way
        answer = pool.submit(desk.post, "/appointments", form)
        until_done_or_waiting(house, answer)
        other.execute(select(Patient.id).where(Patient.id == patient).with_for_update())
        other.rollback()
        assert answer.result().status_code == 303
    assert house.count(Appointment, Appointment.patient_id == patient) == 1
    assert house.count(AuditEntry, AuditEntry.act == "appointment.book") == 1
    assert house.count(Message, Message.patient_id == patient, Message.rule == "booking_confirmation") == 1
