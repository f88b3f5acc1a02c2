"""Signed out in the middle of a form: the text waits for its user, for no one else, and not for long."""

import pytest

from service.storage.models import Treatment, UnsentForm
from tests.house import PASSWORD, Browser
from tests.web.frozen_clinic import NOBODY, Clinic, email, minutes
from tests.web.reading import faults, one, parsed, words

NOTES = "Slept badly.\n\n„Seit Montag“ – <b>worse</b> at night & no fever"
TREATMENT = {
    "visit_type": "Check-up",
    "symptoms": "Itching",
    "notes": NOTES,
    "next_visit": "2026-06-15",
    "version": "0",
}


def sent_too_late(
    clinic: Clinic, visitor: str = "doctor", path: str = "", form: dict[str, str] | None = None
) -> Browser:
    """A browser whose form arrived after the session had ended."""
    browser = clinic.browser(visitor)
    token = browser.token()
    clinic.clock.shift(minutes(16))
    path = path or f"/appointments/{clinic.begun}/treatment"
    answer = browser.client.post(path, data={"csrf_token": token, **(form or TREATMENT)})
    assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/sign-in")
    return browser


def shown(browser: Browser) -> dict[str, str]:
    """The form that waits, field by field."""
    page = parsed(browser.get("/unsent-forms"))
    fields = one(page, "form.panel").select("input, textarea")
    # A browser drops the line break that a text area begins with.
    return {str(one["name"]): str(one.get("value", one.get_text().removeprefix("\n"))) for one in fields}


def send(browser: Browser) -> str | None:
    """Press the button below the waiting form; returns where it leads."""
    page = one(parsed(browser.get("/unsent-forms")), "form.panel")
    answer = browser.client.post(str(page["action"]), data=shown(browser))
    assert answer.status_code == 303
    return answer.location


def test_the_text_is_still_there_after_signing_in_and_is_saved_by_one_press(clinic: Clinic) -> None:
    browser = sent_too_late(clinic)
    assert browser.sign_in(email("doctor"), next=f"/appointments/{clinic.begun}/treatment").location == "/unsent-forms"
    page = browser.get("/unsent-forms")
    assert faults(page.get_data(as_text=True)) == []
    kept = shown(browser)
    assert {name: kept[name].replace("\r\n", "\n") for name in TREATMENT} == TREATMENT
    send(browser)
    with clinic.house.reading() as session:
        saved = session.query(Treatment).filter(Treatment.appointment_id == clinic.begun).one()
        assert saved.notes.replace("\r\n", "\n") == NOTES
    assert clinic.house.count(UnsentForm) == 0
    assert browser.get("/unsent-forms").location == "/"


def test_a_patients_booking_survives_too(clinic: Clinic) -> None:
    doctor = str(clinic.people["doctor"].doctor_id)
    form = {"doctor_id": doctor, "starts_at": "2026-06-01T09:00", "reason": "Eyes burn again"}
    browser = sent_too_late(clinic, "patient", "/appointments", form)
    assert browser.sign_in(email("patient")).location == "/unsent-forms"
    assert "Eyes burn again" in shown(browser).values()
    location = send(browser)
    assert location is not None
    assert location.startswith("/appointments/")


def test_what_the_form_refuses_is_shown_as_usual_and_still_filled_in(clinic: Clinic) -> None:
    browser = sent_too_late(clinic, form={**TREATMENT, "next_visit": "someday"})
    browser.sign_in(email("doctor"))
    form = one(parsed(browser.get("/unsent-forms")), "form.panel")
    answer = browser.client.post(str(form["action"]), data=shown(browser))
    assert answer.status_code == 422
    assert "Slept badly." in words(one(parsed(answer), "textarea[name=notes]"))


def test_nobody_else_gets_it_from_the_same_browser(clinic: Clinic) -> None:
    browser = sent_too_late(clinic)
    assert browser.sign_in(email("other doctor")).location == "/"
    assert browser.get("/unsent-forms").location == "/"
    with clinic.house.reading() as session:
        number = session.query(UnsentForm).one().id
    browser.post(f"/unsent-forms/{number}/removal")
    browser.client.post(
        f"/appointments/{clinic.other_visit}/arrival?unsent={number}", data={"csrf_token": browser.token()}
    )
    assert clinic.house.count(UnsentForm) == 1


