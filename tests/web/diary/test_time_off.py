"""The page of time off and extra hours."""

import pytest
from werkzeug.test import TestResponse

from service.storage.models import AuditEntry, HoursException
from tests.web.frozen_clinic import Clinic, away
from tests.web.reading import attribute, faults, parsed, words

DAYS = {"first_day": "2026-06-15", "last_day": "2026-06-16"}


def doll(clinic: Clinic) -> str:
    return str(clinic.people["doctor"].doctor_id)


def block(clinic: Clinic, visitor: str = "receptionist", **changed: object) -> TestResponse:
    return clinic.browser(visitor).post("/time-off", {"doctor_id": doll(clinic), **DAYS, **changed})


def test_time_off_that_affects_no_one_is_in_the_list(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    form = {"doctor_id": doll(clinic), "first_day": "2026-07-01", "note": "Summer\nbreak"}
    answer = browser.post("/time-off", form, follow_redirects=True)
    assert answer.request.path == "/time-off"
    main = words(parsed(answer).find("main"))
    assert "Wed, 1 Jul Dr. Doll Time off Summer break None" in main


def test_time_off_that_affects_appointments_leads_to_them(clinic: Clinic) -> None:
    answer = block(clinic)
    with clinic.house.reading() as session:
        row = session.query(HoursException).order_by(HoursException.id.desc()).first()
    assert row is not None
    assert (answer.status_code, answer.location) == (303, f"/time-off/{row.id}")
    main = parsed(clinic.browser("receptionist").get(answer.location)).find("main")
    assert "1 of 1 left to rebook" in words(main)
    assert "Pia Ahorn" in words(main)
    assert "030 1234567" in words(main)
    assert "1 of 1 left to rebook" in words(parsed(clinic.browser("doctor").get("/time-off")).find("main"))


def test_the_same_form_twice_blocks_once(clinic: Clinic) -> None:
    assert block(clinic).location == block(clinic).location
    assert clinic.house.count(AuditEntry, AuditEntry.act == "time_off.add") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("doctor_id", ""),
        ("first_day", "2026-06-31"),
        ("first_day", "15.13.2026"),
        ("first_day", ""),
        ("first_day", "0001-01-01"),
        ("last_day", "2026-06-14"),
        ("last_day", "2027-06-20"),
        ("last_day", "2026-02-30"),
        ("starts", "25:00"),
        ("starts", "12:60"),
        ("ends", "12:00:30"),
        ("note", "x" * 201),
    ],
)
def test_bad_input_is_refused_beside_the_field_and_kept(clinic: Clinic, field: str, value: str) -> None:
    answer = block(clinic, **{field: value})
    assert answer.status_code == 422
    page = parsed(answer)
    assert faults(answer.get_data(as_text=True)) == []
    assert page.find(id=f"{field}-error") is not None
    if field != "doctor_id":
        assert attribute(page, f"form[action='/time-off'] [name={field}]", "value") == value
    assert clinic.house.count(HoursException) == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"starts": "12:00", "ends": "12:00"}, "ends"),
        ({"starts": "12:00"}, "ends"),
        ({"ends": "12:00"}, "starts"),
        ({"first_day": "2026-05-05", "last_day": ""}, "first_day"),
        ({"first_day": "2026-05-01", "last_day": "2026-05-05"}, "last_day"),
    ],
)
def test_contradictory_input_is_refused(clinic: Clinic, changed: dict[str, str], field: str) -> None:
    answer = block(clinic, **changed)
    assert answer.status_code == 422
    assert parsed(answer).find(id=f"{field}-error") is not None
    assert clinic.house.count(HoursException) == 1


def test_doctors_block_only_their_own_time(clinic: Clinic) -> None:
    assert block(clinic, "doctor").status_code == 303
    assert block(clinic, "other doctor").status_code == 403
    assert block(clinic, "doctor", doctor_id="all").status_code == 403
    assert block(clinic, "receptionist", doctor_id="999999").status_code == 404
    assert block(clinic, "receptionist", doctor_id="1 OR 1").status_code == 404
    assert block(clinic, "patient").status_code == 403
    assert clinic.house.count(HoursException) == 2


def test_a_doctor_sees_their_own_time_off_and_the_clinics(clinic: Clinic) -> None:
    block(clinic)
    block(clinic, doctor_id="all", first_day="2026-10-03", last_day="", note="Holiday")
    mine = words(parsed(clinic.browser("doctor").get("/time-off")).find("table"))
    assert "Dr. Doll" in mine
    assert "Whole clinic Clinic closed Holiday" in mine
    theirs = clinic.browser("other doctor").get("/time-off")
    assert "Dr. Doll" not in words(parsed(theirs).find("main"))
    assert "Holiday" in words(parsed(theirs).find("main"))
    assert parsed(theirs).select_one("form[action$='/removal']") is None


def test_removing_time_off_lets_patients_book_again(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    assert browser.post(f"/time-off/{clinic.time_off}/removal").status_code == 303
    assert clinic.house.count(HoursException) == 0
    holiday = away(clinic.house, None)
    assert clinic.browser("doctor").post(f"/time-off/{holiday}/removal").status_code == 403
    assert clinic.house.count(HoursException) == 1


def extra(clinic: Clinic, visitor: str = "receptionist", **changed: str) -> TestResponse:
    form = {"doctor_id": doll(clinic), "first_day": "2026-05-09", "starts": "19:00", "ends": "21:00"}
    return clinic.browser(visitor).post("/extra-hours", {**form, "slot_minutes": "30", **changed})


def test_extra_hours_are_listed_without_affected_appointments(clinic: Clinic) -> None:
    assert extra(clinic).status_code == 303
    browser = clinic.browser("doctor")
    main = words(parsed(browser.get("/time-off")).find("table"))
    assert "Sat, 9 May , 19:00–21:00 Dr. Doll Extra hours every 30 min" in main
    with clinic.house.reading() as session:
        row = session.query(HoursException).where(HoursException.kind == "extra").one()
    assert browser.get(f"/time-off/{row.id}").status_code == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"first_day": "2026-06-31"}, "extra-first_day"),
        ({"first_day": "2026-05-05"}, "extra-first_day"),
        ({"starts": "24:00"}, "extra-starts"),
        ({"ends": "19:00"}, "extra-ends"),
        ({"ends": "19:20"}, "extra-ends"),
        ({"slot_minutes": "3"}, "extra-slot_minutes"),
        ({"first_day": "2027-03-28", "starts": "02:30", "ends": "05:00"}, "extra-starts"),
        ({"first_day": "2027-03-28", "starts": "01:00", "ends": "02:30"}, "extra-ends"),
        ({"first_day": "2027-03-27", "ends": "02:30"}, "extra-ends"),
    ],
)
def test_bad_extra_hours_are_refused_beside_the_field(clinic: Clinic, changed: dict[str, str], field: str) -> None:
    answer = extra(clinic, **changed)
    assert answer.status_code == 422
    assert faults(answer.get_data(as_text=True)) == []
    assert parsed(answer).find(id=f"{field}-error") is not None
    assert clinic.house.count(HoursException) == 1


def test_extra_hours_of_another_doctor_are_refused(clinic: Clinic) -> None:
    assert extra(clinic, "other doctor").status_code == 403
    assert extra(clinic, doctor_id="all").status_code == 404
    assert clinic.house.count(HoursException) == 1


def test_hours_of_a_day_affect_only_the_appointments_in_them(clinic: Clinic) -> None:
    assert block(clinic, starts="09:15", ends="18:00").location == "/time-off"
    assert block(clinic, starts="08:00", ends="09:01").location != "/time-off"
