"""What PostgreSQL cancels because of another transaction is retried, and nobody has to press twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import Select, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service import clock
from service.domain.accounts import api_tokens
from service.domain.diary import waitlist
from service.domain.foundation.actor import SYSTEM
from service.domain.messages import message_links
from service.storage.collisions import TRIES
from service.storage.models import Appointment, AuditEntry, Doctor, LinkPurpose, Message, Patient, WaitlistEntry
from tests.at_once.interleaving import until_done_or_waiting
from tests.house import Browser, House, at

NINE, DESK = "2026-05-04T09:00", "desk@clinic.example"


@pytest.fixture(name="desk")
def a_desk(house: House) -> Iterator[Browser]:
    """The desk on a Monday at eight o'clock in Berlin."""
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        house.user("receptionist", DESK)
        yield house.browser(DESK)


@pytest.fixture(name="doctor")
def a_doctor(house: House, desk: Browser) -> int:
    made = house.user("doctor", "ada@clinic.example", "Dr Ada").doctor_id
    assert made is not None
    house.hours(made)
    return made


def refusing(monkeypatch: pytest.MonkeyPatch, error: type[Exception], times: int) -> list[int]:
    """Let the database cancel that many transactions after they have added someone to the list, and count them."""
    add, tries = waitlist.add, []

    def add_and_collide(session: Session, *more: Any) -> WaitlistEntry:
        entry = add(session, *more)
        tries.append(entry.patient_id)
        if len(tries) <= times:
            raise OperationalError("INSERT", {}, error("collided"))
        return entry

    monkeypatch.setattr(waitlist, "add", add_and_collide)
    return tries


@pytest.mark.parametrize("error", [DeadlockDetected, SerializationFailure])
def test_h13_a_request_that_collides_is_retried_and_done_once(
    house: House, desk: Browser, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    tries = refusing(monkeypatch, error, TRIES - 1)
    assert desk.post("/waitlist", {"patient_id": house.patient("Eve")}).status_code == 303
    assert len(tries) == TRIES
    assert house.count(WaitlistEntry) == house.count(AuditEntry, AuditEntry.act == "waiting.add") == 1


def test_h13_a_request_that_collides_every_time_is_refused_and_saves_nothing(
    house: House, desk: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = refusing(monkeypatch, DeadlockDetected, 100)
    refused = desk.post("/waitlist", {"patient_id": house.patient("Eve")})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert len(tries) == TRIES
    assert house.count(WaitlistEntry) == house.count(AuditEntry, AuditEntry.act == "waiting.add") == 0


@dataclass(frozen=True)
class Door:
    """A way in for an act about a patient: another transaction holds `held` and then wants the patient."""

    go: Callable[[], bool]
    held: Select[int]
    done: Callable[[], int]
    """How often it was done, in the end."""


def by_form(house: House, desk: Browser, doctor: int, patient: int) -> Door:
    """The desk books."""
    desk.token()
    form = {"patient_id": patient, "doctor_id": doctor, "starts_at": NINE}
    booked = Appointment.patient_id == patient
    return Door(
        lambda: desk.post("/appointments", form).status_code == 303,
        select(Doctor.id).where(Doctor.id == doctor),
        lambda: house.count(Appointment, booked),
    )


def by_api(house: House, _desk: Browser, doctor: int, patient: int) -> Door:
    """Another program books for the desk."""
    with house.writing() as session:
        user = api_tokens.by_email(session, DESK)
        token = api_tokens.make(session, SYSTEM, user, label="Telephone", scopes=("book",), days=1)
    body = {"patient_id": patient, "doctor_id": doctor, "starts_at": f"{NINE}+02:00"}
    headers = {"Authorization": f"Bearer {token}"}
    program, booked = house.app.test_client(), Appointment.patient_id == patient
    return Door(
        lambda: program.post("/api/v1/appointments", json=body, headers=headers).status_code == 201,
        select(Doctor.id).where(Doctor.id == doctor),
        lambda: house.count(Appointment, booked),
    )


def by_link(house: House, _desk: Browser, doctor: int, patient: int) -> Door:
    """The patient cancels by the link in a message; that it was pressed is counted before."""
    visit, now = house.visit(doctor, patient, at("2026-05-06 07:00")), clock.now()
    times = {"due_at": now, "lease_until": now, "created_at": now}
    with house.writing() as session:
        told = Message(rule="visit_moved", patient_id=patient, appointment_id=visit, channel="email", **times)
        session.add(told)
        session.flush()
        token = message_links.make(
            session,
            told,
            LinkPurpose.VISIT,
            patient_id=patient,
            appointment_id=visit,
            expires_at=now + timedelta(days=9),
        )
    reader = house.browser()
    reader.token()
    return Door(
        lambda: reader.post(f"/visit/{token}/cancellation").status_code == 303,
        select(Appointment.id).where(Appointment.id == visit),
        lambda: house.count(AuditEntry, AuditEntry.act == "appointment.cancel"),
    )


def by_job(house: House, _desk: Browser, doctor: int, patient: int) -> Door:
    """The job of the day writes the reminders of this patient and of another one."""
    house.visit(doctor, patient, at("2026-05-04 07:00"))
    last = house.patient("Zoe")
    house.visit(doctor, last, at("2026-05-04 08:00"))
    return Door(
        lambda: house.run_by_hand("send_daily_reminders", "2026-05-04") is not None,
        select(Patient.id).where(Patient.id == last),
        lambda: house.count(Message, Message.patient_id == patient, Message.rule == "daily_reminder"),
    )


@pytest.mark.postgresql
@pytest.mark.parametrize("by", [by_form, by_api, by_link, by_job])
def test_h13_a_deadlock_is_retried_and_the_act_done_once_by_page_api_link_and_job(
    house: House, desk: Browser, doctor: int, by: Callable[[House, Browser, int, int], Door]
) -> None:
    patient, database = house.patient("Eve"), house.wiring.database
    door = by(house, desk, doctor, patient)
    with ThreadPoolExecutor(1) as pool, database.engine.connect() as other:
        other.execute(door.held.with_for_update())
        other.execute(text("SET LOCAL deadlock_timeout = '1min'"))  # the door is who finds out, and gives way
        is_done = pool.submit(door.go)
        until_done_or_waiting(house, is_done)
        other.execute(select(Patient.id).where(Patient.id == patient).with_for_update())
        other.rollback()
        assert is_done.result()
    assert door.done() == 1
