"""The forms of a patient's record: nothing is made twice by mistake, overwritten, or lost to a refusal."""

from datetime import date

import pytest

from service.storage.models import Patient
from tests.web.frozen_clinic import Clinic
from tests.web.reading import attribute, faults, links, one, parsed, words


def row(clinic: Clinic, patient_id: int) -> Patient:
    with clinic.house.reading() as session:
        return session.get_one(Patient, patient_id)


# Making one


def test_a_new_patient_is_made_and_shown(clinic: Clinic) -> None:
    form = {"name": " Zoë Ćwik ", "birth_date": "2001-02-03", "phone": "030 5555555", "email": "Zoe@Mail.Example"}
    answer = clinic.browser("receptionist").post("/patients/new", form, follow_redirects=True)
    assert words(parsed(answer).find("h1")) == "Zoë Ćwik"
    made = row(clinic, int(answer.request.path.rpartition("/")[2]))
    assert (made.birth_date, made.phone, made.email) == (date(2001, 2, 3), "+49305555555", "Zoe@Mail.Example")
    assert made.folded_name == "zoe cwik"


@pytest.mark.parametrize(
    ("typed", "kept"), [(" Anna  ", "Anna"), ("", None), ("Anna Maria,", "Anna Maria"), ("ā" * 200, "ā" * 200)]
)
def test_i8_a_given_name_is_written_beside_the_name_shown_and_changed(
    clinic: Clinic, typed: str, kept: str | None
) -> None:
    browser = clinic.browser("receptionist")
    answer = browser.post("/patients/new", {"name": "Dr. Anna Schmidt", "given_name": typed}, follow_redirects=True)
    record = answer.request.path
    assert row(clinic, int(record.rpartition("/")[2])).given_name == kept
    assert ("Given name" in words(parsed(answer).find("main"))) == (kept is not None)
    page = parsed(browser.get(f"{record}/edit"))
    assert attribute(page, "#given_name", "value") == (kept or "")
    form = {"name": "Dr. Anna Schmidt", "given_name": "Änne", "version": "1"}
    assert browser.post(f"{record}/edit", form).status_code == 303
    assert row(clinic, int(record.rpartition("/")[2])).given_name == "Änne"


def test_someone_like_one_who_is_here_needs_a_second_step(clinic: Clinic) -> None:
    browser, form = clinic.browser("receptionist"), {"name": "GUS GAST", "birth_date": "02.01.1970"}
    before = clinic.house.count(Patient)
    answer = browser.post("/patients/new", dict(form))
    assert answer.status_code == 409
    page = parsed(answer)
    assert f"/patients/{clinic.guest}" in links(page)
    assert attribute(page, "#name", "value") == "GUS GAST"
    assert clinic.house.count(Patient) == before
    assert browser.post("/patients/new", {**form, "confirm": "y"}).status_code == 303
    assert clinic.house.count(Patient) == before + 1


@pytest.mark.parametrize("name", ["x", "ä" * 200, "محمد \u202b العلي", "🙂", "=1+1", "<b>Bold</b>", "{{7*7}}"])
def test_names_of_any_kind_are_kept_and_shown_as_typed(clinic: Clinic, name: str) -> None:
    answer = clinic.browser("receptionist").post("/patients/new", {"name": name}, follow_redirects=True)
    assert answer.status_code == 200
    assert faults(answer.get_data(as_text=True)) == []
    assert words(parsed(answer).find("h1")) == " ".join(name.split())


