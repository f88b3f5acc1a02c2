"""The clock: days and months of the clinic's wall clock as instants, also where clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from service import clock
from service.clock import DayTime
from tests.house import at, day

BERLIN, HAVANA, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Havana"), ZoneInfo("Australia/Lord_Howe")
ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
).map(ZoneInfo)
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))


def test_now_is_aware_and_in_utc() -> None:
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        assert clock.now() == at("2026-05-04 06:00")
        assert clock.now().tzinfo is UTC


def test_today_is_the_day_on_the_wall_of_the_clinic() -> None:
    with time_machine.travel(at("2026-05-03 22:30"), tick=False):
        assert clock.today(BERLIN) == day("2026-05-04")
        assert clock.today(ZoneInfo("UTC")) == day("2026-05-03")
        assert clock.today(ZoneInfo("America/New_York")) == day("2026-05-03")


@pytest.mark.parametrize(
    ("zone", "on", "start", "hours"),
    [
        (BERLIN, "2026-05-04", "2026-05-03 22:00", 24),
        (BERLIN, "2026-03-29", "2026-03-28 23:00", 23),
        (BERLIN, "2026-10-25", "2026-10-24 22:00", 25),
        (HAVANA, "2026-03-08", "2026-03-08 05:00", 23),
        (HAVANA, "2025-11-02", "2025-11-02 04:00", 25),
        (LORD_HOWE, "2026-10-04", "2026-10-03 13:30", 23.5),
    ],
)
def test_f19_a_clinic_day_begins_and_ends_at_the_wall_clocks_midnight(
    zone: ZoneInfo, on: str, start: str, hours: float
) -> None:
    first, following = clock.day_bounds(day(on), zone)
    assert first == at(start)
    assert following - first == timedelta(hours=hours)


@given(DAYS, ZONES)
def test_f19_days_follow_each_other_without_gap_or_overlap(on: date, zone: ZoneInfo) -> None:
    first, following = clock.day_bounds(on, zone)
    assert first.astimezone(zone).date() == on
    assert (following - timedelta(microseconds=1)).astimezone(zone).date() == on
    assert (first - timedelta(microseconds=1)).astimezone(zone).date() == on - timedelta(days=1)
    assert following == clock.day_bounds(on + timedelta(days=1), zone)[0]


def test_f19_a_time_that_the_spring_change_skips_is_the_hour_after() -> None:
    assert clock.instant(day("2026-03-29"), time(2, 30), BERLIN).astimezone(BERLIN).time() == time(3, 30)


def test_f19_a_time_that_comes_twice_in_autumn_is_the_first_of_the_two() -> None:
    assert clock.instant(day("2026-10-25"), time(2, 30), BERLIN) == at("2026-10-25 00:30")


def test_a_month_begins_and_ends_at_the_wall_clocks_midnight() -> None:
    assert clock.month_bounds("2026-03", BERLIN) == (at("2026-02-28 23:00"), at("2026-03-31 22:00"))
    assert clock.month_bounds("2025-12", BERLIN) == (at("2025-11-30 23:00"), at("2025-12-31 23:00"))


@given(DAYS, ZONES)
def test_f19_a_month_is_exactly_its_days(on: date, zone: ZoneInfo) -> None:
    month = f"{on:%Y-%m}"
    first, following = clock.month_bounds(month, zone)
    lengths = timedelta()
    days = (clock.next_month(on.replace(day=1)) - on.replace(day=1)).days
    for number in range(1, days + 1):
        start, end = clock.day_bounds(on.replace(day=number), zone)
        assert first <= start < end <= following
        lengths += end - start
    assert lengths == following - first


@given(DAYS)
def test_the_month_before_the_next_is_this_one(on: date) -> None:
    first = on.replace(day=1)
    assert clock.previous_month(clock.next_month(first)) == first
    assert clock.next_month(first).day == 1
    assert timedelta(days=28) <= clock.next_month(first) - first <= timedelta(days=31)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-5", "2026-13", "2026-00", "26-05", "2026-05-01", " 2026-05", "٢٠٢٦-٠٥"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        clock.first_of_month(text)


def test_a_month_is_read() -> None:
    assert clock.first_of_month("2026-05") == day("2026-05-01")
    assert clock.month_bounds("2024-02", ZoneInfo("UTC"))[1] == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("starts", "ends", "minutes", "shown"),
    [
        ("08:00", "12:30", 750, "12:30"),
        ("22:00", "24:00", 1440, "24:00"),
        ("22:00", "00:00", 1440, "24:00"),
        ("00:00", "00:00", 1440, "24:00"),
        ("22:00", "02:00", 1560, "02:00"),
        ("08:00", "07:59", 1919, "07:59"),
        ("08:00", "08:00", 480, "08:00"),
    ],
)
def test_an_end_before_the_start_is_on_the_next_day(starts: str, ends: str, minutes: int, shown: str) -> None:
    end = DayTime.read(starts).until(DayTime.read(ends))
    assert (end.minutes, end.shown, end.is_next_day) == (minutes, shown, minutes > 1440)


@pytest.mark.parametrize("text", ["24:01", "25:00", "8:00", "08:60", "08:00:00", "midnight", "\u0660\u0668:00"])
def test_what_is_no_time_of_day_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        DayTime.read(text)


def test_hours_after_midnight_are_an_instant_of_the_next_day() -> None:
    evening, two = DayTime.at(22), DayTime.at(26)
    assert (str(two), two.on(day("2026-05-04"))) == ("26:00", datetime(2026, 5, 5, 2))  # noqa: DTZ001
    saturday = day("2026-10-24")
    assert (evening.instant(saturday, BERLIN), two.instant(saturday, BERLIN)) == (
        at("2026-10-24 20:00"),
        at("2026-10-25 00:00"),
    )
    assert DayTime.at(28).instant(saturday, BERLIN) == at("2026-10-25 03:00")
