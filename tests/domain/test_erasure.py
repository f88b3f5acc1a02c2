"""Erasure on either database; what a person sees of it is in test_trust_privacy.py."""

from sqlalchemy import select

from service.domain import audit_check, erasure
from service.models import Report, Treatment
from tests.house import House, at
from tests.web.clinic import reported


def test_o9_an_erasure_on_either_database(house: House) -> None:
    admin, mother = house.user("admin", "ada@clinic.example"), house.user("patient", "pia@clinic.example", "Pia Ahorn")
    doctor = house.user("doctor", "doll@clinic.example", "Dr. Doll")
    (pia,) = mother.patient_ids
    house.treated(doctor.doctor_id, pia, at("2020-03-02 08:00"), diagnosis="Hay fever")
    reported(house, doctor.doctor_id, "2020-03")
    with house.writing() as session:
        days = erasure.erase(session, admin, pia, years=5, zone=house.settings.clinic.zone)
    assert [day.isoformat() for day in days] == ["2020-03-02"]
    with house.reading() as session:
        audit_check.verify(session)
        content = session.scalars(select(Report.content)).one()
    assert content["visits"][0]["patient_name"] == f"Erased patient {pia}"
    assert house.count(Treatment) == 0
