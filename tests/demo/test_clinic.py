"""The demo clinic: exactly as big as asked, like a real one, and the same for the same seed and day."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import select, text

from service import clock
from service.demo import clinic as demo
from service.domain.foundation import contact_details
from service.domain.foundation.errors import Conflict
from service.storage.database import Database
from service.storage.models import (
    Appointment,
    AppointmentStatus,
    Doctor,
    Guardian,
    Installation,
    Patient,
    Treatment,
    User,
)
from tests.services.postgres import Postgres

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 5, 4)
TEN = datetime(2026, 5, 4, 10, 7, 30, tzinfo=BERLIN)
TABLES = ("users", "doctors", "patients", "guardians", "appointments", "treatments")
DEFAULT = demo.Size()

Empty = Callable[[], Database]


@pytest.fixture(scope="module")
def empty(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Empty]:
    """Makes databases with no one in them."""
    made: list[Database] = []

    def make() -> Database:
        file = tmp_path_factory.mktemp("demo") / "rounds.db"
        shutil.copy(migrated, file)
        made.append(Database(f"sqlite:///{file}"))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture(scope="module")
def clinic(empty: Empty) -> Database:
    """The clinic of the default size as it is at ten; no one writes to it."""
    database = empty()
    fill(database)
    return database


def fill(database: Database, size: demo.Size = DEFAULT, at: datetime = TEN, seed: int = 7, **more: Any) -> list[str]:
    zone = more.pop("zone", BERLIN)
    with time_machine.travel(at, tick=False), database.transaction() as session:
        return demo.fill(session, zone, size, seed, "the hash", **more)


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(query))]


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows(database, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}


def visits(database: Database) -> Sequence[Appointment]:
    with database.reading() as session:
        return session.scalars(select(Appointment).order_by(Appointment.starts_at, Appointment.id)).all()


def is_today(visit: Appointment) -> bool:
    return visit.starts_at.astimezone(BERLIN).date() == DAY


def test_accounts_are_those_that_were_promised(empty: Empty) -> None:
    database = empty()
    accounts = fill(database)
    assert accounts[:4] == [f"{who}@demo.example" for who in ("admin", "reception", "doctor1", "patient1")]
    assert len(accounts) == len(set(accounts)) == 2 + 4 + 100
    with database.reading() as session:
        found = {user.email: user for user in session.scalars(select(User))}
        of_accounts = select(User.email, Patient.email).join_from(User, Guardian).join(Patient).order_by(Patient.id)
        guardians = session.execute(of_accounts).all()
        installation = session.get_one(Installation, 1)
        doctors = session.execute(select(User.email, User.name, Doctor.name).join(Doctor)).all()
    assert installation.demo_at == installation.created_at == TEN
    assert set(found) == set(accounts)
    roles = Counter(user.role for user in found.values())
    assert roles == {"admin": 1, "receptionist": 1, "doctor": 4, "patient": 100}
    assert all(contact_details.checked_name(user.name) == user.name for user in found.values())
    assert {user.password_hash for user in found.values()} == {"the hash"}
    assert {email for email, *_names in doctors} == {f"doctor{number}@demo.example" for number in range(1, 5)}
    assert all(of_account == name for _email, of_account, name in doctors)
    assert [(f"patient{number}@demo.example",) * 2 for number in range(1, 101)] == [tuple(row) for row in guardians]


@pytest.mark.parametrize(
    "size",
    [(4, 300, 2500), (1, 1, 0), (1, 1, 1), (1, 1, 5), (1, 1, 200), (4, 1, 300), (3, 10, 60), (500, 40, 700)],
    ids=lambda size: "-".join(map(str, size)),
)
def test_it_is_exactly_as_big_as_asked(empty: Empty, size: tuple[int, int, int]) -> None:
    database, (doctors, patients, appointments) = empty(), size
    accounts = fill(database, size=demo.Size(*size))
    found = dump(database)
    assert tuple(len(found[table]) for table in ("doctors", "patients", "appointments")) == size
    assert len(accounts) == 2 + doctors + min(patients, 100) == len(found["users"])
    check_times(visits(database))
    if appointments:
        check_the_visit_of_today(database)
    if appointments > 20:
        treated = "SELECT 1 FROM treatments JOIN appointments a ON a.id = appointment_id WHERE patient_id = 1"
        assert len(rows(database, treated)) >= 20


def test_a_database_with_users_or_records_is_refused_and_left_alone(empty: Empty) -> None:
    with_users, with_records = empty(), empty()
    fill(with_users, demo.Size(1, 2, 3))
    with with_records.transaction() as session:
        session.add(Patient(name="Someone", created_at=TEN))
    for database, why in ((with_users, "already has users"), (with_records, "already has records")):
        before = dump(database)
        with pytest.raises(Conflict, match=why):
            fill(database)
        assert dump(database) == before


def test_progress_is_told_up_to_the_end(empty: Empty) -> None:
    told: list[tuple[int, int]] = []
    fill(empty(), size=demo.Size(8, 300, 21_000), progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert (len(told) > 2, told[-1]) == (True, (21_000, 21_000))


def test_some_visits_of_today_belong_to_one_address_and_to_none(clinic: Database) -> None:
    with clinic.reading() as session:
        owners = session.execute(select(Appointment, Patient.email).join(Patient)).all()
    today = Counter(email for visit, email in owners if is_today(visit))
    assert today[None] >= 1
    assert max(number for email, number in today.items() if email) == 2


def check_times(found: Sequence[Appointment], zone: ZoneInfo = BERLIN) -> None:
    """Within the opening hours on the quarter, one at a time for each doctor and for each patient."""
    for visit in found:
        local = visit.starts_at.astimezone(zone)
        assert time(7) <= local.time() <= time(21, 45)
        assert local.minute % 15 == local.second == local.microsecond == 0
        assert visit.ends_at - visit.starts_at == timedelta(minutes=15)
    for column in ("doctor_id", "patient_id"):
        by_person: dict[int, list[Appointment]] = {}
        for visit in found:
            by_person.setdefault(getattr(visit, column), []).append(visit)
        assert all(one.ends_at <= other.starts_at for of_one in by_person.values() for one, other in pairwise(of_one))


def check_the_visit_of_today(database: Database) -> None:
    """The first doctor's and the first patient's, at the day's last slot."""
    last = datetime.combine(DAY, time(21, 45), BERLIN)
    at_last = [visit for visit in visits(database) if visit.starts_at == last]
    assert [visit.status for visit in at_last if visit.doctor_id == visit.patient_id == 1] == ["booked"]


