"""i2: an import knows people only by what someone confirmed; who could be someone else is on one list."""

from datetime import date
from time import monotonic

import pytest

from service.storage.models import Appointment, Doctor, Patient
from tests.domain.imports.importing import VISITS, Desk
from tests.domain.imports.importing import a_desk as a_desk
from tests.domain.imports.importing import a_folder as a_folder
from tests.domain.imports.importing import the_admin as the_admin

pytestmark = pytest.mark.usefixtures("clock")
HEAD = "Name,Birth date,Phone,E-mail\n"
BORN = date(1960, 5, 5)
LIMIT = 60
"""Seconds in which a file of 50,000 lines says what is doubtful about it, on a busy machine; alone it takes a few."""


def doubts(desk: Desk, content: str, kind: str = "patients") -> list[tuple[int, str]]:
    """Line and sentence of everyone about whom only a person can decide; nothing of the file is imported."""
    before = desk.house.count(Patient)
    assert desk.wrong(kind, content) != []
    assert desk.house.count(Patient) == before
    return [(one.line, one.sentence) for one in desk.look(kind, content).problems if one.is_doubt]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "Thomas Müller,1960-05-05,0170 5550132,a@mail.example",
            "Thomas Müller,1960-05-05,0170 5550133,b@mail.example",
        ),
        ("Thomas Müller,1960-05-05,,", "Thomas Müller,1960-05-05,,"),
        ("Thomas Müller,1960-05-05,0170 5550132,", "Thomas Muller,1960-05-05,0170 5550132,"),
        ("Anna Weiß,1960-05-05,0170 5550132,", "Anna Weiss,1960-05-05,0170 5550132,"),
        ("Thomas Müller,1960-05-05,0170 5550132,", "Thomas Müller,,0170 5550132,"),
        ("Thomas Müller,,0170 5550132,", "Thomas Müller,1960-05-05,0170 5550132,"),
        ("Thomas Müller,,0170 5550132,", "Thomas Müller,,0170 5550132,"),
        ("Thomas Müller,1960-05-05,0170 5550132,", "Thomas Müller,1960-05-05,0170 5550132,more@mail.example"),
        ("Prince,,,", "PRINCE,,,"),
        ("🙂,,,", "🙂,,,"),
    ],
)
def test_i2_two_lines_that_could_be_one_person_are_refused_with_both_numbers(
    desk: Desk, first: str, second: str
) -> None:
    ((line, sentence),) = doubts(desk, f"{HEAD}{first}\nSomebody Else,1990-01-01,,\n{second}\n")
    assert line == 4
    assert "Line 2 may be the same person" in sentence


@pytest.mark.parametrize(
    "pair",
    [
        ("Lena Vogt,2015-05-05,0170 5550132,v@mail.example", "Mia Vogt,2015-05-05,0170 5550132,v@mail.example"),
        ("Karl Vogt,1960-05-05,0170 5550132,v@mail.example", "Karl Vogt,1990-05-05,0170 5550132,v@mail.example"),
        ("राम,1960-05-05,,", "रामा,1960-05-05,,"),
        ("สุดา,,,", "สดา,,,"),
        ("かな,1960-05-05,,", "がな,1960-05-05,,"),
        ("김민준,1960-05-05,,", "김민주,1960-05-05,,"),
        ("Prince,1960-05-05,,", "Prince Charles,1960-05-05,,"),
    ],
)
def test_i2_twins_namesakes_and_names_with_other_letters_are_two_people(desk: Desk, pair: tuple[str, str]) -> None:
    content = HEAD + "\n".join(pair) + "\n"
    assert desk.run("patients", content) == (2, 0)
    assert desk.run("patients", content) == (0, 2)


@pytest.mark.parametrize(
    "line",
    [
        "Thomas Müller,1960-05-05,0170 5550133,",
        "Thomas Müller,1960-05-05,0170 5550132,new@mail.example",
        "Thomas Müller,1960-05-05,,",
        "Thomas Muller,1960-05-05,0170 5550132,",
        "Thomas Müller,,0170 5550132,",
    ],
)
def test_i2_a_line_that_could_be_an_existing_patient_is_refused_and_names_the_record(desk: Desk, line: str) -> None:
    here = desk.house.patient("Thomas Müller", birth_date=BORN, phone="+491705550132")
    ((number, sentence),) = doubts(desk, f"{HEAD}{line}\n")
    assert (number, f"record {here}." in sentence) == (2, True)
    assert desk.patients() == [("Thomas Müller", BORN, "+491705550132", None)]


def test_i2_one_of_several_is_refused_until_the_two_are_merged(desk: Desk) -> None:
    kept, other = (desk.house.patient("Thomas Müller", birth_date=BORN, phone="+491705550132") for _number in range(2))
    content = f"{HEAD}Thomas Müller,1960-05-05,0170 5550132,\n"
    ((_line, sentence),) = doubts(desk, content)
    assert f"{kept}, {other}" in sentence
    with desk.house.writing() as session:
        session.get_one(Patient, other).merged_into_id = kept
    assert desk.run("patients", content) == (0, 1)


