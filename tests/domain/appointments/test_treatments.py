"""Treatments: recorded by the doctor once the appointment has started, and corrected without losing a version."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import update
from sqlalchemy.orm.exc import StaleDataError

from service.domain.appointments import treatments
from service.domain.appointments.treatments import Findings
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from service.storage.models import Appointment, AuditEntry, Patient, Treatment, TreatmentVersion
from tests.crowd import together
from tests.history import long_history
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")
BERLIN = ZoneInfo("Europe/Berlin")
BEGUN = at("2026-05-04 05:45")


@pytest.fixture
def doctor(house: House) -> Actor:
    """The doctor of the appointment."""
    return house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg")


@pytest.fixture
def patient(house: House) -> Actor:
    """The patient of the appointment, who is a user."""
    return house.user("patient", "lena@mail.example", "Lena Vogt")


@pytest.fixture
def visit(house: House, doctor: Actor, patient: Actor) -> int:
    """An appointment that started 15 minutes ago."""
    return house.visit(doctor.doctor_id, min(patient.patient_ids), BEGUN)


def record(house: House, actor: Actor, visit: int, texts: Mapping[str, Any] | None = None, **more: Any) -> Treatment:
    with house.writing() as session:
        version = more.pop("version", None)
        findings = Findings(**(texts or {"diagnosis": "cold"}), **more)
        return treatments.record(session, actor, visit, findings, BERLIN, version=version)


def acts(house: House) -> list[tuple[str, int | None, str | None]]:
    with house.reading() as session:
        rows = session.query(AuditEntry).filter(AuditEntry.act.like("treatment.%")).order_by(AuditEntry.id)
        return [(row.act, row.patient_id, row.subject) for row in rows]


def test_recording_a_treatment_completes_the_appointment(
    house: House, doctor: Actor, patient: Actor, visit: int
) -> None:
    texts = {"visit_type": " Check-up ", "symptoms": "cough\r\nfever\rchills", "diagnosis": "cold", "notes": "🙂"}
    record(house, doctor, visit, texts, next_visit=date(2026, 6, 1))
    with house.reading() as session:
        found = session.query(Treatment).one()
        assert (found.visit_type, found.symptoms, found.diagnosis) == ("Check-up", "cough\nfever\nchills", "cold")
        assert (found.treatment, found.prescription, found.notes) == ("", "", "🙂")
        assert (found.next_visit, found.recorded_by_id) == (date(2026, 6, 1), doctor.user_id)
        assert (found.created_at, found.updated_at) == (at("2026-05-04 06:00"), at("2026-05-04 06:00"))
        assert session.get_one(Appointment, visit).status == "completed"
    assert acts(house) == [("treatment.record", min(patient.patient_ids), f"appointment/{visit}")]


def test_o10_a_correction_keeps_the_previous_version(
    house: House, doctor: Actor, visit: int, clock: time_machine.Traveller
) -> None:
    record(house, doctor, visit, {"diagnosis": "cold", "notes": "rest"}, next_visit=date(2026, 6, 1))
    clock.shift(3600)
    record(house, doctor, visit, {"diagnosis": "flu"})
    clock.shift(3600)
    record(house, doctor, visit, {"diagnosis": "cold again"})
    with house.reading() as session:
        found = session.query(Treatment).one()
        assert (found.diagnosis, found.notes, found.next_visit) == ("cold again", "", None)
        assert (found.created_at, found.updated_at) == (at("2026-05-04 06:00"), at("2026-05-04 08:00"))
        first, second = session.query(TreatmentVersion).order_by(TreatmentVersion.id)
        assert (first.version, second.version) == (1, 2)
        assert first.fields == {
            "visit_type": "",
            "symptoms": "",
            "diagnosis": "cold",
            "treatment": "",
            "prescription": "",
            "notes": "rest",
            "next_visit": "2026-06-01",
        }
        assert second.fields["diagnosis"] == "flu"
        assert (second.recorded_by_id, second.replaced_at) == (doctor.user_id, at("2026-05-04 08:00"))
    assert [act for act, _patient, _subject in acts(house)] == ["treatment.record", *["treatment.correct"] * 2]


def test_saving_without_a_change_makes_no_version(house: House, doctor: Actor, visit: int) -> None:
    for _again in range(2):
        record(house, doctor, visit, {"diagnosis": "cold\r\n"})
    assert house.count(TreatmentVersion) == 0
    assert len(acts(house)) == 1


def test_b7_a_form_that_was_opened_before_someone_elses_change_is_refused(
    house: House, doctor: Actor, visit: int
) -> None:
    record(house, doctor, visit, {"diagnosis": "cold"}, version=0)
    with pytest.raises(Conflict, match="Someone else changed this"):
        record(house, doctor, visit, {"diagnosis": "first form"}, version=0)
    record(house, doctor, visit, {"diagnosis": "flu"}, version=1)
    with pytest.raises(Conflict):
        record(house, doctor, visit, {"diagnosis": "second form"}, version=1)
    with house.reading() as session:
        assert session.query(Treatment).one().diagnosis == "flu"


@pytest.mark.parametrize("begun", [True, False], ids=["corrections", "first ones"])
def test_b7_of_many_simultaneous_saves_of_one_form_one_is_kept(
    house: House, doctor: Actor, visit: int, begun: bool
) -> None:
    if begun:
        record(house, doctor, visit)

    def save(number: int) -> bool:
        try:
            record(house, doctor, visit, {"diagnosis": f"form {number}"}, version=1 if begun else 0)
        except (Conflict, StaleDataError):
            return False
        return True

    assert together(8, save).count(True) == 1
    assert house.count(Treatment) == 1
    assert house.count(TreatmentVersion) == (1 if begun else 0)


@pytest.mark.parametrize("status", ["completed", "booked", "arrived"])
def test_b7_simultaneous_first_saves_in_every_state_of_an_appointment(
    house: House, doctor: Actor, visit: int, status: str
) -> None:
    with house.writing() as session:
        session.execute(update(Appointment).where(Appointment.id == visit).values(status=status))

    def save(number: int) -> bool:
        try:
            record(house, doctor, visit, {"diagnosis": f"form {number}"}, version=0)
        except (Conflict, StaleDataError):
            return False
        return True

    assert together(4, save).count(True) == 1
    assert house.count(Treatment) == 1


@pytest.mark.parametrize("status", ["cancelled", "no_show"])
def test_no_treatment_can_be_recorded_for_an_appointment_that_did_not_take_place(
    house: House, doctor: Actor, visit: int, status: str
) -> None:
    with house.writing() as session:
        session.execute(update(Appointment).where(Appointment.id == visit).values(status=status))
    with pytest.raises(Conflict, match="didn't take place"):
        record(house, doctor, visit)
    assert house.count(Treatment) == 0


def test_no_treatment_can_be_recorded_before_the_appointment_starts(
    house: House, doctor: Actor, patient: Actor, clock: time_machine.Traveller
) -> None:
    visit = house.visit(doctor.doctor_id, min(patient.patient_ids), at("2026-05-04 06:01"))
    with pytest.raises(Conflict, match="hasn't started yet"):
        record(house, doctor, visit)
    clock.shift(60)
    record(house, doctor, visit)
    assert house.count(Treatment) == 1


def test_z5_another_doctor_of_the_patient_can_read_but_not_write(house: House, patient: Actor, visit: int) -> None:
    other = house.user("doctor", "other@clinic.example")
    with pytest.raises(NotFound):
        record(house, other, visit)
    house.visit(other.doctor_id, min(patient.patient_ids), BEGUN - timedelta(days=30))
    with pytest.raises(Forbidden):
        record(house, other, visit)
    assert house.count(Treatment) == 0


@pytest.mark.parametrize("role", ["receptionist", "admin", "patient"])
def test_z5_only_doctors_can_open_the_form(house: House, patient: Actor, visit: int, role: str) -> None:
    for actor in (house.user(role, "somebody@clinic.example"), patient):
        with pytest.raises(NotFound):
            record(house, actor, visit)
    assert house.count(Treatment) == 0


def test_a_missing_appointment_is_not_found(house: House, doctor: Actor) -> None:
    for missing in (0, -1, 4711, 2**62):
        with pytest.raises(NotFound):
            record(house, doctor, missing)


MISTAKES: list[tuple[dict[str, str], date | None, str]] = [
    ({}, None, "treatment"),
    ({"diagnosis": " \n\t"}, None, "treatment"),
    ({"visit_type": "x" * 61}, None, "visit_type"),
    ({"notes": "x" * 20_001}, None, "notes"),
    ({"symptoms": "a\0b"}, None, "symptoms"),
    ({"prescription": "\ud800"}, None, "prescription"),
    ({"diagnosis": "cold"}, date(2026, 5, 3), "next_visit"),
]


@pytest.mark.parametrize(("texts", "next_visit", "field"), MISTAKES)
def test_w8_invalid_texts_are_refused_with_their_field(
    house: House, doctor: Actor, visit: int, texts: dict[str, str], next_visit: date | None, field: str
) -> None:
    with pytest.raises(Invalid) as refused, house.writing() as session:
        treatments.record(session, doctor, visit, Findings(**texts, next_visit=next_visit), BERLIN)
    assert refused.value.field == field
    with house.reading() as session:
        assert session.get_one(Appointment, visit).status == "booked"


def test_the_longest_texts_are_stored_in_full(house: House, doctor: Actor, visit: int) -> None:
    record(house, doctor, visit, {"visit_type": "ä" * 60, "notes": "🙂" * 20_000}, next_visit=date(2026, 5, 4))
    with house.reading() as session:
        found = session.query(Treatment).one()
        assert (len(found.visit_type), len(found.notes)) == (60, 20_000)


# Reading


def test_z2_only_the_patient_and_their_doctors_can_read_a_history(
    house: House, doctor: Actor, patient: Actor, visit: int
) -> None:
    record(house, doctor, visit)
    patient_id = min(patient.patient_ids)
    with house.reading() as session:
        for actor in (doctor, patient):
            assert [one.diagnosis for one in treatments.history(session, actor, patient_id).treatments] == ["cold"]
    others = [("patient", "p"), ("doctor", "d"), ("receptionist", "r"), ("admin", "a")]
    for role, name in others:
        somebody = house.user(role, f"{name}@clinic.example")
        with house.reading() as session:
            for missing in (patient_id, 4711):
                with pytest.raises(NotFound):
                    treatments.history(session, somebody, missing)


def test_z5_receptionists_and_administrators_cannot_read_treatments(
    house: House, doctor: Actor, patient: Actor, visit: int
) -> None:
    record(house, doctor, visit)
    desk, admin = house.user("receptionist", "desk@clinic.example"), house.user("admin", "admin@clinic.example")
    with house.reading() as session:
        row = session.get_one(Appointment, visit)
        assert [treatments.of_visit(session, actor, row) is not None for actor in (doctor, patient, desk, admin)] == [
            True,
            True,
            False,
            False,
        ]


def test_the_history_is_paged_newest_first_without_gaps_or_repeats(house: House, doctor: Actor, patient: Actor) -> None:
    patient_id = min(patient.patient_ids)
    long_history(house, doctor.doctor_id, patient_id, 2 * treatments.PAGE)
    for _same_time in range(3):
        house.treated(doctor.doctor_id, patient_id, at("2000-01-01 10:00"))
    seen: list[Treatment] = []
    before = None
    with house.reading() as session:
        while True:
            page = treatments.history(session, patient, patient_id, before=before)
            seen += page.treatments
            if (before := page.older) is None:
                break
    assert len({one.id for one in seen}) == len(seen) == 2 * treatments.PAGE + 3
    assert seen == sorted(seen, key=lambda one: (one.appointment.starts_at, one.id), reverse=True)


@pytest.mark.parametrize(
    "key", ["x", "20260504T060000000000", "20260504T060000000000-", "20260504T060000000000-1 or 1=1"]
)
def test_w2_an_invalid_page_key_is_not_found(house: House, patient: Actor, key: str) -> None:
    with house.reading() as session, pytest.raises(DomainError):
        treatments.history(session, patient, min(patient.patient_ids), before=key)
    assert house.count(Patient) == 1
