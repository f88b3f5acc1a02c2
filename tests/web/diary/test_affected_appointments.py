"""The page on which a receptionist deals with the appointments that time off affects."""

from typing import Any

import pytest
from bs4 import BeautifulSoup

from service.clock import DayTime
from service.storage.models import Appointment, AuditEntry, MoveProposal
from tests import waiting
from tests.house import Browser, at
from tests.web.frozen_clinic import Clinic, away
from tests.web.mailing import Mailing
from tests.web.reading import faults, links, one, parsed, words


def doll(clinic: Clinic) -> str:
    return str(clinic.people["doctor"].doctor_id)


def helper(clinic: Clinic) -> str:
    """The page of Dr Doll's time off on 15 June, when one appointment is booked."""
    return f"/time-off/{away(clinic.house, clinic.people['doctor'].doctor_id, '2026-06-15', '2026-06-15')}"


def sent(page: BeautifulSoup, action: str) -> dict[str, Any]:
    """The path of the first form whose action ends so, and what it sends."""
    form = one(page, f"form[action$='{action}']")
    fields = {str(field["name"]): str(field["value"]) for field in form.select("input[name]")}
    return {"path": str(form["action"]), "data": fields}


def tap(browser: Browser, page: str, action: str) -> BeautifulSoup:
    """Press the first such button of a page; what follows."""
    form = sent(parsed(browser.get(page)), action)
    answer = browser.post(form["path"], form["data"], follow_redirects=True)
    assert answer.status_code == 200
    assert answer.request.path == page.partition("?")[0]
    assert faults(answer.get_data(as_text=True)) == []
    return parsed(answer)


def visit(clinic: Clinic) -> Appointment:
    with clinic.house.reading() as session:
        return session.get_one(Appointment, clinic.ahead)


def test_an_appointment_is_rescheduled_with_one_click_and_the_page_says_when_all_are_done(clinic: Clinic) -> None:
    page, browser = helper(clinic), clinic.browser("receptionist")
    before = parsed(browser.get(page))
    form = sent(before, "/moves")
    assert form["data"]["starts_at"] == "2026-06-14T17:15"  # the last three of the day before
    after = words(tap(browser, page, "/moves").find("main"))
    assert visit(clinic).rescheduled_at is not None
    assert clinic.house.count(Appointment, Appointment.rescheduled_from_id == clinic.ahead) == 1
    assert "All affected appointments are done" in after
    assert "Rescheduled to Sun, 14 Jun, 17:15 , Dr. Doll" in after
    assert "030 1234567" in after


def test_any_doctor_offers_a_colleague_at_the_same_time(clinic: Clinic) -> None:
    house = clinic.house
    colleague = house.user("doctor", "dana@clinic.example", "Dr. Dana", department="Eyes").doctor_id
    house.hours(colleague)
    page, browser = helper(clinic), clinic.browser("receptionist")
    assert "Dr. Dana" not in words(parsed(browser.get(page)).find("ol"))
    shown = parsed(browser.get(f"{page}?any_doctor=1"))
    assert "Mon, 15 Jun, 09:00 Dr. Dana" in words(shown.find("ol"))
    assert words(shown.find("ol")).count("Dr. Dora") == 0
    button = next(form for form in shown.select("form[action$='/moves']") if "09:00" in words(form))
    data = {str(field["name"]): str(field["value"]) for field in button.select("input")}
    answer = browser.post(str(button["action"]), data)
    assert answer.location == f"{page}?any_doctor=1"
    with house.reading() as session:
        moved = session.query(Appointment).where(Appointment.rescheduled_from_id == clinic.ahead).one()
    assert (moved.doctor_id, moved.starts_at) == (colleague, at("2026-06-15 07:00"))


def test_when_a_slot_was_just_taken_the_page_stays_and_shows_others(clinic: Clinic) -> None:
    page, browser = helper(clinic), clinic.browser("receptionist")
    form = sent(parsed(browser.get(page)), "/moves")
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.otto, at("2026-06-14 15:15"))
    answer = browser.post(form["path"], form["data"])
    assert answer.status_code == 409
    assert faults(answer.get_data(as_text=True)) == []
    assert "taken" in words(one(parsed(answer), "[role=alert]"))
    assert sent(parsed(answer), "/moves")["data"]["starts_at"] != form["data"]["starts_at"]
    assert visit(clinic).status == "booked"


@pytest.mark.parametrize(
    "starts_at", ["2026-06-15T09:15", "2026-06-31T09:00", "2027-03-28T02:30", "2026-05-01T09:00", ""]
)
def test_rescheduling_to_an_impossible_time_is_refused_on_the_page(clinic: Clinic, starts_at: str) -> None:
    page, browser = helper(clinic), clinic.browser("receptionist")
    form = {"appointment_id": clinic.ahead, "doctor_id": doll(clinic), "starts_at": starts_at}
    answer = browser.post(f"{page}/moves", form)
    assert answer.status_code == 422
    assert parsed(answer).select_one("[role=alert]") is not None
    assert visit(clinic).status == "booked"


