"""Fill an empty database with made-up people and more than a year of appointments."""

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session

from service import clock
from service.demo import people, plan
from service.demo.plan import Size, Visit
from service.domain.appointments import promises
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Conflict
from service.language.translation import gettext as _
from service.mail_addresses import address_key
from service.storage.models import (
    Appointment,
    AppointmentStatus,
    Base,
    CancelledBy,
    Doctor,
    DoctorHours,
    Guardian,
    Installation,
    Patient,
    Treatment,
    User,
    VisitType,
    WaitlistEntry,
)
from service.storage.search_keys import search_key

__all__ = ["Size", "fill"]

BATCH = 10_000
RECORDS_BEGIN, RECORDS_END = 700, 70
"""How many days before the first appointment the first and the last record were created."""
TO_COMPLETE_DAYS = 14
"""Appointments up to this many days ago may still need an outcome."""


def fill(
    session: Session,
    zone: ZoneInfo,
    size: Size,
    seed: int,
    password_hash: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Fill an empty database with a demo clinic, and return the accounts' addresses. The caller commits.

    The same seed on the same day gives the same clinic, except for what has happened so far today. `progress` is
    called with the number of appointments written and their total. Raises Conflict if there are users already.
    """
    _refuse_filled(session)
    now, is_sqlite = clock.now(), session.get_bind().dialect.name == "sqlite"
    calendar = _Calendar(zone, now, "" if is_sqlite else "+00")
    fixed = plan.arranged(size)
    counts = plan.counts(size, fixed, calendar.today, _stream(seed, 1))
    rows = _Rows(session, lambda: progress(rows.next_id(Appointment) - 1, size.appointments))
    began, names = min(counts) - RECORDS_BEGIN, _stream(seed, 0)
    staff = _add_staff(rows, size, calendar.quarters(began)[1], password_hash, names)
    patients = _add_patients(rows, size, calendar, began, password_hash, names)
    for offset in sorted(counts):
        rng = _stream(seed, calendar.date(offset).toordinal())
        for visit in plan.day(size, rng, offset, counts[offset], fixed.get(offset, [])):
            _add_visit(rows, calendar, offset, visit, rng)
    rows.finish()
    promises.fill_in(session, zone, Appointment.local_start.is_(None))
    installation = session.get_one(Installation, 1)
    # A demo clinic starts now: nothing that was due earlier, such as this morning's reminders, is caught up.
    installation.demo_at = installation.created_at = installation.zone_chosen_at = now
    return [*staff[:3], patients[0], *staff[3:], *patients[1:]]


def _stream(seed: int, ordinal: int) -> Random:
    """Return the random numbers of a day, independent of the time. Days 0 and 1 are for the people and the plan."""
    return Random(f"{seed}/{ordinal}")  # noqa: S311 - made-up people, nothing secret


def _refuse_filled(session: Session) -> None:
    if session.scalar(select(exists().where(User.id > 0))):
        raise Conflict(_("This database already has users. A demo clinic needs an empty database."))
    if any(session.scalar(select(exists().where(model.id > 0))) for model in (Doctor, Patient, Appointment)):
        raise Conflict(_("This database already has records. A demo clinic needs an empty database."))


class _Calendar:
    """The quarter hours of each day, counted from today, in the form in which the database stores instants.

    They are shared: a million appointments have several million instants, but each day has only a few.
    """

    def __init__(self, zone: ZoneInfo, now: datetime, suffix: str) -> None:
        self._zone = zone
        self._suffix = suffix
        self._known: dict[int, list[str]] = {}
        self.today = now.astimezone(zone).date()
        self.now = self._text(now)
        self.half_an_hour_ago = self._text(now - timedelta(minutes=30))

    def date(self, offset: int) -> date:
        """Return the date that many days from today."""
        return self.today + timedelta(days=offset)

    def quarters(self, offset: int) -> list[str]:
        """Return a day's instants from 06:45 to 22:00. Slot n starts at index n + 1 and ends at n + 2."""
        if offset not in self._known:
            if len(self._known) >= 200:
                self._known.clear()
            day = self.date(offset)
            walls = (time(minute // 60, minute % 60) for minute in range(6 * 60 + 45, 22 * 60 + 1, 15))
            self._known[offset] = [self._text(clock.instant(day, wall, self._zone)) for wall in walls]
        return self._known[offset]

    def _text(self, instant: datetime) -> str:
        return f"{instant:%Y-%m-%d %H:%M:%S.%f}{self._suffix}"


class _Rows:
    """Inserts rows in batches: ids start at 1, and values have the form in which the database stores them."""

    _ORDER: tuple[type[Base], ...] = (
        User,
        Doctor,
        DoctorHours,
        VisitType,
        Patient,
        Guardian,
        WaitlistEntry,
        Appointment,
        Treatment,
    )

    def __init__(self, session: Session, on_written: Callable[[], None]) -> None:
        self._session = session
        self._on_written = on_written
        self._waiting: dict[type[Base], list[dict[str, Any]]] = {model: [] for model in self._ORDER}
        self._written = dict.fromkeys(self._ORDER, 0)
        self._sqlite = session.connection() if session.get_bind().dialect.name == "sqlite" else None
        if self._sqlite:
            # With the default of 2 MiB, the pages of the patients' index would be written over and over.
            self._usual_cache = self._sqlite.exec_driver_sql("PRAGMA cache_size").scalar_one()
            self._sqlite.exec_driver_sql("PRAGMA cache_size = -65536")

    def next_id(self, model: type[Base]) -> int:
        """Return the id of the row that is added next."""
        return self._written[model] + len(self._waiting[model]) + 1

    def add(self, model: type[Base], row: dict[str, Any]) -> None:
        """Add a row. A full batch is written at once, with everything it may refer to."""
        waiting = self._waiting[model]
        waiting.append(row)
        if len(waiting) >= BATCH:
            self.write()

    def write(self) -> None:
        """Insert waiting rows, ordered so that rows refer only to earlier ones."""
        for model, rows in self._waiting.items():
            if rows:
                self._insert(model.__tablename__, rows)
                self._written[model] += len(rows)
                rows.clear()
        self._on_written()

    def finish(self) -> None:
        """Insert the remaining rows, and reset the database's settings and ids."""
        self.write()
        if self._sqlite:
            self._sqlite.exec_driver_sql(f"PRAGMA cache_size = {self._usual_cache}")
            return
        for model in self._ORDER:
            if model is Guardian:
                continue
            newest = self._session.scalar(select(func.max(model.__table__.c.id)))
            if newest:
                sequence = func.pg_get_serial_sequence(model.__tablename__, "id")
                self._session.execute(select(func.setval(sequence, newest)))

    def _insert(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Insert in the fastest way each database has. Half of the time for a million appointments is spent here."""
        columns = ", ".join(rows[0])
        if self._sqlite:
            values = ", ".join(f":{key}" for key in rows[0])
            self._sqlite.exec_driver_sql(f"INSERT INTO {name} ({columns}) VALUES ({values})", rows)
            return
        source = f"json_populate_recordset(CAST(NULL AS {name}), CAST(:rows AS json))"
        statement = text(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {source}")
        self._session.execute(statement, {"rows": json.dumps(rows)})


def _add_staff(rows: _Rows, size: Size, began: str, password_hash: str, rng: Random) -> list[str]:
    """Add the administrator, the receptionist, and the doctors, and return the addresses of their accounts."""
    emails = [
        _add_user(rows, "admin", "Ines Albrecht", Role.ADMIN, began, password_hash),
        _add_user(rows, "reception", "Jonas Weber", Role.RECEPTIONIST, began, password_hash),
    ]
    for index in range(size.doctors):
        name = people.doctor_name(index, rng)
        department = people.DEPARTMENTS[people.department(index)]
        emails.append(_add_user(rows, f"doctor{index + 1}", name, Role.DOCTOR, began, password_hash))
        doctor = {"id": index + 1, "user_id": _user_of(index), "name": name, "department": department}
        rows.add(Doctor, {**doctor, "created_at": began})
        for weekday in range(7):
            hours = {"id": rows.next_id(DoctorHours), "doctor_id": index + 1, "weekday": weekday}
            rows.add(DoctorHours, {**hours, "starts": 7 * 60, "ends": 22 * 60, "slot_minutes": 15})
    for number, kind in enumerate(people.KINDS, 1):
        rows.add(VisitType, {"id": number, **kind._asdict(), "created_at": began})
    return emails


def _add_patients(
    rows: _Rows, size: Size, calendar: _Calendar, began: int, password_hash: str, rng: Random
) -> list[str]:
    """Add the patients and accounts for the first ones, and return the addresses of the accounts."""
    emails = []
    born_before = calendar.date(began)
    for index, person in enumerate(people.everyone(size.patients, size.doctors, rng)):
        day = began + index * (RECORDS_BEGIN - RECORDS_END) // size.patients
        since = calendar.quarters(day)[1 + index % plan.SLOTS]
        birth_date = born_before - timedelta(days=person.days_old)
        patient = {"id": index + 1, "name": person.name, "email": person.email, "phone": person.phone}
        allergies = people.ALLERGIES[index % len(people.ALLERGIES)]
        patient |= {"given_name": person.given_name, "folded_name": search_key(person.name), "allergies": allergies}
        patient["email_key"] = address_key(person.email) if person.email else None
        rows.add(Patient, {**patient, "birth_date": birth_date.isoformat(), "created_at": since})
        if index < people.ACCOUNTS:
            guardian = {"user_id": rows.next_id(User), "patient_id": index + 1, "created_at": since}
            # An imported record may have a line break in its name; an account never has.
            name = " ".join(person.name.split())
            emails.append(_add_user(rows, f"patient{index + 1}", name, Role.PATIENT, since, password_hash))
            rows.add(Guardian, guardian)
    for wish in (wish for wish in people.WAITING if wish.patient_id <= size.patients):
        waiting = {"id": rows.next_id(WaitlistEntry), "doctor_id": None, **wish._asdict()}
        rows.add(WaitlistEntry, {**waiting, "created_at": calendar.quarters(-3)[waiting["id"]]})
    return emails


def _add_user(rows: _Rows, who: str, name: str, role: Role, since: str, password_hash: str) -> str:
    email = f"{who}@{people.DOMAIN}"
    user = {"id": rows.next_id(User), "email": email, "email_key": address_key(email), "name": name, "role": role.value}
    rows.add(User, {**user, "password_hash": password_hash, "created_at": since})
    return email


def _user_of(doctor: int) -> int:
    """Return the id of a doctor's account: they follow the administrator and the receptionist."""
    return doctor + 3


# Visits


def _add_visit(rows: _Rows, calendar: _Calendar, offset: int, visit: Visit, rng: Random) -> None:
    """Add an appointment and its treatment, if any. Three random numbers decide everything, whatever the time."""
    luck, number, words = rng.random(), rng.getrandbits(64), rng.getrandbits(64)
    row = _appointment(calendar, offset, visit, luck, number)
    row["id"] = rows.next_id(Appointment)
    rows.add(Appointment, row)
    if row["status"] != AppointmentStatus.COMPLETED or (visit.patient != 0 and (number >> 52) % 20 == 0):
        return
    next_visit = calendar.date(offset + 7 + (words >> 40) % 170).isoformat() if (words >> 50) % 3 == 0 else None
    treatment = {
        "id": rows.next_id(Treatment),
        "appointment_id": row["id"],
        **people.findings(words, people.department(visit.doctor), visit.turn),
        "next_visit": next_visit,
        "recorded_by_id": _user_of(visit.doctor),
        "created_at": row["ends_at"],
        "updated_at": row["ends_at"],
    }
    rows.add(Treatment, treatment)


def _appointment(calendar: _Calendar, offset: int, visit: Visit, luck: float, number: int) -> dict[str, Any]:
    """Return the row of an appointment without its id: booked early in a day, canceled or confirmed later."""
    before, start, end = calendar.quarters(offset)[visit.slot : visit.slot + 3]
    status = _status(calendar, offset, visit, start, luck)
    is_off = status == AppointmentStatus.CANCELLED
    booked = _day_booked(offset, number)
    answered = booked + (number >> 6) % (min(offset, 0) - booked)
    answered_at = calendar.quarters(answered)[41 + (number >> 16) % 20]
    by_clinic = (number >> 22) % 4 == 0
    reasons = people.CLINIC_CANCELS if by_clinic else people.PATIENT_CANCELS
    return {
        "doctor_id": visit.doctor + 1,
        "patient_id": visit.patient + 1,
        "starts_at": start,
        "ends_at": end,
        "blocked_from": start,
        "blocked_until": end,
        "status": status,
        "reason": people.REASONS[(number >> 24) % len(people.REASONS)],
        "visit_type_id": people.USUAL_TYPES[(number >> 45) % len(people.USUAL_TYPES)],
        "confirmed_at": answered_at if not is_off and (number >> 30) % 3 == 0 else None,
        "arrived_at": before if status in (AppointmentStatus.ARRIVED, AppointmentStatus.COMPLETED) else None,
        "cancelled_at": answered_at if is_off else None,
        "cancelled_by": (CancelledBy.CLINIC if by_clinic else CancelledBy.PATIENT) if is_off else None,
        "cancellation_reason": reasons[(number >> 34) % len(reasons)] if is_off else None,
        "created_at": calendar.quarters(booked)[1 + (number >> 40) % 40],
    }


def _day_booked(offset: int, number: int) -> int:
    """Return the day an appointment was booked: up to 60 days before it, and always before today."""
    day = offset - 1 - number % 60
    return day if day < 0 else -1 - number % 20


def _status(calendar: _Calendar, offset: int, visit: Visit, start: str, luck: float) -> AppointmentStatus:
    """Return the current status. Today's appointment of the first doctor and the first patient stays booked."""
    if visit.turn is not None:
        luck = 0.0
    if luck >= (0.91 if offset < 0 else 0.95):
        return AppointmentStatus.CANCELLED
    if start > calendar.now or (offset == 0 and visit.patient == 0 and visit.turn is not None):
        return AppointmentStatus.BOOKED
    if start > calendar.half_an_hour_ago:
        return AppointmentStatus.ARRIVED
    if luck >= 0.84:
        return AppointmentStatus.NO_SHOW
    return AppointmentStatus.BOOKED if luck >= 0.79 and -TO_COMPLETE_DAYS <= offset < 0 else AppointmentStatus.COMPLETED
