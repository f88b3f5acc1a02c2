"""Imports: what is new and what is here already, what does not fit, and all or nothing."""

import re
from datetime import date

import pytest

from service.config.settings import ROOT
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, NotFound
from service.domain.imports import imports
from service.domain.patients.details import PatientDetails
from service.storage.models import AuditEntry, Doctor, Patient
from service.storage.search_keys import search_key
from tests.crowd import together
from tests.domain.imports.importing import VISITS, Desk
from tests.domain.imports.importing import a_desk as a_desk
from tests.domain.imports.importing import a_folder as a_folder
from tests.domain.imports.importing import the_admin as the_admin
from tests.house import at

pytestmark = pytest.mark.usefixtures("clock")


def test_patients_are_stored_as_they_are_shown(desk: Desk) -> None:
    content = (
        "Vorname;Nachname;Geburtsdatum;Telefon;Handy;E-Mail\n"
        "José;García Álvarez;02.07.1985;030 5550100;0170 5550132; José@Mail.Example \n"
        "Ольга;Иванова;1958-01-03;030/5550101;;\n"
        "Prince;;;;;\n"
    )
    assert desk.run("patients", content) == (3, 0)
    assert desk.patients() == [
        ("José García Álvarez", date(1985, 7, 2), "+491705550132", "José@Mail.Example"),
        ("Ольга Иванова", date(1958, 1, 3), "+49305550101", None),
        ("Prince", None, None, None),
    ]
    with desk.house.reading() as session:
        for patient in session.query(Patient).all():
            assert patient.folded_name == search_key(patient.name)
            assert (patient.created_at, patient.version, patient.archived_at) == (at("2026-05-04 06:00"), 1, None)


def test_an_import_is_audited_with_its_count(desk: Desk) -> None:
    desk.run("patients", "Name\nLena Vogt\nOtto Birke\n")
    desk.run("doctors", "Name\nDr. Berg\n")
    with desk.house.reading() as session:
        rows = session.query(AuditEntry).where(AuditEntry.act.like("import.%")).order_by(AuditEntry.id)
        assert [(row.act, row.subject, row.user_id) for row in rows] == [
            ("import.patients", "import/patients/2", desk.admin.user_id),
            ("import.doctors", "import/doctors/1", desk.admin.user_id),
        ]


def test_who_is_here_already_stays_as_they_are(desk: Desk) -> None:
    desk.house.patient("Jürgen Groß", birth_date=date(1985, 7, 2), phone="+49301234567")
    content = "Name,Birth date,Phone\nJÜRGEN  GROß,1985-07-02,030 1234567\nJürgen Groß,1985-07-03,\n"
    preview = desk.look("patients", content)
    assert [(row.line, is_new) for row, is_new in preview.rows] == [(2, False), (3, True)]
    assert desk.run("patients", content) == (1, 1)
    assert desk.patients()[0] == ("Jürgen Groß", date(1985, 7, 2), "+49301234567", None)
    assert desk.house.count(Patient) == 2


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("patients", "Name,Birth date\nLena Vogt,1985-07-02\nPia Birke,\nOtto Birke,\n"),
        ("doctors", "Name,Department\nDr. Berg,Eyes\nDr. Tal,\n"),
        ("visits", VISITS + "2026-05-05,10:30,20,Dr. Doll,Pia Ahorn,,Eyes\n2026-05-05,10:50,,Dr. Doll,Pia Ahorn,,\n"),
    ],
)
def test_the_same_file_twice_adds_nothing(desk: Desk, kind: str, content: str) -> None:
    desk.house.user("doctor", "doll@clinic.example", "Dr. Doll")
    desk.house.patient("Pia Ahorn", birth_date=date(1990, 1, 1))
    lines = content.count("\n") - 1
    assert desk.run(kind, content) == (lines, 0)
    assert desk.run(kind, content) == (0, lines)
    assert desk.look(kind, content).new == 0


def test_one_person_on_two_lines_is_one_person(desk: Desk) -> None:
    content = "Name,Birth date,Phone,E-mail\nLena Vogt,1985-07-02,030 1234567,l@mail.example\n"
    content += "LENA VOGT,02.07.1985,0049 30 1234567,\nLena Vogt,1985-07-02,,l@mail.example\n"
    assert desk.run("patients", content) == (1, 2)
    assert desk.house.count(Patient, Patient.phone == "+49301234567") == 1


def test_one_name_on_two_lines_without_birth_dates_could_be_two_people(desk: Desk) -> None:
    content = "Name,Phone\nPeter Müller,030 1234567\nPETER MÜLLER,\nPeter Müller,030 7654321\n"
    preview = desk.look("patients", content)
    assert [problem.line for problem in preview.problems] == [3, 4]
    assert "Line 2 may be the same person" in preview.problems[0].sentence
    assert desk.house.count(Patient) == 0


def test_every_error_of_every_line_is_found_at_once(desk: Desk) -> None:
    content = "Name,Birth date,Phone,E-mail\n,x,y,z\nLena\u2028Vogt,2026-05-05,1,a@b@c\nOtto,1890-01-01,,\n"
    everything = ("Full name", "Birth date", "Phone", "E-mail")
    found = [*((2, column) for column in everything), *((3, column) for column in everything), (4, "Birth date")]
    assert desk.wrong("patients", content) == found
    assert desk.house.count(Patient) == 0
    assert desk.house.count(AuditEntry, AuditEntry.act.like("import.%")) == 0


