"""Patients: found in any script and writing, not made twice, changed without overwriting, archived, never deleted."""

from datetime import date, timedelta
from typing import Any

import pytest

from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.domain.patients import patient_records, patient_search
from service.domain.patients.details import PatientDetails
from service.domain.patients.patient_records import PossibleDuplicate, Stale
from service.language.typed_dates import Order
from service.storage.models import Appointment, AuditEntry, Offer, Patient, WaitlistEntry
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


def row(house: House, patient_id: int) -> Patient:
    with house.reading() as session:
        return session.get_one(Patient, patient_id)


def found(house: House, actor: Actor, text: str) -> list[str]:
    with house.reading() as session:
        return [patient.name for patient in patient_search.search(session, actor, text, Order.DAY).patients]


def details(name: str = "Lena Vogt", **more: Any) -> PatientDetails:
    return PatientDetails(**{"name": name, "birth_date": date(1985, 5, 4), "phone": None, "email": None, **more})


def add(house: House, actor: Actor, who: PatientDetails, *, sure: bool = False) -> int:
    with house.writing() as session:
        return patient_records.add(session, actor, who, sure=sure).id


def change(house: House, actor: Actor, patient_id: int, who: PatientDetails, version: int = 1) -> None:
    with house.writing() as session:
        patient_records.change(session, actor, patient_id, who, version=version)


# Made and changed


def test_a_new_record_is_put_on_record_and_found(house: House, desk: Actor) -> None:
    patient_id = add(house, desk, details("Zoë Ćwik"))
    assert found(house, desk, "zoe cwik") == ["Zoë Ćwik"]
    assert house.count(AuditEntry, AuditEntry.act == "patient.add", AuditEntry.patient_id == patient_id) == 1


@pytest.mark.parametrize(
    "who",
    [
        details("LENA VOGT"),
        details("Léna  Vogt", birth_date=None),
        details("Somebody", phone="+49301234567"),
        details("Somebody", email="lena@mail.example"),
    ],
)
def test_someone_who_may_be_here_already_is_made_only_after_a_second_look(
    house: House, desk: Actor, who: PatientDetails
) -> None:
    here = house.patient("Lena Vogt", birth_date=date(1985, 5, 4), phone="+49301234567", email="lena@mail.example")
    with pytest.raises(PossibleDuplicate):
        add(house, desk, who)
    with house.reading() as session:
        assert [one.id for one in patient_search.likely_duplicates(session, desk, who)] == [here]
    assert house.count(Patient) == 1
    add(house, desk, who, sure=True)
    assert house.count(Patient) == 2


@pytest.mark.parametrize(
    "who", [details("Lena Vogt", birth_date=date(1985, 5, 5)), details("Lena Voigt"), details("🙂")]
)
def test_another_name_or_birth_date_is_another_person(house: House, desk: Actor, who: PatientDetails) -> None:
    house.patient("Lena Vogt", birth_date=date(1985, 5, 4))
    house.patient("🎈", birth_date=date(1985, 5, 4))
    add(house, desk, who)
    assert house.count(Patient) == 3


def test_z1_a_doctor_and_a_patient_make_no_record(house: House, doctor: Actor) -> None:
    for actor in (doctor, house.user("patient", "lena@mail.example")):
        with pytest.raises(Forbidden):
            add(house, actor, details("Nobody"))


def test_a_changed_name_is_found_by_its_new_writing_only(house: House, desk: Actor) -> None:
    patient_id = house.patient("Lena Vogt")
    change(house, desk, patient_id, details("Lena Öztürk", phone="+49301234567"))
    assert (found(house, desk, "ozturk"), found(house, desk, "vogt")) == (["Lena Öztürk"], [])
    assert row(house, patient_id).version == 2


def test_saving_without_a_change_is_no_version(house: House, desk: Actor) -> None:
    patient_id = house.patient("Lena Vogt", birth_date=date(1985, 5, 4))
    change(house, desk, patient_id, details())
    assert row(house, patient_id).version == 1
    assert house.count(AuditEntry, AuditEntry.act == "patient.change") == 0


def test_b7_a_form_that_was_opened_before_someone_elses_change_is_refused(house: House, desk: Actor) -> None:
    patient_id = house.patient("Lena Vogt")
    change(house, desk, patient_id, details("Lena Weber"))
    with pytest.raises(Stale):
        change(house, desk, patient_id, details("Lena Koch"), version=1)
    assert row(house, patient_id).name == "Lena Weber"


def test_b7_of_many_that_save_at_once_one_is_kept(house: House, desk: Actor) -> None:
    patient_id = house.patient("Lena Vogt")

    def save(number: int) -> bool:
        try:
            change(house, desk, patient_id, details(f"Lena {number}"))
        except Stale:
            return False
        return True

    assert together(8, save).count(True) == 1
    assert row(house, patient_id).version == 2


def test_z2_a_doctor_changes_only_their_own_patients(house: House, doctor: Actor) -> None:
    patient_id = house.patient("Lena Vogt")
    for missing in (patient_id, 4711, 0, -1):
        with pytest.raises(NotFound):
            change(house, doctor, missing, details("Mine now"))
    house.visit(doctor.doctor_id, patient_id, NOW)
    change(house, doctor, patient_id, details("Lena Weber"))
    assert row(house, patient_id).name == "Lena Weber"


