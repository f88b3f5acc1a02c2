"""Erasure with a legal hold, retention, and corrections that keep what stood there before (O9, O10)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from service.domain.appointments import treatments
from service.domain.appointments.treatments import Findings
from service.domain.foundation.errors import Conflict, Forbidden
from service.domain.patients import patient_records
from service.domain.patients.details import PatientDetails
from service.domain.privacy import audit_check, erasure, legal_holds
from service.storage.models import (
    Appointment,
    AuditDetail,
    AuditEntry,
    Export,
    Guardian,
    Message,
    Patient,
    Report,
    ReportVersion,
    Treatment,
    TreatmentVersion,
    User,
)
from tests.house import PASSWORD, House, at
from tests.trust import rows as trust
from tests.web.frozen_clinic import Clinic, email, reported
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.reading import one, parsed, words

LATER = at("2036-06-20 08:00")
"""More than ten years after the last treatment."""


def free(clinic: Clinic) -> None:
    """Nothing stands against Pia's erasure any more: no hold, no appointment ahead, and the years are over."""
    with clinic.house.writing() as session:
        legal_holds.lift(session, clinic.people["admin"], clinic.pia, clinic.hold)
    clinic.clock.move_to(LATER)


def erase(clinic: Clinic) -> Any:
    return clinic.house.browser(email("admin")).post(f"/patients/{clinic.pia}/erasure", {"sure": "y"})


def refusal(clinic: Clinic) -> str:
    answer = erase(clinic)
    assert answer.status_code == 409
    return words(one(parsed(answer), "main .note-warning"))


def test_o9_a_legal_hold_keeps_a_record(clinic: Clinic) -> None:
    clinic.clock.move_to(LATER)
    assert "There is a legal hold" in refusal(clinic)
    admin = clinic.house.browser(email("admin"))
    assert admin.post(f"/patients/{clinic.pia}/holds/{clinic.hold}/lifting").status_code == 303
    assert admin.post(f"/patients/{clinic.pia}/holds", {"reason": "Another claim"}).status_code == 303
    assert "Another claim" in admin.get(f"/patients/{clinic.pia}/erasure").get_data(as_text=True)
    assert "There is a legal hold" in refusal(clinic)
    assert clinic.house.count(Treatment, Treatment.id == clinic.treatment) == 1


def test_o9_treatments_are_kept_as_long_as_the_law_asks(clinic: Clinic) -> None:
    free(clinic)
    clinic.clock.move_to(at("2036-04-14 08:00"))
    assert "Treatments must be kept until Tue, 15 Apr 2036" in refusal(clinic)
    clinic.clock.move_to(at("2036-04-15 08:00"))
    assert erase(clinic).status_code == 303


def test_o9_upcoming_appointments_must_be_canceled_first(clinic: Clinic, make_house: Callable[..., House]) -> None:
    with clinic.house.writing() as session:
        legal_holds.lift(session, clinic.people["admin"], clinic.pia, clinic.hold)
        with pytest.raises(Conflict, match="There are upcoming appointments"):
            erasure.erase(session, clinic.people["admin"], clinic.pia, years=0, zone=clinic.house.settings.clinic.zone)


@pytest.mark.parametrize("visitor", ["receptionist", "doctor", "patient"])
def test_o9_only_the_admin_erases(clinic: Clinic, visitor: str) -> None:
    for path in (f"/patients/{clinic.guest}/erasure", f"/patients/{clinic.guest}/holds"):
        assert clinic.browser(visitor).post(path, {"sure": "y"}).status_code == 403
    with pytest.raises(Forbidden), clinic.house.writing() as session:
        erasure.erase(session, clinic.people[visitor], clinic.guest, years=0, zone=clinic.house.settings.clinic.zone)


def test_o9_without_the_tick_nothing_happens(clinic: Clinic) -> None:
    free(clinic)
    assert clinic.house.browser(email("admin")).post(f"/patients/{clinic.pia}/erasure").status_code == 422
    assert clinic.house.count(Patient, Patient.erased_at.is_not(None)) == 0


def _naming(clinic: Clinic) -> list[Message]:
    """Messages to others that tell of Pia: a relative's, a call list's, and one to her account."""
    when = at("2026-05-06 06:00")
    told = {"channel": "console", "status": "sent", "due_at": when, "lease_until": when, "created_at": when}
    return [
        Message(rule="daily_reminder", patient_id=clinic.otto, body="Otto Birke: 10:00\n  Pia Ahorn: 10:30", **told),
        Message(rule="morning_sheet", recipient="desk@clinic.example", body="Pia Ahorn, +49 30 5550199", **told),
        Message(rule="export_ready", user_id=clinic.people["patient"].user_id, body="Dear Pia", **told),
    ]


