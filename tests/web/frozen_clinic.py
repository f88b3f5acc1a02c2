"""A clinic on a frozen Wednesday morning: a person of each role, two of each that own rows, and a row of each kind."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
import time_machine
from sqlalchemy import select

from service import clock, logs
from service.domain.accounts import api_tokens, users
from service.domain.exports import exports
from service.domain.foundation import audit, tokens
from service.domain.foundation.actor import Actor
from service.domain.imports import imports
from service.domain.messages import message_links
from service.domain.reports import clinic_reports, reports
from service.jobs import runner
from service.storage.models import (
    ApiToken,
    Appointment,
    AuditEntry,
    ClinicReport,
    DoctorHours,
    HoursException,
    LinkPurpose,
    Message,
    Offer,
    Report,
    SignIn,
    Treatment,
    User,
    UserToken,
    WaitlistEntry,
    ZoneChange,
)
from tests import patience, waiting
from tests.house import Browser, House, at, build
from tests.services.postgres import Postgres, Rows
from tests.trust import rows as trust

NOW = at("2026-05-06 08:00")
"""Ten o'clock in Berlin."""
NOBODY = "nobody"
PEOPLE = ("patient", "other patient", "doctor", "other doctor", "receptionist", "admin")
VISITORS = (NOBODY, *PEOPLE)


@dataclass(frozen=True)
class Clinic:
    """The staff and patients, and the rows of Pia with Dr Doll, or Otto with Dr Dora."""

    house: House
    clock: time_machine.Traveller
    people: dict[str, Actor]
    begun: int
    later: int
    ahead: int
    past: int
    treatment: int
    other_visit: int
    export: str
    other_export: str
    clinic_export: str
    report: int
    other_report: int
    clinic_report: int
    invite: str
    reset: str
    email_proof: str
    registration: str
    upload: str
    block: int
    time_off: int
    visit_type: int
    waiting: int
    offer: int
    guest: int
    cover: int
    emergency: int
    grant: int
    hold: int
    zone_change: int
    message: int
    token: int
    tomorrow: int
    links: dict[str, object]
    """Tokens of links to the appointment ahead, to what Pia wants to be told, and to Otto's offer."""
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Visitor -> the cookie of a session that is open already, and the token of its forms."""

    @property
    def pia(self) -> int:
        """The first patient's id."""
        return own_patient(self.people["patient"])

    @property
    def otto(self) -> int:
        """The other patient's id."""
        return own_patient(self.people["other patient"])

    def browser(self, visitor: str) -> Browser:
        """A browser of one of VISITORS, signed in: the first of each person has been for a moment already."""
        if visitor not in self.tokens:
            return self.house.browser(None if visitor == NOBODY else email(visitor))
        browser = self.house.browser()
        browser.resume(*self.tokens.pop(visitor))
        return browser

    def session(self, visitor: str) -> int:
        """The id of a person's first session; 0 without one."""
        with self.house.reading() as session:
            theirs = select(SignIn.id).where(SignIn.user_id == self.people[visitor].user_id).order_by(SignIn.id)
            return session.scalars(theirs.limit(1)).first() or 0

    def ids(self) -> dict[str, object]:
        """What the paths of rows.py are filled with for a row of Pia's and Dr Doll's."""
        return {
            "visit": self.begun,
            "ahead": self.ahead,
            "doctor": self.people["doctor"].doctor_id,
            "free": "2026-06-01T09:00",
            "patient": self.pia,
            "account": self.people["patient"].user_id,
            "guest": self.guest,
            "export": self.export,
            "clinic_export": self.clinic_export,
            "report": self.report,
            "clinic_report": self.clinic_report,
            "invite": self.invite,
            "reset": self.reset,
            "email_proof": self.email_proof,
            "registration": self.registration,
            "session": self.session("patient"),
            "upload": self.upload,
            "block": self.block,
            "time_off": self.time_off,
            "visit_type": self.visit_type,
            "waiting": self.waiting,
            "offer": self.offer,
            "cover": self.cover,
            "emergency": self.emergency,
            "grant": self.grant,
            "hold": self.hold,
            "zone_change": self.zone_change,
            "message": self.message,
            "token": self.token,
            "tomorrow": self.tomorrow,
            "job": "send_daily_reminders",
            **self.links,
        }

    def other_ids(self) -> dict[str, object]:
        """The same for a row of Otto's and Dr Dora's."""
        return {
            **self.ids(),
            "visit": self.other_visit,
            "ahead": self.other_visit,
            "doctor": self.people["other doctor"].doctor_id,
            "patient": self.otto,
            "account": self.people["other patient"].user_id,
            "export": self.other_export,
            "report": self.other_report,
        }


