"""What is done about a patient, a doctor or a slot, as one table: each act with what has to be there before it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from service import clock
from service.config.settings import Booking
from service.domain.accounts import guardians
from service.domain.appointments import booking, outcomes, treatments, walk_ins
from service.domain.appointments.requests import BookingRequest, MoveRequest
from service.domain.appointments.treatments import Findings
from service.domain.diary import doctors, hours, offers, time_off, waiting_list
from service.domain.diary.doctors import DoctorDetails
from service.domain.diary.time_off import Closure
from service.domain.diary.waiting_list import WaitingRequest
from service.domain.exports import exports
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.domain.imports import imports
from service.domain.outbox import reminders
from service.domain.patients import consent, emergencies, merging, patient_records
from service.domain.patients.consent import Wishes
from service.domain.patients.details import PatientDetails
from service.domain.privacy import erasure, legal_holds
from service.domain.reports import reports
from service.storage.folding import fold
from service.storage.models import (
    OPEN,
    TAKES_PLACE,
    Appointment,
    AppointmentStatus,
    CancelledBy,
    Channel,
    ConsentVia,
    Doctor,
    DoctorHours,
    Guardian,
    LegalHold,
    Message,
    Offer,
    Patient,
    Report,
    Treatment,
    User,
    WaitingEntry,
)
from tests import waiting
from tests.house import House, at, day

EIGHT, NINE, TEN, ELEVEN = (at(f"2026-05-04 0{hour}:00") for hour in (6, 7, 8, 9))
"""On a Monday in Berlin: now, and times that are free."""
TODAY, MONTH = day("2026-05-04"), "2026-04"
ONE_AT_ONCE = Booking(max_open=1)
_numbers = count()


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


@dataclass
class Clinic:
    """The people who act, one clinic for all scenes."""

    house: House
    admin: Actor
    desk: Actor

    @classmethod
    def of(cls, house: House) -> "Clinic":
        """An admin and a desk."""
        return cls(
            house, house.user("admin", "admin@clinic.example"), house.user("receptionist", "desk@clinic.example")
        )


class Scene:
    """A patient, another record that may be the same person's, and a doctor; nobody else has to do with them."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic, self.house, self.word = clinic, clinic.house, _letters(next(_numbers)).title()
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
        return self.house.patient(name, folded_name=fold(name), birth_date=day("1980-02-01"), **more)

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
        """The doctor, as somebody who acts."""
        return Actor(Role.DOCTOR, f"Dr. {self.word}", None, self.doctor)

    @cached_property
    def visit(self) -> int:
        """A visit of today, still ahead."""
        return self.house.visit(self.doctor, self.patient, NINE + timedelta(minutes=30), overbooked=False)

    @cached_property
    def begun(self) -> int:
        """A visit that has just begun."""
        return self.house.visit(self.doctor, self.patient, EIGHT - timedelta(minutes=5), overbooked=False)

    @cached_property
    def called_off(self) -> int:
        """A visit that its patient has just cancelled."""
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

    def own_time(self) -> BookingRequest:
        """Each time another one that nobody else has."""
        self._booked += 1
        return self.wish(ELEVEN + timedelta(hours=self._booked))

    def wish(self, starts_at: datetime = NINE) -> BookingRequest:
        return BookingRequest(self.patient, starts_at, self.doctor)


Go = Callable[[Session], object]


def book(scene: Scene) -> Go:
    zone, rules = scene.house.settings.clinic.zone, scene.house.settings.booking
    return lambda session: booking.book(session, scene.clinic.desk, scene.wish(), rules, zone)


def book_for_the_other(scene: Scene) -> Go:
    zone, rules = scene.house.settings.clinic.zone, scene.house.settings.booking
    wish = replace(scene.wish(), patient_id=scene.other)
    return lambda session: booking.book(session, scene.clinic.desk, wish, rules, zone)


def book_oneself(scene: Scene) -> Go:
    zone, wish, pia = scene.house.settings.clinic.zone, scene.own_time(), scene.pia
    return lambda session: booking.book(session, pia, wish, ONE_AT_ONCE, zone)


