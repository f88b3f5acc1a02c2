"""The CSV of a history: every byte as promised, and read back it is what the database holds."""

import csv
import io
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from service.domain.exports import history_csv
from service.domain.foundation import csv_format
from service.storage.models import Doctor, Patient, Treatment
from tests.history import long_history
from tests.house import House, at

HEADER = (
    '"Patient ID","Patient Name","Doctor Name","Appointment Date","Visit Type","Symptoms","Diagnosis",'
    '"Treatment","Prescription","Notes","Next Visit"\r\n'
)
TEXTS = ("visit_type", "symptoms", "diagnosis", "treatment", "prescription", "notes")
TRIGGERS = [*"=+-@\t\r\n＝＋－＠"]


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor."""
    found = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg").doctor_id
    assert found is not None
    return found


@pytest.fixture
def patient(house: House) -> int:
    """A patient without treatments."""
    return house.patient("Lena Vogt")


def written(house: House, patient: int, zone: str = "Europe/Berlin") -> str:
    target = io.StringIO(newline="")
    with house.reading() as session:
        history_csv.write(session, patient, ZoneInfo(zone), target)
    return target.getvalue()


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))[1:]


def test_a_history_without_treatments_is_its_header(house: House, patient: int) -> None:
    assert written(house, patient) == f"\ufeff{HEADER}"
    with house.reading() as session:
        assert history_csv.count(session, patient) == 0


def test_e3_a_row_is_quoted_throughout_and_ends_with_crlf(house: House, doctor: int, patient: int) -> None:
    house.treated(
        doctor,
        patient,
        at("2026-05-04 06:00"),
        visit_type="Check-up",
        symptoms='says "ouch", often',
        diagnosis="cold\nand cough",
        treatment="rest;\ttea",
        prescription="",
        notes="größer – 名前 🙂",
        next_visit=date(2026, 6, 1),
    )
    assert written(house, patient) == (
        f"\ufeff{HEADER}"
        f'"{patient}","Lena Vogt","Dr. Ada Berg","2026-05-04 08:00","Check-up","says ""ouch"", often",'
        '"cold\nand cough","rest;\ttea","","größer – 名前 🙂","2026-06-01"\r\n'
    )


def test_the_newest_comes_first_and_ties_go_by_the_treatments_id(house: House, doctor: int, patient: int) -> None:
    times = ["2026-01-01 10:00", "2026-03-01 10:00", "2026-02-01 10:00", "2026-03-01 10:00", "2025-12-31 10:00"]
    for number, time in enumerate(times):
        house.treated(doctor, patient, at(time), notes=str(number))
    assert [row[9] for row in rows(written(house, patient))] == ["1", "3", "2", "0", "4"]


def test_a_history_is_only_about_its_patient(house: House, doctor: int, patient: int) -> None:
    house.treated(doctor, house.patient("Other"), at("2026-05-04 06:00"), notes="secret")
    house.visit(doctor, patient, at("2026-05-04 06:00"))
    house.treated(doctor, patient, at("2026-05-05 06:00"), notes="mine")
    assert [row[9] for row in rows(written(house, patient))] == ["mine"]


@pytest.mark.parametrize(
    ("zone", "instant", "wall"),
    [
        ("Europe/Berlin", "2026-03-29 00:59", "2026-03-29 01:59"),
        ("Europe/Berlin", "2026-03-29 01:00", "2026-03-29 03:00"),
        ("Europe/Berlin", "2026-10-25 00:30", "2026-10-25 02:30"),
        ("Europe/Berlin", "2026-10-25 01:30", "2026-10-25 02:30"),
        ("Europe/Berlin", "2025-12-31 23:15", "2026-01-01 00:15"),
        ("Australia/Lord_Howe", "2026-10-03 15:29", "2026-10-04 01:59"),
        ("Australia/Lord_Howe", "2026-10-03 15:30", "2026-10-04 02:30"),
        ("Australia/Lord_Howe", "2026-04-04 14:59", "2026-04-05 01:59"),
        ("Australia/Lord_Howe", "2026-04-04 15:00", "2026-04-05 01:30"),
        ("Asia/Kathmandu", "2026-05-04 18:14", "2026-05-04 23:59"),
        ("America/Havana", "2026-03-08 05:00", "2026-03-08 01:00"),
    ],
)
def test_f19_times_are_those_of_the_clinics_wall_clock(
    house: House, doctor: int, patient: int, zone: str, instant: str, wall: str
) -> None:
    house.treated(doctor, patient, at(instant))
    assert [row[3] for row in rows(written(house, patient, zone))] == [wall]


@pytest.mark.parametrize("blanks", ["", " ", " \u00a0\u3000 "], ids=["first", "blank", "blanks"])
@pytest.mark.parametrize("trigger", [*TRIGGERS, "\t=", "\n=", " \r ="], ids=ascii)
def test_e3_a_text_that_a_spreadsheet_would_run_has_one_apostrophe_in_front(trigger: str, blanks: str) -> None:
    text = f"{blanks}{trigger}1+1"
    assert csv_format.guarded(text) == f"'{text}"


def test_e3_a_nul_in_front_is_guarded_as_well() -> None:
    assert csv_format.guarded("\0=1") == "'\0=1"
    assert csv_format.guarded(" \0a") == "' \0a"


@pytest.mark.parametrize("text", ["", " ", "a=b", "1-2", "a\n=b", "'=1", '"=1', "|x", "(1+1)", "ä@b", "１＋１"])
def test_other_texts_are_left_as_they_are(text: str) -> None:
    assert csv_format.guarded(text) == text


@pytest.mark.parametrize("trigger", TRIGGERS, ids=ascii)
def test_e3_every_column_with_text_is_guarded(house: House, patient: int, trigger: str) -> None:
    text = f"{trigger}1+1|cmd"
    stored = text.replace("\r", "\n")
    doctor = house.user("doctor", "doctor@clinic.example").doctor_id
    with house.writing() as session:
        session.execute(update(Patient).values(name=text))
        session.execute(update(Doctor).values(name=f" {text}"))
    house.treated(doctor, patient, at("2026-05-04 06:00"), **dict.fromkeys(TEXTS, text))
    (row,) = rows(written(house, patient))
    assert row[1:3] == [f"'{stored}", f"' {stored}"]
    assert row[4:10] == [f"'{stored}"] * 6


def test_line_breaks_of_any_kind_become_lf(house: House, doctor: int, patient: int) -> None:
    house.treated(doctor, patient, at("2026-05-04 06:00"), notes="a\r\nb\rc\nd\r\r\ne")
    text = written(house, patient)
    assert '"a\nb\nc\nd\n\ne"' in text
    assert text.count("\r") == 2


TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from([*TRIGGERS, *' ",;\u00a0']),
    max_size=20,
)
INSTANT = st.integers(0, 5_000_000).map(lambda minutes: at("2020-01-01 00:00") + timedelta(minutes=minutes))
FILLED = st.fixed_dictionaries(
    {**dict.fromkeys(TEXTS[1:], TEXT), "visit_type": TEXT, "next_visit": st.none() | st.dates(date(2000, 1, 1))}
)


def unguarded(field: str) -> str:
    """What a reader who knows the guard makes of a field."""
    plain = field.removeprefix("'")
    return plain if field != plain and csv_format.guarded(plain) == field else field


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TEXT, treated=st.lists(st.tuples(INSTANT, FILLED), max_size=4), zone=st.sampled_from(["Europe/Berlin"]))
def test_e1_read_back_a_file_is_what_the_database_holds(
    house: House, name: str, treated: list[tuple[datetime, dict[str, Any]]], zone: str
) -> None:
    doctor = house.user("doctor", f"doctor{house.count(Doctor)}@clinic.example", "Dr. Ada Berg").doctor_id
    patient = house.patient(name)
    made = [(starts_at, house.treated(doctor, patient, starts_at, **texts), texts) for starts_at, texts in treated]
    made.sort(key=lambda one: (-one[0].timestamp(), one[1]))

    def lf(text: str) -> str:
        return text.replace("\r\n", "\n").replace("\r", "\n")

    expected = [
        [
            str(patient),
            lf(name),
            "Dr. Ada Berg",
            f"{starts_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}",
            *(lf(texts[column]) for column in TEXTS),
            texts["next_visit"].isoformat() if texts["next_visit"] else "",
        ]
        for starts_at, _id, texts in made
    ]
    found = rows(written(house, patient, zone))
    assert [[unguarded(field) for field in row] for row in found] == expected
    for row in found:
        for field in (*row[1:3], *row[4:10]):
            assert field == "" or field.lstrip()[:1] not in [*"=+-@＝＋－＠"], "no field a spreadsheet would run"


def test_progress_is_told_after_every_thousand_rows(house: House, doctor: int, patient: int) -> None:
    house.treated(doctor, patient, at("2026-05-04 06:00"))
    long_history(house, doctor, patient, 2499)
    told: list[int] = []
    with house.reading() as session:
        total = history_csv.write(session, patient, ZoneInfo("Europe/Berlin"), io.StringIO(newline=""), told.append)
        assert history_csv.count(session, patient) == 2500
    assert (told, total) == ([1000, 2000, 2500], 2500)
    assert house.count(Treatment) == 2500