MISSING: dict[str, object] = {
    "visit": 999_999,
    "ahead": 999_999,
    "doctor": 999_999,
    "free": "2026-06-01T09:00",
    "patient": 999_999,
    "account": 999_999,
    "guest": 999_999,
    "export": "0" * 32,
    "clinic_export": "0" * 32,
    "report": 999_999,
    "clinic_report": 999_999,
    "invite": "A" * 43,
    "reset": "A" * 43,
    "email_proof": "A" * 43,
    "registration": "A" * 43,
    "session": 999_999,
    "upload": "0" * 32,
    "block": 999_999,
    "time_off": 999_999,
    "visit_type": 999_999,
    "waiting": 999_999,
    "offer": 999_999,
    "cover": 999_999,
    "emergency": 999_999,
    "grant": 999_999,
    "hold": 999_999,
    "zone_change": 999_999,
    "message": 999_999,
    "token": 999_999,
    "tomorrow": 999_999,
    "job": "send_daily_letters",
    "visit_token": "A" * 43,
    "offer_token": "A" * 43,
    "contact_token": "A" * 43,
}


def email(visitor: str) -> str:
    """The address a visitor signs in with."""
    return f"{visitor.replace(' ', '.')}@clinic.example"


def own_patient(actor: Actor) -> int:
    """The one patient a user looks after."""
    (patient,) = actor.patient_ids
    return patient


def linked(house: House, visit_id: int, patient: int, offer_id: int) -> dict[str, object]:
    """Tokens of links to an appointment, to its patient's message choices, and to an offer, as the clinic's ids."""
    values = {"channel": "email", "status": "sent", "due_at": NOW, "lease_until": NOW, "created_at": NOW}
    until = at("2026-06-15 07:15")
    with house.writing() as session:
        starts_at = session.get_one(Appointment, visit_id).starts_at
        visit = Message(rule="visit_moved", appointment_id=visit_id, patient_id=patient, starts_at=starts_at, **values)
        offer = Message(rule="waiting_list_offer", about=f"offer/{offer_id}", **values)
        session.add_all([visit, offer])
        session.flush()
        waiting_id = session.get_one(Offer, offer_id).waiting_id
        other = session.get_one(WaitlistEntry, waiting_id).patient_id
        make = message_links.make
        return {
            "visit_token": make(
                session, visit, LinkPurpose.VISIT, patient_id=patient, appointment_id=visit_id, expires_at=until
            ),
            "contact_token": make(session, visit, LinkPurpose.CONTACT, patient_id=patient, expires_at=until),
            "offer_token": make(session, offer, LinkPurpose.OFFER, patient_id=other, expires_at=until),
        }


def settle(house: House, traveller: time_machine.Traveller) -> Clinic:
    """Fill an empty house."""
    people = {
        "patient": house.user("patient", email("patient"), "Pia Ahorn", phone="030 1234567"),
        "other patient": house.user("patient", email("other patient"), "Otto Birke", phone="030 7654321"),
        "doctor": house.user("doctor", email("doctor"), "Dr. Doll", department="Eyes"),
        "other doctor": house.user("doctor", email("other doctor"), "Dr. Dora", department="Ears"),
        "receptionist": house.user("receptionist", email("receptionist"), "Rita Tresen"),
        "admin": house.user("admin", email("admin"), "Ada Leitung"),
    }
    pia, otto = own_patient(people["patient"]), own_patient(people["other patient"])
    doll, dora = people["doctor"].doctor_id, people["other doctor"].doctor_id
    house.hours(doll)
    house.hours(dora)
    treatment = house.treated(
        doll,
        pia,
        at("2026-04-15 07:00"),
        visit_type="Check-up",
        symptoms="Itching eyes",
        diagnosis="Hay fever",
        treatment="Eye drops",
        prescription="Cetirizine 10 mg",
        notes="Comes again in May",
        next_visit=date(2026, 5, 6),
    )
    house.treated(dora, otto, at("2026-04-16 07:00"), visit_type="First visit", diagnosis="Tinnitus")
    with house.reading() as session:
        past = session.get_one(Treatment, treatment).appointment_id
    ahead = house.visit(doll, pia, at("2026-06-15 07:00"), reason="After the summer")
    offer = waiting.offer(house, waiting.entry(house, otto, days_ago=3), doll, at("2026-06-02 07:00"))
    return Clinic(
        house=house,
        clock=traveller,
        people=people,
        begun=house.visit(doll, pia, at("2026-05-06 07:30"), reason="Control of the eyes"),
        later=house.visit(doll, pia, at("2026-05-06 12:00"), reason="New glasses"),
        ahead=ahead,
        past=past,
        treatment=treatment,
        other_visit=house.visit(dora, otto, at("2026-05-06 07:30"), reason="Ringing"),
        export=exported(house, people["patient"], pia),
        other_export=exported(house, people["other patient"], otto),
        clinic_export=clinic_exported(house, people["admin"]),
        report=reported(house, doll, "2026-04"),
        other_report=reported(house, dora, "2026-04"),
        clinic_report=clinic_reported(house, "2026-04"),
        invite=invited(house),
        reset=mailed(house, email("receptionist"), "password_reset"),
        email_proof=mailed(house, email("receptionist"), "email", to="desk.new@clinic.example"),
        registration=mailed(house, email("receptionist"), "registration"),
        upload=uploaded(house, people["admin"]),
        block=first_block(house, doll),
        time_off=away(house, doll),
        visit_type=waiting.visit_type(house, "Old check", 20, archived_at=NOW),
        waiting=waiting.entry(house, pia, doctor_id=doll, note="Lives next door"),
        offer=offer,
        guest=house.patient("Gus Gast", birth_date=date(1970, 1, 2)),
        cover=trust.covered(house, doll, dora, at("2026-12-23 23:00"), at("2026-12-26 23:00")),
        hold=trust.held(house, pia, "A claim in court", at("2026-04-20 07:00")),
        zone_change=clock_changed(house, ahead),
        emergency=trust.opened(house, dora, pia, "Fainted in the hall", at("2026-04-01 07:00")),
        grant=granted(house, people["receptionist"], doll),
        message=told(house, pia, "failed", last_error="550 no such user"),
        token=tokened(house, people["patient"]),
        tomorrow=house.visit(dora, house.patient("Tom Morgen", email="tom@mail.example"), at("2026-05-08 05:30")),
        links=linked(house, ahead, pia, offer),
    )


