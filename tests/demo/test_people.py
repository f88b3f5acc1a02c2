"""The made-up people of the demo clinic: names, addresses and texts of every kind that may turn up."""

import re
from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from service.demo import people as demo_people
from service.demo.people import Person
from service.domain.foundation import contact_details

SCRIPTS = {
    "umlauts": "[äöüß]",
    "accents": "[éèêçñ]",
    "Cyrillic": "[а-я]",
    "Greek": "[α-ω]",
    "Arabic": "[\u0620-\u064a]",
    "Chinese": "[一-龥]",
    "Hebrew": "[א-ת]",
    "Devanagari": "[\u0904-\u0939]",
}
SIGNS = {"comma": ",", "quote": "'", "double quotes": '".+"'}


def people(patients: int = 300, doctors: int = 4) -> list[Person]:
    return list(demo_people.everyone(patients, doctors, Random(1)))


@pytest.mark.parametrize("patients", [14, 300])
def test_names_come_in_all_kinds(patients: int) -> None:
    names = [person.name for person in people(patients)]
    assert names[0] == "Lena Öztürk"
    assert sum("\n" in name for name in names) == 1
    assert sum(name.startswith("=") for name in names) == 1
    for kind, pattern in {**SCRIPTS, **SIGNS}.items():
        assert any(re.search(pattern, name) for name in names), kind


def test_doctors_have_a_title() -> None:
    names = [demo_people.doctor_name(index, Random(index)) for index in range(40)]
    assert all(name.startswith("Dr. ") and contact_details.checked_name(name) == name for name in names)


def test_those_with_an_account_have_its_address_and_some_others_have_none() -> None:
    emails = [person.email for person in people(1000)]
    assert emails[:100] == [f"patient{number}@demo.example" for number in range(1, 101)]
    assert 0.05 < emails.count(None) / 900 < 0.12
    known = [email for email in emails if email]
    assert all(contact_details.checked_email(email) == email and email.endswith("@demo.example") for email in known)


def test_children_may_have_a_parents_address() -> None:
    everyone = people(1000)
    owners = Counter(person.email for person in everyone if person.email)
    assert 20 < sum(number == 2 for number in owners.values()) < 100
    assert max(owners.values()) == 2
    for parent, child in pairwise(everyone):
        if parent.email and parent.email == child.email:
            assert parent.days_old - child.days_old > 2000


@pytest.mark.parametrize("patients", [10, 40, 100, 109, 110, 111, 300])
def test_a_family_shares_an_address_and_one_patient_has_none(patients: int) -> None:
    everyone = people(patients)
    parent, child, nowhere = (everyone[index] for index in demo_people.family(patients))
    assert parent.email == child.email is not None
    assert parent.days_old > 7000 > child.days_old
    assert nowhere.email is None
    assert everyone[0].email == "patient1@demo.example"


def test_phone_numbers_can_be_dialed_and_some_patients_have_none() -> None:
    numbers = [person.phone for person in people()]
    assert 10 < numbers.count(None) < 80
    assert numbers[0] is not None
    assert all(contact_details.checked_phone(number, "DE") == number for number in numbers if number)


def test_every_note_can_be_asked_for_and_every_kind_is_among_them() -> None:
    notes = [demo_people.findings(0, 0, turn)["notes"] for turn in range(20)]
    for kind in ("^=", r"^\+", "^-", "^@", ",", '"', "\n", "[а-я]"):
        assert any(re.search(kind, note) for note in notes), kind


@pytest.mark.parametrize("department", range(len(demo_people.DEPARTMENTS)))
def test_texts_fit_their_columns(department: int) -> None:
    rng = Random(1)
    texts = [demo_people.findings(rng.getrandbits(64), department, None) for _ in range(200)]
    assert all(0 < len(text["visit_type"]) <= 60 and text["diagnosis"] for text in texts)
    assert {text["notes"] == "" for text in texts} == {True, False}
    reasons = (*demo_people.REASONS, *demo_people.PATIENT_CANCELS, *demo_people.CLINIC_CANCELS)
    assert max(map(len, reasons)) <= 200
