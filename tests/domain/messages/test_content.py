"""What a reminder says: where, when and with whom; never why; names as they are, on one line."""

import re

import pytest

from service.config.settings import Clinic
from service.storage.models import Message
from tests.domain.outbox.planning import claim, letter, planned, row
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor, whose department says what patients come for."""
    found = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg", department="Oncology").doctor_id
    assert found is not None
    return found


@pytest.fixture
def visit(house: House, doctor: int) -> int:
    """An appointment of today at 14:00, with its reminder planned."""
    made = house.visit(doctor, house.patient("Lena Vogt", email="lena@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    return made


def test_a_reminder_says_where_when_and_with_whom(house: House, visit: int) -> None:
    found = letter(house)
    assert found.recipient == "lena@mail.example"
    assert found.subject == "Your appointment at Practice at the Park: Mon, 4 May, 14:00"
    assert "Hello Lena Vogt,\n" in found.body
    assert "Mon, 4 May, 14:00, Dr. Ada Berg\n" in found.body
    assert "(+49 30 1234567)" in found.body
    kept = re.sub(r"http\S+", "[link]", found.body)
    assert (row(house, found.id).subject, row(house, found.id).body) == (found.subject, kept)
    assert kept.count("[link]") == 2


def test_a_reminder_of_a_clinic_without_a_phone_leaves_it_out(house: House, visit: int) -> None:
    assert "please call us so that" in letter(house, Clinic(name="Practice")).body


def test_r5_a_reminder_says_nothing_of_why_someone_comes(house: House, doctor: int) -> None:
    patient = house.patient("Lena Vogt", email="lena@mail.example")
    house.treated(doctor, patient, at("2026-04-04 12:00"), diagnosis="melanoma", prescription="interferon", notes="sad")
    house.visit(doctor, patient, at("2026-05-04 12:00"), reason="second chemotherapy")
    planned(house)
    found = letter(house)
    text = f"{found.subject}\n{found.body}".casefold()
    assert [word for word in ("melanoma", "interferon", "sad", "chemo", "oncology") if word in text] == []


@pytest.mark.parametrize(
    "name", ["{{7*7}}<b>{clinic_name}", "{doctor}&amp;", "%s %(x)s {0}", "<script>alert(1)</script>", "名前 名字"]
)
def test_r7_a_name_arrives_literally(house: House, doctor: int, name: str) -> None:
    other = house.user("doctor", "other@clinic.example", name).doctor_id
    house.visit(other, house.patient(name, email="a@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    found = letter(house)
    assert f"Hello {name},\n" in found.body
    assert f"14:00, {name}\n" in found.body


@pytest.mark.parametrize(
    ("name", "given_name", "greeting"),
    [
        ("Smith, John", None, "Smith, John"),
        ("Smith, John", "John", "John"),
        ("Dr. Anna Schmidt", None, "Dr. Anna Schmidt"),
        ("Dr. Anna Schmidt", "Anna", "Anna"),
        ("Smith,", None, "Smith"),
        ("Prince", None, "Prince"),
        ("Robert Smith, Jr.", None, "Robert Smith, Jr."),
        ("Anna Maria von der Heide", "Anna Maria", "Anna Maria"),
        ("王小明", "小明", "小明"),
        ("Zoë\nBcc: x@mail.example", "Zoë\u2028Bcc", "Zoë Bcc"),
    ],
)
def test_i8_a_greeting_has_the_given_name_someone_said_or_the_full_name(
    house: House, doctor: int, name: str, given_name: str | None, greeting: str
) -> None:
    patient = house.patient(name, given_name=given_name, email="a@mail.example")
    house.visit(doctor, patient, at("2026-05-04 12:00"))
    planned(house)
    assert f"Hello {greeting},\n" in letter(house).body


def test_r6_names_with_line_breaks_stay_on_one_line(house: House, doctor: int) -> None:
    for name in ("Eva\r\nBcc: all@mail.example\n\nfree", "Bo\x0b\x85\u2028Berg"):
        house.visit(doctor, house.patient(name, email="a@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    found = letter(house, Clinic(name="Our\nBcc: x@mail.example"))
    assert len(found.subject.splitlines()) == 1
    assert "  Eva Bcc: all@mail.example free: Mon, 4 May" in found.body
    assert "  Bo Berg: Mon, 4 May" in found.body
    assert not any(line.startswith("Bcc") for line in found.subject.splitlines())


def test_a_family_that_shares_an_address_gets_one_letter_that_lists_everybody(house: House, doctor: int) -> None:
    for name, time in (("Mia Vogt", "13:00"), ("Lena Vogt", "12:00"), ("Ben Vogt", "20:00")):
        house.visit(doctor, house.patient(name, email="vogt@mail.example"), at(f"2026-05-04 {time}"))
    house.visit(doctor, house.patient("Tomorrow", email="vogt@mail.example"), at("2026-05-04 23:00"))
    house.visit(doctor, house.patient("Other", email="other@mail.example"), at("2026-05-04 12:30"))
    planned(house)
    claimed = claim(house)
    assert claimed is not None
    assert claimed.outgoing is not None
    assert claimed.covered == 2
    lines = [line.strip() for line in claimed.outgoing.body.splitlines() if line.startswith("  ")]
    assert lines == [
        "Lena Vogt: Mon, 4 May, 14:00, Dr. Ada Berg",
        "Mia Vogt: Mon, 4 May, 15:00, Dr. Ada Berg",
        "Ben Vogt: Mon, 4 May, 22:00, Dr. Ada Berg",
    ]
    assert house.count(Message, Message.skip_reason == "duplicate", Message.covered_by == claimed.id) == 2
    assert letter(house).recipient == "other@mail.example"
    assert claim(house) is None


def test_two_visits_of_one_patient_are_one_letter_without_the_name(house: House, doctor: int) -> None:
    patient = house.patient("Lena Vogt", given_name="Lena", email="lena@mail.example")
    for time in ("12:00", "13:00"):
        house.visit(doctor, patient, at(f"2026-05-04 {time}"))
    planned(house)
    body = letter(house).body
    assert "  Mon, 4 May, 14:00, Dr. Ada Berg\n  Mon, 4 May, 15:00, Dr. Ada Berg\n" in body
    assert "Vogt" not in body
