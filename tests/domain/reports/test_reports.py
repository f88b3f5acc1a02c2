"""The monthly report: the clinic's calendar month, counted exactly, of every doctor who was here."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from service import clock as service_clock
from service.clock import DayTime
from service.domain.foundation.actor import SYSTEM
from service.domain.foundation.errors import Invalid, NotFound
from service.domain.reports import clinic_reports, reports
from service.storage.models import AuditEntry, Doctor, HoursException, Report, Treatment
from tests.crowd import together
from tests.house import House, at, day
from tests.recounting import Recount, hours_open

time = DayTime.at

BERLIN = ZoneInfo("Europe/Berlin")


def doctor(house: House, email: str = "doctor@clinic.example", **more: Any) -> int:
    found = house.user("doctor", email, "Dr. Ada Berg", department="Surgery").doctor_id
    assert found is not None
    with house.writing() as session:
        here = {"created_at": at("2020-01-01 00:00"), **more}
        session.execute(update(Doctor).where(Doctor.id == found).values(**here))
    return found


def content(house: House, doctor_id: int, month: str, zone: ZoneInfo = BERLIN) -> Any:
    with house.reading() as session:
        return reports.produce(session, doctor_id, month, zone)


def missing(house: House, month: str) -> tuple[list[int], int]:
    with house.reading() as session:
        return reports.missing(session, month, BERLIN)


@pytest.mark.parametrize(
    ("month", "first", "last"),
    [
        ("2026-03", "2026-02-28 23:00", "2026-03-31 21:59"),
        ("2026-10", "2026-09-30 22:00", "2026-10-31 22:59"),
        ("2025-12", "2025-11-30 23:00", "2025-12-31 22:59"),
        ("2028-02", "2028-01-31 23:00", "2028-02-29 22:59"),
    ],
)
def test_e9_a_month_has_the_visits_between_its_midnights_on_the_clinics_wall(
    house: House, month: str, first: str, last: str
) -> None:
    who = doctor(house)
    patient = house.patient("Lena Vogt")
    inside = [at(first), at(last)]
    for starts_at in (at(first) - timedelta(minutes=1), *inside, at(last) + timedelta(minutes=1)):
        house.treated(who, patient, starts_at, diagnosis="cold")
    found = content(house, who, month)
    assert [reports.instant(visit["starts_at"]) for visit in found["visits"]] == inside
    assert [reports.instant(one["starts_at"]) for one in found["treatments"]] == inside
    assert found["outcomes"]["completed"] == 2


def test_a_report_says_who_came_with_what_outcome(house: House) -> None:
    who, other = doctor(house), doctor(house, "other@clinic.example")
    lena, mia = house.patient("Lena Vogt"), house.patient("Mia <b>Vogt")
    noon = at("2026-04-10 10:00")
    house.treated(who, lena, noon, visit_type="Check-up", diagnosis="cold", treatment="rest")
    house.treated(who, lena, noon + timedelta(days=1))
    for later, status in enumerate(["no_show", "cancelled", "cancelled", "booked", "arrived"], start=2):
        house.visit(who, mia, noon + timedelta(days=later), status=status, reason="knee")
    house.treated(other, mia, noon)
    found = content(house, who, "2026-04")
    assert (found["doctor_name"], found["department"]) == ("Dr. Ada Berg", "Surgery")
    assert found["outcomes"] == {"completed": 2, "no_show": 1, "cancelled": 2, "to_complete": 2}
    assert found["patients_seen"] == 1
    first = found["visits"][0]["appointment_id"]
    assert found["treatments"][0] == {
        "appointment_id": first,
        "starts_at": noon.isoformat(),
        "patient_id": lena,
        "patient_name": "Lena Vogt",
        "visit_type": "Check-up",
        "diagnosis": "cold",
        "treatment": "rest",
    }
    assert found["visits"][2] == {
        "appointment_id": first + 2,
        "starts_at": (noon + timedelta(days=2)).isoformat(),
        "patient_id": mia,
        "patient_name": "Mia <b>Vogt",
        "visit_type": "",
        "status": "no_show",
        "late": False,
        "reason": "knee",
    }


def test_a_visit_that_was_moved_is_no_cancellation(house: House) -> None:
    who, lena = doctor(house), house.patient("Lena Vogt")
    noon = at("2026-04-10 10:00")
    moved = {"status": "cancelled", "cancelled_late": True, "rescheduled_at": noon}
    house.visit(who, lena, noon, **moved)
    house.visit(who, lena, noon + timedelta(days=1), status="completed")
    house.visit(who, lena, at("2026-03-10 10:00"), **moved)
    found = content(house, who, "2026-04")
    assert found["outcomes"] == {"completed": 1, "no_show": 0, "cancelled": 0, "to_complete": 0}
    assert (found["figures"]["visits"], found["figures"]["late"], len(found["visits"])) == (1, 0, 1)
    assert found["compared"][0]["visits"] == 0


EDGES = [service_clock.month_bounds(month, BERLIN)[0] for month in ("2026-03", "2026-04", "2026-10", "2026-11")]
VISITS = st.lists(
    st.fixed_dictionaries(
        {
            "edge": st.sampled_from(EDGES),
            "minutes": st.integers(-200, 200),
            "status": st.sampled_from(["booked", "arrived", "completed", "completed", "cancelled", "no_show"]),
            "patient": st.integers(0, 2),
            "doctor": st.integers(0, 1),
            "late": st.booleans(),
            "moved": st.booleans(),
            "note": st.booleans(),
            "length": st.sampled_from([10, 15, 40]),
            "lead": st.sampled_from([-60, 0, 30, 1440, 90_000]),
        }
    ),
    max_size=14,
)


def made(house: House, visits: list[dict[str, Any]]) -> list[int]:
    """Make the appointments, of two new doctors and three patients; returns the doctors."""
    number = house.count(Doctor)
    doctors = [doctor(house, f"doctor{number}-{one}@clinic.example") for one in range(2)]
    patients = [house.patient(f"Patient {one}") for one in range(3)]
    for wish in visits:
        start = wish["edge"] + timedelta(minutes=wish["minutes"])
        cancelled = wish["status"] == "cancelled"
        visit = house.visit(
            doctors[wish["doctor"]],
            patients[wish["patient"]],
            start,
            status=wish["status"],
            ends_at=start + timedelta(minutes=wish["length"]),
            created_at=start - timedelta(minutes=wish["lead"]),
            cancelled_late=cancelled and wish["late"],
            rescheduled_at=start if cancelled and wish["moved"] else None,
        )
        if wish["note"] and wish["status"] == "completed":
            with house.writing() as session:
                session.add(Treatment(appointment_id=visit, created_at=start, updated_at=start))
    return doctors


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visits=VISITS, month=st.sampled_from(["2026-02", "2026-03", "2026-04", "2026-10", "2026-11"]))
def test_e9_every_number_of_a_report_equals_a_recount_by_hand(
    house: House, visits: list[dict[str, Any]], month: str
) -> None:
    doctors = made(house, visits)
    for who in doctors:
        counted = Recount(house, *service_clock.month_bounds(month, BERLIN), who)
        found = content(house, who, month)
        expected = counted.all_of_a_report(BERLIN)
        assert {key: found["figures"][key] for key in expected} == expected
        assert found["figures"].keys() == expected.keys() | {"open_minutes"}
        assert found["outcomes"] == {key: expected[key] for key in found["outcomes"]}
        assert found["patients_seen"] == expected["patients_seen"]
        assert [(row["appointment_id"], row["lacks"]) for row in found["unfinished"]] == counted.unfinished()
        assert len(found["visits"]) == expected["visits"]
        for row in found["compared"]:
            before = Recount(house, *service_clock.month_bounds(row["month"], BERLIN), who).ended()
            assert {key: before[key] for key in row if key != "month"} == {
                key: number for key, number in row.items() if key != "month"
            }


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visits=VISITS, month=st.sampled_from(["2026-03", "2026-04", "2026-10"]))
def test_every_number_of_the_clinics_report_equals_a_recount_by_hand(
    house: House, visits: list[dict[str, Any]], month: str
) -> None:
    made(house, visits)
    bounds = service_clock.month_bounds(month, BERLIN)
    with house.reading() as session:
        found: Any = clinic_reports.produce(session, month, BERLIN)
    expected = Recount(house, *bounds).all_of_a_report(BERLIN)
    assert {key: found["figures"][key] for key in expected} == expected
    for row in found["compared"]:
        before = Recount(house, *service_clock.month_bounds(row["month"], BERLIN)).ended()
        assert all(before[key] == number for key, number in row.items() if key != "month")
    assert len(found["doctors"]) == house.count(Doctor)
    for row in found["doctors"]:
        counted = Recount(house, *bounds, row["doctor_id"])
        numbers = counted.all_of_a_report(BERLIN)
        assert all(row[key] == numbers[key] for key in row.keys() & numbers.keys())
        assert row["unfinished"] == len(counted.unfinished())
    (department,) = found["departments"]
    assert (department["name"], department["doctors"]) == ("Surgery", len(found["doctors"]))
    assert all(department[key] == expected[key] for key in department.keys() & expected.keys())


# What stands beside what, and the hours open


@pytest.mark.parametrize(
    ("month", "beside"),
    [("2026-01", ["2025-12", "2025-01"]), ("2026-03", ["2026-02", "2025-03"]), ("2028-02", ["2028-01", "2027-02"])],
)
def test_a_month_stands_beside_the_one_before_and_the_same_last_year(
    house: House, month: str, beside: list[str]
) -> None:
    who, lena = doctor(house), house.patient()
    for number, name in enumerate(beside, start=1):
        for hour in range(number):
            house.visit(who, lena, at(f"{name}-15 {hour + 8:02}:00"), status="completed")
    found = content(house, who, month)
    assert [(row["month"], row["visits"]) for row in found["compared"]] == [(beside[0], 1), (beside[1], 2)]


@pytest.mark.parametrize(
    ("joined", "left", "first", "last"),
    [
        ("2020-01-01 00:00", None, "2026-04-01", "2026-04-30"),
        ("2026-04-15 10:00", None, "2026-04-15", "2026-04-30"),
        ("2020-01-01 00:00", "2026-04-20 22:30", "2026-04-01", "2026-04-21"),
        ("2026-04-15 10:00", "2026-04-20 10:00", "2026-04-15", "2026-04-20"),
        ("2026-03-31 22:00", None, "2026-04-01", "2026-04-30"),
    ],
)
def test_hours_open_count_from_the_day_a_doctor_joins_until_the_day_they_leave(
    house: House, joined: str, left: str | None, first: str, last: str
) -> None:
    who = doctor(house, created_at=at(joined), archived_at=at(left) if left else None)
    house.hours(who, "08:00", "12:30", days="0124")
    found = content(house, who, "2026-04")
    assert found["figures"]["open_minutes"] == hours_open(house, who, day(first), day(last)) > 0
    assert found["here_from"] == (first if first != "2026-04-01" else None)
    assert found["here_until"] == (last if last != "2026-04-30" else None)


def test_time_off_is_not_open_and_extra_hours_are(house: House) -> None:
    who = doctor(house)
    house.hours(who, "08:00", "12:00")
    with house.writing() as session:
        away = {"first_day": day("2026-04-06"), "last_day": day("2026-04-10"), "kind": "off"}
        extra = {"first_day": day("2026-04-20"), "last_day": day("2026-04-20"), "kind": "extra", "slot_minutes": 15}
        session.add(HoursException(doctor_id=who, created_at=at("2026-01-01 00:00"), **away))
        session.add(
            HoursException(
                doctor_id=who, created_at=at("2026-01-01 00:00"), starts=time(14), ends=time(15, 30), **extra
            )
        )
    assert content(house, who, "2026-04")["figures"]["open_minutes"] == (30 - 5) * 240 + 90


def test_a_doctor_whose_visits_came_from_another_program_was_here_before_their_row(house: House) -> None:
    who = doctor(house, created_at=at("2026-04-15 10:00"))
    house.hours(who)
    house.visit(who, house.patient(), at("2026-04-02 10:00"), status="completed")
    found = content(house, who, "2026-04")
    assert found["here_from"] is None
    assert found["figures"]["open_minutes"] == 30 * 11 * 60


# Whose report is due


def test_a_doctor_without_visits_has_a_report_too(house: House) -> None:
    who = doctor(house)
    assert missing(house, "2026-04") == ([who], 0)
    found = content(house, who, "2026-04")
    assert (found["visits"], found["treatments"], found["patients_seen"]) == ([], [], 0)
    assert set(found["outcomes"].values()) == {0}


@pytest.mark.parametrize(
    ("joined", "left", "due"),
    [
        ("2026-04-30 21:59", None, True),
        ("2026-04-30 22:00", None, False),
        ("2020-01-01 00:00", "2026-03-31 21:59", False),
        ("2020-01-01 00:00", "2026-03-31 22:00", True),
        ("2020-01-01 00:00", "2026-05-20 10:00", True),
    ],
)
def test_a_doctor_has_a_report_of_the_months_they_were_here(
    house: House, joined: str, left: str | None, due: bool
) -> None:
    who = doctor(house, created_at=at(joined), archived_at=at(left) if left else None)
    assert missing(house, "2026-04")[0] == ([who] if due else [])


def test_a_doctor_who_had_left_but_had_a_visit_has_a_report(house: House) -> None:
    who = doctor(house, archived_at=at("2026-03-31 10:00"))
    house.visit(who, house.patient(), at("2026-04-10 10:00"))
    assert missing(house, "2026-04")[0] == [who]
    assert missing(house, "2026-05")[0] == []


def store(house: House, doctor_id: int, month: str = "2026-04", found: dict[str, Any] | None = None) -> bool:
    content: Any = {"visits": [], **(found or {"by": "first"})}
    with house.writing() as session:
        return reports.store(session, doctor_id, month, content)


def test_a_report_is_made_once_and_stays_as_it_was(house: House) -> None:
    who = doctor(house)
    assert store(house, who)
    assert not store(house, who, found={"by": "second"})
    assert missing(house, "2026-04") == ([], 1)
    with house.reading() as session:
        assert session.query(Report).one().content == {"visits": [], "by": "first"}
    assert house.count(AuditEntry, AuditEntry.act == "report.make") == 1


def test_f11_of_many_that_make_a_report_at_once_one_is_kept(house: House) -> None:
    who = doctor(house)
    assert together(8, lambda number: store(house, who, found={"by": number})).count(True) == 1
    assert house.count(Report) == 1


# Which month


@pytest.mark.parametrize(
    ("now", "month"),
    [
        ("2026-01-01 00:00", "2025-12"),
        ("2025-12-31 22:59", "2025-11"),
        ("2025-12-31 23:00", "2025-12"),
        ("2026-03-31 21:59", "2026-02"),
        ("2026-03-31 22:00", "2026-03"),
        ("2028-03-01 12:00", "2028-02"),
    ],
)
def test_the_last_month_is_the_one_that_has_ended_on_the_clinics_wall(now: str, month: str) -> None:
    with time_machine.travel(at(now), tick=False):
        assert reports.last_month(BERLIN) == month
        assert reports.check_month(month, BERLIN) == month
        for unfinished in (f"{at(now) + timedelta(hours=2):%Y-%m}", f"{at(now) + timedelta(days=40):%Y-%m}"):
            with pytest.raises(Invalid, match=f"{unfinished} has not ended yet"):
                reports.check_month(unfinished, BERLIN)


@pytest.mark.parametrize(
    "month",
    ["", "may", "2026-13", "2026-5", "2026-05-01", "0000-01", "0001-01", "9999-12", "99999-01", "٢٠٢٦-٠٤", "-1"],
)
def test_what_is_no_month_is_refused_in_one_sentence(month: str) -> None:
    with pytest.raises(Invalid) as refused:
        reports.check_month(month, BERLIN)
    assert "\n" not in str(refused.value)


# Who sees them


def test_z2_a_doctor_sees_their_own_reports_and_the_admin_all(house: House) -> None:
    one, two = doctor(house), doctor(house, "other@clinic.example")
    for who in (one, two):
        for month in ("2026-03", "2026-04"):
            store(house, who, month)
    admin = house.user("admin", "admin@clinic.example")
    desk, patient = house.user("receptionist", "desk@clinic.example"), house.user("patient", "p@mail.example")
    mine = house.actor("doctor@clinic.example")
    with house.reading() as session:
        assert [(row.doctor_id, row.month) for row in reports.archive(session, mine)[0]] == [
            (one, "2026-04"),
            (one, "2026-03"),
        ]
        everything, older = reports.archive(session, admin)
        assert ([row.month for row in everything], older) == (["2026-04", "2026-04", "2026-03", "2026-03"], None)
        for row in everything:
            assert reports.fetch(session, admin, row.id).doctor.name == "Dr. Ada Berg"
            if row.doctor_id == one:
                assert reports.fetch(session, mine, row.id) is row
            else:
                with pytest.raises(NotFound):
                    reports.fetch(session, mine, row.id)
        for nobody in (desk, patient, SYSTEM):
            with pytest.raises(NotFound):
                reports.archive(session, nobody)
            with pytest.raises(NotFound):
                reports.fetch(session, nobody, everything[0].id)


def test_the_archive_has_pages_without_gap_or_repetition(house: House) -> None:
    who, count = doctor(house), 2 * reports.PAGE + 5
    for number in range(count):
        store(house, who, f"{2010 + number // 12}-{number % 12 + 1:02}")
    actor, seen, before = house.actor("doctor@clinic.example"), [], None
    with house.reading() as session:
        while True:
            page, before = reports.archive(session, actor, before)
            assert len(page) <= reports.PAGE
            seen += [row.month for row in page]
            if before is None:
                break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == count