def clock_changed(house: House, appointment: int) -> int:
    """A change of the clock's rules in which one appointment could not keep its local time; returns its id."""
    with house.writing() as session:
        change = ZoneChange(
            at=at("2026-04-20 07:00"),
            zone_before="Europe/Berlin",
            zone_after="Europe/Berlin",
            kept_local=12,
            problems={str(appointment): {"why": "skipped", "local_start": "2026-06-15T09:00"}},
        )
        session.add(change)
        session.flush()
        return change.id


def granted(house: House, actor: Actor, doctor: int | None) -> int:
    """The entry of the audit that says who let another doctor see a doctor's patients; returns its id."""
    with house.writing() as session:
        audit.record(session, actor, "cover.add", subject=f"doctor/{doctor}")
    with house.reading() as session:
        return session.scalars(select(AuditEntry.id).where(AuditEntry.act == "cover.add")).one()


def exported(house: House, actor: Actor, patient: int) -> str:
    """A finished export; returns its id."""
    with house.writing() as session:
        export_id = exports.request(session, actor, patient).id
    house.export(export_id)
    return export_id


def clinic_exported(house: House, admin: Actor) -> str:
    """A finished export of all data; returns its id."""
    with house.writing() as session:
        export_id = exports.request_of_clinic(session, admin).id
    house.export(export_id)
    return export_id


def reported(house: House, doctor: int | None, month: str) -> int:
    """A doctor's report of a month; returns its id."""
    assert doctor is not None
    with house.reading() as session:
        content = reports.produce(session, doctor, month, house.settings.clinic.zone)
    with house.writing() as session:
        reports.store(session, doctor, month, content)
    with house.reading() as session:
        return next(
            row.id for row in session.scalars(select(Report)).all() if (row.doctor_id, row.month) == (doctor, month)
        )


def clinic_reported(house: House, month: str) -> int:
    """The clinic's report of a month; returns its id."""
    with house.reading() as session:
        content = clinic_reports.produce(session, month, house.settings.clinic.zone)
    with house.writing() as session:
        clinic_reports.store(session, month, content)
    with house.reading() as session:
        return session.scalars(select(ClinicReport.id).where(ClinicReport.month == month)).one()


def invited(house: House, address: str = "nina@clinic.example") -> str:
    """The token of an invite for a new receptionist."""
    house.user("receptionist", address, "Nina Neu")
    with house.writing() as session:
        user = session.scalars(select(User).where(User.email == address)).one()
        user.password_hash = None
        return users.invite(session, user)


def mailed(
    house: House, address: str, purpose: str, lasts: timedelta = timedelta(hours=1), to: str | None = None
) -> str:
    """The token of a link that was mailed to a user, or to the new address they asked for."""
    token = tokens.new()
    with house.writing() as session:
        user = session.scalars(select(User).where(User.email == address)).one()
        user.new_email = to or user.new_email
        values = {"user_id": user.id, "token_hash": tokens.digest(token), "created_at": clock.now()}
        session.add(UserToken(purpose=purpose, email=to, expires_at=clock.now() + lasts, **values))
    return token


