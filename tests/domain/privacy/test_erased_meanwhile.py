"""Someone erased while a report, export, or sheet is being made isn't in it (H15)."""

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from service import clock
from service.domain.exports import export_ledger, exports
from service.domain.foundation.actor import SYSTEM, Actor
from service.domain.foundation.errors import Conflict
from service.domain.privacy import erasure
from service.domain.reports import report_versions, reports
from service.domain.reports.contents import DoctorContent
from service.storage.models import Export, Patient, Report, ReportVersion
from tests.crowd import together
from tests.house import House, at
from tests.web.frozen_clinic import reported

WHEN, MONTH, ROUNDS = at("2020-03-02 08:00"), "2020-03", 4


@pytest.fixture(name="admin")
def an_admin(house: House) -> Actor:
    return house.user("admin", "ada@clinic.example")


@pytest.fixture(name="doctor")
def a_doctor(house: House) -> int:
    doctor = house.user("doctor", "doll@clinic.example", "Dr. Doll").doctor_id
    assert doctor is not None
    return doctor


def treated(house: House, doctor: int, number: int = 0) -> int:
    patient = house.patient(f"Pia{number} Ahorn")
    house.treated(doctor, patient, WHEN.replace(hour=8 + number), diagnosis=f"Hay fever {number}")
    return patient


def erase(house: House, admin: Actor, patient: int) -> None:
    with house.writing() as session:
        erasure.erase(session, admin, patient, years=5, zone=house.settings.clinic.zone)


def counted(house: House, doctor: int) -> DoctorContent:
    with house.reading() as session:
        return reports.produce(session, doctor, MONTH, house.settings.clinic.zone)


def remake(house: House, admin: Actor, content: DoctorContent) -> None:
    with house.writing() as session:
        report = session.scalars(select(Report)).one()
        kept = report.created_at.isoformat()
        report_versions.replace(session, admin, report, content=content, visits=1, reason="Again", seen=kept)


def contents(house: House) -> str:
    with house.reading() as session:
        return str([*session.scalars(select(Report.content)), *session.scalars(select(ReportVersion.content))])


def test_h15_a_report_that_was_counted_before_an_erasure_is_stored_without_the_name(
    house: House, admin: Actor, doctor: int
) -> None:
    patient = treated(house, doctor)
    content = counted(house, doctor)
    erase(house, admin, patient)
    with house.writing() as session:
        assert reports.store(session, doctor, MONTH, content)
    assert f"Erased patient {patient}" in contents(house)
    assert "Ahorn" not in contents(house)
    assert "Hay fever" not in contents(house)


def test_h15_a_report_that_is_made_again_meanwhile_has_neither_the_name_nor_the_texts(
    house: House, admin: Actor, doctor: int
) -> None:
    patient = treated(house, doctor)
    reported(house, doctor, MONTH)
    content = counted(house, doctor)
    erase(house, admin, patient)
    remake(house, admin, content)
    assert "Ahorn" not in contents(house)
    assert "Hay fever" not in contents(house)


def test_h15_an_erasure_and_a_report_at_the_same_moment(house: House, admin: Actor, doctor: int) -> None:
    people = [treated(house, doctor, number) for number in range(ROUNDS)]
    reported(house, doctor, MONTH)
    for patient in people:
        content = counted(house, doctor)
        acts: list[Callable[[], Any]] = [
            lambda patient=patient: erase(house, admin, patient),  # type: ignore[misc]
            lambda content=content: remake(house, admin, content),  # type: ignore[misc]
        ]
        together(2, lambda number, acts=acts: acts[number]())  # type: ignore[misc]
    assert "Ahorn" not in contents(house)
    assert "Hay fever" not in contents(house)


@pytest.mark.parametrize("whole_clinic", [False, True])
def test_h15_an_export_that_was_begun_before_an_erasure_is_written_again(
    house: House, admin: Actor, doctor: int, whole_clinic: bool
) -> None:
    patient = treated(house, doctor)
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as moving:
        with house.writing() as session:
            whose = (
                exports.request_of_clinic(session, admin) if whole_clinic else exports.request(session, SYSTEM, patient)
            )
            export_id = whose.id
        with house.writing() as session:
            assert export_ledger.claim(session, export_id, "test") is not None
        with pytest.raises(Conflict, match="An export is being made"):
            erase(house, admin, patient)
        moving.shift(1)
        with house.writing() as session:  # as if the erasure had looked a moment before the export was asked for
            session.get_one(Patient, patient).erased_at = clock.now()
        with house.writing() as session:
            assert not export_ledger.settle(session, export_id, "test", 1, 24)
    assert house.count(Export, Export.id == export_id, Export.status == "pending") == 1


def test_h15_a_file_that_was_finished_while_someone_in_it_was_erased_expires(
    house: House, admin: Actor, doctor: int
) -> None:
    patient = treated(house, doctor)
    begun = at("2026-05-04 06:00")
    with house.writing() as session:
        times = {"created_at": begun, "started_at": begun, "lease_until": begun, "expires_at": at("2036-05-05 06:00")}
        session.add(Export(id="0" * 32, patient_id=patient, status="available", **times))
        session.get_one(Patient, patient).erased_at = at("2026-05-04 06:01")
    with house.writing() as session:
        assert export_ledger.expire(session) == ["0" * 32]