BAD = [
    ("name", ""),
    ("name", " \t "),
    ("name", "x" * 201),
    ("name", "Eva\nBcc: x@y.example"),
    ("name", "a\0b"),
    ("given_name", "x" * 201),
    ("given_name", "An\nna"),
    ("given_name", "Dr."),
    ("given_name", "Prof. Dr."),
    ("given_name", "Frau"),
    ("birth_date", "31.6.1985"),
    ("birth_date", "2026-05-07"),
    ("birth_date", "1800-01-01"),
    ("birth_date", "yesterday"),
    ("phone", "12"),
    ("email", "nobody"),
    ("email", "a@b.example\nBcc: c@d.example"),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_w8_bad_input_is_refused_beside_its_field_and_kept(clinic: Clinic, field: str, value: str) -> None:
    before = clinic.house.count(Patient)
    form = {"name": "Nele Neumann", "phone": "030 5555555", field: value}
    answer = clinic.browser("receptionist").post("/patients/new", form)
    assert answer.status_code == 422
    assert "\0" in value or faults(answer.get_data(as_text=True)) == []
    assert "\0" in value or parsed(answer).find(id=f"{field}-error") is not None
    if field != "phone":
        assert attribute(parsed(answer), "#phone", "value") == "030 5555555"
    assert clinic.house.count(Patient) == before


EXTRA = [
    "role",
    "status",
    "patient_id",
    "id",
    "merged_into_id",
    "registered_at",
    "allergies",
    "folded_name",
    "version2",
]


@pytest.mark.parametrize("field", EXTRA)
def test_z4_a_field_the_forms_do_not_have_is_refused(clinic: Clinic, field: str) -> None:
    browser, before = clinic.browser("receptionist"), clinic.house.count(Patient)
    form = {"name": "Nele Neumann", "version": "1", field: "1"}
    assert browser.post(f"/patients/{clinic.pia}/edit", form).status_code == 422
    del form["version"]
    assert browser.post("/patients/new", form).status_code == 422
    assert clinic.house.count(Patient) == before
    assert row(clinic, clinic.pia).name == "Pia Ahorn"


# Changing one


def opened(clinic: Clinic, visitor: str) -> dict[str, str]:
    """The fields of the edit form as a browser would send them."""
    page = parsed(clinic.browser(visitor).get(f"/patients/{clinic.pia}/edit"))
    form = one(page, f"form[action='/patients/{clinic.pia}/edit']")
    return {str(field["name"]): str(field.get("value", "")) for field in form.select("input:not([name=csrf_token])")}


def test_a_change_is_saved_and_found(clinic: Clinic) -> None:
    form = {**opened(clinic, "receptionist"), "name": "Pia Öztürk"}
    browser = clinic.browser("receptionist")
    assert browser.post(f"/patients/{clinic.pia}/edit", form).status_code == 303
    assert f"/patients/{clinic.pia}" in links(parsed(browser.get("/patients?q=ozturk")))
    assert row(clinic, clinic.pia).phone == "+49301234567"


def test_b7_a_stale_form_shows_both_versions_and_overwrites_nothing(clinic: Clinic) -> None:
    form, browser = opened(clinic, "receptionist"), clinic.browser("receptionist")
    assert browser.post(f"/patients/{clinic.pia}/edit", {**form, "name": "Pia Faster"}).status_code == 303
    answer = browser.post(f"/patients/{clinic.pia}/edit", {**form, "name": "Pia Mine"})
    page = parsed(answer)
    assert answer.status_code == 409
    assert attribute(page, "#name", "value") == "Pia Mine"
    assert "Pia Faster" in words(one(page, "section.panel"))
    assert row(clinic, clinic.pia).name == "Pia Faster"
    again = {**form, "name": "Pia Mine", "version": attribute(page, "#version", "value")}
    assert browser.post(f"/patients/{clinic.pia}/edit", again).status_code == 303
    assert row(clinic, clinic.pia).name == "Pia Mine"


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 5000, "99999999999999999999"])
def test_b7_a_form_without_a_version_of_ours_changes_nothing(clinic: Clinic, version: str) -> None:
    form = {"name": "Pia Other", "version": version}
    assert clinic.browser("receptionist").post(f"/patients/{clinic.pia}/edit", form).status_code in (409, 422)
    assert row(clinic, clinic.pia).name == "Pia Ahorn"


def test_a_doctor_writes_allergies_and_alerts(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    version = attribute(parsed(browser.get(f"/patients/{clinic.pia}/edit")), "#alerts-version", "value")
    form = {"allergies": "Penicillin\r\nNuts", "alerts": "Pacemaker", "version": version}
    assert browser.post(f"/patients/{clinic.pia}/alerts", form).status_code == 303
    assert row(clinic, clinic.pia).allergies == "Penicillin\nNuts"
    stale = browser.post(f"/patients/{clinic.pia}/alerts", {**form, "allergies": "Mine"})
    assert stale.status_code == 409
    assert words(one(parsed(stale), "#allergies")) == "Mine"
    assert "Nuts" in words(one(parsed(stale), "section.panel"))
    assert row(clinic, clinic.pia).allergies == "Penicillin\nNuts"
    assert browser.post(f"/patients/{clinic.pia}/alerts", {**form, "alerts": "x" * 2001}).status_code == 422


def test_z5_the_edit_form_of_the_desk_has_no_clinical_fields(clinic: Clinic) -> None:
    assert set(opened(clinic, "receptionist")) == {"version", "name", "given_name", "birth_date", "phone", "email"}
    page = parsed(clinic.browser("admin").get(f"/patients/{clinic.pia}/edit"))
    assert page.find(id="allergies") is None