def walk_in(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    return lambda session: walk_ins.take_in(session, scene.clinic.desk, scene.wish(EIGHT), zone)


def move(scene: Scene) -> Go:
    zone, visit, rules = scene.house.settings.clinic.zone, scene.visit, scene.house.settings.booking
    wish = MoveRequest(TEN, [scene.doctor])
    return lambda session: booking.reschedule(session, scene.clinic.desk, visit, wish, rules, zone)


def cancel(scene: Scene) -> Go:
    visit, rules = scene.visit, scene.house.settings.booking
    return lambda session: outcomes.cancel(session, scene.clinic.desk, visit, reason="", rules=rules)


def undo(scene: Scene) -> Go:
    visit, settings = scene.called_off, scene.house.settings
    return lambda session: outcomes.undo(session, scene.clinic.desk, visit, settings)


def undo_oneself(scene: Scene) -> Go:
    visit, settings, pia = scene.called_off, scene.house.settings.model_copy(update={"booking": ONE_AT_ONCE}), scene.pia
    return lambda session: outcomes.undo(session, pia, visit, settings)


def arrive(scene: Scene) -> Go:
    zone, visit = scene.house.settings.clinic.zone, scene.visit
    return lambda session: outcomes.arrive(session, scene.clinic.desk, visit, zone)


def treat(scene: Scene) -> Go:
    zone, visit = scene.house.settings.clinic.zone, scene.begun
    return lambda session: treatments.record(
        session, scene.colleague, visit, Findings(diagnosis=f"A cold of {scene.word}"), zone
    )


def wait(scene: Scene) -> Go:
    return lambda session: waiting_list.add(session, scene.clinic.desk, WaitingRequest(scene.patient, scene.doctor))


def wait_no_more(scene: Scene) -> Go:
    entry = scene.entry
    return lambda session: waiting_list.remove(session, scene.clinic.desk, entry)


def offer(scene: Scene) -> Go:
    zone, entry = scene.house.settings.clinic.zone, scene.entry
    return lambda session: offers.make(
        session, scene.clinic.desk, entry, doctor_id=scene.doctor, starts_at=TEN, zone=zone
    )


def accept(scene: Scene) -> Go:
    zone, made, rules = scene.house.settings.clinic.zone, scene.offered, scene.house.settings.booking
    return lambda session: offers.accept(session, scene.clinic.desk, made, rules=rules, zone=zone)


def archive(scene: Scene) -> Go:
    return lambda session: patient_records.archive(session, scene.clinic.desk, scene.patient)


def merge(scene: Scene) -> Go:
    return lambda session: merging.merge(session, scene.clinic.desk, scene.other, other_id=scene.patient, wait_hours=24)


def merge_the_other(scene: Scene) -> Go:
    return lambda session: merging.merge(session, scene.clinic.desk, scene.patient, other_id=scene.other, wait_hours=24)


def erase(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    return lambda session: erasure.erase(session, scene.clinic.admin, scene.patient, years=0, zone=zone)


def put_hold(scene: Scene) -> Go:
    return lambda session: legal_holds.put(session, scene.clinic.admin, scene.patient, reason="A court")


def lift_hold(scene: Scene) -> Go:
    hold = scene.hold
    return lambda session: legal_holds.lift(session, scene.clinic.admin, scene.patient, hold)


def close_day(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    return lambda session: time_off.close(session, scene.clinic.desk, Closure(scene.doctor, TODAY, TODAY), zone)


def end_hours(scene: Scene) -> Go:
    zone = scene.house.settings.clinic.zone
    with scene.house.reading() as session:
        monday = DoctorHours.doctor_id == scene.doctor, DoctorHours.weekday == 0
        block = session.scalars(select(DoctorHours.id).where(*monday)).one()
    return lambda session: hours.end(session, scene.clinic.desk, scene.doctor, block, last_day=None, zone=zone)


def archive_doctor(scene: Scene) -> Go:
    details = DoctorDetails(f"Dr. {scene.word}", scene.word)
    return lambda session: doctors.change(session, scene.clinic.desk, scene.doctor, details, version=1, archived=True)


def report(scene: Scene) -> Go:
    with scene.house.reading() as session:
        content = reports.produce(session, scene.doctor, MONTH, scene.house.settings.clinic.zone)
    return lambda session: reports.store(session, scene.doctor, MONTH, content)


def export(scene: Scene) -> Go:
    return lambda session: exports.request(session, SYSTEM, scene.patient, most_waiting=10_000)


def import_visit(scene: Scene) -> Go:
    folder, clinic = scene.house.settings.base / "imports", scene.house.settings.clinic
    line = f"2026-05-05,09:00,15,Dr. {scene.word},{scene.name},1980-02-01,"
    data = f"Date,Time,Minutes,Doctor,Patient,Birth date,Reason\n{line}\n".encode()
    upload = imports.upload(scene.clinic.admin, folder, kind="visits", file_name=f"{scene.word}.csv", data=data)
    reading = imports.read(upload, imports.table_of(folder, upload), clinic)
    return lambda session: imports.run(session, scene.clinic.admin, upload, reading)


def allow_sms(scene: Scene) -> Go:
    wishes = Wishes(allowed={Channel.SMS: True})
    return lambda session: consent.change(session, scene.clinic.desk, scene.patient, wishes, ConsentVia.DESK)


def change_details(scene: Scene) -> Go:
    with scene.house.reading() as session:
        version = session.get_one(Patient, scene.patient).version
    details = PatientDetails(scene.name, day("1980-02-01"), None, f"new.{scene.word}@mail.example".lower())
    return lambda session: patient_records.change(session, scene.clinic.desk, scene.patient, details, version=version)


def give_access(scene: Scene) -> Go:
    address = f"mother.{scene.word}@mail.example".lower()
    return lambda session: guardians.link(session, scene.clinic.desk, scene.patient, email=address, wait_hours=24)


def open_in_an_emergency(scene: Scene) -> Go:
    stranger = scene.house.user("doctor", f"stranger.{scene.word}{next(_numbers)}@clinic.example".lower())

    def go(session: Session) -> object:
        return emergencies.open_records(
            session, stranger, name=scene.name, birth_date=day("1980-02-01"), reason="Found in the street", hours=24
        )

    return go


def remind(scene: Scene) -> Go:
    span = reminders.of_day(TODAY, scene.house.settings.clinic.zone)
    assert scene.begun
    return lambda session: reminders.plan(session, span, {Channel.EMAIL})


ACTS: tuple[Callable[[Scene], Go], ...] = (
    book,
    book_for_the_other,
    book_oneself,
    walk_in,
    move,
    cancel,
    undo,
    undo_oneself,
    arrive,
    treat,
    wait,
    wait_no_more,
    offer,
    accept,
    archive,
    merge,
    merge_the_other,
    erase,
    put_hold,
    lift_hold,
    close_day,
    end_hours,
    archive_doctor,
    report,
    export,
    import_visit,
    allow_sms,
    change_details,
    give_access,
    open_in_an_emergency,
    remind,
)


def wrong(scene: Scene) -> list[str]:
    """What may never be, whatever was done at the same moment."""
    theirs = Patient.id.in_((scene.patient, scene.other))
    with scene.house.reading() as session:
        found = [
            sentence for sentence, rows in _impossible(theirs).items() if session.scalar(rows.limit(1)) is not None
        ]
        erased = session.scalar(select(Patient.id).where(theirs, Patient.erased_at.is_not(None)).limit(1))
        reported = str(session.scalars(select(Report.content).where(Report.doctor_id == scene.doctor)).all())
    if erased is not None and scene.name in reported:
        found.append("an erased person is in a report")
    return found


def _impossible(theirs: ColumnElement[bool]) -> Mapping[str, Select[int]]:
    """Sentences, each with the rows that must not be there."""
    other, gone = aliased(Appointment), and_(theirs, Patient.archived_at.is_not(None))
    erased, merged = and_(theirs, Patient.erased_at.is_not(None)), and_(theirs, Patient.merged_into_id.is_not(None))
    visits = select(Appointment.id).join(Patient, Patient.id == Appointment.patient_id)
    entries = select(WaitingEntry.id).join(Patient, Patient.id == WaitingEntry.patient_id)
    holds = select(LegalHold.id).join(Patient, Patient.id == LegalHold.patient_id)
    messages = select(Message.id).join(Patient, Patient.id == Message.patient_id)
    exclusive = Appointment.status.in_(TAKES_PLACE), Appointment.overbooked.is_(False)
    same = or_(other.doctor_id == Appointment.doctor_id, other.patient_id == Appointment.patient_id)
    meets = other.starts_at < Appointment.ends_at, other.ends_at > Appointment.starts_at, other.id > Appointment.id
    overlapping = exists().where(same, *meets, other.status.in_(TAKES_PLACE), other.overbooked.is_(False))
    told_again = aliased(Message)
    alike = (getattr(told_again, name) == getattr(Message, name) for name in ("rule", "appointment_id", "starts_at"))
    return {
        "a visit is open for somebody who is gone": visits.where(gone, Appointment.is_expected()),
        "somebody who is gone waits": entries.where(gone, WaitingEntry.closed_at.is_(None)),
        "a time is held for somebody who is gone": entries.join(Offer, Offer.waiting_id == WaitingEntry.id).where(
            gone, Offer.closed_at.is_(None)
        ),
        "a hold stands on an erased record": holds.where(erased, LegalHold.lifted_at.is_(None)),
        "a visit stayed with a merged record": visits.where(merged),
        "an entry stayed with a merged record": entries.where(merged),
        "a hold stayed with a merged record": holds.where(merged),
        "a message stayed with a merged record": messages.where(merged),
        "an erased person can be reached": select(Patient.id).where(
            erased, or_(Patient.email.is_not(None), Patient.phone.is_not(None))
        ),
        "a message tells the address of an erased person": messages.where(erased, Message.recipient.is_not(None)),
        "the treatment of an erased person can be read": visits.join(
            Treatment, Treatment.appointment_id == Appointment.id
        ).where(erased, Treatment.diagnosis != ""),
        "visits overlap": visits.where(theirs, *exclusive, overlapping),
        "somebody arrived twice": visits.where(theirs, Appointment.status == AppointmentStatus.ARRIVED)
        .group_by(Appointment.patient_id)
        .having(func.count() > 1)
        .with_only_columns(Appointment.patient_id),
        "somebody is told twice": messages.where(theirs, exists().where(*alike, told_again.id > Message.id)),
    }


def booked_alone(scene: Scene) -> int:
    """How many visits the patient has ahead."""
    ahead = Appointment.patient_id == scene.patient, Appointment.status.in_(OPEN), Appointment.starts_at > EIGHT
    return scene.house.count(Appointment, *ahead)
