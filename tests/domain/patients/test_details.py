"""Patient details: each one is stored, changed, and audited."""

from dataclasses import fields, replace
from datetime import date

import pytest

from service.domain.foundation.actor import Actor
from service.domain.patients import patient_records
from service.domain.patients.details import PatientDetails
from service.storage.models import AuditDetail, Patient
from tests.house import House

pytestmark = pytest.mark.usefixtures("clock")
LENA = PatientDetails("Lena Vogt", date(1985, 5, 4), "+49301234567", "lena@mail.example", "Lena")
OTHER = PatientDetails("Zoë Ćwik", date(1990, 1, 2), "+49309876543", "zoe@mail.example", "Zoë")


@pytest.fixture
def desk(house: House) -> Actor:
    return house.user("receptionist", "desk@clinic.example", "Rita Empfang")


@pytest.mark.parametrize("name", [field.name for field in fields(PatientDetails)])
def test_each_detail_is_kept_changed_and_on_record(house: House, desk: Actor, name: str) -> None:
    before, after = getattr(LENA, name), getattr(OTHER, name)
    assert before != after, "the two examples differ in every detail"
    changed = replace(LENA, **{name: after})
    with house.writing() as session:
        patient_id = patient_records.add(session, desk, LENA).id
    assert kept(house, patient_id) == LENA
    with house.writing() as session:
        patient_records.change(session, desk, patient_id, changed, version=1)
    assert kept(house, patient_id) == changed
    with house.reading() as session:
        assert session.query(AuditDetail).one().changes == {name: [str(before), str(after)]}


def kept(house: House, patient_id: int) -> PatientDetails:
    with house.reading() as session:
        return PatientDetails.of(session.get_one(Patient, patient_id))
