"""The figures of each role: every one equals a recount by hand-written SQL, or of the appointments one by one."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from service import clock
from service.domain.reports import statistics
from service.storage.models import Appointment, Doctor, HoursException, Message
from tests.house import House, at, day
from tests.recounting import Recount

BERLIN = ZoneInfo("Europe/Berlin")
STATUSES = ["booked", "arrived", "completed", "cancelled", "no_show"]


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor."""
    found = house.user("doctor", "doctor@clinic.example").doctor_id
    assert found is not None
    return found


def figures(house: House, zone: ZoneInfo = BERLIN) -> Any:
    with house.reading() as session:
        return statistics.dashboard_stats(session, zone)


def recount(house: House, doctor: int | None = None) -> dict[str, Any]:
    """The figures counted again, by hand-written SQL, of the clinic or one doctor."""

    def days(first: int, last: int) -> Recount:
        start, end = (clock.day_bounds(clock.today(BERLIN) + timedelta(days=on), BERLIN)[0] for on in (first, last + 1))
        return Recount(house, start, end, doctor)

    today, recent, before = days(0, 0).ended(), days(-30, -1), days(-60, -31)
    patients = recent.patients("completed", "arrived", "booked")
    ended, earlier = recent.ended(), before.ended()
    return {
        "appointments_today": today["visits"],
        "booked_today": today["booked"],
        "arrived_today": today["arrived"],
        "completed_today": today["completed"],
        "cancelled_today": today["cancelled"],
        "no_show_today": today["no_show"],
        "not_coming_today": today["cancelled"] + today["no_show"],
        "visits_30_days": ended["visits"] - ended["cancelled"],
        "visits_30_before": earlier["visits"] - earlier["cancelled"],
        "no_show_rate": ended["no_show_rate"],
        "no_show_rate_before": earlier["no_show_rate"],
        "late_cancel_rate": ended["late_rate"],
        "late_cancel_rate_before": earlier["late_rate"],
        "new_patients_30_days": patients["new"],
        "returning_patients_30_days": patients["returning"],
        "next_days": [
            {
                "date": (clock.today(BERLIN) + timedelta(days=ahead)).isoformat(),
                **load(days(ahead, ahead)),
                "open_minutes": 0,
            }
            for ahead in range(7)
        ],
    }


def load(span: Recount) -> dict[str, int]:
    """The appointments of a span that stand, and how long they take."""
    ended = span.ended()
    stand = ended["visits"] - ended["cancelled"] - ended["no_show"]
    return {"booked": stand, "booked_minutes": span.minutes(but="'cancelled', 'no_show'")}


def counted_by_hand(visits: list[tuple[datetime, str, bool, int]]) -> int:
    """The appointments to complete: past, of the last 90 days, still open."""
    first = clock.day_bounds(clock.today(BERLIN) - timedelta(days=90), BERLIN)[0]
    return sum(
        status in ("booked", "arrived") and start >= first and start + timedelta(minutes=15) <= clock.now()
        for start, status, _moved, _doctor in visits
    )


VISITS = st.lists(
    st.tuples(
        st.sampled_from([-91, -90, -61, -60, -59, -31, -30, -29, -1, 0, 1, 6, 7]),
        st.sampled_from([0, 1, 60, 719, 720, 721, 1380, 1439]),
        st.sampled_from(STATUSES),
        st.integers(0, 3),
        st.integers(0, 1),
        st.booleans(),
        st.booleans(),
    ),
    max_size=25,
)
NOWS = ["2026-05-04 06:00", "2026-03-29 21:30", "2026-10-25 22:30", "2026-01-01 10:00", "2026-04-27 21:59"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visits=VISITS, now=st.sampled_from(NOWS))
def test_every_figure_equals_a_recount(
    house: House, visits: list[tuple[int, int, str, int, int, bool, bool]], now: str
) -> None:
    with house.writing() as session:
        session.execute(delete(Appointment))
    doctors = [house.user("doctor", f"doctor{house.count(Doctor)}@clinic.example").doctor_id for _one in range(2)]
    people = [house.patient() for _one in range(4)]
    made = []
    with time_machine.travel(at(now), tick=False):
        for days, minutes, status, who, doctor, late, moved in visits:
            start = clock.day_bounds(clock.today(BERLIN) + timedelta(days=days), BERLIN)[0] + timedelta(minutes=minutes)
            more = {"cancelled_late": late, "rescheduled_at": start if moved else None} if status == "cancelled" else {}
            house.visit(doctors[doctor], people[who], start, status=status, **more)
            made.append((start, status, moved, doctor))
        said = figures(house)
        counted = {**recount(house), "to_complete": counted_by_hand(made)}
        assert {key: said[key] for key in counted} == counted
        assert datetime.fromisoformat(said["as_of"]) == clock.now()
        assert said["day"] == clock.today(BERLIN).isoformat()
        assert said["busy_hours"] == grid([one for one in made if one[1] != "cancelled"])
        for number, doctor_id in enumerate(doctors):
            assert doctor_id is not None
            with house.reading() as session:
                own: Any = statistics.doctor_stats(session, doctor_id, BERLIN)
            mine = [one for one in made if one[3] == number]
            counted = {**recount(house, doctor_id), "to_complete": counted_by_hand(mine)}
            assert {key: own[key] for key in counted} == counted
            assert own["busy_hours"] == grid([one for one in mine if one[1] != "cancelled"])
            week = next(row for row in said["next_by_doctor"] if row["doctor_id"] == doctor_id)
            assert week["booked"] == sum(day["booked"] for day in counted["next_days"])
            assert week["booked_minutes"] == sum(day["booked_minutes"] for day in counted["next_days"])
        with house.reading() as session:
            desk: Any = statistics.desk_stats(session, BERLIN)
        assert {key: said[key] for key in desk if key != "today_by_doctor"} == {
            key: number for key, number in desk.items() if key != "today_by_doctor"
        }
        assert sum(row["booked"] for row in desk["today_by_doctor"]) == said["next_days"][0]["booked"]


