"""Imported appointments: on the clinic's wall clock, for people who are here, and never two at once."""

from datetime import date

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from service.domain.foundation.errors import Conflict, Invalid
from service.storage.models import Appointment, Doctor, Offer, Patient
from tests import waiting
from tests.crowd import together
from tests.domain.imports.importing import VISITS, Desk
from tests.domain.imports.importing import a_desk as a_desk
from tests.domain.imports.importing import a_folder as a_folder
from tests.domain.imports.importing import the_admin as the_admin
from tests.house import at

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def doll(desk: Desk) -> int:
    """A doctor's id."""
    doctor = desk.house.user("doctor", "doll@clinic.example", "Dr. Doll").doctor_id
    assert doctor is not None
    return doctor


@pytest.fixture
def pia(desk: Desk) -> int:
    """A patient's id."""
    return desk.house.patient("Pia Ahorn", birth_date=date(1990, 1, 1))


def line(
    day: str, time: str, minutes: str = "", doctor: str = "Dr. Doll", patient: str = "Pia Ahorn", born: str = ""
) -> str:
    return f"{day},{time},{minutes},{doctor},{patient},{born},\n"


def test_a_visit_is_booked_as_it_stands_in_the_file(desk: Desk, doll: int, pia: int) -> None:
    content = VISITS + '2026-05-05,10:30,20,DR. DOLL,pia  ahorn,01.01.1990,"Control, then\nglasses"\n'
    assert desk.run("visits", content) == (1, 0)
    (visit,) = desk.visits()
    assert (visit.doctor_id, visit.patient_id, visit.status) == (doll, pia, "booked")
    assert (visit.starts_at, visit.ends_at) == (at("2026-05-05 08:30"), at("2026-05-05 08:50"))
    assert visit.reason == "Control, then\nglasses"
    assert (visit.booked_by_id, visit.overbooked, visit.created_at) == (None, False, at("2026-05-04 06:00"))


@pytest.mark.parametrize(
    ("cells", "starts_at"),
    [
        ("05.05.2026 10:30,", "2026-05-05 08:30"),
        ("2026-05-05T10:30:00,", "2026-05-05 08:30"),
        ("5/13/2026,2:15 pm", "2026-05-13 12:15"),
        ("2026-05-05 00:00:00,10.30 Uhr", "2026-05-05 08:30"),
        ("2026-05-04,08:01", "2026-05-04 06:01"),
        ("2026-10-25,02:30", "2026-10-25 00:30"),
        ("2026-12-01,23:50", "2026-12-01 22:50"),
    ],
)
@pytest.mark.usefixtures("doll", "pia")
def test_dates_and_times_are_the_clinic_s_in_any_form(desk: Desk, cells: str, starts_at: str) -> None:
    assert desk.run("visits", f"{VISITS}{cells},,Dr. Doll,Pia Ahorn,,\n") == (1, 0)
    assert [visit.starts_at for visit in desk.visits()] == [at(starts_at)]


@pytest.mark.parametrize(
    ("day", "time", "column"),
    [
        ("2027-03-28", "02:30", "Time"),
        ("2026-05-04", "08:00", "Date"),
        ("2026-05-03", "10:00", "Date"),
        ("2026-06-31", "10:00", "Date"),
        ("2099-01-01", "10:00", "Date"),
        ("", "10:00", "Date"),
        ("2026-05-05", "25:00", "Time"),
        ("2026-05-05", "10:30:30", "Time"),
        ("2026-05-05", "10:30+05:00", "Time"),
        ("2026-05-05", "", "Time"),
    ],
)
@pytest.mark.usefixtures("doll", "pia")
def test_a_time_that_is_past_or_does_not_exist_is_an_error(desk: Desk, day: str, time: str, column: str) -> None:
    assert desk.wrong("visits", VISITS + line(day, time)) == [(2, column)]
    assert desk.visits() == []