@pytest.mark.parametrize("born", ["1960-05-05", ""])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Max@Straße.example", "max@xn--strae-oqa.example"),
        ("max@xn--strae-oqa.example", "MAX@STRAßE.example"),
        ("zoë@mail.example", "ZOË@mail.example"),
    ],
)
def test_i2_a_line_is_known_again_in_another_spelling_of_its_address(
    desk: Desk, born: str, first: str, second: str
) -> None:
    lines = [f"{HEAD}Max Vogt,{born},,{address}\n" for address in (first, second)]
    assert [desk.run("patients", line) for line in lines] == [(1, 0), (0, 1)]
    with desk.house.writing() as session:
        session.query(Patient).one().email = second
    assert [desk.run("patients", line) for line in lines] == [(0, 1), (0, 1)]
    assert desk.look("patients", f"{HEAD}Max Vogt,{born},,max@strasse.example\n").doubt_count == 1


def test_i2_the_two_whom_the_desk_told_apart_are_known_in_the_next_file(desk: Desk) -> None:
    content = HEAD + "Thomas Müller,1960-05-05,0170 5550132,\nThomas Müller,1960-05-05,0170 5550133,\n"
    assert len(doubts(desk, content)) == 1
    for phone in ("+491705550132", "+491705550133"):
        desk.house.patient("Thomas Müller", birth_date=BORN, phone=phone)
    assert desk.run("patients", content) == (0, 2)


def test_i2_a_line_is_known_again_after_the_desk_has_changed_what_came_of_it(desk: Desk) -> None:
    content = "First name,Last name,Phone\nLena,Vogt,030 1234567\nOtto,,\n"
    assert desk.run("patients", content) == (2, 0)
    with desk.house.writing() as session:
        lena = session.query(Patient).order_by(Patient.id).first()
        assert lena is not None
        lena.phone = "+491705550132"
    assert desk.run("patients", content) == (0, 2)
    assert desk.patients()[0] == ("Lena Vogt", None, "+491705550132", None)


@pytest.mark.parametrize(
    ("patient", "born", "goes"),
    [
        ("Thomas Müller", "1960-05-05", False),
        ("Karl Jäger", "1960-05-05", True),
        ("KARL JÄGER", "", True),
        ("Karl Jager", "1960-05-05", False),
        ("Karl Jager", "", False),
        ("Sole Undated", "1960-05-05", False),
        ("Sole Undated", "", True),
        ("राम", "1960-05-05", False),
    ],
)
def test_i2_no_appointment_goes_to_another_record(desk: Desk, patient: str, born: str, goes: bool) -> None:
    desk.house.user("doctor", "doll@clinic.example", "Dr. Doll")
    for _number in range(2):
        desk.house.patient("Thomas Müller", birth_date=BORN)
    for name in ("Karl Jäger", "रामा"):
        desk.house.patient(name, birth_date=BORN)
    desk.house.patient("Sole Undated")
    content = VISITS + f"2026-05-05,10:30,20,Dr. Doll,{patient},{born},Eyes\n"
    assert (desk.wrong("visits", content) == []) == goes
    if goes:
        assert desk.run("visits", content) == (1, 0)
    assert desk.house.count(Appointment) == int(goes)


def test_i2_a_second_doctor_of_one_name_is_not_swallowed(desk: Desk) -> None:
    content = "Name,Department\nDr. Ada Berg,Eyes\nDr Ada Berg,Ears\nDr. Ada Bérg,Eyes\n"
    assert [line for line, _sentence in doubts(desk, content, "doctors")] == [3, 4]
    assert desk.house.count(Doctor) == 0


@pytest.mark.parametrize(
    ("header", "line", "given"),
    [
        ("Vorname,Name", "Anna,Schmidt", "Anna"),
        ("Full name,Given name", '"Schmidt, Anna",Anna', "Anna"),
        ("First name,Last name", "Anna Maria,von der Heide", "Anna Maria"),
        ("First name,Last name", "Dr.,Schmidt", None),
        ("First name,Last name", "Prof. Dr.,Schmidt", None),
        ("Name", '"Smith, John"', None),
        ("Name", "Dr. Anna Schmidt", None),
        ("First name,Last name", ",Prince", None),
    ],
)
def test_i8_a_given_name_comes_from_its_own_column_alone(desk: Desk, header: str, line: str, given: str | None) -> None:
    assert desk.run("patients", f"{header}\n{line}\n") == (1, 0)
    with desk.house.reading() as session:
        assert session.query(Patient.given_name).scalar() == given


@pytest.mark.foreign
def test_i2_five_thousand_doubts_in_fifty_thousand_lines_are_one_list_in_time(desk: Desk) -> None:
    lines = [f"Person {number},1960-05-05,0170 55{number % 50000:05}," for number in range(45_000)]
    lines += [f"Person {number},1960-05-05,0171 55{number:05}," for number in range(5_000)]
    content = HEAD + "\n".join(lines) + "\n"
    began = monotonic()
    preview = desk.look("patients", content)
    taken = monotonic() - began
    assert (preview.doubt_count, preview.problem_count, len(preview.problems)) == (5_000, 5_000, 5_000)
    assert [one.line for one in preview.problems] == list(range(45_002, 50_002))
    assert preview.problems[0].sentence.startswith("Line 2 ")
    assert taken < LIMIT, f"{taken:.1f} s"
