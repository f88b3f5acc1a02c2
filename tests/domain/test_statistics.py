"""The figures of the dashboard: each equals a recount of the visits, one by one."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from service import clock
from service.domain import statistics
from service.models import Appointment, Doctor, Message
from tests.house import House, at

BERLIN = ZoneInfo("Europe/Berlin")
STATUSES = ["booked", "arrived", "completed", "cancelled", "no_show"]


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor."""
    found = house.user("doctor", "doctor@clinic.example").doctor_id
    assert found is not None
    return found


def figures(house: House, zone: ZoneInfo = BERLIN) -> dict[str, Any]:
    with house.reading() as session:
        return statistics.dashboard_stats(session, zone)


def local_day(at: datetime) -> int:
    """Days from the clinic's today to the day of an instant."""
    return (at.astimezone(BERLIN).date() - clock.today(BERLIN)).days


def recount(visits: list[tuple[datetime, str, int]]) -> dict[str, Any]:
    """The figures counted visit by visit, as a person would."""
    now = clock.now()
    today = Counter(status for start, status, _who in visits if local_day(start) == 0)

    def between(first: int, last: int) -> list[tuple[datetime, str, int]]:
        return [visit for visit in visits if first <= local_day(visit[0]) <= last]

    def no_shows(first: int, last: int) -> float | None:
        count = Counter(status for _start, status, _who in between(first, last))
        came = count["no_show"] + count["completed"]
        return round(100 * count["no_show"] / came, 1) if came else None

    came = {who for _start, status, who in between(-30, -1) if status in ("completed", "arrived", "booked")}
    known = {who for start, status, who in visits if local_day(start) < -30 and status == "completed"}
    return {
        "appointments_today": today.total(),
        "completed_today": today["completed"],
        "arrived_today": today["arrived"],
        "not_coming_today": today["cancelled"] + today["no_show"],
        "visits_30_days": sum(status != "cancelled" for _start, status, _who in between(-30, -1)),
        "visits_30_before": sum(status != "cancelled" for _start, status, _who in between(-60, -31)),
        "no_show_rate": no_shows(-30, -1),
        "no_show_rate_before": no_shows(-60, -31),
        "new_patients_30_days": len(came - known),
        "returning_patients_30_days": len(came & known),
        "to_complete": sum(
            status in ("booked", "arrived") and start + timedelta(minutes=15) <= now
            for start, status, _who in between(-90, 0)
        ),
        "next_days": [
            {
                "date": (clock.today(BERLIN) + timedelta(days=ahead)).isoformat(),
                "booked": sum(status not in ("cancelled", "no_show") for _at, status, _who in between(ahead, ahead)),
            }
            for ahead in range(7)
        ],
    }


VISITS = st.lists(
    st.tuples(
        st.sampled_from([-91, -90, -61, -60, -59, -31, -30, -29, -1, 0, 1, 6, 7]),
        st.sampled_from([0, 1, 60, 719, 720, 721, 1380, 1439]),
        st.sampled_from(STATUSES),
        st.integers(0, 3),
    ),
    max_size=25,
)
NOWS = ["2026-05-04 06:00", "2026-03-29 21:30", "2026-10-25 22:30", "2026-01-01 10:00", "2026-04-27 21:59"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visits=VISITS, now=st.sampled_from(NOWS))
def test_every_figure_equals_a_recount(house: House, visits: list[tuple[int, int, str, int]], now: str) -> None:
    with house.writing() as session:
        session.execute(delete(Appointment))
    doctor = house.user("doctor", f"doctor{house.count(Doctor)}@clinic.example").doctor_id
    people = [house.patient() for _one in range(4)]
    with time_machine.travel(at(now), tick=False):
        made = []
        for days, minutes, status, who in visits:
            start = clock.day_bounds(clock.today(BERLIN) + timedelta(days=days), BERLIN)[0] + timedelta(minutes=minutes)
            house.visit(doctor, people[who], start, status=status)
            made.append((start, status, who))
        counted, said = recount(made), figures(house)
        assert {key: said[key] for key in counted} == counted
        assert datetime.fromisoformat(said["as_of"]) == clock.now()
        assert said["day"] == clock.today(BERLIN).isoformat()


@pytest.mark.usefixtures("clock")
def test_an_empty_clinic_has_zeros_and_no_made_up_rates(house: House) -> None:
    found = figures(house)
    assert found["no_show_rate"] is None
    assert found["reminders_sent"] is None
    assert found["appointments_today"] == found["to_complete"] == found["new_patients_30_days"] == 0
    assert [day["booked"] for day in found["next_days"]] == [0] * 7


@pytest.mark.usefixtures("clock")
def test_this_mornings_reminders_are_counted_by_how_they_ended(house: House, doctor: int) -> None:
    ends = ["sent", "sent", "failed", "unknown", "queued", "skipped", "skipped"]
    for number, status in enumerate(ends):
        patient, start = house.patient(), at("2026-05-04 12:00") + timedelta(minutes=number)
        message = {"patient_id": patient, "starts_at": start, "rule": "daily_reminder", "channel": "console"}
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
