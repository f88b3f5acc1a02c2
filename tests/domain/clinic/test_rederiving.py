"""Packed days under any change of law: no one overlaps on the way, and all that can keep their time do."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.domain.clinic.rederiving import Ahead, Plan, Why, plan

DAY = datetime(2027, 3, 28, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
SHIFTS = st.sampled_from([None, *(timedelta(minutes=minutes) for minutes in (0, 30, 60, -30, -60, 24 * 60, -24 * 60))])


@st.composite
def packed(draw: st.DrawFn) -> list[Ahead]:
    """Appointments of two doctors and three patients, none on top of another; each stretch has its own shift."""
    shifts = draw(st.lists(SHIFTS, min_size=1, max_size=3))
    found: list[Ahead] = []
    for number in range(draw(st.integers(1, 14))):
        start = DAY + draw(st.integers(0, 190)) * QUARTER
        length = draw(st.integers(1, 4)) * QUARTER
        shift = shifts[int((start - DAY).total_seconds() // 3600) * len(shifts) // 50]
        one = Ahead(
            id=number,
            doctor_id=draw(st.integers(1, 2)),
            patient_id=draw(st.integers(1, 3)),
            starts_at=start,
            ends_at=start + length,
            blocked_from=start,
            blocked_until=start + length,
            local_start="",
            wanted=None if shift is None else start + shift,
            overbooked=draw(st.integers(0, 9)) == 0,
        )
        if one.overbooked or not any(meet(one, other, timedelta(), timedelta()) for other in found):
            found.append(one)
    return found


def meet(one: Ahead, other: Ahead, shift: timedelta, other_shift: timedelta) -> bool:
    """Whether two appointments that count are at one time with one person."""
    if one.id == other.id or one.overbooked or other.overbooked:
        return False
    same = one.doctor_id == other.doctor_id or one.patient_id == other.patient_id
    return (
        same
        and one.starts_at + shift < other.ends_at + other_shift
        and other.starts_at + other_shift < one.ends_at + shift
    )


def played(appointments: Sequence[Ahead], result: Plan) -> dict[int, timedelta]:
    """The shifts after all moves; an overlap on the way is an error, as it is in the database."""
    shifts = {one.id: timedelta() for one in appointments}
    for one, shift in result.moves:
        shifts[one.id] = shift
        assert not any(meet(one, other, shift, shifts[other.id]) for other in appointments)
    return shifts


@given(packed())
def test_nobody_overlaps_on_the_way_or_at_the_end(appointments: list[Ahead]) -> None:
    result = plan(appointments)
    shifts = played(appointments, result)
    for one in appointments:
        if one.id in result.kept:
            assert shifts[one.id] == timedelta()
        else:
            assert one.starts_at + shifts[one.id] == one.wanted


@given(packed())
def test_appointments_that_keep_their_instant_have_a_reason(appointments: list[Ahead]) -> None:
    result = plan(appointments)
    for one in appointments:
        why = result.kept.get(one.id)
        assert (why is Why.SKIPPED) == (one.wanted is None)
        if why is Why.OVERLAP:
            assert one.wanted != one.starts_at


@given(st.integers(1, 60), st.sampled_from([30, 60, 1440, -30, -60, -1440]))
def test_a_whole_packed_day_moves_by_one_shift_without_a_rest(count: int, minutes: int) -> None:
    shift = timedelta(minutes=minutes)
    starts = [DAY + number * QUARTER for number in range(count)]
    appointments = [
        Ahead(number, 1, number, at, at + QUARTER, at, at + QUARTER, "", at + shift) for number, at in enumerate(starts)
    ]
    result = plan(appointments)
    assert not result.kept
    assert set(played(appointments, result).values()) == {shift}
