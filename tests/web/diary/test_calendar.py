"""The calendar: a day of all doctors or a doctor's week, with links to book slots and open appointments."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from bs4 import Tag

from service.config.settings import Settings
from service.http.assets import STATIC
from service.language.formats import Formats
from service.storage.models import Doctor, HoursException
from service.web.diary.calendar_grid import Column, Grid, Kind, Placed, Thing, grid
from tests import waiting
from tests.house import at
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.reading import one, parsed, words

ZONE = ZoneInfo("Europe/Berlin")
DAY = date(2026, 5, 7)


def columns(clinic: Clinic, visitor: str, query: str = "") -> dict[str, Tag]:
    """Heading -> column."""
    page = parsed(clinic.browser(visitor).get(f"/calendar{query}"))
    return {
        words(one(column, "h2")).rpartition(" ")[0].rpartition(" ")[0]: column for column in page.select(".cal-column")
    }


def shown(column: Tag, kind: str) -> list[str]:
    return [words(item) for item in column.select(f".cal-{kind}")]


def targets(column: Tag, kind: str) -> list[str]:
    return [str(link["href"]) for link in column.select(f".cal-{kind} a")]


@pytest.mark.parametrize("visitor", ["receptionist", "admin"])
def test_the_desk_sees_the_day_of_every_doctor(clinic: Clinic, visitor: str) -> None:
    found = columns(clinic, visitor)
    assert list(found) == ["Dr. Doll", "Dr. Dora"]
    assert targets(found["Dr. Doll"], "visit") == [f"/appointments/{clinic.begun}", f"/appointments/{clinic.later}"]
    assert targets(found["Dr. Dora"], "visit") == [f"/appointments/{clinic.other_visit}"]


@pytest.mark.parametrize("query", ["", "?doctor_id=2", "?department=Ears", "?view=week&doctor_id=2"])
def test_a_doctor_always_sees_only_their_own_days(clinic: Clinic, query: str) -> None:
    found = columns(clinic, "doctor", query)
    assert "Dr. Dora" not in found
    assert [one for column in found.values() for one in targets(column, "visit")] == [
        f"/appointments/{clinic.begun}",
        f"/appointments/{clinic.later}",
    ]


def test_the_desk_chooses_a_doctor_or_a_department(clinic: Clinic) -> None:
    assert list(columns(clinic, "receptionist", "?doctor_id=2")) == ["Dr. Dora"]
    assert list(columns(clinic, "receptionist", "?department=Eyes")) == ["Dr. Doll"]


def test_at_most_twenty_doctors_stand_side_by_side(clinic: Clinic) -> None:
    for number in range(25):
        clinic.house.user("doctor", f"d{number}@clinic.example", f"Dr. No {number}")
    page = parsed(clinic.browser("receptionist").get("/calendar"))
    assert len(page.select(".cal-column")) == 20
    assert "20 of 27 doctors" in words(page.find(id="lead"))


def test_a_visit_says_its_time_patient_state_and_type(clinic: Clinic) -> None:
    kind = waiting.visit_type(clinic.house, "Check-up", colour=6)
    doll = clinic.people["doctor"].doctor_id
    clinic.house.visit(doll, clinic.otto, at("2026-05-07 07:00"), visit_type_id=kind, confirmed_at=NOW)
    clinic.house.visit(doll, clinic.pia, at("2026-05-07 08:00"), status="no_show")
    column = columns(clinic, "receptionist", "?date=2026-05-07")["Dr. Doll"]
    assert shown(column, "visit") == ["09:00 Otto Birke Confirmed · Check-up", "10:00 Pia Ahorn No-show"]
    assert "doctor-6" in one(column, ".cal-visit")["class"]


def test_canceled_appointments_are_listed_below_and_their_slots_are_free(clinic: Clinic) -> None:
    visit = clinic.house.visit(
        clinic.people["doctor"].doctor_id, clinic.otto, at("2026-05-07 07:00"), status="cancelled"
    )
    page = parsed(clinic.browser("receptionist").get("/calendar?date=2026-05-07"))
    assert not page.select(".cal-visit")
    assert [str(link["href"]) for link in page.select(".cal-cancelled a")] == [f"/appointments/{visit}"]
    assert "09:00 free" in shown(one(page, ".cal-column"), "free")


def test_overbooked_visits_are_marked_and_both_are_shown(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    clinic.house.visit(doll, clinic.pia, at("2026-05-07 07:00"))
    clinic.house.visit(doll, clinic.otto, at("2026-05-07 07:00"), overbooked=True, overbooking_reason="Urgent")
    column = columns(clinic, "receptionist", "?date=2026-05-07")["Dr. Doll"]
    assert shown(column, "visit") == ["09:00 Pia Ahorn Booked", "09:00 Otto Birke Booked · overbooked"]
    lanes = [
        [name for name in item["class"] if name.startswith(("lane", "of"))] for item in column.select(".cal-visit")
    ]
    assert lanes == [["lane-0", "of-2"], ["lane-1", "of-2"]]


def test_gaps_lead_to_booking_them(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    column = columns(clinic, "receptionist", "?date=2026-05-07")["Dr. Doll"]
    assert len(shown(column, "free")) == 44
    assert shown(column, "free")[:2] == ["07:00 free", "07:15 free"]
    assert targets(column, "free")[1] == f"/appointments/new?doctor_id={doll}&date=2026-05-07&time=07:15"
    page = clinic.browser("receptionist").get(f"{targets(column, 'free')[1]}&patient_id={clinic.pia}")
    assert page.status_code == 200
    assert one(parsed(page), "input[value='2026-05-07T07:15']").has_attr("checked")


def test_past_taken_or_held_time_is_not_free(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    waiting.offer(clinic.house, clinic.waiting, doll, at("2026-05-06 09:00"))
    column = columns(clinic, "receptionist")["Dr. Doll"]
    free = shown(column, "free")
    assert free[0] == "10:00 free"
    assert {"09:30 free", "14:00 free", "11:00 free"}.isdisjoint(free)
    assert "13:45 free" in free
    assert shown(column, "held") == ["11:00 Pia Ahorn held"]
    assert columns(clinic, "doctor")["Dr. Doll"].select(".cal-held a") == []


def test_closed_time_is_not_open(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        doll = clinic.people["doctor"].doctor_id
        off = {"kind": "off", "created_at": NOW, "note": "Congress"}
        session.add(HoursException(doctor_id=doll, first_day=DAY, last_day=DAY, **off))
    found = columns(clinic, "receptionist", "?date=2026-05-07")
    assert (shown(found["Dr. Doll"], "open"), shown(found["Dr. Doll"], "free")) == ([], [])
    assert shown(found["Dr. Doll"], "none") == ["Closed"]
    assert shown(found["Dr. Dora"], "open") == ["Hours 07:00–18:00"]


def test_a_week_has_its_days_as_columns(clinic: Clinic) -> None:
    found = columns(clinic, "receptionist", "?view=week&date=2026-05-10&doctor_id=1")
    days = ["Mon, 4 May", "Tue, 5 May", "Wed, 6 May", "Thu, 7 May", "Fri, 8 May", "Sat, 9 May", "Sun, 10 May"]
    assert list(found) == days
    assert len(targets(found["Wed, 6 May"], "visit")) == 2


def test_steps_keep_the_view_and_the_choice(clinic: Clinic) -> None:
    page = parsed(clinic.browser("receptionist").get("/calendar?view=week&date=2026-05-06&doctor_id=2"))
    steps = [str(link["href"]) for link in page.select("nav.day-steps a")]
    assert steps == [
        "/calendar?date=2026-04-29&view=week&doctor_id=2",
        "/calendar?view=week&doctor_id=2",
        "/calendar?date=2026-05-13&view=week&doctor_id=2",
        "/calendar?date=2026-05-06&doctor_id=2",
        "/calendar?date=2026-05-06&view=week&doctor_id=2",
    ]


@pytest.mark.parametrize(
    "query",
    [
        "view=month",
        "doctor_id=x",
        "doctor_id=999999",
        "doctor_id=-1",
        "doctor_id=" + "9" * 30,
        "department=Teeth",
    ],
)
def test_invalid_parameters_are_not_found(clinic: Clinic, query: str) -> None:
    assert clinic.browser("receptionist").get(f"/calendar?{query}").status_code == 404


@pytest.mark.parametrize("typed", ["2026-02-30", "tomorrow", "20261306", "1999-12-31", "2101-01-01"])
def test_a_typed_day_that_is_none_is_refused_on_the_page_of_today(clinic: Clinic, typed: str) -> None:
    answer = clinic.browser("receptionist").get("/calendar", query_string={"date": typed})
    assert answer.status_code == 400
    page = parsed(answer)
    assert words(page.find("h1")) == "Wednesday, 6 May"
    assert words(page.find(id="date-error")) != ""


@pytest.mark.parametrize(
    "query", ["date=2000-01-01", "date=2100-12-31", "date=2000-01-01&view=week", "date=2100-12-31&view=week"]
)
def test_no_step_leads_out_of_the_calendar(clinic: Clinic, query: str) -> None:
    browser = clinic.browser("receptionist")
    for step in parsed(browser.get(f"/calendar?{query}")).select("nav.day-steps a"):
        assert browser.get(str(step["href"])).status_code == 200


def test_a_clinic_without_hours_says_so(clinic: Clinic) -> None:
    clinic.house.user("doctor", "new@clinic.example", "Dr. New")
    page = parsed(clinic.browser("receptionist").get("/calendar?date=2026-05-07&doctor_id=3"))
    assert "No hours and no appointments" in words(page.find("main"))


def test_an_archived_doctor_is_shown_when_asked_for(clinic: Clinic) -> None:
    waiting.archive(clinic.house, 2)
    assert "Dr. Dora" not in columns(clinic, "receptionist")
    assert targets(columns(clinic, "receptionist", "?doctor_id=2")["Dr. Dora"], "visit")
    assert clinic.house.count(Doctor) == 2


def test_on_the_day_of_25_hours_both_visits_of_the_hour_that_comes_twice_are_shown(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    for utc in ("2026-10-25 00:30", "2026-10-25 01:30"):
        clinic.house.visit(doll, clinic.pia, at(utc))
    column = columns(clinic, "receptionist", "?date=2026-10-25")["Dr. Doll"]
    assert shown(column, "visit") == ["02:30 Pia Ahorn Booked", "02:30 Pia Ahorn Booked"]
    assert [item["class"][-1] for item in column.select(".cal-visit")] == ["of-2", "of-2"]


def test_on_the_day_of_23_hours_no_gap_lies_in_the_hour_that_is_skipped(clinic: Clinic) -> None:
    clinic.house.hours(clinic.people["doctor"].doctor_id, "00:00", "06:00", days="6", slot=30)
    free = shown(columns(clinic, "receptionist", "?date=2027-03-28")["Dr. Doll"], "free")
    assert free[:6] == ["00:00 free", "00:30 free", "01:00 free", "01:30 free", "03:00 free", "03:30 free"]


def thing(starts: str, ends: str, kind: str = "visit") -> Thing:
    first, last = (datetime.fromisoformat(f"2026-05-07T{at}").replace(tzinfo=ZONE) for at in (starts, ends))
    return Thing(Kind(kind), first, last if last > first else last.replace(day=8))


def laid(*things: Thing) -> tuple[Grid, Sequence[Placed]]:
    found = grid([Column("1", "Dr. Doll", 1, DAY, things, len(things))], Formats(Settings().clinic))
    return found, found.columns[0][1]


def test_rows_begin_with_the_first_hour_that_contains_anything() -> None:
    found, placed = laid(thing("09:30", "09:45"), thing("08:15", "12:00", "open"))
    assert [hour for _classes, hour in found.hours] == ["08:00", "09:00", "10:00", "11:00"]
    assert [one.classes for one in placed] == ["cal-open from-4 for-45", "cal-visit from-19 for-3"]


def test_rows_hold_times_off_the_five_minute_grid_and_across_midnight() -> None:
    _found, placed = laid(thing("22:07", "22:22"), thing("23:50", "00:20"))
    assert [one.classes for one in placed] == ["cal-visit from-2 for-4", "cal-visit from-23 for-2"]


def test_only_things_that_overlap_share_the_width() -> None:
    _found, placed = laid(
        thing("09:00", "09:30"),
        thing("09:15", "09:45"),
        thing("09:30", "10:00"),
        thing("10:00", "10:15"),
        thing("09:00", "12:00", "open"),
    )
    assert [one.classes.partition("for-")[2].partition(" ")[2] for one in placed] == [
        "",
        "lane-0 of-2",
        "lane-1 of-2",
        "lane-0 of-2",
        "",
    ]


def test_more_than_eight_at_once_stay_within_the_widths_there_are() -> None:
    _found, placed = laid(*(thing("09:00", "09:30") for _turn in range(11)))
    assert {one.classes.split()[-1] for one in placed} == {"of-8"}
    assert placed[-1].classes.split()[-2] == "lane-7"


@pytest.mark.parametrize(("ends", "scale"), [("09:05", 2), ("09:10", 2), ("09:15", 3), ("09:20", 4), ("10:00", 6)])
def test_the_height_of_a_row_follows_from_the_shortest_thing(ends: str, scale: int) -> None:
    found, _placed = laid(thing("09:00", ends), thing("08:00", "18:00", "open"))
    assert found.scale == scale


def test_the_style_has_every_row_lane_and_scale() -> None:
    rows = (STATIC / "css" / "calendar-rows.css").read_text(encoding="utf-8")
    for name in ("from", "for"):
        assert [int(number) for number in re.findall(rf"\.{name}-(\d+) ", rows)] == list(range(1, 289))
    assert re.findall(r"\.of-(\d) ", rows) == list("2345678")
    assert re.findall(r"\.lane-(\d) ", rows) == list("1234567")
    style = (STATIC / "css" / "calendar.css").read_text(encoding="utf-8")
    assert re.findall(r"\.cal-scale-(\d) ", style) == list("23456")