def uploaded(house: House, admin: Actor) -> str:
    """A file of doctors that waits to be imported; returns the upload's id."""
    data = b"Name,Department\nDr. Nora Neu,Eyes\n"
    return imports.upload(admin, house.settings.imports, kind="doctors", file_name="doctors.csv", data=data).id


def first_block(house: House, doctor: int | None) -> int:
    """The id of the first block of a doctor's week."""
    with house.reading() as session:
        blocks = select(DoctorHours.id).where(DoctorHours.doctor_id == doctor).order_by(DoctorHours.id)
        return session.scalars(blocks.limit(1)).one()


def away(house: House, doctor: int | None, first: str = "2026-12-24", last: str = "2026-12-26", **more: Any) -> int:
    """Time off; returns its id."""
    days = {"first_day": date.fromisoformat(first), "last_day": date.fromisoformat(last)}
    with house.writing() as session:
        row = HoursException(doctor_id=doctor, **{"kind": "off", "created_at": NOW, **days, **more})
        session.add(row)
        session.flush()
        return row.id


def told(house: House, patient: int, status: str, **more: Any) -> int:
    """A confirmation of a patient's appointment that is furthest ahead; returns the message's id."""
    with house.writing() as session:
        visit = session.scalars(
            select(Appointment).where(Appointment.patient_id == patient).order_by(Appointment.starts_at.desc())
        ).first()
        assert visit is not None
        values = {"rule": "booking_confirmation", "event": "appointment.book", "channel": "email", **more}
        row = Message(
            appointment_id=visit.id,
            patient_id=patient,
            starts_at=visit.starts_at,
            recipient="patient@clinic.example",
            status=status,
            subject="Your visit",
            body="Hello Pia",
            due_at=NOW,
            lease_until=NOW,
            created_at=NOW,
            **values,
        )
        session.add(row)
        session.flush()
        return row.id


def tokened(house: House, actor: Actor) -> int:
    """A token of a program that acts as a user; returns its id."""
    with house.writing() as session:
        user = session.get_one(User, actor.user_id)
        api_tokens.make(session, actor, user, label="Calendar", scopes=["read"], days=30)
        return session.scalars(select(ApiToken.id).where(ApiToken.user_id == user.id)).one()


def opened(house: House, job: str) -> int:
    """A run of a job that someone asked for; returns its id."""
    with house.writing() as session:
        return runner.open_by_hand(session, house.settings, job)


@pytest.fixture(name="moved")
def a_moved_clock() -> Iterator[time_machine.Traveller]:
    """Time stands still at NOW; the test moves it on."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@dataclass(frozen=True)
class Furnished:
    """The clinic of this page in a folder to be copied, with a session of each person open."""

    folder: Path
    clinic: Clinic
    rows: Rows | None
    """What its database holds, where that is PostgreSQL."""


@pytest.fixture(name="furnished", scope="session")
def a_furnished_folder(
    request: pytest.FixtureRequest, migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> Furnished:
    """Made once, for all tests that begin in it."""
    folder, server = tmp_path_factory.mktemp("furnished"), None
    if request.config.getoption("database") == "postgresql":
        server = cast(Postgres, request.getfixturevalue("postgres"))
    else:
        shutil.copy(migrated, folder / "rounds.db")
    url = server.migrated() if server else "sqlite:///rounds.db"
    with time_machine.travel(NOW, tick=False) as traveller:
        house = build(folder, database={"url": url})
        clinic = settle(house, traveller)
        for person in PEOPLE:
            clinic.tokens[person] = house.browser(email(person)).kept()
    house.wiring.queue.stop(patience.SECONDS)
    house.wiring.database.close()
    rows = server.rows(url) if server else None
    if server:
        server.wipe(url)
    return Furnished(folder, clinic, rows)


@pytest.fixture(name="clinic")
def a_clinic(
    moved: time_machine.Traveller,
    furnished: Furnished,
    database_url: str,
    make_house: Callable[..., House],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Clinic:
    """The clinic of this page, in a folder of its own."""
    shutil.copytree(furnished.folder, tmp_path, dirs_exist_ok=True)
    if furnished.rows is not None:
        request.getfixturevalue("postgres").put(database_url, furnished.rows)
    clinic = furnished.clinic
    return replace(clinic, house=make_house(), clock=moved, tokens=dict(clinic.tokens))


@pytest.fixture(name="logged")
def the_log() -> Iterator[Callable[[], str]]:
    """What a running service has written to its log in this test."""
    log = StringIO()
    with redirect_stderr(log):
        logs.configure()
    yield log.getvalue
    structlog.reset_defaults()


def minutes(number: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=number)
