"""Merging: all that hangs on one record moves to the other, and nothing is lost on the way."""

from datetime import date, timedelta

import pytest

from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.domain.patients import merging, patients
from service.storage.models import Appointment, AuditEntry, Export, Guardian, Message, Patient, WaitlistEntry
from tests import waiting
from tests.crowd import together
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")
NOW = at("2026-05-04 06:00")


@pytest.fixture
def desk(house: House) -> Actor:
    return house.user("receptionist", "desk@clinic.example", "Rita Tresen")


@pytest.fixture
def doctor(house: House) -> Actor:
    return house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg")


def merge(house: House, actor: Actor, kept: int, other: int) -> None:
    with house.writing() as session:
        merging.merge(session, actor, kept, other_id=other, wait_hours=24)


def row(house: House, patient_id: int) -> Patient:
    with house.reading() as session:
        return session.get_one(Patient, patient_id)


def furnished(house: House, patient: int, doctor: Actor) -> None:
    """An appointment with a message, a finished export, and an entry on the waitlist."""
    visit = house.visit(doctor.doctor_id, patient, NOW + timedelta(days=1))
    waiting.entry(house, patient)
    with house.writing() as session:
        common = {"patient_id": patient, "created_at": NOW, "lease_until": NOW}
        session.add(Export(id=f"{patient:032}", status="available", **common))
        session.add(Message(appointment_id=visit, starts_at=NOW, rule="r", channel="console", due_at=NOW, **common))


def test_i8_a_merge_keeps_a_given_name_or_takes_it_over(house: House, desk: Actor) -> None:
    unknown, known = house.patient("Anna Schmidt"), house.patient("Dr. Anna Schmidt", given_name="Anna")
    merge(house, desk, unknown, known)
    assert row(house, unknown).given_name == "Anna"
    merge(house, desk, house.patient("A. Schmidt", given_name="Änne"), unknown)
    assert {row(house, unknown + 2).given_name, row(house, unknown).given_name} == {"Änne", "Anna"}


def test_all_rows_of_the_other_record_move_to_the_kept_one(house: House, desk: Actor, doctor: Actor) -> None:
    kept, other = house.patient("Lena Vogt"), house.patient("Lena Voigt")
    house.treated(doctor.doctor_id, other, NOW - timedelta(days=9), diagnosis="cold")
    furnished(house, other, doctor)
    merge(house, desk, kept, other)
    for table in (Appointment, Export, Message, WaitlistEntry):
        assert house.count(table, table.patient_id == other) == 0
        assert house.count(table, table.patient_id == kept) > 0
    assert (row(house, other).merged_into_id, row(house, other).archived_at) == (kept, NOW)
    assert row(house, kept).archived_at is None


def test_l1_a_merge_is_on_record_for_both(house: House, desk: Actor) -> None:
    kept, other = house.patient("Lena Vogt"), house.patient("Lena Voigt")
    merge(house, desk, kept, other)
    with house.reading() as session:
        acts = session.query(AuditEntry).filter(AuditEntry.patient_id.in_((kept, other))).order_by(AuditEntry.id)
        assert [(one.act, one.patient_id, one.subject) for one in acts] == [
            ("patient.merge", kept, f"patient/{other}"),
            ("patient.merged_away", other, f"patient/{kept}"),
        ]


def test_what_is_known_of_either_is_known_afterwards(house: House, desk: Actor) -> None:
    kept = house.patient("Lena Vogt", phone="+49301234567", allergies="Nuts", alerts="Deaf")
    other = house.patient(
        "Lena Voigt", birth_date=date(1985, 5, 4), phone="+49309999999", allergies="Penicillin", alerts="Deaf"
    )
    merge(house, desk, kept, other)
    found = row(house, kept)
    assert (found.name, found.phone, found.birth_date) == ("Lena Vogt", "+49301234567", date(1985, 5, 4))
    assert (found.allergies, found.alerts) == ("Nuts\nPenicillin", "Deaf")


def test_those_who_looked_after_either_look_after_the_kept_one(house: House, desk: Actor) -> None:
    mother, father = house.user("patient", "mother@mail.example"), house.user("patient", "father@mail.example")
    kept, other = min(mother.patient_ids), min(father.patient_ids)
    with house.writing() as session:
        session.add(Guardian(user_id=mother.user_id, patient_id=other, created_at=NOW))
    merge(house, desk, kept, other)
    assert house.actor("mother@mail.example").patient_ids == {kept}
    assert house.actor("father@mail.example").patient_ids == {kept}