@pytest.mark.parametrize("name", ["x", "x" * 200, "=1+1", "🙂", "ליאת", "a\u202eb", "Robert'); DROP TABLE patients;--"])
def test_names_of_any_kind_are_kept_as_they_are(desk: Desk, name: str) -> None:
    desk.run("patients", f'Name\n"{name}"\n')
    assert [row[0] for row in desk.patients()] == [name]


@pytest.mark.parametrize("name", ["x" * 201, "two\nlines", "bell\a"])
def test_names_that_no_form_takes_are_refused(desk: Desk, name: str) -> None:
    assert desk.wrong("patients", f'Name\n"{name}"\n') == [(2, "Full name")]


def test_a_line_that_is_too_long_is_an_error_and_a_short_one_is_not(desk: Desk) -> None:
    assert desk.wrong("patients", "Name,Phone\nLena\nOtto,,\nPia,,,more\n") == [(4, "Columns")]


def test_doctors_get_a_title_and_no_account(desk: Desk) -> None:
    desk.house.user("doctor", "doll@clinic.example", "Dr. Doll")
    content = "Titel;Vorname;Name;Fachrichtung\nDr.;Ada;Berg;Augen\n;;DR. DOLL;\n;Emil;Tal;\n"
    assert desk.run("doctors", content) == (2, 1)
    with desk.house.reading() as session:
        found = [(row.name, row.department, row.user_id) for row in session.query(Doctor).order_by(Doctor.id)]
    assert found[1:] == [("Dr. Ada Berg", "Augen", None), ("Emil Tal", "", None)]


def test_only_the_admin_imports(desk: Desk) -> None:
    upload = desk.upload("patients", "Name\nLena\n")
    reading = desk.read(upload)
    for role in (Role.RECEPTIONIST, Role.DOCTOR, Role.PATIENT):
        actor = Actor(role, "Somebody", desk.admin.user_id)
        with pytest.raises(Forbidden):
            imports.upload(actor, desk.folder, kind="patients", file_name="x", data=b"Name\nLena\n")
        with pytest.raises(Forbidden), desk.house.writing() as session:
            imports.run(session, actor, upload, reading)
        with pytest.raises(NotFound):
            imports.fetch(actor, desk.folder, upload.id)
    for upload_id in ("0" * 32, "../" + upload.id, upload.id.upper() + "\0", ""):
        with pytest.raises(NotFound):
            imports.fetch(desk.admin, desk.folder, upload_id)
    assert imports.fetch(desk.admin, desk.folder, upload.id) == upload


def test_a_crash_between_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BATCH", 2)
    upload = desk.upload("patients", "Name\n" + "".join(f"Person {number}\n" for number in range(9)))
    reading = desk.read(upload)

    def crash() -> None:
        with desk.house.writing() as session:
            imports.run(session, desk.admin, upload, reading)
            assert session.query(Patient).count() == 9
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert desk.house.count(Patient) == 0
    assert desk.house.count(AuditEntry, AuditEntry.act.like("import.%")) == 0
    with desk.house.writing() as session:
        assert imports.run(session, desk.admin, upload, reading) == (9, 0)


def test_one_file_imported_by_four_at_once_comes_in_once(desk: Desk) -> None:
    upload = desk.upload("patients", "Name\n" + "".join(f"Person {number}\n" for number in range(50)))
    reading = desk.read(upload)

    def press(_number: int) -> tuple[int, int]:
        with desk.house.writing() as session:
            return imports.run(session, desk.admin, upload, reading)

    assert sorted(together(4, press)) == [(0, 50), (0, 50), (0, 50), (50, 0)]
    assert desk.house.count(Patient) == 50


def test_the_examples_in_the_document_are_imported(desk: Desk) -> None:
    document = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    examples = re.findall(r"```csv (\w+)\n(.*?)```", document, re.DOTALL)
    assert sorted(kind for kind, _content in examples) == ["doctors", "patients", "visits"]
    for kind in ("doctors", "patients", "visits"):
        content = dict(examples)[kind]
        assert desk.wrong(kind, content) == []
        assert desk.run(kind, content) == (content.count("\n") - 1, 0)
    assert desk.patients()[0] == ("Lena Vogt", date(1985, 7, 2), "+491705550132", "lena.vogt@mail.example")


def test_a_patient_in_a_file_is_who_the_same_words_make_at_the_desk(desk: Desk) -> None:
    typed = ("Zoë Ćwik", date(1985, 5, 4), "030 1234567", "Zoe@Mail.Example")
    assert desk.run("patients", "Name,Birth date,Phone,E-mail\nZoë Ćwik,1985-05-04,030 1234567,Zoe@Mail.Example\n")
    wanted = PatientDetails.checked(*typed, desk.house.settings.clinic)
    with desk.house.reading() as session:
        row = session.query(Patient).one()
        assert PatientDetails.of(row) == wanted
        assert {name: getattr(row, name) for name in wanted.columns()} == wanted.columns()
