"""What the files of an export hold: as much as the database, in each form, and nothing that lets people in."""

import csv
import io
import json
import re
from collections.abc import Set
from datetime import UTC, date, datetime
from typing import Any
from zipfile import ZipFile

import pytest
import time_machine
from sqlalchemy import select

from service.config.settings import Clinic
from service.domain.appointments import treatments
from service.domain.appointments.treatments import Findings
from service.domain.exports import clinic_zip, export_columns, history_csv, history_json, history_zip
from service.domain.exports.history_tables import History
from service.domain.foundation.actor import Actor
from service.storage.models import Appointment, Base, Message, Patient, Treatment, TreatmentVersion, User
from tests.house import HASH, House, at
from tests.web.reading import faults

ALL = export_columns.chosen(visits=True, messages=True)
NASTY = "=1+1 <b>&amp;\"'</style><script>alert(1)</script>\r\n\t名前 🙂 \\ \u2028"


@pytest.fixture
def doctor(house: House) -> Actor:
    """The clinic's doctor."""
    return house.user("doctor", "doctor@clinic.example", "Dr. <script>alert(1)</script>", department="<i>Eyes</i>")


@pytest.fixture
def patient(house: House, doctor: Actor) -> int:
    """A patient with two treatments, one of them corrected, an appointment ahead and a message."""
    patient = house.patient(f"Lena {NASTY}", allergies=NASTY, alerts="{{ 7 * 7 }}", birth_date=date(1985, 7, 4))
    texts = dict.fromkeys(("symptoms", "diagnosis", "treatment", "prescription", "notes"), NASTY)
    house.treated(doctor.doctor_id, patient, at("2026-04-01 10:00"), **texts, visit_type="=Type")
    house.treated(doctor.doctor_id, patient, at("2026-04-02 10:00"), next_visit=date(2026, 6, 1))
    ahead = house.visit(doctor.doctor_id, patient, at("2026-07-01 10:00"), reason=NASTY)
    with house.reading() as session:
        corrected = session.scalars(select(Treatment.appointment_id).order_by(Treatment.id)).all()[1]
    with time_machine.travel(at("2026-05-04 06:00"), tick=False), house.writing() as session:
        zone = house.settings.clinic.zone
        treatments.record(session, doctor, corrected, Findings(diagnosis="Cold"), zone)
    with house.writing() as session:
        when = {"starts_at": at("2026-07-01 10:00"), "due_at": at("2026-05-01 06:00")}
        row = {"patient_id": patient, "appointment_id": ahead, "rule": "daily_reminder", "channel": "email"}
        times = {"lease_until": at("2026-05-01 06:00"), "created_at": at("2026-05-01 06:00"), **when}
        session.add(Message(**row, **times, subject=NASTY, body=NASTY, recipient="a@b.example"))
    other = house.patient("Somebody else")
    house.treated(doctor.doctor_id, other, at("2026-04-03 10:00"), notes="not Lena's")
    return patient


def as_json(house: House, patient: int, tables: tuple[export_columns.Table, ...] = ALL) -> dict[str, Any]:
    target = io.StringIO(newline="")
    with house.reading() as session:
        history_json.write(session, History(patient, tables, house.settings.clinic), target)
    found: dict[str, Any] = json.loads(target.getvalue())
    return found


def zipped(house: House, patient: int | None, clinic: Clinic | None = None) -> dict[str, str]:
    """The files of a zip by their names without the folder."""
    target, clinic = io.BytesIO(), clinic or house.settings.clinic
    with house.reading() as session:
        if patient is None:
            clinic_zip.write(session, clinic, target)
        else:
            history_zip.write(session, History(patient, ALL, clinic), target)
    with ZipFile(target) as made:
        assert made.testzip() is None
        assert {name.partition("/")[0] for name in made.namelist()} == {made.namelist()[0].partition("/")[0]}
        return {name.partition("/")[2]: made.read(name).decode("utf-8") for name in made.namelist()}


def read_back(value: Any, column: Any) -> Any:
    """A value of the JSON as the database has it."""
    if isinstance(value, str) and column.type.__class__.__name__ == "UtcDateTime":
        return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)
    return date.fromisoformat(value) if isinstance(value, str) and column.type.__class__.__name__ == "Date" else value


def same(row: dict[str, Any], stored: Any, besides: Set[str] = frozenset()) -> None:
    """Each value of a row is the stored one; some come from other tables."""
    for key in row.keys() - besides:
        assert read_back(row[key], stored.__table__.columns[key]) == getattr(stored, key), key


