"""Erasure on either database; what a person sees of it is in test_trust_privacy.py."""

from sqlalchemy import select

from service.domain.patients import merging
from service.domain.privacy import audit_check, erasure
from service.storage.models import Export, Patient, Report, Treatment
from tests.house import House, at
from tests.web.frozen_clinic import clinic_exported, reported


def test_o9_an_erasure_on_either_database(house: House) -> None:
    admin, mother = house.user("admin", "ada@clinic.example"), house.user("patient", "pia@clinic.example", "Pia Ahorn")
    doctor = house.user("doctor", "doll@clinic.example", "Dr. Doll")
    (pia,) = mother.patient_ids
    house.treated(doctor.doctor_id, pia, at("2020-03-02 08:00"), diagnosis="Hay fever")
    reported(house, doctor.doctor_id, "2020-03")
    with house.writing() as session:
        erasure.erase(session, admin, pia, years=5, zone=house.settings.clinic.zone)
    with house.reading() as session:
        audit_check.verify(session)
        content = session.scalars(select(Report.content)).one()
    assert content["visits"][0]["patient_name"] == f"Erased patient {pia}"
    assert house.count(Treatment) == 0


def test_o9_records_that_were_merged_into_it_go_too(house: House) -> None:
    admin, desk = house.user("admin", "ada@clinic.example"), house.user("receptionist", "rita@clinic.example")
    kept, other = house.patient("Pia Ahorn", phone="+4930111"), house.patient("P. Ahorn", phone="+4930222")
    with house.writing() as session:
        merging.merge(session, desk, kept, other_id=other, wait_hours=24)
    with house.writing() as session:
        erasure.erase(session, admin, kept, years=5, zone=house.settings.clinic.zone)
    with house.reading() as session:
        audit_check.verify(session)
        rows = [session.get_one(Patient, number) for number in (kept, other)]
    assert {(row.name, row.phone) for row in rows} == {(f"Erased patient {kept}", None)}
    assert all(row.erased_at for row in rows)


def test_o9_exports_of_the_whole_clinic_are_removed_with_an_erased_person(house: House) -> None:
    admin = house.user("admin", "ada@clinic.example")
    pia = house.patient("Pia Ahorn")
    export_id = clinic_exported(house, admin)
    assert house.count(Export, Export.id == export_id, Export.status == "available") == 1
    with house.writing() as session:
        erasure.erase(session, admin, pia, years=5, zone=house.settings.clinic.zone)
    assert house.count(Export, Export.id == export_id, Export.status == "expired") == 1
    house.clean_up()
    assert list(house.settings.histories.iterdir()) == []