def filled(clinic: Clinic) -> list[str]:
    """Pia's record with something in every place that is about her; returns the texts to look for afterwards."""
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    house.visit(doll, clinic.pia, at("2026-05-05 08:00"), status="completed", reason="Her secret reason")
    with house.writing() as session:
        doctor, desk = clinic.people["doctor"], clinic.people["receptionist"]
        patient_records.set_alerts(session, doctor, clinic.pia, allergies="Allergic to penguins", alerts="", version=1)
    with house.writing() as session:
        details = PatientDetails.checked(
            "Pia Ahorn", None, "030 5550199", "pia.ahorn@mail.example", house.settings.clinic
        )
        patient_records.change(session, desk, clinic.pia, details, version=2)
        findings = Findings(symptoms="Itching eyes", diagnosis="Corrected fever")
        zone = house.settings.clinic.zone
        treatments.record(session, doctor, clinic.past, findings, zone)
        session.add(
            Message(
                appointment_id=clinic.begun,
                patient_id=clinic.pia,
                starts_at=at("2026-05-06 07:30"),
                rule="same_morning",
                channel="console",
                recipient="pia.ahorn@mail.example",
                status="sent",
                subject="To Pia Ahorn",
                body="Dear Pia Ahorn",
                due_at=at("2026-05-06 06:00"),
                lease_until=at("2026-05-06 06:00"),
                created_at=at("2026-05-06 06:00"),
                sent_at=at("2026-05-06 06:00"),
            )
        )
        session.add_all(_naming(clinic))
    reported(house, doll, "2026-04")
    with house.writing() as session:
        report = session.get_one(Report, clinic.report)
        session.add(
            ReportVersion(
                doctor_id=report.doctor_id,
                month=report.month,
                content=report.content,
                created_at=report.created_at,
                replaced_at=LATER,
                reason="Counted anew",
            )
        )
    trust.opened(
        house, clinic.people["other doctor"].doctor_id, clinic.pia, "Fainted near Ahorn", at("2026-05-01 07:00")
    )
    return [
        *("Pia", "Ahorn", "penguins", "5550199", "1234567", "pia.ahorn", "Itching", "Hay fever", "Corrected fever"),
        *("Cetirizine", "secret reason", "New glasses", "Control of the eyes", "Fainted near", "next door", "in court"),
    ]


def test_o9_an_erasure_leaves_nothing_that_tells_who_it_was(clinic: Clinic) -> None:
    texts = filled(clinic)
    free(clinic)
    answer = erase(clinic)
    assert (answer.status_code, answer.location) == (303, f"/patients/{clinic.pia}/erasure")
    clinic.house.wiring.database.close()
    stored = clinic.house.stored()
    assert b"Otto Birke" in stored
    assert [text for text in texts if text.encode() in stored] == []


def test_o9_what_is_kept_bears_a_pseudonym(clinic: Clinic) -> None:
    filled(clinic)
    visits = clinic.house.count(Appointment, Appointment.patient_id == clinic.pia)
    free(clinic)
    erase(clinic)
    name = f"Erased patient {clinic.pia}"
    with clinic.house.reading() as session:
        patient = session.get_one(Patient, clinic.pia)
        assert (patient.name, patient.birth_date, patient.email, patient.phone) == (name, None, None, None)
        assert patient.erased_at == LATER
        report = session.get_one(Report, clinic.report)
        assert [visit["patient_name"] for visit in report.content["visits"]] == [name]
        assert report.content["treatments"][0]["diagnosis"] == ""
        other = session.get_one(Report, clinic.other_report)
        assert [visit["patient_name"] for visit in other.content["visits"]] == ["Otto Birke"]
    assert clinic.house.count(Appointment, Appointment.patient_id == clinic.pia) == visits
    assert clinic.house.count(Treatment) == 1  # Otto's
    assert clinic.house.count(TreatmentVersion) == 0
    assert clinic.house.count(Export, Export.patient_id == clinic.pia, Export.status == "available") == 0
    assert not (clinic.house.settings.histories / f"{clinic.export}.csv").exists()
    page = clinic.house.browser(email("admin")).get(f"/reports/{clinic.report}").get_data(as_text=True)
    assert name in page