@pytest.mark.parametrize("name", ["America/New_York", "Asia/Tokyo", "Pacific/Chatham", "Pacific/Apia", "Africa/Cairo"])
def test_visits_follow_the_wall_clock_of_the_zone(empty: Empty, name: str) -> None:
    database, zone = empty(), ZoneInfo(name)
    fill(database, zone=zone, size=demo.Size(2, 50, 1500))
    check_times(visits(database), zone)


def test_every_status_occurs_where_it_belongs(clinic: Database) -> None:
    found = visits(clinic)
    past = Counter(visit.status for visit in found if visit.starts_at < TEN and not is_today(visit))
    ahead = Counter(visit.status for visit in found if visit.starts_at > TEN and not is_today(visit))
    assert set(past) == {"completed", "no_show", "cancelled", "booked"}
    assert 0.77 < past[AppointmentStatus.COMPLETED] / past.total() < 0.9
    assert 0.04 < past[AppointmentStatus.NO_SHOW] / past.total() < 0.11
    assert 0.06 < past[AppointmentStatus.CANCELLED] / past.total() < 0.13
    assert set(ahead) == {"booked", "cancelled"}
    to_complete = [visit for visit in found if visit.status == "booked" and visit.starts_at < TEN]
    assert all(visit.starts_at > TEN - timedelta(days=15) for visit in to_complete)
    assert {visit.cancelled_by for visit in found} == {"patient", "clinic", None}


def test_today_follows_the_clock(empty: Empty) -> None:
    database = empty()
    fill(database, demo.Size(20, 600, 4000))
    found = visits(database)
    for visit in found:
        if is_today(visit) and visit.status != "cancelled":
            half_hours = (TEN - visit.starts_at) // timedelta(minutes=30)
            states = ("booked",) if half_hours < 0 else ("completed", "no_show") if half_hours else ("arrived",)
            assert visit.status in states
    assert {visit.status for visit in found} == {"booked", "arrived", "completed", "cancelled", "no_show"}


def test_everything_was_written_in_the_past(clinic: Database) -> None:
    start = clock.day_bounds(DAY, BERLIN)[0]
    for visit in visits(clinic):
        assert visit.created_at < min(start, visit.starts_at)
        assert visit.arrived_at is None or visit.arrived_at < min(TEN.astimezone(UTC), visit.starts_at)
        for answered in (visit.cancelled_at, visit.confirmed_at):
            assert answered is None or visit.created_at < answered < min(start, visit.starts_at)
        why = (visit.cancelled_at, visit.cancelled_by, visit.cancellation_reason)
        assert all(why) if visit.status == "cancelled" else not any(why)
    long_ago = (TEN - timedelta(days=400)).astimezone(UTC)
    with clinic.reading() as session:
        for model in (User, Doctor, Patient, Guardian):
            assert all(created < long_ago for created in session.scalars(select(model.created_at)))
        assert all(created <= TEN for created in session.scalars(select(Treatment.created_at)))