def test_e2_json_read_back_is_what_the_database_holds(house: House, patient: int) -> None:
    found = as_json(house, patient)
    joined = {"doctor_id", "doctor_name", "department", "starts_at", "ends_at", "earlier_versions", "visit_type"}
    with house.reading() as session:
        for row in found["treatments"]:
            treatment = session.get_one(Treatment, row["id"])
            same(row, treatment, joined - {"visit_type"})
            same(
                {key: row[key] for key in ("starts_at", "ends_at")}, session.get_one(Appointment, row["appointment_id"])
            )
        for row in found["visits"]:
            same(row, session.get_one(Appointment, row["id"]), joined - {"starts_at", "ends_at"})
        for row in found["messages"]:
            same(row, session.get_one(Message, row["id"]))
        same(found["patient"], session.get_one(Patient, patient))
    assert found["treatments"][1]["symptoms"] == NASTY


def test_e1_json_has_every_treatment_visit_and_message_and_no_column_is_forgotten(house: House, patient: int) -> None:
    found = as_json(house, patient)
    ours = Appointment.patient_id == patient
    assert len(found["treatments"]) == house.count(Treatment, Treatment.appointment_id == Appointment.id, ours) == 2
    assert len(found["visits"]) == house.count(Appointment, ours) == 3
    assert len(found["messages"]) == house.count(Message, Message.patient_id == patient) == 1
    assert found["treatments"][0].keys() >= {column.name for column in Treatment.__table__.columns}
    assert [row["starts_at"] for row in found["visits"]] == sorted(
        (r["starts_at"] for r in found["visits"]), reverse=True
    )


def test_e2_json_has_the_earlier_versions_of_what_was_corrected(house: House, patient: int) -> None:
    newest = as_json(house, patient)["treatments"][0]
    assert (newest["version"], newest["diagnosis"], newest["next_visit"]) == (2, "Cold", None)
    (earlier,) = newest["earlier_versions"]
    with house.reading() as session:
        stored = session.scalars(select(TreatmentVersion)).one()
        assert (earlier["version"], earlier["fields"]) == (stored.version, stored.fields)
    assert earlier["fields"]["next_visit"] == "2026-06-01"


def test_json_has_visits_and_messages_only_on_choice(house: House, patient: int) -> None:
    assert as_json(house, patient, export_columns.chosen(visits=False, messages=False)).keys() == {
        *("format", "version", "exported_at", "clinic", "patient", "treatments", "consent")
    }


def test_a_history_without_anything_is_sound_in_each_form(house: House) -> None:
    nobody = house.patient("Nobody")
    found = as_json(house, nobody)
    assert [found[table.name] for table in ALL] == [[], [], [], []]
    files = zipped(house, nobody)
    assert faults(files["history.html"], stands_alone=True) == []
    assert [len(text.splitlines()) for name, text in files.items() if name.endswith(".csv")] == [1, 1, 1, 1]


def test_e1_a_zip_has_a_page_tables_json_and_a_readme_of_every_column(house: House, patient: int) -> None:
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        files = zipped(house, patient)
        assert files.keys() == {
            *(
                "README.txt",
                "history.html",
                "treatments.csv",
                "consent.csv",
                "visits.csv",
                "messages.csv",
                "history.json",
            )
        }
        alone = io.StringIO(newline="")
        with house.reading() as session:
            history_csv.write(session, patient, house.settings.clinic.zone, alone)
        assert files["treatments.csv"] == alone.getvalue(), "the very file that is offered on its own"
        assert json.loads(files["history.json"]) == as_json(house, patient)
    for table in ALL:
        header, *rows = csv.reader(io.StringIO(files[f"{table.name}.csv"].removeprefix("\ufeff"), newline=""))
        assert header == list(table.titles)
        assert all(len(row) == len(header) for row in rows)
        for column in table.columns:
            for name in (column.title, column.key):
                assert not name or f"- {name}: {column.meaning}" in files["README.txt"]


def test_a_zip_is_in_the_clinic_s_language_and_its_headers_stay(house: House, patient: int) -> None:
    german = house.settings.clinic.model_copy(update={"language": "de"})
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        files, english = zipped(house, patient, german), zipped(house, patient)
    assert "- Patient Name: Name der Patientin/des Patienten" in files["README.txt"]
    assert "Was bei jedem Termin festgestellt und gemacht wurde; Neuestes zuerst." in files["README.txt"]
    page = files["history.html"]
    assert '<html lang="de" dir="ltr">' in page
    assert "2 Behandlungen" in page
    assert "1 Nachricht<" in page
    assert files["treatments.csv"] == english["treatments.csv"]
    assert files["history.json"] == english["history.json"]


