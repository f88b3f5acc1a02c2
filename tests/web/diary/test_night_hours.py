"""Hours that end at or after midnight: adding, booking, and showing them on every page."""

import pytest
from werkzeug.test import TestResponse

from service.storage.models import Appointment, DoctorHours
from tests.house import at
from tests.web.frozen_clinic import Clinic
from tests.web.reading import links, parsed, words

MONDAY, TUESDAY, WEDNESDAY = "2026-05-11", "2026-05-12", "2026-05-13"


@pytest.fixture(autouse=True)
def _no_hours_yet(clinic: Clinic) -> None:
    """Each test sets the hours it is about."""
    with clinic.house.writing() as session:
        session.query(DoctorHours).delete()


def doll(clinic: Clinic) -> int:
    return clinic.people["doctor"].doctor_id or 0


def post(clinic: Clinic, path: str, **fields: object) -> TestResponse:
    return clinic.browser("receptionist").post(path, fields)


def add(clinic: Clinic, weekday: int, starts: str, ends: str, slot: int = 30) -> TestResponse:
    hours = {"weekdays": [str(weekday)], "starts": starts, "ends": ends, "slot_minutes": str(slot)}
    return post(clinic, f"/doctors/{doll(clinic)}/hours", **hours)


def book(clinic: Clinic, when: str) -> TestResponse:
    return post(clinic, "/appointments", patient_id=clinic.otto, doctor_id=doll(clinic), starts_at=when, reason="Eyes")


def free(clinic: Clinic, day: str) -> list[str]:
    """The times that the booking page offers on a day."""
    page = clinic.browser("patient").get(f"/appointments/new?doctor_id={doll(clinic)}&date={day}")
    return [str(radio["value"]) for radio in parsed(page).select("input[name=starts_at]")]


def on(day: str, *times: str) -> list[str]:
    return [f"{day}T{time}" for time in times]


def listed(clinic: Clinic, path: str) -> str:
    return words(parsed(clinic.browser("receptionist").get(path)).find("main"))


@pytest.mark.parametrize("midnight", ["24:00", "00:00"])
def test_hours_end_at_midnight_and_their_last_slot_is_booked(clinic: Clinic, midnight: str) -> None:
    assert add(clinic, 0, "22:00", midnight, 15).status_code == 303
    assert "Mon 22:00–24:00" in listed(clinic, "/doctors")
    assert free(clinic, MONDAY)[-1] == f"{MONDAY}T23:45"
    assert book(clinic, f"{MONDAY}T23:45").status_code == 303
    assert clinic.house.count(Appointment, Appointment.starts_at == at("2026-05-11 21:45")) == 1
    assert free(clinic, TUESDAY) == []


def test_hours_past_midnight_are_offered_on_the_date_of_each_slot(clinic: Clinic) -> None:
    assert add(clinic, 0, "22:00", "02:00").status_code == 303
    assert "Mon 22:00–02:00 (next day)" in listed(clinic, "/doctors")
    assert "Monday 22:00–02:00 (next day)" in listed(clinic, f"/doctors/{doll(clinic)}")
    assert free(clinic, MONDAY) == on(MONDAY, "22:00", "22:30", "23:00", "23:30")
    assert free(clinic, TUESDAY) == on(TUESDAY, "00:00", "00:30", "01:00", "01:30")
    assert free(clinic, WEDNESDAY) == []
    assert book(clinic, f"{TUESDAY}T01:30").status_code == 303
    assert clinic.house.count(Appointment, Appointment.starts_at == at("2026-05-11 23:30")) == 1
    assert free(clinic, TUESDAY) == on(TUESDAY, "00:00", "00:30", "01:00")
    assert book(clinic, f"{MONDAY}T01:30").status_code == 422
    assert book(clinic, f"{TUESDAY}T22:00").status_code == 422


def test_a_night_from_sunday_to_monday_leaves_no_room_for_hours_it_takes(clinic: Clinic) -> None:
    assert add(clinic, 6, "22:00", "02:00").status_code == 303
    answer = add(clinic, 0, "01:00", "03:00")
    assert answer.status_code == 422
    assert "overlap" in words(parsed(answer).find(id="starts-error"))
    assert add(clinic, 0, "02:00", "03:00").status_code == 303
    assert free(clinic, MONDAY) == on(MONDAY, "00:00", "00:30", "01:00", "01:30", "02:00", "02:30")
    assert book(clinic, f"{MONDAY}T01:30").status_code == 303
    assert book(clinic, f"{MONDAY}T02:45").status_code == 422, "longer than the hours last"
    assert book(clinic, "2026-05-17T23:45").status_code == 303, "over midnight, within the hours"


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [("22:00", "22:00", "ends"), ("22:00", "24:15", "ends"), ("24:00", "02:00", "starts"), ("22:00", "22:15", "ends")],
)
def test_hours_without_a_length_or_a_time_are_refused(clinic: Clinic, starts: str, ends: str, field: str) -> None:
    answer = add(clinic, 0, starts, ends)
    assert answer.status_code == 422
    assert parsed(answer).find(id=f"{field}-error") is not None
    assert clinic.house.count(DoctorHours) == 0


