"""A family's shared address: changing it asks about each record that has it; each record keeps its own number."""

from datetime import timedelta
from typing import Any

from service.storage.models import Guardian, Patient
from tests.house import PASSWORD, Browser
from tests.web.frozen_clinic import NOW, Clinic, email
from tests.web.mail import letter, link
from tests.web.reading import faults, one, parsed, words

SHARED, NEW = "patient@clinic.example", "pia.new@mail.example"


def child_of_pia(clinic: Clinic, name: str = "Kim Ahorn", **more: Any) -> int:
    """A record with the mother's address, which her account looks after."""
    child = clinic.house.patient(name, email=SHARED, **more)
    with clinic.house.writing() as session:
        session.add(Guardian(user_id=clinic.people["patient"].user_id, patient_id=child, created_at=NOW))
    return child


def addresses(clinic: Clinic, *patients: int) -> list[str | None]:
    """The addresses on records."""
    with clinic.house.reading() as session:
        return [session.get_one(Patient, patient).email for patient in patients]


def ticked(browser: Browser, path: str) -> dict[str, str]:
    """The records a form offers -> their names; all have a tick."""
    page = browser.get(path)
    assert faults(page.get_data(as_text=True)) == []
    boxes = parsed(page).select("input[name=also]")
    assert all("checked" in box.attrs for box in boxes)
    return {str(box["value"]): words(one(parsed(page), f'label[for="{box["id"]}"]')) for box in boxes}


def proven(clinic: Clinic) -> str:
    """Press the button of the link that was mailed to the new address; returns the page it leads to."""
    path = link(letter(clinic, "email_proof"), "account/email")
    return clinic.browser("nobody").post(path).location or ""


def test_h5_a_parent_changes_the_address_of_the_whole_family(clinic: Clinic) -> None:
    child, browser = child_of_pia(clinic), clinic.browser("patient")
    offered = ticked(browser, "/account/email")
    assert offered == {str(child): "Kim Ahorn", str(clinic.pia): "Pia Ahorn"}
    browser.post("/account/email", {"email": NEW, "asked": "y", "also": list(offered)})
    assert addresses(clinic, clinic.pia, child) == [SHARED, SHARED]
    page = browser.get(proven(clinic))
    assert addresses(clinic, clinic.pia, child) == [NEW, NEW]
    assert faults(page.get_data(as_text=True)) == []
    told = words(parsed(page).select(".note-good")[-1])
    assert told == f"Messages about these patients now go to {NEW} : Kim Ahorn Pia Ahorn"


def test_h5_a_record_without_a_tick_keeps_the_address(clinic: Clinic) -> None:
    child, browser = child_of_pia(clinic), clinic.browser("patient")
    browser.post("/account/email", {"email": NEW, "asked": "y", "also": [str(clinic.pia)]})
    page = browser.get(proven(clinic)).get_data(as_text=True)
    assert addresses(clinic, clinic.pia, child) == [NEW, SHARED]
    assert "Kim Ahorn" not in page


def test_h5_the_choice_survives_a_refusal(clinic: Clinic) -> None:
    child, browser = child_of_pia(clinic), clinic.browser("patient")
    answer = browser.post("/account/email", {"email": "none", "asked": "y", "also": [str(clinic.pia)]})
    assert answer.status_code == 422
    boxes = {str(box["value"]): "checked" in box.attrs for box in parsed(answer).select("input[name=also]")}
    assert boxes == {str(child): False, str(clinic.pia): True}


def test_h5_records_that_someone_else_looks_after_are_neither_named_nor_changed(clinic: Clinic) -> None:
    strange = clinic.house.patient("Zora Fremd", email=SHARED)
    archived = child_of_pia(clinic, "Alt Ahorn", archived_at=NOW)
    browser = clinic.browser("patient")
    assert ticked(browser, "/account/email") == {str(clinic.pia): "Pia Ahorn"}
    forged = [str(clinic.pia), str(strange), str(archived), "999999"]
    browser.post("/account/email", {"email": NEW, "asked": "y", "also": forged})
    proven(clinic)
    assert addresses(clinic, clinic.pia, strange, archived) == [NEW, SHARED, SHARED]
    assert "Zora" not in browser.get(f"/account?changed={strange}").get_data(as_text=True)


def test_h5_a_refused_address_changes_no_record(clinic: Clinic) -> None:
    child, browser = child_of_pia(clinic), clinic.browser("patient")
    browser.post("/account/email", {"email": email("receptionist")})
    assert addresses(clinic, clinic.pia, child) == [SHARED, SHARED]