def test_an_appointment_is_canceled_by_the_clinic_with_one_click(clinic: Clinic) -> None:
    page, browser = helper(clinic), clinic.browser("receptionist")
    after = words(tap(browser, page, "/cancellations").find("main"))
    assert "Canceled by the clinic" in after
    assert "All affected appointments are done" in after
    row = visit(clinic)
    assert (row.status, row.cancelled_by, row.cancellation_reason) == ("cancelled", "clinic", "The doctor is away")


def test_the_reason_is_stored_in_the_language_of_the_clinic(clinic: Clinic) -> None:
    page, browser = helper(clinic), clinic.browser("receptionist")
    assert browser.post("/account/language", {"language": "de"}).status_code == 303
    assert browser.post(f"{page}/cancellations", {"appointment_id": clinic.ahead}).status_code == 303
    assert visit(clinic).cancellation_reason == "The doctor is away"


def test_three_new_times_are_suggested_with_the_words_to_say(clinic: Clinic) -> None:
    page, browser = helper(clinic), clinic.browser("receptionist")
    after = tap(browser, page, "/proposal")
    with clinic.house.reading() as session:
        proposal = session.query(MoveProposal).one()
    assert len(proposal.times["times"]) == 3
    assert proposal.times["times"][0]["starts_at"].endswith("Z")
    said = words(one(after, ".affected-say"))
    assert "“Your appointment on Mon, 15 Jun, 09:00 can't take place. We can offer: Sun, 14 Jun, 17:" in said
    assert "1 awaiting an answer" in words(parsed(browser.get("/time-off")).find("main"))
    after = tap(browser, page, "/proposal/removal")
    assert clinic.house.count(MoveProposal) == 0
    assert "1 of 1 left to rebook" in words(after.find("main"))
    assert clinic.house.count(AuditEntry, AuditEntry.act.in_(["appointment.propose", "appointment.withdraw"])) == 2


def test_an_appointment_is_rescheduled_to_a_suggested_time(clinic: Clinic) -> None:
    page, browser = helper(clinic), clinic.browser("receptionist")
    tap(browser, page, "/proposal")
    assert "All affected appointments are done" in words(tap(browser, page, "/moves").find("main"))


def test_suggesting_times_from_the_appointments_page_returns_to_it(clinic: Clinic) -> None:
    path = f"/appointments/{clinic.ahead}"
    assert clinic.browser("doctor").post(f"{path}/proposal").location == path
    assert clinic.browser("other doctor").post(f"{path}/proposal").status_code == 404
    clinic.browser("receptionist").post(f"{path}/cancellation")
    assert clinic.browser("receptionist").post(f"{path}/proposal").status_code == 409


def test_a_holiday_affects_everyones_appointments_and_a_doctor_sees_their_own(clinic: Clinic) -> None:
    dora = clinic.people["other doctor"].doctor_id
    theirs = clinic.house.visit(dora, clinic.otto, at("2026-06-15 09:00"))
    page = f"/time-off/{away(clinic.house, None, '2026-06-15', '2026-06-15')}"
    all_of_them = parsed(clinic.browser("receptionist").get(page))
    assert {f"/appointments/{clinic.ahead}", f"/appointments/{theirs}"} <= set(links(all_of_them))
    assert "2 of 2 left to rebook" in words(all_of_them.find("main"))
    own = parsed(clinic.browser("doctor").get(page))
    assert "1 of 1 left to rebook" in words(own.find("main"))
    assert f"/appointments/{theirs}" not in links(own)
    assert clinic.browser("doctor").post(f"{page}/cancellations", {"appointment_id": theirs}).status_code == 404
    assert clinic.browser("other doctor").get(helper(clinic)).status_code == 404


# How many messages leave


def test_d1_new_times_are_mailed_once_however_often_they_are_proposed(mailing: Mailing) -> None:
    clinic = mailing.clinic
    page, browser = helper(clinic), clinic.browser("receptionist")
    tap(browser, page, "/proposal")
    again = {"time_off_id": page.rpartition("/")[2]}
    assert browser.post(f"/appointments/{clinic.ahead}/proposal", again).status_code == 303  # a double click
    assert mailing.deliver() == ["patient@clinic.example"]
    browser.post(f"/appointments/{clinic.ahead}/proposal", {**again, "any_doctor": "1"})
    browser.post(f"/appointments/{clinic.ahead}/proposal")
    page = f"/time-off/{away(clinic.house, None, '2026-06-15', '2026-06-16', note='a holiday too')}"
    assert parsed(browser.get(page)).select_one("form[action$='/proposal']") is None
    assert mailing.deliver() == []


