"""The monthly report: the clinic's calendar month, counted exactly, of every doctor who was here."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from service import clock as service_clock
from service.domain import reports
from service.domain.actor import SYSTEM
from service.domain.errors import Invalid, NotFound
from service.models import AuditEntry, Doctor, Report
from tests.crowd import together
from tests.house import House, at

BERLIN = ZoneInfo("Europe/Berlin")


def doctor(house: House, email: str = "doctor@clinic.example", **more: Any) -> int:
    found = house.user("doctor", email, "Dr. Ada Berg", department="Surgery").doctor_id
    assert found is not None
    with house.writing() as session:
        here = {"created_at": at("2020-01-01 00:00"), **more}
        session.execute(update(Doctor).where(Doctor.id == found).values(**here))
    return found


def content(house: House, doctor_id: int, month: str, zone: ZoneInfo = BERLIN) -> dict[str, Any]:
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
    for day, status in enumerate(["no_show", "cancelled", "cancelled", "booked", "arrived"], start=2):
        house.visit(who, mia, noon + timedelta(days=day), status=status, reason="knee")
    house.treated(other, mia, noon)
    found = content(house, who, "2026-04")
    assert (found["doctor_name"], found["department"]) == ("Dr. Ada Berg", "Surgery")
    assert found["outcomes"] == {"completed": 2, "no_show": 1, "cancelled": 2, "to_complete": 2}
    assert found["patients_seen"] == 1
    assert found["treatments"][0] == {
        "starts_at": noon.isoformat(),
        "patient_id": lena,
        "patient_name": "Lena Vogt",
        "visit_type": "Check-up",
        "diagnosis": "cold",
        "treatment": "rest",
    }
    assert found["visits"][2] == {
        "starts_at": (noon + timedelta(days=2)).isoformat(),
        "patient_id": mia,
        "patient_name": "Mia <b>Vogt",
        "status": "no_show",
        "reason": "knee",
    }


RECOUNT = """
SELECT status, count(*), count(DISTINCT patient_id) FROM appointments
WHERE doctor_id = :doctor AND starts_at >= :start AND starts_at < :end GROUP BY status
"""
EDGES = [service_clock.month_bounds(month, BERLIN)[0] for month in ("2026-03", "2026-04", "2026-10", "2026-11")]
VISITS = st.lists(
    st.tuples(
        st.sampled_from(EDGES),
        st.integers(-200, 200),
        st.sampled_from(["booked", "arrived", "completed", "cancelled", "no_show"]),
        st.integers(0, 2),
    ),
    max_size=12,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visits=VISITS, month=st.sampled_from(["2026-02", "2026-03", "2026-04", "2026-10", "2026-11"]))
def test_e9_a_report_equals_a_recount_by_hand(
    house: House, visits: list[tuple[Any, int, str, int]], month: str
) -> None:
    with house.reading() as session:
        number = session.query(Doctor).count()
    who = doctor(house, f"doctor{number}@clinic.example")
    patients = [house.patient(f"Patient {one}") for one in range(3)]
    for edge, minutes, status, patient in visits:
        house.visit(who, patients[patient], edge + timedelta(minutes=minutes), status=status)
    start, end = service_clock.month_bounds(month, BERLIN)
    if house.wiring.database.is_sqlite:
        edges: Any = {"start": f"{start:%Y-%m-%d %H:%M:%S.%f}", "end": f"{end:%Y-%m-%d %H:%M:%S.%f}"}
    else:
        edges = {"start": start, "end": end}
    with house.reading() as session:
        rows = session.execute(text(RECOUNT), {"doctor": who, **edges}).all()
    counted = {status: (number, people) for status, number, people in rows}
    found = content(house, who, month)
    assert found["outcomes"] == {
        "completed": counted.get("completed", (0, 0))[0],
        "no_show": counted.get("no_show", (0, 0))[0],
        "cancelled": counted.get("cancelled", (0, 0))[0],
        "to_complete": counted.get("booked", (0, 0))[0] + counted.get("arrived", (0, 0))[0],
    }
    assert found["patients_seen"] == counted.get("completed", (0, 0))[1]
    assert len(found["visits"]) == sum(number for number, _people in counted.values())


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
    with house.writing() as session:
        return reports.store(session, doctor_id, month, {"visits": [], **(found or {"by": "first"})})


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