def test_patient_1_has_treatments_with_every_kind_of_text(clinic: Database) -> None:
    with clinic.reading() as session:
        of_patient = select(Treatment, Appointment.doctor_id).join(Appointment).where(Appointment.patient_id == 1)
        found = session.execute(of_patient).all()
    assert len(found) >= 20
    assert {doctor for _treatment, doctor in found} >= {1, 3}
    notes = [treatment.notes for treatment, _doctor in found]
    for kind in ("^=", r"^\+", "^-", "^@", ",", '"', "\n", "[а-я]"):
        assert any(re.search(kind, note) for note in notes), kind


def test_completed_visits_mostly_have_a_treatment(clinic: Database) -> None:
    with clinic.reading() as session:
        treated = {treatment.appointment_id: treatment for treatment in session.scalars(select(Treatment))}
        accounts = dict(session.execute(select(Doctor.id, Doctor.user_id)).all())
    completed = {visit.id: visit for visit in visits(clinic) if visit.status == "completed"}
    assert set(treated) < set(completed)
    assert 0.92 < len(treated) / len(completed) < 0.98
    assert all(visit.id in treated for visit in completed.values() if visit.patient_id == 1)
    for treatment in treated.values():
        visit = completed[treatment.appointment_id]
        assert treatment.recorded_by_id == accounts[visit.doctor_id]
        assert treatment.next_visit is None or treatment.next_visit > visit.starts_at.date()
    assert any(treatment.next_visit for treatment in treated.values())


def test_the_same_seed_on_the_same_day_gives_the_same_clinic(empty: Empty, clinic: Database) -> None:
    again, other = empty(), empty()
    fill(again)
    fill(other, seed=8)
    assert dump(again) == dump(clinic)
    assert dump(other)["appointments"] != dump(clinic)["appointments"]


@pytest.mark.parametrize("hour", [0, 7, 15, 23])
def test_only_the_states_of_today_follow_the_clock(empty: Empty, clinic: Database, hour: int) -> None:
    database = empty()
    fill(database, at=TEN.replace(hour=hour))
    there, here = dump(database), dump(clinic)
    for table in ("users", "doctors", "patients", "guardians"):
        assert there[table] == here[table]
    states = ("status", "arrived_at", "confirmed_at", "cancelled_at", "cancelled_by", "cancellation_reason", "version")
    columns = ", ".join(column.name for column in Appointment.__table__.columns if column.name not in states)
    plan = f"SELECT {columns} FROM appointments ORDER BY id"
    assert rows(database, plan) == rows(clinic, plan)
    elsewhen = f"SELECT id, status FROM appointments WHERE substr(starts_at, 1, 10) <> '{DAY}' ORDER BY id"
    assert rows(database, elsewhen) == rows(clinic, elsewhen)
    words = "SELECT appointment_id, visit_type, symptoms, notes, next_visit FROM treatments"
    mine, theirs = ({row[0]: row for row in rows(one, words)} for one in (database, clinic))
    assert all(mine[visit] == theirs[visit] for visit in mine.keys() & theirs.keys())
    check_the_visit_of_today(database)


def test_instants_are_written_as_the_models_write_them(empty: Empty) -> None:
    database = empty()
    fill(database, size=demo.Size(1, 12, 40))
    with database.transaction() as session:
        visit = session.scalars(select(Appointment).where(Appointment.arrived_at.is_not(None))).first()
        assert visit is not None
        made = {name: getattr(visit, name) for name in ("starts_at", "ends_at", "arrived_at", "created_at")}
        session.add(Appointment(doctor_id=1, patient_id=1, overbooked=True, **made))
    columns = "starts_at, ends_at, arrived_at, created_at, version"
    written = rows(database, f"SELECT {columns} FROM appointments WHERE id IN ({visit.id}, 41)")
    assert written[0] == written[1]


def test_on_postgresql_it_is_the_same_clinic_and_ids_go_on(postgres: Postgres, clinic: Database) -> None:
    url = postgres.migrated()
    database = Database(url)
    fill(database)
    assert [visit.starts_at for visit in visits(database)] == [visit.starts_at for visit in visits(clinic)]
    query = "SELECT appointment_id, symptoms, notes FROM treatments ORDER BY id"
    assert rows(database, query) == rows(clinic, query)
    names = "SELECT id, name, email, birth_date FROM patients ORDER BY id"
    assert [(*row[:3], str(row[3])) for row in rows(database, names)] == rows(clinic, names)
    with database.transaction() as session:
        someone = Patient(name="Someone", created_at=clock.now())
        session.add(someone)
        session.flush()
        assert someone.id == 301
    database.close()
    postgres.drop(url)