def test_the_owner_gets_it_at_another_browser_as_well(clinic: Clinic) -> None:
    sent_too_late(clinic)
    assert clinic.house.browser().sign_in(email("doctor")).location == "/unsent-forms"


def test_it_is_thrown_away_on_request(clinic: Clinic) -> None:
    browser = sent_too_late(clinic)
    browser.sign_in(email("doctor"))
    action = str(parsed(browser.get("/unsent-forms")).select("form.section")[0]["action"])
    browser.post(action)
    assert clinic.house.count(UnsentForm) == 0


def test_it_is_gone_after_an_hour(clinic: Clinic) -> None:
    browser = sent_too_late(clinic)
    clinic.clock.shift(minutes(61))
    assert browser.sign_in(email("doctor")).location == "/"
    clinic.house.clean_up()
    assert clinic.house.count(UnsentForm) == 0


def test_the_same_page_sent_twice_is_kept_once_and_at_most_five_pages(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    token = browser.token()
    clinic.clock.shift(minutes(16))
    for number in (1, 1, 2, 3, 4, 5, 6):
        path = f"/appointments/{number}/treatment"
        browser.client.post(path, data={"csrf_token": token, "notes": f"No. {number}"})
    assert clinic.house.count(UnsentForm) == 5
    browser.sign_in(email("doctor"))
    assert shown(browser)["notes"] == "No. 6"
    assert "4 more forms weren't saved" in browser.get("/unsent-forms").get_data(as_text=True)


@pytest.mark.parametrize(
    ("form", "kept", "status"),
    [
        ({"notes": "x"}, 1, 303),
        ({"notes": "x", "csrf_token": "forged"}, 0, 303),
        ({"notes": "x", "csrf_token": ""}, 0, 303),
        ({"notes": "x" * 200_001}, 0, 403),
        ({"notes": ""}, 0, 303),
        ({"notes": "x", "password": PASSWORD}, 1, 303),
        ({"notes": "x", "current_password": PASSWORD}, 1, 303),
        ({"code": "123456", "setup_code": "123456", "password": PASSWORD}, 0, 303),
    ],
)
def test_what_is_forged_huge_empty_or_secret_is_not_kept(
    clinic: Clinic, form: dict[str, str], kept: int, status: int
) -> None:
    browser = clinic.browser("doctor")
    token = browser.token()
    clinic.clock.shift(minutes(16))
    answer = browser.client.post(f"/appointments/{clinic.begun}/treatment", data={"csrf_token": token, **form})
    assert answer.status_code == status
    assert clinic.house.count(UnsentForm) == kept
    assert PASSWORD.encode() not in clinic.house.stored()


def test_what_cannot_be_kept_stands_on_the_page_that_says_so_and_is_sent_from_there_after_signing_in(
    clinic: Clinic,
) -> None:
    browser = clinic.browser("doctor")
    token = browser.token()
    browser.post("/sign-out")  # in another tab
    answer = browser.client.post(f"/appointments/{clinic.begun}/treatment", data={"csrf_token": token, **TREATMENT})
    page = answer.get_data(as_text=True)
    assert (answer.status_code, faults(page), clinic.house.count(UnsentForm)) == (403, [], 0)
    assert "You&#39;re signed out" in page
    browser.sign_in(email("doctor"))
    expired = browser.client.post(
        f"/appointments/{clinic.begun}/treatment", data=filled(page), headers={"Origin": "http://localhost"}
    )
    assert expired.status_code == 400
    assert filled(expired.get_data(as_text=True))["notes"].replace("\r\n", "\n") == NOTES
    action = str(one(parsed(expired), "main form")["action"])
    assert browser.client.post(action, data=filled(expired.get_data(as_text=True))).status_code == 303
    assert (clinic.house.count(Treatment), clinic.house.count(UnsentForm)) == (3, 0)


def filled(page: str) -> dict[str, str]:
    """The first form of a page, as a browser sends it when nothing is changed."""
    fields = one(parsed(page), "main form").select("input, textarea")
    return {str(one["name"]): str(one.get("value", one.get_text().removeprefix("\n"))) for one in fields}


def test_a_stranger_keeps_nothing(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    assert browser.post(f"/appointments/{clinic.begun}/treatment", {"notes": "x"}).status_code == 403
    assert clinic.house.count(UnsentForm) == 0


def test_s2_a_session_that_someone_ended_leaves_nothing_for_its_user(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    cookie = browser.client.get_cookie(browser.cookie_name)
    assert cookie is not None
    browser.post("/sign-out")
    thief = clinic.browser("nobody")
    thief.client.set_cookie(thief.cookie_name, cookie.value)
    user = clinic.people["patient"].user_id
    answer = thief.client.post(f"/users/{user}/role", data={"csrf_token": thief.token(), "role": "admin"})
    assert answer.status_code == 403
    assert clinic.house.count(UnsentForm) == 0


def test_h11_a_treatment_refused_because_of_a_no_show_is_kept_and_saved_once_that_is_undone(clinic: Clinic) -> None:
    doctor, desk = clinic.browser("doctor"), clinic.browser("receptionist")
    doctor.get(f"/appointments/{clinic.begun}/treatment")
    desk.post(f"/appointments/{clinic.begun}/no-show")
    answer = doctor.post(f"/appointments/{clinic.begun}/treatment", TREATMENT)
    page = answer.get_data(as_text=True)
    assert (answer.status_code, faults(page)) == (409, [])
    assert filled(page)["notes"].replace("\r\n", "\n") == NOTES
    visit = f"/appointments/{clinic.begun}"
    assert one(parsed(page), f'main a[href="{visit}"]')
    assert "Something you typed wasn't saved" in doctor.get(visit).get_data(as_text=True)
    desk.post(f"{visit}/undo")
    assert send(doctor) == visit
    with clinic.house.reading() as session:
        saved = session.query(Treatment).filter(Treatment.appointment_id == clinic.begun).one()
        assert saved.notes.replace("\r\n", "\n") == NOTES
    assert "Something you typed wasn't saved" not in doctor.get(visit).get_data(as_text=True)


def test_another_sites_form_is_neither_shown_nor_kept(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    form = {"csrf_token": "forged", "notes": "Call 0900 12345"}
    path = f"/appointments/{clinic.begun}/treatment"
    for origin in ("https://evil.example", "null"):
        answer = browser.client.post(path, data=form, headers={"Origin": origin})
        assert (answer.status_code, b"0900" in answer.data) == (400, False)
    answer = browser.client.post(path, data=form)  # says nothing of where it comes from: to be read, not sent
    assert (answer.status_code, b"0900" in answer.data, b"<form" in answer.data) == (400, True, False)
    assert clinic.house.count(UnsentForm) == 0


def test_what_is_far_too_long_comes_back_to_its_author_and_to_nobody_else(clinic: Clinic) -> None:
    text = "At length. " * 150_000
    doctor, path = clinic.browser("doctor"), f"/appointments/{clinic.begun}/treatment"
    answer = doctor.post(path, {**TREATMENT, "notes": text})
    assert answer.status_code == 413
    assert filled(answer.get_data(as_text=True))["notes"] == text
    assert doctor.post(path, {**TREATMENT, "notes": text * 3}).status_code == 413
    stranger = clinic.browser(NOBODY).post("/sign-in", {"email": text, "password": "x"})
    assert (stranger.status_code, b"At length." in stranger.data) == (413, False)


def test_an_address_typed_while_the_proof_ran_out_is_still_there(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    browser.get("/account/email")
    for _time in range(2):
        clinic.clock.shift(minutes(8))
        browser.get("/account")
    answer = browser.post("/account/email", {"email": "rita.new@clinic.example"})
    assert answer.location == "/account/proof?next=/account/email"
    browser.post("/account/proof", {"password": PASSWORD, "next": "/account/email"})
    assert "Something you typed wasn't saved" in browser.get("/account/email").get_data(as_text=True)
    assert shown(browser)["email"] == "rita.new@clinic.example"