def test_z1_a_patient_does_not_change_their_record(house: House) -> None:
    patient = house.user("patient", "lena@mail.example")
    with pytest.raises(Forbidden):
        change(house, patient, min(patient.patient_ids), details("Mine"))


@pytest.mark.parametrize(("day", "accepted"), [("2026-05-04", True), ("2026-05-05", False), ("1896-01-01", True),
                                               ("1895-12-31", False), ("0001-01-01", False)])  # fmt: skip
def test_a_birth_date_lies_in_the_time_of_the_living(house: House, day: str, accepted: bool) -> None:
    clinic, born = house.settings.clinic, date.fromisoformat(day)
    if accepted:
        assert PatientDetails.checked("A", born, "", "", clinic).birth_date == born
    else:
        with pytest.raises(Invalid) as refused:
            PatientDetails.checked("A", born, "", "", clinic)
        assert refused.value.field == "birth_date"


# Allergies and alerts


def test_z5_only_a_doctor_of_the_patient_writes_allergies_and_alerts(house: House, desk: Actor, doctor: Actor) -> None:
    patient_id = house.patient("Lena Vogt")

    def write(actor: Actor, version: int = 1) -> None:
        with house.writing() as session:
            texts = {"allergies": " Penicillin\r\nNuts ", "alerts": ""}
            patient_records.set_alerts(session, actor, patient_id, version=version, **texts)

    with pytest.raises(NotFound):
        write(doctor)
    with pytest.raises(Forbidden):
        write(desk)
    house.visit(doctor.doctor_id, patient_id, NOW)
    write(doctor)
    assert (row(house, patient_id).allergies, row(house, patient_id).alerts) == ("Penicillin\nNuts", "")
    with pytest.raises(Stale):
        write(doctor)
    assert house.count(AuditEntry, AuditEntry.act == "patient.alerts", AuditEntry.patient_id == patient_id) == 1


@pytest.mark.parametrize("text", ["x" * 2001, "a\0b", "\ud800"])
def test_w8_an_alert_that_cannot_be_kept_is_refused_with_its_field(house: House, doctor: Actor, text: str) -> None:
    patient_id = house.patient("Lena Vogt")
    house.visit(doctor.doctor_id, patient_id, NOW)
    with pytest.raises(Invalid) as refused, house.writing() as session:
        patient_records.set_alerts(session, doctor, patient_id, allergies="", alerts=text, version=1)
    assert refused.value.field == "alerts"


# Confirmed, archived


def test_who_registered_themselves_waits_until_the_desk_confirms(house: House, desk: Actor) -> None:
    patient_id = house.patient("Lena Vogt", registered_at=NOW)
    house.patient("Lars Vogt")
    with house.reading() as session:
        assert [one.id for one in patient_search.to_confirm(session, desk)] == [patient_id]
    with house.writing() as session:
        patient_records.confirm(session, desk, patient_id)
    with house.reading() as session:
        assert patient_search.to_confirm(session, desk) == []


def test_a_record_with_visits_ahead_is_not_archived(house: House, desk: Actor, doctor: Actor) -> None:
    patient_id = house.patient("Lena Vogt")
    house.visit(doctor.doctor_id, patient_id, NOW - timedelta(days=1), status="completed")
    house.visit(doctor.doctor_id, patient_id, NOW + timedelta(days=1), status="cancelled")
    ahead = house.visit(doctor.doctor_id, patient_id, NOW + timedelta(days=2))
    with pytest.raises(Conflict, match="has upcoming appointments"), house.writing() as session:
        patient_records.archive(session, desk, patient_id)
    assert row(house, patient_id).archived_at is None
    with house.writing() as session:
        session.delete(session.get_one(Appointment, ahead))
        session.flush()
        patient_records.archive(session, desk, patient_id)
    assert row(house, patient_id).archived_at == NOW


def test_an_archived_patient_waits_no_more_and_their_held_time_is_free(
    house: House, desk: Actor, doctor: Actor
) -> None:
    patient_id = house.patient("Lena Vogt")
    entry = waiting.entry(house, patient_id)
    waiting.offer(house, entry, doctor.doctor_id, NOW + timedelta(days=1))
    with house.writing() as session:
        patient_records.archive(session, desk, patient_id)
    assert house.count(WaitlistEntry, WaitlistEntry.closed_at.is_(None)) == 0
    assert house.count(Offer, Offer.closed_at.is_(None)) == 0


def test_an_archived_record_comes_back_as_it_was(house: House, desk: Actor, doctor: Actor) -> None:
    patient_id = house.patient("Lena Vogt", allergies="Nuts")
    for act in (patient_records.archive, patient_records.archive, patient_records.restore, patient_records.restore):
        with house.writing() as session:
            act(session, desk, patient_id)
    assert (row(house, patient_id).archived_at, row(house, patient_id).allergies) == (None, "Nuts")
    assert house.count(AuditEntry, AuditEntry.act.in_(("patient.archive", "patient.restore"))) == 2
    with pytest.raises(Forbidden), house.writing() as session:
        patient_records.archive(session, doctor, patient_id)