@pytest.mark.parametrize("minutes", ["0", "721", "-5", "1.5", "x", "٣", "9999999", "20 min"])
@pytest.mark.usefixtures("doll", "pia")
def test_a_length_that_no_visit_has_is_an_error(desk: Desk, minutes: str) -> None:
    assert desk.wrong("visits", VISITS + line("2026-05-05", "10:00", minutes)) == [(2, "Minutes")]


@pytest.mark.usefixtures("doll", "pia")
def test_a_visit_may_take_twelve_hours_or_a_minute(desk: Desk) -> None:
    content = VISITS + line("2026-05-05", "08:00", "720") + line("2026-05-05", "20:00", "1")
    assert desk.run("visits", content) == (2, 0)


@pytest.mark.usefixtures("doll", "pia")
def test_people_who_are_not_here_are_named_by_line(desk: Desk) -> None:
    rows = (
        line("2026-05-05", "10:00", doctor="Dr. Nobody"),
        line("2026-05-05", "11:00", patient="Nobody"),
        line("2026-05-05", "12:00", born="1990-01-02"),
        line("2026-05-05", "13:00", doctor="", patient=""),
    )
    found = [(2, "Doctor"), (3, "Patient"), (4, "Patient"), (5, "Patient"), (5, "Doctor")]
    assert desk.wrong("visits", VISITS + "".join(rows)) == found


@pytest.mark.usefixtures("pia")
def test_of_two_with_one_name_the_birth_date_tells(desk: Desk, doll: int) -> None:
    other = desk.house.patient("PIA AHORN", birth_date=date(1950, 1, 1))
    assert desk.wrong("visits", VISITS + line("2026-05-05", "10:00")) == [(2, "Patient")]
    assert desk.run("visits", VISITS + line("2026-05-05", "10:00", born="1.1.1950")) == (1, 0)
    assert [(visit.doctor_id, visit.patient_id) for visit in desk.visits()] == [(doll, other)]


@pytest.mark.usefixtures("pia")
def test_two_doctors_of_one_name_cannot_be_told_apart_until_one_is_archived(desk: Desk, doll: int) -> None:
    other = desk.house.user("doctor", "doll2@clinic.example", "Dr Doll").doctor_id
    content = VISITS + line("2026-05-05", "10:00")
    assert desk.wrong("visits", content) == [(2, "Doctor")]
    with desk.house.writing() as session:
        session.execute(update(Doctor).where(Doctor.id == doll).values(archived_at=at("2026-05-01 08:00")))
    assert desk.run("visits", content) == (1, 0)
    assert [visit.doctor_id for visit in desk.visits()] == [other]


@pytest.mark.usefixtures("doll")
def test_a_merged_record_s_visits_go_to_where_it_went_and_an_archived_one_takes_none(desk: Desk, pia: int) -> None:
    gone = at("2026-05-01 08:00")
    desk.house.patient("Pia Birke", birth_date=date(1990, 1, 1), merged_into_id=pia, archived_at=gone)
    desk.house.patient("Old Record", archived_at=gone)
    rows = line("2026-05-05", "10:00", patient="Pia Birke"), line("2026-05-05", "11:00", patient="Old Record")
    assert desk.wrong("visits", VISITS + "".join(rows)) == [(3, "Patient")]
    assert desk.run("visits", VISITS + rows[0]) == (1, 0)
    assert [visit.patient_id for visit in desk.visits()] == [pia]


def test_visits_that_overlap_are_errors_and_those_that_touch_are_not(desk: Desk, doll: int, pia: int) -> None:
    otto = desk.house.patient("Otto Birke")
    other = desk.house.user("doctor", "dora@clinic.example", "Dr. Dora").doctor_id
    desk.house.visit(doll, otto, at("2026-05-05 08:00"), ends_at=at("2026-05-05 08:30"))
    desk.house.visit(other, pia, at("2026-05-05 10:00"), ends_at=at("2026-05-05 10:30"))
    desk.house.visit(doll, pia, at("2026-05-05 12:00"), status="cancelled")
    rows = (
        line("2026-05-05", "09:45", "15"),  # 2: touches Otto's appointment at the doctor's
        line("2026-05-05", "10:20", "30"),  # 3: overlaps with it
        line("2026-05-05", "10:30", "15"),  # 4: touches it
        line("2026-05-05", "11:50", "15"),  # 5: Pia is at Dr. Dora's then
        line("2026-05-05", "10:40", "15", patient="Otto Birke"),  # 6: the doctor has line 4 then
        line("2026-05-05", "09:50", "5", doctor="Dr. Dora"),  # 7: Pia is in line 2 then
        line("2026-05-05", "14:10", "15"),  # 8: only a canceled one
    )
    found = [(3, "Doctor"), (5, "Patient"), (6, "Doctor"), (7, "Patient")]
    assert desk.wrong("visits", VISITS + "".join(rows)) == found
    assert desk.run("visits", VISITS + rows[0] + rows[2] + rows[6]) == (3, 0)