def test_who_registered_themselves_is_confirmed_by_a_merge(house: House, desk: Actor) -> None:
    kept, other = house.patient("Lena Vogt"), house.patient("Lena Vogt", registered_at=NOW)
    merge(house, desk, kept, other)
    assert row(house, other).registered_at is None


def test_records_whose_visits_overlap_are_not_merged(house: House, desk: Actor, doctor: Actor) -> None:
    other_doctor = house.user("doctor", "other@clinic.example")
    kept, other = house.patient("Lena Vogt"), house.patient("Lena Voigt")
    house.visit(doctor.doctor_id, kept, NOW + timedelta(days=1), overbooked=False)
    house.visit(other_doctor.doctor_id, other, NOW + timedelta(days=1, minutes=5), overbooked=False)
    furnished(house, other, doctor)
    with pytest.raises(Conflict, match="same time"):
        merge(house, desk, kept, other)
    assert row(house, other).merged_into_id is None
    assert house.count(Appointment, Appointment.patient_id == other) == 2


def test_a_merged_record_is_not_merged_again_and_a_circle_is_impossible(house: House, desk: Actor) -> None:
    first, second, third = (house.patient(f"Lena {number}") for number in range(3))
    merge(house, desk, second, first)
    for kept, other in ((first, second), (second, first), (third, first), (first, third)):
        with pytest.raises(Conflict, match="was merged"):
            merge(house, desk, kept, other)
    merge(house, desk, third, second)
    assert (row(house, first).merged_into_id, row(house, second).merged_into_id) == (third, third)
    with house.reading() as session:
        assert patients.kept_instead(session, desk, first) == third


def test_two_who_merge_the_same_pair_both_ways_at_once_make_one_merge(house: House, desk: Actor) -> None:
    pair = house.patient("Lena Vogt"), house.patient("Lena Voigt")

    def act(number: int) -> bool:
        try:
            merge(house, desk, pair[number % 2], pair[1 - number % 2])
        except Conflict:
            return False
        return True

    assert together(6, act).count(True) == 1
    assert house.count(Patient, Patient.merged_into_id.is_not(None)) == 1


def test_a_record_is_not_merged_into_itself_or_an_archived_one(house: House, desk: Actor) -> None:
    gone, other = house.patient("Lena Vogt", archived_at=NOW), house.patient("Lena Voigt")
    with pytest.raises(Invalid) as refused:
        merge(house, desk, other, other)
    assert refused.value.field == "other_id"
    with pytest.raises(Conflict, match="archived"):
        merge(house, desk, gone, other)
    merge(house, desk, other, gone)
    assert row(house, gone).merged_into_id == other


@pytest.mark.parametrize("status", ["pending", "running"])
def test_an_export_that_is_being_made_holds_a_merge_up(house: House, desk: Actor, status: str) -> None:
    kept, other = house.patient("Lena Vogt"), house.patient("Lena Voigt")
    with house.writing() as session:
        session.add(Export(id="0" * 32, patient_id=other, status=status, created_at=NOW, lease_until=NOW))
    for pair in ((kept, other), (other, kept)):
        with pytest.raises(Conflict, match="export"):
            merge(house, desk, *pair)


def test_z1_only_the_desk_merges(house: House, doctor: Actor) -> None:
    kept, other = house.patient("Lena Vogt"), house.patient("Lena Voigt")
    house.visit(doctor.doctor_id, kept, NOW)
    house.visit(doctor.doctor_id, other, NOW + timedelta(hours=1))
    for actor in (doctor, house.user("patient", "lena@mail.example")):
        with pytest.raises(Forbidden):
            merge(house, actor, kept, other)
        with house.reading() as session, pytest.raises(Forbidden):
            merging.side(session, actor, kept)
    merge(house, house.user("admin", "admin@clinic.example"), kept, other)


def test_z3_a_record_that_does_not_exist_is_not_found(house: House, desk: Actor) -> None:
    kept = house.patient("Lena Vogt")
    for missing in (4711, -1, 2**62):
        for pair in ((kept, missing), (missing, kept)):
            with pytest.raises(NotFound):
                merge(house, desk, *pair)


def test_z5_a_merged_record_leads_only_those_to_the_kept_one_who_may_see_it(
    house: House, desk: Actor, doctor: Actor
) -> None:
    kept, other = house.patient("Lena Vogt"), house.patient("Lena Voigt")
    merge(house, desk, kept, other)
    with house.reading() as session:
        assert patients.kept_instead(session, desk, other) == kept
        assert patients.kept_instead(session, desk, kept) is None
        assert patients.kept_instead(session, doctor, other) is None
    house.visit(doctor.doctor_id, kept, NOW)
    with house.reading() as session:
        assert patients.kept_instead(session, doctor, other) == kept
