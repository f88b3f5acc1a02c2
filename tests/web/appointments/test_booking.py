"""Booking and rescheduling on pages: offered slots, double clicks, races for a slot, and invalid input."""

from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from service.storage.models import Appointment, Doctor, Guardian, Patient, VisitType
from tests.api.program import Program, token_of
from tests.house import Browser, at
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.reading import links, parsed, words

FREE = "2026-05-11T09:00"
"""Monday, nine o'clock in Berlin."""


def book(clinic: Clinic, visitor: str | Browser, **fields: Any) -> TestResponse:
    browser = clinic.browser(visitor) if isinstance(visitor, str) else visitor
    return browser.post("/appointments", {"doctor_id": doll(clinic), "starts_at": FREE, "reason": "Eyes", **fields})


def doll(clinic: Clinic) -> int:
    return clinic.people["doctor"].doctor_id or 0


def booked(clinic: Clinic) -> int:
    return clinic.house.count(Appointment, Appointment.starts_at == at("2026-05-11 07:00"))


def values(answer: TestResponse) -> list[str]:
    return [str(radio["value"]) for radio in parsed(answer).select("input[name=starts_at]")]


def new_page(clinic: Clinic, visitor: str, query: str) -> TestResponse:
    return clinic.browser(visitor).get(f"/appointments/new?{query}")


def test_the_page_lists_the_free_slots_of_the_day(clinic: Clinic) -> None:
    clinic.house.visit(doll(clinic), clinic.otto, at("2026-05-11 07:15"), ends_at=at("2026-05-11 07:45"))
    found = values(new_page(clinic, "patient", f"doctor_id={doll(clinic)}&date=2026-05-11"))
    assert found[0] == "2026-05-11T07:00"
    assert found[-1] == "2026-05-11T17:45"
    assert "2026-05-11T09:00" in found
    assert not {"2026-05-11T09:15", "2026-05-11T09:30"} & set(found)
    assert "2026-05-11T09:45" in found


def test_without_a_day_the_first_one_with_free_slots_is_shown(clinic: Clinic) -> None:
    found = values(new_page(clinic, "patient", f"doctor_id={doll(clinic)}"))
    assert found[0] == "2026-05-06T10:00"


