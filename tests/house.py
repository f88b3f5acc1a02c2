"""A small clinic for tests: a real database, a real app, and people to act as."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from service import clock
from service.app import create_app
from service.clock import DayTime
from service.config.settings import Settings
from service.domain.accounts import passwords, users
from service.domain.accounts.users import NewUser
from service.domain.foundation import installation
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.jobs import runner
from service.jobs.clean_up import clean_up
from service.jobs.context import JobContext, Outcome
from service.jobs.deliver_messages import deliver_messages
from service.jobs.export_patient_history_csv import export_patient_history_csv
from service.jobs.queue import JobQueue
from service.jobs.tick import tick
from service.mail_addresses import address_key
from service.notifications.channels import Channels
from service.storage.models import Appointment, Base, Doctor, DoctorHours, Guardian, Patient, Treatment, User
from service.wiring import Wiring, connect
from tests import warm

warm.keep()
PASSWORD = "quiet rivers run deep"
HASH = passwords.hashed(PASSWORD)


class Compiled(BytecodeCache):
    """Templates compiled once for all houses of a test run."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


@dataclass
class House:
    """A clinic in a folder of its own."""

    wiring: Wiring

    @cached_property
    def app(self) -> Flask:
        """Its pages, made when a test opens one."""
        app = create_app(self.wiring)
        app.testing = False
        app.jinja_env.bytecode_cache = COMPILED
        return app

    @property
    def settings(self) -> Settings:
        return self.wiring.settings

    @cached_property
    def cookie_name(self) -> str:
        """What the clinic's session cookie is called, without TLS."""
        with self.reading() as session:
            return f"rounds-{installation.clinic_id(session)[:12]}"

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self.wiring.database.transaction() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.wiring.database.reading() as session:
            yield session

    def process(self, channels: Channels, owner: str) -> "House":
        """The same clinic as another process works on it, whose name in leases is `owner`."""
        jobs = JobContext(self.wiring.database, self.settings, channels, owner)
        return House(replace(self.wiring, jobs=jobs))

    def execute(self, run_id: int) -> Outcome | None:
        """Run one turn of a job in this process."""
        return runner.execute(self.wiring.jobs, run_id)

    def run_by_hand(self, job: str, slot: str) -> Outcome | None:
        """Open a turn of a job and run it in this process."""
        return runner.run_by_hand(self.wiring.jobs, job, slot)

    def tick(self, queue: JobQueue) -> None:
        """Open what is due and hand what waits to a queue."""
        tick(self.wiring.jobs, queue)

    def deliver(self) -> None:
        """Send the messages that wait, in this process."""
        deliver_messages(self.wiring.jobs)

    def export(self, export_id: str) -> None:
        """Write an export in this process."""
        export_patient_history_csv(self.wiring.jobs, export_id)

    def clean_up(self) -> None:
        """Remove what has had its time."""
        clean_up(self.wiring.jobs)

    def user(self, role: str, email: str, name: str = "Somebody", **more: Any) -> Actor:
        """Make a user (and the doctor or patient behind it) who signs in with PASSWORD."""
        with self.writing() as session:
            new = NewUser(Role(role), email, name, **{"password_hash": HASH, **more})
            user = users.add(session, SYSTEM, new, self.settings.clinic)
        return self.actor(user.email)

    def actor(self, email: str) -> Actor:
        """The actor a user would act as."""
        with self.reading() as session:
            user = session.scalars(select(User).where(User.email_key == address_key(email))).one()
            doctor_id = session.scalar(select(Doctor.id).where(Doctor.user_id == user.id))
            own = frozenset(session.scalars(select(Guardian.patient_id).where(Guardian.user_id == user.id)))
        return Actor(Role(user.role), user.name, user.id, doctor_id, own, "127.0.0.1")

    def patient(self, name: str = "Somebody", **more: Any) -> int:
        """A patient without an account; returns the id."""
        with self.writing() as session:
            patient = Patient(name=name, created_at=clock.now() - timedelta(days=400), **more)
            session.add(patient)
            session.flush()
            return patient.id

    def hours(
        self, doctor: int | None, starts: str = "07:00", ends: str = "18:00", days: str = "0123456", slot: int = 15
    ) -> None:
        """A doctor's week: the same hours on each of the days (0 is Monday), on into the next if they end earlier."""
        with self.writing() as session:
            for weekday in map(int, days):
                session.add(
                    DoctorHours(
                        doctor_id=doctor,
                        weekday=weekday,
                        starts=DayTime.read(starts),
                        ends=DayTime.read(starts).until(DayTime.read(ends)),
                        slot_minutes=slot,
                    )
                )

    def visit(self, doctor: int | None, patient: int, starts_at: datetime, **more: Any) -> int:
        """An appointment of 15 minutes, booked ten days before it begins; returns the id.

        Where another one is it stands on top of it, unless the test says something about `overbooked` itself.
        """
        values = {"created_at": starts_at - timedelta(days=10), "ends_at": starts_at + timedelta(minutes=15), **more}
        visit = Appointment(doctor_id=doctor, patient_id=patient, starts_at=starts_at, **values)
        try:
            with self.writing() as session:
                session.add(visit)
        except IntegrityError as error:
            if "overbooked" in more or not re.search("overlap of|ex_appointments", str(error)):
                raise
            return self.visit(doctor, patient, starts_at, **more, overbooked=True)
        return visit.id

    def treated(self, doctor: int | None, patient: int, starts_at: datetime, **texts: Any) -> int:
        """A completed appointment with a treatment; returns the treatment's id."""
        visit = self.visit(doctor, patient, starts_at, status="completed")
        with self.writing() as session:
            treatment = Treatment(appointment_id=visit, created_at=starts_at, updated_at=starts_at, **texts)
            session.add(treatment)
            session.flush()
            return treatment.id

    def count(self, table: type[Base], *conditions: Any) -> int:
        with self.reading() as session:
            return session.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()

    def stored(self) -> bytes:
        """Everything the clinic keeps: the files of its folder, and its rows where they are on a server."""
        kept = [file.read_bytes() for file in self.settings.base.rglob("*") if file.is_file()]
        if not self.wiring.database.is_sqlite:
            with self.reading() as session:
                for table in Base.metadata.sorted_tables:
                    kept += [row.encode() for row in session.scalars(text(f"SELECT one::text FROM {table.name} one"))]
        return b"\n".join(kept)

    def browser(self, email: str | None = None) -> "Browser":
        """A browser, signed in as a user when an e-mail is given."""
        browser = Browser(self.app.test_client(), self)
        if email is not None:
            assert browser.sign_in(email).status_code == 303
        return browser


