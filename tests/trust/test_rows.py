"""Whose rows a person reaches, by path and by form, and what a refusal tells them (Z2-Z4, Z6, Z8)."""

from typing import Any

import pytest

from service.storage.models import Appointment, AuditEntry, Export, SignIn, Treatment, TreatmentVersion, User
from tests.house import PASSWORD, House, at
from tests.web.frozen_clinic import PEOPLE, Clinic, email
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.pages import pages_of

SECRETS = ("Pia", "Ahorn", "+4930", "Hay fever", "Itching", "Cetirizine", "Control of the eyes", "patient@clinic")


@pytest.mark.parametrize("visitor", ["other patient", "other doctor"])
def test_z2_someone_elses_rows_look_missing_on_every_page(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser(visitor)
    for path in (
        f"/appointments/{clinic.begun}",
        f"/appointments/{clinic.past}",
        f"/exports/{clinic.export}",
        f"/exports/{clinic.export}/file",
    ):
        assert browser.get(path, buffered=True).status_code == 404, path


def test_z2_a_patient_who_changed_doctors_is_seen_by_both_but_treated_by_each_alone(clinic: Clinic) -> None:
    dora = clinic.people["other doctor"].doctor_id
    clinic.house.visit(dora, clinic.pia, at("2026-05-05 09:00"))
    browser = clinic.browser("other doctor")
    assert browser.get(f"/patients/{clinic.pia}").status_code == 200
    assert browser.get(f"/appointments/{clinic.begun}/treatment").status_code == 403
    assert browser.post(f"/appointments/{clinic.begun}/treatment", {"notes": "Mine now"}).status_code == 403
    assert clinic.house.count(Treatment, Treatment.notes == "Mine now") == 0


@pytest.mark.parametrize("visitor", ["patient", "doctor"])
def test_z3_the_id_of_another_patient_in_an_export_form_is_a_missing_one(clinic: Clinic, visitor: str) -> None:
    browser, before = clinic.browser(visitor), clinic.house.count(Export)
    foreign = browser.post("/exports", {"patient_id": clinic.otto})
    missing = browser.post("/exports", {"patient_id": 999_999})
    assert (foreign.status_code, foreign.data) == (404, missing.data)
    assert clinic.house.count(Export) == before
    assert clinic.house.count(AuditEntry, AuditEntry.patient_id == clinic.otto, AuditEntry.act == "export.request") == 1


@pytest.mark.parametrize("field", ["appointment_id", "doctor_id", "patient_id"])
def test_z3_a_treatment_cannot_be_moved_to_another_row_by_a_field(clinic: Clinic, field: str) -> None:
    browser = clinic.browser("doctor")
    answer = browser.post(f"/appointments/{clinic.begun}/treatment", {"notes": "Moved", field: clinic.other_visit})
    assert answer.status_code == 422
    assert clinic.house.count(Treatment, Treatment.notes == "Moved") == 0


EXTRA = [("role", "admin"), ("is_active", "1"), ("patient_id", "1"), ("user_id", "1"), ("disabled_at", "")]


def test_z4_setup_refuses_a_field_it_does_not_have(house: House) -> None:
    for field, value in EXTRA:
        form = {"name": "Eve", "email": "eve@clinic.example", "password": PASSWORD, field: value}
        assert house.browser().post("/setup", form).status_code == 422
        assert house.count(User) == 0


def test_z4_sign_in_refuses_a_field_it_does_not_have(clinic: Clinic) -> None:
    for field, value in EXTRA:
        before = clinic.house.count(SignIn)
        answer = clinic.browser("nobody").sign_in(email("patient"), PASSWORD, **{field: value})
        assert answer.status_code == 422
        assert clinic.house.count(SignIn) == before
        assert clinic.house.actor(email("patient")).role == "patient"


def test_z4_a_treatment_refuses_a_field_it_does_not_have(clinic: Clinic) -> None:
    for field, value in [*EXTRA, ("status", "cancelled"), ("recorded_by_id", "1")]:
        browser = clinic.browser("doctor")
        answer = browser.post(f"/appointments/{clinic.begun}/treatment", {"notes": "Sneaky", field: value})
        assert answer.status_code == 422
        assert clinic.house.count(Treatment) == 2
        assert clinic.house.count(Appointment, Appointment.id == clinic.begun, Appointment.status == "booked") == 1


def test_z4_an_export_refuses_a_field_it_does_not_have(clinic: Clinic) -> None:
    for field, value in [item for item in EXTRA if item[0] != "patient_id"]:
        clinic.clock.shift(60)
        answer = clinic.browser("patient").post("/exports", {"patient_id": clinic.pia, field: value})
        assert answer.status_code == 422
        assert clinic.house.count(Export) == 3


def test_z4_an_invite_refuses_a_field_it_does_not_have(clinic: Clinic) -> None:
    for field, value in EXTRA:
        answer = clinic.browser("nobody").post(f"/invite/{clinic.invite}", {"password": PASSWORD, field: value})
        assert answer.status_code == 422
        assert clinic.house.count(User, User.password_hash.is_(None)) == 1


REFUSED: list[tuple[str, str, str, dict[str, Any]]] = [
    ("receptionist", "POST", "/patients/{pia}/alerts", {"allergies": "x", "version": "1"}),
    ("admin", "POST", "/patients/{pia}/alerts", {"alerts": "x", "version": "1"}),
    ("other doctor", "GET", "/patients/{pia}/edit", {}),
    ("other doctor", "POST", "/patients/{pia}/edit", {"name": "x", "version": "1"}),
    ("doctor", "GET", "/patients/{pia}/merge", {}),
    ("doctor", "POST", "/patients/{pia}/guardians", {"email": "a@b.example"}),
    ("admin", "GET", "/appointments/{past}/treatment", {}),
    ("receptionist", "GET", "/exports/{export}", {}),
    ("admin", "GET", "/exports/{export}/file", {}),
    ("receptionist", "GET", "/reports/{report}", {}),
    ("patient", "GET", "/reports/{report}/file", {}),
    ("patient", "POST", "/appointments/{past}/treatment", {"notes": "x"}),
    ("other doctor", "GET", "/patients/{pia}", {}),
    ("other patient", "GET", "/appointments/{past}", {}),
    ("other patient", "POST", "/exports", {"patient_id": "{pia}"}),
    ("other doctor", "GET", "/reports/{report}", {}),
]


@pytest.mark.parametrize(("visitor", "method", "path", "form"), REFUSED)
def test_z6_a_refusal_carries_no_data(
    clinic: Clinic, visitor: str, method: str, path: str, form: dict[str, str]
) -> None:
    ids = {"pia": clinic.pia, "past": clinic.past, "export": clinic.export, "report": clinic.report}
    browser = clinic.browser(visitor)
    data = {"csrf_token": browser.token(), **{name: value.format(**ids) for name, value in form.items()}}
    answer = browser.client.open(path.format(**ids), method=method, data=data if method == "POST" else None)
    assert answer.status_code in (403, 404)
    told = f"{answer.get_data(as_text=True)}{answer.headers}"
    assert [secret for secret in SECRETS if secret in told] == []


@pytest.mark.parametrize("visitor", ["receptionist", "admin"])
def test_z6_the_desk_sees_the_visit_but_no_clinical_text(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser(visitor)
    page = browser.get(f"/appointments/{clinic.past}").get_data(as_text=True)
    assert "Pia Ahorn" in page
    assert [text for text in ("Hay fever", "Itching", "Cetirizine", "Eye drops", "Check-up") if text in page] == []


def test_z8_figures_warmed_by_the_admin_are_served_to_nobody_else(clinic: Clinic) -> None:
    assert clinic.browser("admin").get("/dashboard").status_code == 200
    for visitor in set(PEOPLE) - {"admin"}:
        answer = clinic.browser(visitor).get("/dashboard")
        assert answer.status_code == 403
        assert "data-figure" not in answer.get_data(as_text=True)


def test_z8_a_refusal_is_not_remembered_for_the_admin(clinic: Clinic) -> None:
    assert clinic.browser("doctor").get("/dashboard").status_code == 403
    assert clinic.browser("admin").get("/dashboard").status_code == 200


@pytest.mark.parametrize("visitor", PEOPLE)
def test_z8_no_cache_stores_the_page_of_a_signed_in_user(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser(visitor)
    for path in pages_of(clinic, visitor):
        answer = browser.get(path, buffered=True)
        assert answer.headers["Cache-Control"] == "no-store", path
        assert "cookie" in {name.lower() for name in answer.vary}, path


def test_z8_two_people_on_one_address_get_their_own_page(clinic: Clinic) -> None:
    pia, otto = clinic.browser("patient"), clinic.browser("other patient")
    for _turn in range(2):
        assert "Pia" in pia.get("/treatments").get_data(as_text=True)
        assert "Otto" in otto.get("/treatments").get_data(as_text=True)
        assert "Pia" not in otto.get("/treatments").get_data(as_text=True)


def test_z3_a_refused_treatment_leaves_the_present_one_as_it_is(clinic: Clinic) -> None:
    answer = clinic.browser("other doctor").post(f"/appointments/{clinic.past}/treatment", {"diagnosis": "Nothing"})
    assert answer.status_code == 404
    assert clinic.house.count(Treatment, Treatment.diagnosis == "Hay fever") == 1
    assert clinic.house.count(TreatmentVersion) == 0