def grid(visits: list[tuple[datetime, str, bool, int]]) -> list[list[int]]:
    """Appointments of the 30 days before today, by weekday and hour in Berlin."""
    found = [[0] * 24 for _day in range(7)]
    for start, *_rest in visits:
        local = start.astimezone(BERLIN)
        if -30 <= (local.date() - clock.today(BERLIN)).days <= -1:
            found[local.weekday()][local.hour] += 1
    return found


@pytest.mark.usefixtures("clock")
def test_hours_open_are_those_of_the_week_without_time_off_and_doctors_who_left(house: House, doctor: int) -> None:
    house.hours(doctor, "08:00", "12:00", days="01234")
    gone = house.user("doctor", "gone@clinic.example", "Dr. Gone").doctor_id
    house.hours(gone)
    with house.writing() as session:
        session.get_one(Doctor, gone).archived_at = clock.now()
        away = {"first_day": day("2026-05-06"), "last_day": day("2026-05-06"), "kind": "off"}
        session.add(HoursException(doctor_id=doctor, created_at=clock.now(), **away))
    found = figures(house)
    assert [one["open_minutes"] for one in found["next_days"]] == [240, 240, 0, 240, 240, 0, 0]
    assert [(one["doctor_id"], one["open_minutes"]) for one in found["next_by_doctor"]] == [(doctor, 960)]
    house.visit(gone, house.patient(), at("2026-05-05 10:00"))
    assert {one["doctor_id"]: one["booked"] for one in figures(house)["next_by_doctor"]} == {doctor: 0, gone: 1}


@pytest.mark.usefixtures("clock")
def test_hours_past_midnight_and_their_visits_count_on_the_same_date(house: House, doctor: int) -> None:
    house.hours(doctor, "22:00", "02:00", days="16")  # it is Monday
    house.visit(doctor, house.patient(), at("2026-05-05 21:45"))
    house.visit(doctor, house.patient(), at("2026-05-05 22:00"))
    found = figures(house)["next_days"]
    assert [one["open_minutes"] for one in found] == [120, 120, 120, 0, 0, 0, 120]
    assert [one["booked_minutes"] for one in found] == [0, 15, 15, 0, 0, 0, 0]


@pytest.mark.usefixtures("clock")
def test_a_visit_that_was_moved_is_no_cancellation(house: House, doctor: int) -> None:
    who = house.patient()
    for start in (at("2026-05-04 09:00"), at("2026-04-20 09:00")):
        house.visit(doctor, who, start, status="cancelled", cancelled_late=True, rescheduled_at=start)
    house.visit(doctor, who, at("2026-04-20 10:00"), status="completed")
    found = figures(house)
    assert (found["appointments_today"], found["cancelled_today"], found["not_coming_today"]) == (0, 0, 0)
    assert (found["visits_30_days"], found["late_cancel_rate"]) == (1, 0.0)


@pytest.mark.usefixtures("clock")
def test_an_empty_clinic_has_zeros_and_no_made_up_rates(house: House) -> None:
    found = figures(house)
    assert found["no_show_rate"] is None
    assert found["reminders_sent"] is None
    assert found["appointments_today"] == found["to_complete"] == found["new_patients_30_days"] == 0
    assert [one["booked"] for one in found["next_days"]] == [0] * 7
    assert found["next_by_doctor"] == []
    assert found["busy_hours"] == [[0] * 24] * 7


@pytest.mark.usefixtures("clock")
def test_this_mornings_reminders_are_counted_by_how_they_ended(house: House, doctor: int) -> None:
    ends = ["sent", "sent", "failed", "unknown", "queued", "skipped", "skipped"]
    for number, status in enumerate(ends):
        patient, start = house.patient(), at("2026-05-04 12:00") + timedelta(minutes=number)
        message = {"patient_id": patient, "starts_at": start, "rule": "daily_reminder", "channel": "email"}
        times = dict.fromkeys(("due_at", "lease_until", "created_at"), start)
        with house.writing() as session:
            visit = Appointment(
                doctor_id=doctor,
                patient_id=patient,
                starts_at=start,
                ends_at=start + timedelta(minutes=1),
                created_at=start,
            )
            session.add(visit)
            session.flush()
            reason = "no_address" if status == "skipped" else None
            session.add(Message(appointment_id=visit.id, status=status, skip_reason=reason, **message, **times))
    found = figures(house)
    assert (found["reminders_sent"], found["reminders_failed"], found["reminders_skipped"]) == (2, 2, 2)