def test_h5_the_desk_is_asked_for_the_other_records_too(clinic: Clinic) -> None:
    child, browser = child_of_pia(clinic), clinic.browser("receptionist")
    other = clinic.house.patient("Zora Fremd", email=SHARED)
    path = f"/patients/{clinic.pia}/edit"
    assert ticked(browser, path) == {str(child): "Kim Ahorn", str(other): "Zora Fremd"}
    with clinic.house.reading() as session:
        version = session.get_one(Patient, clinic.pia).version
    form = {"name": "Pia Ahorn", "phone": "030 1234567", "version": str(version), "asked": "y", "also": [str(child)]}
    browser.post(path, {**form, "email": SHARED})
    assert addresses(clinic, child) == [SHARED]
    answer = browser.post(path, {**form, "email": NEW})
    assert addresses(clinic, clinic.pia, child, other) == [NEW, NEW, SHARED]
    page = browser.get(answer.location or "").get_data(as_text=True)
    assert faults(page) == []
    assert f'Messages about these patients now go to <bdi dir="ltr">{NEW}</bdi>' in page


def test_h5_a_doctor_is_only_offered_records_they_see(clinic: Clinic) -> None:
    child_of_pia(clinic)
    assert ticked(clinic.browser("doctor"), f"/patients/{clinic.pia}/edit") == {}


def numbers(clinic: Clinic, *records: int) -> list[str | None]:
    """The phone numbers on records."""
    with clinic.house.reading() as session:
        return [session.get_one(Patient, number).phone for number in records]


def test_h5_a_parent_changes_the_number_of_each_record_that_shares_the_address(clinic: Clinic) -> None:
    child, browser = child_of_pia(clinic, phone="+49305550111"), clinic.browser("patient")
    page = browser.get("/account")
    assert faults(page.get_data(as_text=True)) == []
    links = [str(link["href"]) for link in parsed(page).select("main a[href^='/account/phone']")]
    assert links == [f"/account/phone?patient_id={record}" for record in (child, clinic.pia)]
    form = browser.get(links[0])
    assert faults(form.get_data(as_text=True)) == []
    assert "Kim Ahorn" in words(one(parsed(form), "main"))
    assert browser.post(links[0], {"phone": "12"}).status_code == 422
    assert browser.post(links[0], {"phone": "030 5550222"}).status_code == 303
    assert numbers(clinic, child, clinic.pia) == ["+49305550222", "+49301234567"]


def test_h5_the_password_in_between_does_not_lose_which_record_it_is(clinic: Clinic) -> None:
    child, browser = child_of_pia(clinic), clinic.browser("patient")
    path = f"/account/phone?patient_id={child}"
    for _click in range(2):
        clinic.clock.shift(timedelta(minutes=8))
        browser.get("/account")
    asked = browser.get(path).location or ""
    assert asked.startswith("/account/proof?next=")
    assert browser.post(asked, {"password": PASSWORD, "next": path}).location == path
    typed = parsed(browser.get(asked)).select_one("input[name=next]")
    assert typed is not None
    assert typed["value"] == path


def test_h5_without_a_choice_it_is_the_record_with_the_name_of_the_account(clinic: Clinic) -> None:
    child, browser = child_of_pia(clinic), clinic.browser("patient")
    assert browser.post("/account/phone", {"phone": "030 5550333"}).status_code == 303
    assert numbers(clinic, child, clinic.pia) == [None, "+49305550333"]
    assert browser.post("/account/name", {"name": "Mum"}).status_code == 303
    assert (browser.get("/account/phone").status_code, browser.get("/account").status_code) == (404, 200)


def test_h5_nobody_changes_the_number_of_a_record_that_is_not_on_offer(clinic: Clinic) -> None:
    strange = clinic.house.patient("Zora Fremd", email=SHARED, phone="+49305550444")
    elsewhere = child_of_pia(clinic)
    with clinic.house.writing() as session:
        session.get_one(Patient, elsewhere).email = NEW
    browser = clinic.browser("patient")
    for record in (strange, elsewhere, clinic.otto, 999_999):
        path = f"/account/phone?patient_id={record}"
        assert browser.get(path).status_code == 404
        assert browser.post(path, {"phone": "030 5550555"}).status_code == 404
    assert numbers(clinic, strange, elsewhere) == ["+49305550444", None]