def test_o9_the_audit_stays_whole_and_its_texts_are_empty(clinic: Clinic) -> None:
    filled(clinic)
    entries = clinic.house.count(AuditEntry, AuditEntry.patient_id == clinic.pia)
    assert clinic.house.count(AuditDetail, AuditDetail.changes.is_not(None)) >= 3
    free(clinic)
    erase(clinic)
    with clinic.house.reading() as session:
        whole = audit_check.verify(session)
        mine = select(AuditEntry.id).where(AuditEntry.patient_id == clinic.pia)
        left = select(AuditDetail).where(AuditDetail.entry_id.in_(mine), AuditDetail.changes.is_not(None))
        assert session.scalars(left).all() == []
    assert whole.emptied >= 3
    assert clinic.house.count(AuditEntry, AuditEntry.patient_id == clinic.pia) > entries


def test_o9_an_account_that_looks_after_nobody_else_goes_too(clinic: Clinic) -> None:
    mine = clinic.people["patient"].user_id
    free(clinic)
    erase(clinic)
    with clinic.house.reading() as session:
        user = session.get_one(User, mine)
        assert (user.name, user.email) == ("Erased account", f"erased-{mine}@erased.invalid")
    assert clinic.browser("nobody").sign_in(email("patient"), PASSWORD).status_code == 422


def test_o9_an_account_that_looks_after_others_stays(clinic: Clinic) -> None:
    child, mine = clinic.house.patient("Kim Ahorn"), clinic.people["patient"].user_id
    with clinic.house.writing() as session:
        session.add(Guardian(user_id=mine, patient_id=child, created_at=at("2026-01-01 08:00")))
    free(clinic)
    erase(clinic)
    browser = clinic.house.browser(email("patient"))
    assert browser.get(f"/treatments?patient_id={child}").status_code == 200
    assert browser.get(f"/treatments?patient_id={clinic.pia}").status_code == 404


def test_o9_nothing_of_it_can_be_changed_or_taken_back(clinic: Clinic) -> None:
    free(clinic)
    erase(clinic)
    desk = clinic.house.browser(email("receptionist"))
    for path, form in (
        ("restoration", {}),
        ("edit", {"name": "Pia Ahorn", "version": "9"}),
        ("guardians", {"email": "who@clinic.example"}),
    ):
        assert desk.post(f"/patients/{clinic.pia}/{path}", form).status_code == 409, path
    assert erase(clinic).status_code == 303  # twice is once
    assert clinic.house.count(AuditEntry, AuditEntry.act == "patient.erase") == 1


def test_o9_records_whose_time_is_over_are_listed_and_nobody_is_erased_by_itself(clinic: Clinic) -> None:
    def listed() -> list[str]:
        page = parsed(clinic.house.browser(email("admin")).get("/erasures"))
        return [words(row) for row in page.select("main .rows strong")]

    assert listed() == []
    clinic.clock.move_to(at("2037-01-02 08:00"))
    clinic.house.clean_up()
    assert listed() == ["Otto Birke", "Gus Gast", "Tom Morgen"]  # a hold stands on Pia's
    assert clinic.house.count(Patient, Patient.erased_at.is_not(None)) == 0


def test_o9_texts_and_addresses_of_messages_are_removed_after_their_months(clinic: Clinic) -> None:
    filled(clinic)
    told = (Message.body.is_not(None), Message.recipient.is_not(None))
    there, sent = clinic.house.count(Message, *told), clinic.house.count(Message, Message.status == "sent")
    for days, left in ((180, there), (184, 0)):
        clinic.clock.move_to(at("2026-05-06 08:00") + timedelta(days=days))
        clinic.house.clean_up()
        assert clinic.house.count(Message, *told) == left
    assert clinic.house.count(Message, Message.status == "sent") == sent


def test_o10_a_correction_keeps_what_stood_there_before(clinic: Clinic) -> None:
    filled(clinic)
    page = words(one(parsed(clinic.browser("doctor").get(f"/patients/{clinic.pia}/changes")), "main"))
    for text in (
        "Diagnosis Before: Hay fever After: Corrected fever",
        "Prescription Before: Cetirizine 10 mg After: –",
        "Allergies Before: – After: Allergic to penguins",
        "Phone Before: +49301234567 After: +49305550199",
        "Rita Tresen",
    ):
        assert text in page
    assert clinic.house.count(AuditEntry, AuditEntry.act == "patient.changes") == 1


@pytest.mark.parametrize("visitor", ["receptionist", "admin"])
def test_o10_the_desk_reads_no_clinical_text_there(clinic: Clinic, visitor: str) -> None:
    filled(clinic)
    page = clinic.browser(visitor).get(f"/patients/{clinic.pia}/changes").get_data(as_text=True)
    assert "+49305550199" in page
    for text in ("Hay fever", "Corrected fever", "Cetirizine", "penguins"):
        assert text not in page