def test_an_appointment_that_was_canceled_since_is_not_imported_again(desk: Desk, doll: int, pia: int) -> None:
    content = VISITS + line("2026-05-05", "10:00") + line("2026-05-05", "11:00")
    desk.run("visits", content)
    with desk.house.writing() as session:
        session.execute(update(Appointment).values(status="cancelled"))
    assert desk.run("visits", content) == (0, 2)
    assert [visit.status for visit in desk.visits()] == ["cancelled", "cancelled"]
    assert {(visit.doctor_id, visit.patient_id) for visit in desk.visits()} == {(doll, pia)}


def test_beside_an_overbooked_visit_there_is_room(desk: Desk, doll: int, pia: int) -> None:
    otto = desk.house.patient("Otto Birke")
    desk.house.visit(doll, otto, at("2026-05-05 08:00"), overbooked=True, overbooking_reason="Pain")
    assert desk.run("visits", VISITS + line("2026-05-05", "10:00")) == (1, 0)
    assert pia in {visit.patient_id for visit in desk.visits()}


def test_h14_a_slot_held_for_someone_else_is_not_imported(desk: Desk, doll: int, pia: int) -> None:
    other = desk.house.patient("Otto Birke")
    hold = waiting.offer(desk.house, waiting.entry(desk.house, other), doll, at("2026-05-05 08:00"))
    rows = line("2026-05-05", "10:10"), line("2026-05-05", "10:15"), line("2026-05-05", "10:00", patient="Otto Birke")
    assert desk.wrong("visits", VISITS + rows[0]) == [(2, "Doctor")]
    assert desk.run("visits", VISITS + rows[1] + rows[2]) == (2, 0)
    assert waiting.row(desk.house, Offer, hold).closed_at is None
    assert {visit.patient_id for visit in desk.visits()} == {pia, other}


def test_a_booking_at_the_same_moment_and_an_import_are_never_both_there(desk: Desk, doll: int, pia: int) -> None:
    otto = desk.house.patient("Otto Birke")
    content = VISITS + line("2026-05-10", "23:30")

    def press(number: int) -> bool:
        try:
            if number:
                desk.run("visits", content)
            else:
                desk.house.visit(doll, otto, at("2026-05-10 21:35"), overbooked=False)
        except (Conflict, Invalid, IntegrityError):
            return False
        return True

    assert sorted(together(2, press)) == [False, True]
    assert [visit.patient_id for visit in desk.visits()] in ([pia], [otto])


def test_five_thousand_visits_of_many_people_come_in(desk: Desk) -> None:
    desk.run("doctors", "Name\n" + "".join(f"Dr. {number}\n" for number in range(20)))
    desk.run("patients", "Name\n" + "".join(f"Person {number}\n" for number in range(1000)))
    rows = []
    for number in range(5000):
        slot, doctor = divmod(number, 20)
        when = f"2026-05-{5 + slot // 40:02}", f"{8 + slot % 40 // 4:02}:{slot % 4 * 15:02}"
        rows.append(line(*when, doctor=f"Dr. {doctor}", patient=f"Person {number % 1000}"))
    assert desk.run("visits", VISITS + "".join(rows)) == (5000, 0)
    assert desk.house.count(Appointment) == 5000
    assert desk.house.count(Patient) == 1000