def test_d1_new_times_withdrawn_before_they_were_sent_are_mailed_once(mailing: Mailing) -> None:
    page, browser = helper(mailing.clinic), mailing.clinic.browser("receptionist")
    tap(browser, page, "/proposal")
    after = words(tap(browser, page, "/proposal/removal"))
    assert "hadn't been sent to Pia Ahorn yet and won't be sent" in after
    tap(browser, page, "/proposal")
    assert mailing.deliver() == ["patient@clinic.example"]


@pytest.mark.parametrize("act", ["/moves", "/cancellations"])
def test_d1_rescheduling_or_canceling_sends_one_mail_and_not_the_queued_suggestion(mailing: Mailing, act: str) -> None:
    page, browser = helper(mailing.clinic), mailing.clinic.browser("receptionist")
    tap(browser, page, "/proposal")
    tap(browser, page, act)
    assert mailing.deliver() == ["patient@clinic.example"]
    (mail,) = mailing.server.mails
    assert ("New time" if act == "/moves" else "Canceled") in str(mail.parsed["Subject"])
    assert mailing.deliver() == []


def test_d1_time_off_itself_sends_no_mail(mailing: Mailing) -> None:
    clinic = mailing.clinic
    form = {"doctor_id": doll(clinic), "first_day": "2026-06-15", "last_day": "2026-06-15"}
    browser = clinic.browser("receptionist")
    page = browser.post("/time-off", form, follow_redirects=True)
    assert mailing.deliver() == []
    assert browser.post("/time-off", form).status_code == 303  # the same again
    assert browser.post(f"{page.request.path}/removal").status_code == 303
    assert mailing.deliver() == []


# Who is here already


def today_off(clinic: Clinic, **more: Any) -> str:
    """The page of Dr Doll's time off today, which affects the appointments at 9:30 and at 14:00."""
    return f"/time-off/{away(clinic.house, clinic.people['doctor'].doctor_id, '2026-05-06', '2026-05-06', **more)}"


def arrive(clinic: Clinic, visit_id: int) -> None:
    assert clinic.browser("receptionist").post(f"/appointments/{visit_id}/arrival").status_code == 303


def test_d18_a_patient_who_has_arrived_is_among_the_affected(clinic: Clinic) -> None:
    arrive(clinic, clinic.later)
    page, browser = today_off(clinic), clinic.browser("receptionist")
    shown = parsed(browser.get(page))
    (affected,) = [one for one in shown.select("li.affected") if f"/appointments/{clinic.later}" in str(one)]
    assert "waiting 0 min The patient is already here" in words(affected)
    assert affected.select_one("form[action$='/moves'], form[action$='/proposal']") is None
    assert affected.select_one("form[action$='/cancellations']") is not None
    assert "left to rebook" in words(one(shown, "#open"))
    form = {"doctor_id": doll(clinic), "first_day": "2026-05-06", "last_day": "2026-05-06", "starts": "13:00"}
    answer = browser.post("/time-off", {**form, "ends": "18:00"})
    assert answer.location.startswith("/time-off/")  # the page about those who are affected, not the list
    after = words(tap(browser, answer.location, "/cancellations").find("main"))
    assert "All affected appointments are done" in after


def test_d18_rescheduling_or_asking_a_patient_who_has_arrived_is_refused(clinic: Clinic) -> None:
    arrive(clinic, clinic.later)
    page, browser = today_off(clinic), clinic.browser("receptionist")
    form = {"appointment_id": clinic.later, "doctor_id": doll(clinic), "starts_at": "2026-05-07T09:00"}
    assert browser.post(f"{page}/moves", form).status_code == 409
    assert browser.post(f"/appointments/{clinic.later}/proposal").status_code == 409


def test_d18_a_patient_who_arrives_despite_suggested_times_is_left_to_rebook(clinic: Clinic) -> None:
    page, browser = today_off(clinic, starts=DayTime.at(13), ends=DayTime.at(18)), clinic.browser("receptionist")
    tap(browser, page, "/proposal")
    assert "awaiting an answer" in words(parsed(browser.get("/time-off")))
    arrive(clinic, clinic.later)
    assert "1 of 1 left to rebook" in words(parsed(browser.get(page)).find("main"))


def test_d18_the_slot_of_an_appointment_canceled_for_time_off_is_offered_to_no_one(clinic: Clinic) -> None:
    waiting.entry(clinic.house, clinic.guest, days_ago=2)
    browser = clinic.browser("receptionist")
    browser.post(f"/appointments/{clinic.later}/cancellation")
    assert "Slot free again" in words(parsed(browser.get("/today")))
    page = today_off(clinic, starts=DayTime.at(13), ends=DayTime.at(18))
    assert "Slot free again" not in words(parsed(browser.get("/today")))
    fits = f"/waitlist/fits?doctor_id={doll(clinic)}&starts_at=2026-05-06T14:00"
    assert "This slot isn't free" in words(parsed(browser.get(fits)))
    assert browser.post(f"{page}/removal").status_code == 303
    assert "Slot free again" in words(parsed(browser.get("/today")))