def test_past_times_are_never_offered(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    assert values(new_page(clinic, "patient", f"doctor_id={doll(clinic)}&date=2026-05-06"))[0] == "2026-05-06T10:15"
    assert values(new_page(clinic, "patient", f"doctor_id={doll(clinic)}&date=2026-05-05")) == []


def test_times_of_any_doctor_are_listed_once(clinic: Clinic) -> None:
    found = values(new_page(clinic, "patient", "doctor_id=any&date=2026-05-11"))
    assert len(found) == len(set(found)) == 44


def test_three_taps_book_an_appointment(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    first = parsed(browser.get("/appointments/new"))
    chosen = next(link for link in links(first) if f"doctor_id={doll(clinic)}" in link)
    form = parsed(browser.get(chosen)).select_one("form[action='/appointments']")
    assert form is not None
    sent = {str(field["name"]): str(field.get("value", "")) for field in form.select("input[type=hidden]")}
    sent["starts_at"] = str(form.select("input[name=starts_at]")[3]["value"])
    answer = browser.client.post("/appointments", data=sent)
    assert answer.status_code == 303
    page = browser.get(answer.location)
    assert "Appointment booked." in words(parsed(page))


def test_booking_redirects_to_the_appointment(clinic: Clinic) -> None:
    answer = book(clinic, "patient")
    assert answer.status_code == 303
    visit = int(answer.location.rsplit("/", 1)[1])
    with clinic.house.reading() as session:
        row = session.get_one(Appointment, visit)
    assert (row.patient_id, row.doctor_id, row.reason, row.status) == (clinic.pia, doll(clinic), "Eyes", "booked")


@pytest.mark.parametrize("doctor", ["same", "any"])
def test_f30_sending_the_form_again_leads_to_the_same_appointment(clinic: Clinic, doctor: str) -> None:
    browser = clinic.browser("patient")
    fields = {"doctor_id": "any"} if doctor == "any" else {}
    first, second = book(clinic, browser, **fields), book(clinic, browser, **fields)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    assert booked(clinic) == 1


def test_the_loser_of_a_race_keeps_the_form_and_sees_the_three_nearest_slots(clinic: Clinic) -> None:
    assert book(clinic, "other patient").status_code == 303
    answer = book(clinic, "patient", reason="Itching & burning")
    assert answer.status_code == 409
    assert values(answer) == ["2026-05-11T08:30", "2026-05-11T08:45", "2026-05-11T09:15"]
    reason = parsed(answer).select_one("[name=reason]")
    assert reason is not None
    assert reason["value"] == "Itching & burning"
    assert "Otto" not in answer.get_data(as_text=True)
    assert booked(clinic) == 1


def test_patients_are_never_offered_overbooking(clinic: Clinic) -> None:
    book(clinic, "other patient")
    answer = book(clinic, "patient")
    assert parsed(answer).select_one("[name=overbooking_reason]") is None
    assert book(clinic, "patient", overbooking_reason="Please").status_code == 422
    assert booked(clinic) == 1


def test_staff_overbook_in_a_second_step_with_a_reason(clinic: Clinic) -> None:
    book(clinic, "other patient")
    desk = clinic.browser("receptionist")
    answer = book(clinic, desk, patient_id=clinic.pia)
    assert answer.status_code == 409
    assert parsed(answer).select_one("[name=overbooking_reason]") is not None
    again = book(clinic, desk, patient_id=clinic.pia, overbooking_reason="Pain")
    assert again.status_code == 303
    page = words(parsed(desk.get(again.location)))
    assert "Reason for overbooking Pain" in page
    assert "Overbooked on top of another appointment" in page
    assert booked(clinic) == 2


@pytest.mark.parametrize(
    "starts_at",
    [
        "",
        "2026-05-11",
        "09:00",
        "2026-05-11T25:00",
        "2026-05-11T09:60",
        "2026-06-31T09:00",
        "2026-05-11T09:00:00",
        "2026-05-11T09:00Z",
        "2026-05-11T09:00+02:00",
        "2026-05-11 09:00",
        "2026-05-11t09:00",
        "20260511T0900",
        "٢٠٢٦-05-11T09:00",
        "9999-12-31T23:59",
        "0001-01-01T00:00",
        "2026-05-11T09:00\n",
        "'; DROP TABLE appointments; --",
        "2026-05-05T09:00",
        "2026-05-11T06:00",
        "2026-05-11T09:05",
    ],
)
def test_b5_an_invalid_time_is_refused_and_the_form_is_kept(clinic: Clinic, starts_at: str) -> None:
    before = clinic.house.count(Appointment)
    answer = book(clinic, "patient", starts_at=starts_at, reason="Still here")
    assert answer.status_code == 422
    if field := parsed(answer).select_one("[name=reason]"):
        assert field["value"] == "Still here"
    assert clinic.house.count(Appointment) == before


def test_b6_a_time_that_clocks_skip_in_spring_is_refused(clinic: Clinic) -> None:
    clinic.house.hours(doll(clinic), "00:00", "06:00", days="6", slot=15)
    found = values(new_page(clinic, "patient", f"doctor_id={doll(clinic)}&date=2027-03-28"))
    assert [value[11:] for value in found if "01:30" < value[11:] < "03:30"] == ["01:45", "03:00", "03:15"]
    answer = book(clinic, "patient", starts_at="2027-03-28T02:30")
    assert answer.status_code == 422
    assert "doesn't exist" in words(parsed(answer))


def test_b6_the_first_of_a_repeated_time_is_booked(clinic: Clinic) -> None:
    clinic.house.hours(doll(clinic), "00:00", "06:00", days="6", slot=15)
    assert book(clinic, "patient", starts_at="2026-10-25T02:30").status_code == 303
    assert clinic.house.count(Appointment, Appointment.starts_at == at("2026-10-25 00:30")) == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"doctor_id": ""}, 422),
        ({"doctor_id": "999999"}, 404),
        ({"doctor_id": "x"}, 404),
        ({"doctor_id": str(2**63)}, 404),
        ({"patient_id": "999999"}, 404),
        ({"patient_id": "-1"}, 404),
        ({"visit_type_id": "999999"}, 404),
        ({"reason": "x" * 201}, 422),
        ({"reason": "a\0b"}, 422),
        ({"role": "admin"}, 422),
        ({"status": "completed"}, 422),
        ({"booked_by_id": "1"}, 422),
        ({"count": "5"}, 422),
        ({"overbooked": "true"}, 422),
    ],
)
def test_z4_fields_that_a_form_must_not_send_are_refused(clinic: Clinic, fields: dict[str, str], status: int) -> None:
    before = clinic.house.count(Appointment)
    assert book(clinic, "patient", **fields).status_code == status
    assert clinic.house.count(Appointment) == before