def test_a_zip_is_in_the_language_on_the_record_if_there_is_one(house: House, patient: int) -> None:
    with house.writing() as session:
        session.get_one(Patient, patient).language = "de"
    files = zipped(house, patient)
    assert "- Patient Name: Name der Patientin/des Patienten" in files["README.txt"]
    assert '<html lang="de" dir="ltr">' in files["history.html"]


def test_the_page_of_a_zip_runs_from_right_to_left_in_such_a_language(house: House, patient: int) -> None:
    page = zipped(house, patient, house.settings.clinic.model_copy(update={"language": "ar_XB"}))["history.html"]
    assert '<html lang="ar-XB" dir="rtl">' in page
    assert faults(page, stands_alone=True) == []


def test_e3_the_tables_of_visits_and_messages_are_guarded_as_well(house: House, patient: int) -> None:
    files = zipped(house, patient)
    for name, column in (("visits", "Reason"), ("messages", "Subject"), ("messages", "Text")):
        text = files[f"{name}.csv"].removeprefix("\ufeff")
        values = [row[column] for row in csv.DictReader(io.StringIO(text, newline="")) if row[column]]
        assert values == ["'" + NASTY.replace("\r\n", "\n")]


def test_w1_the_page_stands_alone_and_escapes_everything(house: House, patient: int) -> None:
    page = zipped(house, patient)["history.html"]
    assert faults(page, stands_alone=True) == []
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 9
    assert page.count("</style>") == 1
    assert "{{ 7 * 7 }}" in page
    assert "not Lena" not in page


def test_progress_of_a_zip_counts_each_row_once(house: House, patient: int) -> None:
    told: list[int] = []
    with house.reading() as session:
        history = History(patient, ALL, house.settings.clinic)
        rows = history_zip.write(session, history, io.BytesIO(), told.append)
    assert rows == told[-1] == 6
    assert told == sorted(told)


# The whole clinic


def test_e10_the_whole_clinic_is_every_table_twice_and_read_back_equal(house: House, patient: int) -> None:
    files = zipped(house, None)
    names = {table.name for table in Base.metadata.sorted_tables} - set(clinic_zip.left_out())
    assert files.keys() == {"README.txt", *(f"{name}.{kind}" for name in names for kind in ("csv", "json"))}
    with house.reading() as session:
        for table in clinic_zip.tables():
            stored = session.execute(select(*clinic_zip.columns(table)).order_by(*table.primary_key.columns)).all()
            rows = json.loads(files[f"{table.name}.json"])
            assert len(rows) == len(stored)
            for row, values in zip(rows, stored, strict=True):
                assert row == json.loads(history_json.text(dict(zip(row, values, strict=True))))
            lines = list(csv.reader(io.StringIO(files[f"{table.name}.csv"].removeprefix("\ufeff"), newline="")))
            assert lines[0] == [column.name for column in clinic_zip.columns(table)]
            assert len(lines) == len(stored) + 1
    assert NASTY in {row["diagnosis"] for row in json.loads(files["treatments.json"])}


def test_e10_nothing_that_lets_people_in_leaves_the_clinic(house: House, patient: int) -> None:
    files = zipped(house, None)
    with house.reading() as session:
        assert HASH in session.scalars(select(User.password_hash)).all()
    assert not [
        name
        for name, text in files.items()
        if HASH in text or "password_hash" in text.replace("users.password_hash", "")
    ]
    assert {"failures", "sessions", "user_tokens", "users.password_hash"} <= set(clinic_zip.left_out())
    assert f"Left out because it gives access to accounts: {', '.join(clinic_zip.left_out())}." in files["README.txt"]


HARMLESS = {"patients.email_key", "users.email_key"}
"""Columns whose names sound like secrets and are none: by such a key addresses are compared."""


def test_e10_every_column_that_sounds_like_a_secret_is_marked_as_one() -> None:
    sounding = re.compile(r"hash|secret|token|passw|code|otp|key")
    for table in clinic_zip.tables():
        for column in clinic_zip.columns(table):
            name = f"{table.name}.{column.name}"
            assert not sounding.search(column.name) or name in HARMLESS, f"{name}: mark it SECRET, or add it here"
