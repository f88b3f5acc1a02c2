"""The plan of the demo clinic: everyone in one place at a time, on busy and quiet days, as many as asked."""

from collections import Counter
from datetime import date
from random import Random

import pytest

from service.demo import plan as demo_plan
from service.demo.plan import Size, Visit
from service.domain.foundation.errors import Invalid

MONDAY = date(2026, 5, 4)
SIZES = [
    Size(),
    Size(1, 1, 0),
    Size(1, 1, 1),
    Size(1, 1, 200),
    Size(1, 1, 30_000),
    Size(4, 1, 300),
    Size(5, 3, 22),
    Size(2, 9, 21),
    Size(3, 10, 60),
    Size(9, 105, 40_000),
    Size(500, 40, 9000),
    Size(20, 5000, 60_000),
]


def plan(size: Size, seed: int = 1) -> dict[int, list[Visit]]:
    fixed = demo_plan.arranged(size)
    counts = demo_plan.counts(size, fixed, MONDAY, Random(seed))
    return {day: demo_plan.day(size, Random(day), day, counts[day], fixed.get(day, [])) for day in sorted(counts)}


def words(size: Size) -> str:
    return f"{size.doctors}-{size.patients}-{size.appointments}"


@pytest.mark.parametrize("size", SIZES, ids=words)
def test_nobody_is_in_two_places_and_no_visit_is_missing(size: Size) -> None:
    days = plan(size)
    assert sum(map(len, days.values())) == size.appointments
    assert max(days) <= 91
    for visits in days.values():
        assert all(0 <= visit.slot < 60 for visit in visits)
        assert all(0 <= visit.doctor < size.doctors and 0 <= visit.patient < size.patients for visit in visits)
        assert len({(visit.slot, visit.doctor) for visit in visits}) == len(visits)
        assert len({(visit.slot, visit.patient) for visit in visits}) == len(visits)


@pytest.mark.parametrize("size", SIZES, ids=words)
def test_the_first_doctor_and_the_first_patient_meet_today_and_often_before(size: Size) -> None:
    days = plan(size)
    assert (Visit(59, 0, 0, 0) in days[0]) == (size.appointments > 0)
    if size.appointments > 20:
        turns = [visit for day, visits in days.items() if day < 0 for visit in visits if visit.turn is not None]
        assert sorted(visit.turn or 0 for visit in turns) == list(range(20))
        assert {visit.patient for visit in turns} == {0}
        assert 0 in {visit.doctor for visit in turns}
        assert len({visit.doctor for visit in turns}) > 1 or size.doctors <= 2


def test_a_default_clinic_spans_a_year_back_and_three_months_ahead() -> None:
    days = plan(Size())
    assert (min(days), max(days)) == (-365, 91)
    near = sum(len(days[day]) for day in range(-7, 8) if day)
    far = sum(len(days[day]) for day in range(-97, -82))
    assert near > 2 * far
    assert all(len(days[day]) < len(days[0]) for day in days if day)


def test_more_visits_than_fit_make_the_past_longer_and_never_the_future() -> None:
    days = plan(Size(1, 2000, 24_000))
    assert min(days) < -365
    assert max(days) == 91
    assert max(map(len, days.values())) <= 46


def test_today_every_doctor_is_busy_all_day() -> None:
    today = plan(Size())[0]
    per_doctor = Counter(visit.doctor for visit in today)
    assert set(per_doctor) == {0, 1, 2, 3}
    assert all(6 <= number <= 11 for number in per_doctor.values())
    assert {visit.slot // 15 for visit in today} == {0, 1, 2, 3}


@pytest.mark.parametrize("appointments", [5, 30, 100, 150])
def test_today_has_no_more_than_a_fifth_of_a_small_clinics_visits(appointments: int) -> None:
    assert 1 <= len(plan(Size(4, 300, appointments))[0]) <= appointments // 5


def test_nobody_comes_twice_a_day_where_there_are_enough_patients() -> None:
    assert all(len({visit.patient for visit in visits}) == len(visits) for visits in plan(Size()).values())


def test_patients_mostly_see_one_doctor() -> None:
    by_patient: dict[int, Counter[int]] = {}
    for visits in plan(Size()).values():
        for visit in visits:
            by_patient.setdefault(visit.patient, Counter())[visit.doctor] += 1
    assert sum(max(doctors.values()) for doctors in by_patient.values()) > 0.7 * 2500


@pytest.mark.parametrize("wrong", [(0, 1, 1), (501, 1, 1), (1, 0, 1), (1, 1, -1), (1, 1, 1_000_001)])
def test_impossible_sizes_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(Invalid):
        Size(*wrong)