def test_z3_a_patient_of_someone_else_is_not_found(clinic: Clinic) -> None:
    before = clinic.house.count(Appointment)
    assert book(clinic, "patient", patient_id=clinic.otto).status_code == 404
    assert book(clinic, "other doctor", patient_id=clinic.pia).status_code == 404
    assert clinic.house.count(Appointment) == before


def test_staff_choose_the_patient(clinic: Clinic) -> None:
    answer = book(clinic, "receptionist")
    assert answer.status_code == 422
    assert "Choose a patient first." in words(parsed(answer))


def test_staff_find_the_patient_on_the_booking_page(clinic: Clinic) -> None:
    page = parsed(new_page(clinic, "receptionist", f"doctor_id={doll(clinic)}&q=AHORN"))
    found = [link for link in links(page) if f"patient_id={clinic.pia}" in link]
    assert found
    assert "Pia Ahorn" in words(page)


def test_staff_book_a_series_at_once(clinic: Clinic) -> None:
    answer = book(clinic, "receptionist", patient_id=clinic.pia, count="4", every_days="7")
    assert answer.status_code == 303
    assert clinic.house.count(Appointment, Appointment.series_id.is_not(None)) == 4


def test_a_series_that_does_not_fit_names_the_day_and_books_nothing(clinic: Clinic) -> None:
    clinic.house.visit(doll(clinic), clinic.otto, at("2026-05-25 07:00"))
    before = clinic.house.count(Appointment)
    answer = book(clinic, "receptionist", patient_id=clinic.pia, count="4", every_days="7")
    assert answer.status_code == 409
    assert "Mon, 25 May" in words(parsed(answer))
    assert clinic.house.count(Appointment) == before