def test_the_calendar_and_the_sheets_show_each_date_its_part(clinic: Clinic) -> None:
    add(clinic, 0, "22:00", "02:00")
    nights = [
        clinic.house.visit(doll(clinic), clinic.otto, at("2026-05-11 21:45"), ends_at=at("2026-05-11 22:15")),
        clinic.house.visit(doll(clinic), clinic.pia, at("2026-05-11 23:00"), ends_at=at("2026-05-11 23:30")),
        clinic.house.visit(doll(clinic), clinic.pia, at("2026-05-12 00:00")),
    ]

    def column(day: str) -> dict[str, list[str]]:
        page = parsed(clinic.browser("receptionist").get(f"/calendar?date={day}&doctor_id={doll(clinic)}"))
        return {kind: [words(one)[:12] for one in page.select(f".cal-{kind}")] for kind in ("open", "visit", "free")}

    def sheet(day: str) -> list[str]:
        page = parsed(clinic.browser("receptionist").get(f"/today/sheet?date={day}&doctor_id={doll(clinic)}"))
        return [words(row)[:16] for row in page.select(".sheet tbody tr")]

    monday, tuesday = column(MONDAY), column(TUESDAY)
    assert monday == {
        "open": ["Hours 22:00–"],
        "visit": ["23:45 Otto B"],
        "free": ["22:00 free", "22:30 free", "23:00 free"],
    }
    assert tuesday == {
        "open": ["Hours 00:00–"],
        "visit": ["01:00 Pia Ah", "02:00 Pia Ah"],
        "free": ["00:30 free", "01:30 free"],
    }
    assert sheet(MONDAY) == ["22:00–23:45 free", "23:45–00:15 Otto"]
    assert sheet(TUESDAY) == ["00:15–01:00 free", "01:00–01:30 Pia ", "01:30–02:00 free", "02:00–02:15 Pia "]
    outside = links(parsed(clinic.browser("receptionist").get(f"/doctors/{doll(clinic)}")))
    assert [visit for visit in nights if f"/appointments/{visit}" in outside] == nights[2:]


def test_time_off_cuts_the_night_where_it_lies(clinic: Clinic) -> None:
    add(clinic, 0, "22:00", "02:00")
    clinic.house.visit(doll(clinic), clinic.otto, at("2026-05-11 22:30"))
    off = {"doctor_id": str(doll(clinic)), "first_day": TUESDAY}
    answer = post(clinic, "/time-off", **off)
    assert "1 of 1 left to rebook" in listed(clinic, answer.location)
    assert free(clinic, MONDAY) == on(MONDAY, "22:00", "22:30", "23:00", "23:30")
    assert free(clinic, TUESDAY) == []
    assert clinic.browser("receptionist").post(f"{answer.location}/removal").status_code == 303
    answer = post(clinic, "/time-off", **{**off, "first_day": MONDAY, "starts": "23:00", "ends": "01:00"})
    assert "Mon, 11 May , 23:00–01:00 (next day)" in listed(clinic, "/time-off")
    assert "1 of 1 left to rebook" in listed(clinic, answer.location)
    assert free(clinic, MONDAY) == on(MONDAY, "22:00", "22:30")
    assert free(clinic, TUESDAY) == on(TUESDAY, "01:00", "01:30")


def test_extra_hours_cross_midnight(clinic: Clinic) -> None:
    extra = {"first_day": MONDAY, "starts": "23:00", "ends": "01:00", "slot_minutes": "30"}
    assert post(clinic, "/extra-hours", doctor_id=str(doll(clinic)), **extra).status_code == 303
    assert free(clinic, MONDAY) + free(clinic, TUESDAY) == on(MONDAY, "23:00", "23:30") + on(TUESDAY, "00:00", "00:30")


@pytest.mark.parametrize(
    ("sunday", "times"),
    [
        ("2026-10-25", ["00:00", "01:00", "02:00", "03:00"]),  # from two to three comes twice, and is offered once
        ("2027-03-28", ["00:00", "01:00", "03:00"]),
    ],
)
def test_a_night_in_which_the_clocks_change_offers_each_time_once(
    clinic: Clinic, sunday: str, times: list[str]
) -> None:
    add(clinic, 5, "22:00", "04:00", 60)
    assert free(clinic, sunday) == on(sunday, *times)