@dataclass
class Browser:
    """What a person has in hand: a client that keeps cookies and sends the form token of a page it opened."""

    client: FlaskClient
    house: House
    _kept: tuple[str, str] = ("", "")
    """The cookie of the last page with a form, and its form token, which go together."""

    @property
    def cookie_name(self) -> str:
        """What the clinic's session cookie is called, without TLS."""
        return self.house.cookie_name

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token(), **(data or {})}, **more)

    def kept(self) -> tuple[str, str]:
        """The cookie of this visitor and the token of their forms, for a browser that goes on with both."""
        return self._cookie(), self.token()

    def resume(self, cookie: str, token: str) -> None:
        """Go on where another browser was."""
        self.client.set_cookie(self.cookie_name, cookie)
        self._kept = (cookie, token)

    def token(self) -> str:
        """The form token that goes with this visitor's cookie."""
        if not self._kept[1] or self._kept[0] != self._cookie():
            token = self._token_of_a_page()
            self._kept = (self._cookie(), token)
        return self._kept[1]

    def _cookie(self) -> str:
        cookie = self.client.get_cookie(self.cookie_name)
        return cookie.value if cookie else ""

    def _token_of_a_page(self) -> str:
        page = self.client.get("/", follow_redirects=True).get_data(as_text=True)
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None
        return found[1]

    def sign_in(self, email: str, password: str = PASSWORD, **more: Any) -> TestResponse:
        return self.post("/sign-in", {"email": email, "password": password, **more})


def build(folder: Path, **sections: dict[str, Any]) -> House:
    """Wire a house up over the database file in `folder`, which is migrated already."""
    settings = Settings(**{"base": folder, **sections})  # type: ignore[arg-type]
    return House(connect(settings, "test"))


def at(text: str) -> datetime:
    """An instant written `2026-05-04 08:00` in UTC."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)