def test_patients_see_only_the_types_they_may_book(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        for name, online in (("Vaccination", True), ("Surgery", False)):
            session.add(VisitType(name=name, minutes=30, online=online, created_at=NOW))
    page = words(parsed(new_page(clinic, "patient", f"doctor_id={doll(clinic)}")))
    assert "Vaccination" in page
    assert "Surgery" not in page
    assert "Surgery" in words(parsed(new_page(clinic, "receptionist", f"doctor_id={doll(clinic)}")))


@pytest.mark.parametrize("query", ["date=2026-06-31", "date=tomorrow", "doctor_id=999", "doctor_id=x", "patient_id=0"])
def test_unknown_ids_in_the_url_are_not_found(clinic: Clinic, query: str) -> None:
    assert new_page(clinic, "patient", query).status_code == 404


def test_a_family_chooses_the_patient(clinic: Clinic) -> None:
    child = clinic.house.patient("Kim Ahorn")
    with clinic.house.writing() as session:
        session.add(Guardian(user_id=clinic.people["patient"].user_id, patient_id=child, created_at=NOW))
    browser = clinic.browser("patient")
    assert "Kim Ahorn" in words(parsed(browser.get("/appointments/new")))
    assert book(clinic, browser).status_code == 422
    assert book(clinic, browser, patient_id=child).status_code == 303


def move(clinic: Clinic, visitor: str, **fields: Any) -> TestResponse:
    return clinic.browser(visitor).post(f"/appointments/{clinic.ahead}/reschedule", fields)


def test_a_patient_reschedules_an_appointment(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    assert FREE in values(browser.get(f"/appointments/{clinic.ahead}/reschedule?date=2026-05-11"))
    answer = browser.post(f"/appointments/{clinic.ahead}/reschedule", {"starts_at": FREE})
    assert answer.status_code == 303
    assert "Appointment rescheduled." in words(parsed(browser.get(answer.location)))
    old = words(parsed(browser.get(f"/appointments/{clinic.ahead}")))
    assert "Rescheduled" in old


def test_rescheduling_to_a_taken_slot_shows_the_nearest_and_changes_nothing(clinic: Clinic) -> None:
    book(clinic, "other patient")
    answer = move(clinic, "patient", starts_at=FREE)
    assert answer.status_code == 409
    assert values(answer) == ["2026-05-11T08:30", "2026-05-11T08:45", "2026-05-11T09:15"]
    with clinic.house.reading() as session:
        assert session.get_one(Appointment, clinic.ahead).status == "booked"


@pytest.mark.parametrize("starts_at", ["", "2026-05-11T25:00", "2026-05-11T06:00", "2026-06-15T09:00"])
def test_rescheduling_to_an_invalid_time_is_refused(clinic: Clinic, starts_at: str) -> None:
    assert move(clinic, "patient", starts_at=starts_at).status_code == 422


def test_b7_an_appointment_canceled_meanwhile_cannot_be_rescheduled(clinic: Clinic) -> None:
    assert clinic.browser("receptionist").post(f"/appointments/{clinic.ahead}/cancellation").status_code == 303
    answer = move(clinic, "patient", starts_at=FREE)
    assert answer.status_code == 409
    assert "no longer booked" in words(parsed(answer))


def test_a_patient_cancels_and_staff_see_the_reason(clinic: Clinic) -> None:
    answer = clinic.browser("patient").post(f"/appointments/{clinic.ahead}/cancellation", {"reason": "Ill"})
    assert answer.status_code == 303
    page = words(parsed(clinic.browser("receptionist").get(f"/appointments/{clinic.ahead}")))
    assert "Canceled by the patient" in page
    assert "Cancellation reason Ill" in page


def test_after_the_cutoff_a_patient_is_told_to_call(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    browser = clinic.browser("patient")
    page = parsed(browser.get(f"/appointments/{clinic.later}"))
    assert "please call the clinic" in words(page)
    assert page.select_one(f"form[action='/appointments/{clinic.later}/cancellation']") is None
    assert browser.post(f"/appointments/{clinic.later}/cancellation").status_code == 409


def test_a_patient_without_an_appointment_is_booked_as_a_walk_in(clinic: Clinic) -> None:
    walker, desk = clinic.house.patient("Willi Walker"), clinic.browser("receptionist")
    answer = desk.post("/walk-ins", {"patient_id": walker, "doctor_id": doll(clinic), "reason": "Pain"})
    assert (answer.status_code, answer.location) == (303, "/today")
    page = parsed(desk.get("/today")).select_one("[aria-labelledby=column-arrived]")
    assert "Willi Walker" in words(page)


def test_one_tap_on_today_checks_in_and_returns_to_today(clinic: Clinic) -> None:
    desk = clinic.browser("receptionist")
    page = parsed(desk.get(f"/today?doctor_id={doll(clinic)}"))
    form = page.select_one(f"form[action='/appointments/{clinic.later}/arrival']")
    assert form is not None
    sent = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    answer = desk.client.post(str(form["action"]), data=sent)
    assert (answer.status_code, answer.location) == (303, f"/today?doctor_id={doll(clinic)}")
    back = parsed(desk.get(answer.location))
    assert "Pia Ahorn" in words(back.select_one("[aria-labelledby=column-arrived]"))
    assert back.select_one(f"form[action='/appointments/{clinic.later}/undo']") is not None


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "nowhere"])
def test_w5_the_return_address_must_be_our_own(clinic: Clinic, back: str) -> None:
    answer = clinic.browser("receptionist").post(f"/appointments/{clinic.later}/arrival", {"back": back})
    assert answer.location == f"/appointments/{clinic.later}"


def test_each_appointment_that_needs_an_outcome_gets_it_with_one_tap(clinic: Clinic) -> None:
    doctor = clinic.browser("doctor")
    page = parsed(doctor.get("/to-complete"))
    assert words(page.find("h1")) == "Finish the day"
    assert f"/appointments/{clinic.begun}" in links(page)
    assert f"/appointments/{clinic.other_visit}" not in links(page)
    answer = doctor.post(f"/appointments/{clinic.begun}/no-show", {"back": "to-complete"})
    assert answer.location == "/to-complete"
    assert "Everything is completed" in words(parsed(doctor.get("/to-complete")))


def test_b7_an_outdated_action_gets_a_conflict_page(clinic: Clinic) -> None:
    desk = clinic.browser("receptionist")
    desk.post(f"/appointments/{clinic.begun}/cancellation")
    answer = desk.post(f"/appointments/{clinic.begun}/arrival")
    assert answer.status_code == 409
    assert "Undo that first" in words(parsed(answer))


def test_today_shows_chart_alerts_to_doctors_only(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.pia).allergies = "Penicillin"
    assert "Alert" in words(parsed(clinic.browser("doctor").get("/today")).find("main"))
    desk = words(parsed(clinic.browser("receptionist").get("/today")).find("main"))
    assert "Alert" not in desk
    assert "Penicillin" not in desk


def test_the_waiting_room_counts_minutes(clinic: Clinic) -> None:
    desk = clinic.browser("receptionist")
    desk.post(f"/appointments/{clinic.later}/arrival")
    clinic.clock.shift(timedelta(minutes=7))
    assert "waiting 7 min" in words(parsed(desk.get("/today")))


@pytest.mark.parametrize(("busy", "free"), [(0, True), (1, True), (2, False)])
def test_any_doctor_means_the_same_on_pages_and_in_the_api(clinic: Clinic, busy: int, free: bool) -> None:
    mine, gone = (
        clinic.house.user("doctor", f"{name}@clinic.example", department="Eyes").doctor_id for name in ("mine", "gone")
    )
    for doctor in (mine, gone):
        clinic.house.hours(doctor)
    with clinic.house.writing() as session:
        session.get_one(Doctor, gone).archived_at = NOW
    for doctor in (mine, doll(clinic))[:busy]:
        clinic.house.visit(doctor, clinic.otto, at("2026-05-11 07:00"), overbooked=True)
    asked = {"doctor_id": "any", "department": "Eyes"}
    caller = Program(clinic.house.app, token_of(clinic.house, "receptionist"))
    told = caller.get("/doctors/any/free-times?department=Eyes&date=2026-05-11&limit=100").get_json()["items"]
    assert (FREE in values(new_page(clinic, "patient", "doctor_id=any&department=Eyes&date=2026-05-11"))) == free
    assert ("2026-05-11T09:00:00+02:00" in [one["starts_at"] for one in told]) == free
    answer = book(clinic, "patient", **asked)
    assert answer.status_code == (303 if free else 409)
    if free:
        with clinic.house.reading() as session:
            made = session.get_one(Appointment, int(answer.location.rsplit("/", 1)[1]))
        assert made.doctor_id in {mine, doll(clinic)}
