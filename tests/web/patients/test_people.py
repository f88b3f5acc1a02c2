"""Merged records, and accounts that look after patients."""

import pytest

from service.storage.models import Appointment, Guardian, Patient, User
from tests.house import at
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.reading import faults, links, one, parsed, words


def merged_into(clinic: Clinic, patient_id: int) -> int | None:
    with clinic.house.reading() as session:
        return session.get_one(Patient, patient_id).merged_into_id


# Merging


def test_the_other_record_is_found_compared_and_merged(clinic: Clinic) -> None:
    browser, path = clinic.browser("receptionist"), f"/patients/{clinic.pia}/merge"
    compare = f"{path}?other_id={clinic.guest}"
    assert compare in links(parsed(browser.get(f"{path}?q=gast")))
    text = words(parsed(browser.get(compare)).find("main"))
    assert "Gus Gast" in text
    assert "patient@clinic.example" in text
    answer = browser.post(path, {"other_id": clinic.guest})
    assert (answer.status_code, answer.location) == (303, f"/patients/{clinic.pia}")
    assert merged_into(clinic, clinic.guest) == clinic.pia


def test_a_merged_record_leads_to_the_kept_one(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    browser.post(f"/patients/{clinic.pia}/merge", {"other_id": clinic.guest})
    for visitor in ("receptionist", "admin", "doctor"):
        answer = clinic.browser(visitor).get(f"/patients/{clinic.guest}")
        assert (answer.status_code, answer.location) == (303, f"/patients/{clinic.pia}")
    foreign = clinic.browser("other doctor")
    assert foreign.get(f"/patients/{clinic.guest}").data == foreign.get("/patients/999999").data
    for path in ("edit", "merge", f"merge?other_id={clinic.pia}"):
        assert browser.get(f"/patients/{clinic.guest}/{path}").status_code == 409, path
    for path in ("archival", "restoration", "confirmation"):
        assert browser.post(f"/patients/{clinic.guest}/{path}").status_code == 409, path


def test_someone_who_registered_twice_goes_into_the_older_record(clinic: Clinic) -> None:
    newcomer = clinic.house.patient("GUS GAST", registered_at=NOW)
    browser = clinic.browser("receptionist")
    page = parsed(browser.get(f"/patients/{newcomer}"))
    assert f"/patients/{clinic.guest}/merge?other_id={newcomer}" in links(page)
    assert browser.post(f"/patients/{clinic.guest}/merge", {"other_id": newcomer}).status_code == 303
    assert merged_into(clinic, newcomer) == clinic.guest


def test_overlapping_visits_stop_a_merge_and_say_why(clinic: Clinic) -> None:
    dora = clinic.people["other doctor"].doctor_id
    clinic.house.visit(dora, clinic.guest, at("2026-06-15 07:05"), overbooked=False)
    answer = clinic.browser("receptionist").post(f"/patients/{clinic.pia}/merge", {"other_id": clinic.guest})
    assert answer.status_code == 409
    assert "at the same time" in words(one(parsed(answer), "[role=alert]"))
    assert faults(answer.get_data(as_text=True)) == []
    assert clinic.house.count(Appointment, Appointment.patient_id == clinic.guest) == 1


@pytest.mark.parametrize("other", ["", "x", "0", "-1", str(2**63), "9" * 5000, "1e5"])
def test_w8_what_is_no_patient_is_not_merged(clinic: Clinic, other: str) -> None:
    answer = clinic.browser("receptionist").post(f"/patients/{clinic.pia}/merge", {"other_id": other})
    assert (answer.status_code, faults(answer.get_data(as_text=True))) == (422, [])


def test_z3_a_missing_or_the_same_patient_is_not_merged(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    assert browser.post(f"/patients/{clinic.pia}/merge", {"other_id": 999_999}).status_code == 404
    assert browser.post(f"/patients/{clinic.pia}/merge", {"other_id": clinic.pia}).status_code == 422
    assert browser.get(f"/patients/{clinic.pia}/merge?other_id=999999").status_code == 404
    form = {"other_id": clinic.guest, "patient_id": clinic.otto}
    assert browser.post(f"/patients/{clinic.pia}/merge", form).status_code == 422
    assert merged_into(clinic, clinic.guest) is None


# Guardians


def test_an_account_that_is_here_gets_another_patient(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    answer = browser.post(f"/patients/{clinic.guest}/guardians", {"email": "Patient@Clinic.Example"})
    assert (answer.status_code, answer.location) == (303, f"/patients/{clinic.guest}/guardians")
    family = clinic.browser("patient").get(f"/treatments?patient_id={clinic.guest}")
    assert family.status_code == 200
    assert "patient@clinic.example" in browser.get(f"/patients/{clinic.guest}").get_data(as_text=True)


def test_a_new_address_becomes_an_account_that_is_invited(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    form = {"email": "aunt@mail.example", "name": "Aunt May"}
    page = parsed(browser.post(f"/patients/{clinic.guest}/guardians", form, follow_redirects=True))
    assert "Invited" in words(page.find("main"))
    with clinic.house.reading() as session:
        aunt = session.query(User).where(User.email == "aunt@mail.example").one()
    assert (aunt.role, aunt.name, aunt.password_hash) == ("patient", "Aunt May", None)
    slip = browser.post(str(one(page, f"form[action='/users/{aunt.id}/invite']")["action"]))
    assert slip.status_code == 200


def test_s4_a_removed_account_sees_the_record_no_more(clinic: Clinic) -> None:
    patient, user_id = clinic.browser("patient"), clinic.people["patient"].user_id
    assert patient.get("/treatments").status_code == 200
    answer = clinic.browser("receptionist").post(f"/patients/{clinic.pia}/guardians/{user_id}/removal")
    assert answer.status_code == 303
    assert patient.get(f"/treatments?patient_id={clinic.pia}").status_code == 404
    assert patient.get(f"/appointments/{clinic.later}").status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        {"email": ""},
        {"email": "doctor@clinic.example"},
        {"email": "x"},
        {"email": "a@b.example", "name": "a\nb"},
        {"email": "a@b.example", "name": "x" * 201},
        {"email": "a@b.example", "role": "admin"},
        {"email": "a@b.example", "patient_id": "1"},
        {"email": "a@b.example", "user_id": "1"},
    ],
)
def test_z4_a_bad_guardian_form_changes_nothing(clinic: Clinic, form: dict[str, str]) -> None:
    before = clinic.house.count(Guardian), clinic.house.count(User)
    answer = clinic.browser("receptionist").post(f"/patients/{clinic.guest}/guardians", dict(form))
    assert (answer.status_code, faults(answer.get_data(as_text=True))) == (422, [])
    assert (clinic.house.count(Guardian), clinic.house.count(User)) == before


def test_z3_an_account_that_does_not_look_after_the_patient_is_not_removed(clinic: Clinic) -> None:
    other = clinic.people["other patient"].user_id
    before = clinic.house.count(Guardian)
    assert clinic.browser("receptionist").post(f"/patients/{clinic.pia}/guardians/{other}/removal").status_code == 404
    assert clinic.house.count(Guardian) == before
