"""The schedule: which slots are due by the clinic's wall clock, each exactly once, whatever the clocks do."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from service.config.settings import Jobs, Settings
from service.jobs import local_backend, schedule
from service.jobs.generate_monthly_report import generate_monthly_report
from service.jobs.schedule import CatchUp, Kind, Row
from service.jobs.send_daily_reminders import send_daily_reminders
from service.jobs.write_day_sheets import write_day_sheets
from service.language.formats import Formats
from tests.house import at

FORMATS = Formats(Settings().clinic)
BERLIN = ZoneInfo("Europe/Berlin")
ROOM = Path(schedule.__file__).parent
ZONES = ["Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu"]
DAILY = Row(send_daily_reminders, "Daily reminders", Kind.DAILY, time(8), CatchUp.SAME_DAY)
WEEKLY = Row(write_day_sheets, "On Sundays", Kind.WEEKLY, time(2, 30), CatchUp.ALWAYS, day=7)
MONTHLY = Row(generate_monthly_report, "Monthly reports", Kind.MONTHLY, time(0), CatchUp.ALWAYS)


def due(row: Row, last: str | None, now: str, zone: ZoneInfo = BERLIN) -> list[str]:
    return [slot.name for slot in schedule.due_slots(row, last, at(now), zone)]


@pytest.mark.parametrize(
    ("last", "now", "names"),
    [
        ("2026-05-03", "2026-05-04 05:59", []),
        ("2026-05-03", "2026-05-04 06:00", ["2026-05-04"]),
        ("2026-05-04", "2026-05-04 06:00", []),
        ("2026-05-04", "2026-05-05 05:59", []),
        ("2026-05-01", "2026-05-04 20:00", ["2026-05-02", "2026-05-03", "2026-05-04"]),
        ("2025-12-31", "2026-01-01 07:00", ["2026-01-01"]),
        ("2028-02-28", "2028-02-29 07:00", ["2028-02-29"]),
        ("2028-02-28", "2028-03-01 07:00", ["2028-02-29", "2028-03-01"]),
        (None, "2026-05-04 06:00", ["2026-05-04"]),
        (None, "2026-05-04 05:59", ["2026-05-03"]),
        ("2026-05-20", "2026-05-04 06:00", ["2026-05-04"]),  # the clock was ahead for a while
    ],
)
def test_a_daily_job_is_due_once_its_hour_has_come(last: str | None, now: str, names: list[str]) -> None:
    assert due(DAILY, last, now) == names


@pytest.mark.parametrize(
    ("last", "now", "names"),
    [
        ("2026-03", "2026-04-30 21:59", []),
        ("2026-03", "2026-04-30 22:00", ["2026-04"]),
        ("2026-04", "2026-05-15 12:00", []),
        ("2025-11", "2025-12-31 23:00", ["2025-12"]),
        ("2026-02", "2026-04-01 00:00", ["2026-03"]),
        ("2026-02", "2026-05-31 22:00", ["2026-03", "2026-04", "2026-05"]),
        ("2028-01", "2028-02-29 23:00", ["2028-02"]),
        (None, "2026-05-15 12:00", ["2026-04"]),
    ],
)
def test_a_monthly_job_is_due_on_its_day_for_the_month_before(last: str | None, now: str, names: list[str]) -> None:
    assert due(MONTHLY, last, now) == names


@pytest.mark.parametrize(
    ("last", "now", "names"),
    [
        ("2026-04-26", "2026-05-03 00:29", []),  # a Sunday, 02:29
        ("2026-04-26", "2026-05-03 00:30", ["2026-05-03"]),
        ("2026-05-03", "2026-05-09 12:00", []),
        ("2026-04-19", "2026-05-09 12:00", ["2026-04-26", "2026-05-03"]),
        (None, "2026-05-09 12:00", ["2026-05-03"]),
    ],
)
def test_a_weekly_job_is_due_on_its_day_of_the_week(last: str | None, now: str, names: list[str]) -> None:
    assert due(WEEKLY, last, now) == names
    assert WEEKLY.words(FORMATS) == "on day 7 of the week at 02:30"


def test_a_monthly_job_may_have_another_day_and_hour() -> None:
    row = Row(generate_monthly_report, "", Kind.MONTHLY, time(6, 30), CatchUp.ALWAYS, day=28)
    assert due(row, "2026-02", "2026-05-28 04:29") == ["2026-03"]
    assert due(row, "2026-03", "2026-05-28 04:29") == []
    assert due(row, "2026-03", "2026-05-28 04:30") == ["2026-04"]


def test_f19_the_first_of_april_is_due_although_apschedulers_own_cron_would_jump_over_it() -> None:
    cron = CronTrigger(day=1, hour=0, minute=0, timezone=BERLIN)
    march = datetime(2026, 3, 1, tzinfo=BERLIN)
    assert cron.get_next_fire_time(march, march + timedelta(seconds=1)) == datetime(2026, 5, 1, tzinfo=BERLIN)
    assert due(MONTHLY, "2026-02", "2026-03-31 21:59") == []
    assert due(MONTHLY, "2026-02", "2026-03-31 22:00") == ["2026-03"]
    assert schedule.next_due(MONTHLY, march, BERLIN) == at("2026-03-31 22:00")


@pytest.mark.parametrize(
    ("now", "names"),
    [
        ("2026-03-29 00:59", []),  # 01:59, then the clock shows 03:00
        ("2026-03-29 01:00", ["2026-03-29"]),
        ("2026-10-25 00:29", []),  # 02:29 for the first time
        ("2026-10-25 00:30", ["2026-10-25"]),
    ],
)
def test_f19_a_job_at_half_past_two_is_due_on_both_days_that_clocks_change(now: str, names: list[str]) -> None:
    row = Row(send_daily_reminders, "", Kind.DAILY, time(2, 30), CatchUp.SAME_DAY)
    last = "2026-03-28" if now < "2026-06" else "2026-10-24"
    assert due(row, last, now) == names


def test_f19_the_second_half_past_two_in_autumn_opens_nothing_new() -> None:
    row = Row(send_daily_reminders, "", Kind.DAILY, time(2, 30), CatchUp.SAME_DAY)
    for now in ("2026-10-25 01:00", "2026-10-25 01:15", "2026-10-25 01:30", "2026-10-25 12:00"):
        assert set(due(row, "2026-10-25", now)) <= {"2026-10-24"}, "at most what the ledger has"


def test_two_months_without_the_computer_leave_no_month_out_and_at_most_a_month_of_days() -> None:
    assert due(MONTHLY, "2026-02", "2026-05-20 10:00") == ["2026-03", "2026-04"]
    days = due(DAILY, "2026-03-20", "2026-05-20 10:00")
    assert days[-1] == "2026-05-20"
    assert 31 <= len(days) <= 32
    assert days == sorted(set(days))


def ticks(clinic: ZoneInfo, *, dense: bool) -> Iterator[datetime]:
    """Two years of looks at the clock: every quarter of an hour, if not `dense` only around the days that matter."""
    now = datetime(2026, 1, 1, 12, tzinfo=clinic).timestamp()
    while now <= datetime(2028, 1, 1, 12, tzinfo=clinic).timestamp():
        at = datetime.fromtimestamp(now, clinic)
        yield at
        near = {(at + timedelta(days=days)).utcoffset() for days in (-2, 2)}
        now += 900 if dense or len(near) > 1 or at.day in (1, 28) else 7200


def following(name: str, kind: Kind) -> str:
    """The slot after one, of a day, a week or a month."""
    if kind is not Kind.MONTHLY:
        return (date.fromisoformat(name) + timedelta(days=7 if kind is Kind.WEEKLY else 1)).isoformat()
    return f"{int(name[:4]) + 1}-01" if name.endswith("-12") else f"{name[:5]}{int(name[5:]) + 1:02}"


@pytest.mark.parametrize("dense", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["", "every tick"])
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "row",
    [
        DAILY,
        WEEKLY,
        MONTHLY,
        Row(send_daily_reminders, "", Kind.DAILY, time(0), CatchUp.SAME_DAY),
        Row(send_daily_reminders, "", Kind.DAILY, time(2, 30), CatchUp.SAME_DAY),
        Row(generate_monthly_report, "", Kind.MONTHLY, time(2, 30), CatchUp.ALWAYS, day=28),
    ],
    ids=lambda row: f"{row.kind} {row.at:%H%M}",
)
def test_f19_two_years_of_ticks_open_each_slot_once_in_turn_and_none_early(row: Row, zone: str, dense: bool) -> None:
    clinic = ZoneInfo(zone)
    opened: list[str] = []
    before = datetime(2026, 1, 1, tzinfo=clinic)
    for now in ticks(clinic, dense=dense):
        for slot in schedule.due_slots(row, opened[-1] if opened else None, now, clinic):
            if slot.name in opened:  # when clocks go back the one before is named again: the ledger has it
                continue
            assert (now.date(), now.time()) >= (slot.due_at.astimezone(clinic).date(), row.at), "not early"
            assert not opened or slot.due_at.timestamp() > before.timestamp(), "at the first tick after its time"
            assert not opened or slot.name == following(opened[-1], row.kind), "none left out, none twice"
            opened.append(slot.name)
        before = now
    assert len(opened) in {Kind.DAILY: (730, 731), Kind.WEEKLY: (104, 105), Kind.MONTHLY: (24, 25)}[row.kind]


INSTANTS = st.builds(
    datetime.fromtimestamp, st.integers(1_700_000_000, 1_900_000_000), st.sampled_from(ZONES).map(ZoneInfo)
)


@given(st.lists(INSTANTS, min_size=1, max_size=8), st.sampled_from([DAILY, WEEKLY, MONTHLY]), st.sampled_from(ZONES))
def test_whenever_anybody_looks_slots_follow_each_other_and_none_comes_twice(
    looks: list[datetime], row: Row, zone: str
) -> None:
    last, opened = None, []
    for now in sorted(looks):
        for slot in schedule.due_slots(row, last, now, ZoneInfo(zone)):
            assert last is None or slot.name > last
            last = slot.name
            opened.append(slot.name)
        assert schedule.next_due(row, now, ZoneInfo(zone)) >= now
    assert len(opened) == len(set(opened))


@pytest.mark.parametrize(("minutes", "trigger"), [(0, "schedule"), (5, "schedule"), (6, "catchup"), (3000, "catchup")])
def test_a_slot_more_than_five_minutes_late_is_caught_up(minutes: int, trigger: str) -> None:
    slot = next(schedule.due_slots(DAILY, None, at("2026-05-04 06:00"), BERLIN))
    assert schedule.trigger_of(slot, slot.due_at + timedelta(minutes=minutes)) == trigger


@pytest.mark.parametrize(
    ("row", "now", "began", "reasons"),
    [
        (DAILY, "2026-05-04 06:00", "2020-01-01 00:00", [None]),
        (DAILY, "2026-05-04 21:59", "2020-01-01 00:00", [None]),
        (DAILY, "2026-05-04 22:00", "2020-01-01 00:00", ["day_is_over"]),
        (DAILY, "2026-05-04 08:00", "2026-05-04 07:00", ["before_start"]),
        (DAILY, "2026-05-04 08:00", "2026-05-04 06:00", [None]),
        (MONTHLY, "2026-05-30 08:00", "2020-01-01 00:00", [None]),
        (MONTHLY, "2026-05-30 08:00", "2026-05-10 07:00", ["before_start"]),
    ],
)
def test_a_slot_is_left_out_with_a_reason(row: Row, now: str, began: str, reasons: list[str | None]) -> None:
    slots = schedule.due_slots(row, None, at(now), BERLIN)
    assert [schedule.reason_to_skip(row, slot, at(now), BERLIN, at(began)) for slot in slots] == reasons


def test_the_table_follows_the_settings() -> None:
    chosen = Settings(jobs=Jobs(sheets_at="06:45", reminders_at="07:15", reports_day=3, reports_at="05:00"))
    rows = {row.job: row for row in schedule.table(chosen)}
    assert rows["write_day_sheets"].words(FORMATS) == "every day at 06:45"
    assert rows["send_daily_reminders"].words(FORMATS) == "every day at 07:15"
    assert rows["generate_monthly_report"].words(FORMATS) == "on day 3 of the month at 05:00"
    assert schedule.next_due(rows["generate_monthly_report"], at("2026-05-03 03:00"), BERLIN) == at("2026-06-03 03:00")
    assert schedule.next_due(rows["generate_monthly_report"], at("2026-05-03 02:59"), BERLIN) == at("2026-05-03 03:00")
    assert schedule.next_due(rows["send_daily_reminders"], at("2026-05-03 05:15"), BERLIN) == at("2026-05-04 05:15")


# The table and the jobs are the same set


def rooms_jobs(folder: Path) -> set[str]:
    """The jobs of a folder: modules with a function of their own name that gets a context and a slot."""
    return {
        file.stem
        for file in folder.glob("*.py")
        for part in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(part, ast.FunctionDef) and part.name == file.stem
        if [argument.arg for argument in part.args.args] == ["context", "slot"]
    }


def test_every_job_has_its_row_and_every_row_its_module() -> None:
    rows = [row.job for row in schedule.every_row(Settings())]
    assert len(rows) == len(set(rows))
    assert set(rows) == rooms_jobs(ROOM)
    for row in schedule.every_row(Settings()):
        assert row.run.__module__ == f"service.jobs.{row.job}"


def test_a_job_without_a_row_is_found(tmp_path: Path) -> None:
    (tmp_path / "water_the_plants.py").write_text("def water_the_plants(context, slot): ...", encoding="utf-8")
    assert rooms_jobs(tmp_path) - {row.job for row in schedule.every_row(Settings())} == {"water_the_plants"}


def test_a_row_without_a_function_is_refused() -> None:
    with pytest.raises(TypeError, match="run"):
        Row(title="Water the plants", kind=Kind.DAILY, at=time(8), catch_up=CatchUp.ALWAYS)  # type: ignore[call-arg]
    with pytest.raises(schedule.UnknownJob, match="water_the_plants"):
        schedule.row_of(Settings(), "water_the_plants")


BRANCHES: dict[str, Callable[[Row], object]] = {
    "words": lambda row: row.words(FORMATS),
    "slot": lambda row: schedule.slot(row, date(2026, 5, 4), BERLIN),
    "day of a slot": lambda row: schedule.day_of(row, "2026-05"),
    "present day": lambda row: schedule.present_day(row, date(2026, 5, 4)),
    "due day": lambda row: schedule.due_day(row, at("2026-05-04 06:00"), BERLIN),
    "next": lambda row: schedule.next_due(row, at("2026-05-04 06:00"), BERLIN),
    "trigger": lambda row: local_backend.trigger_of(row, BERLIN),
}


@pytest.mark.parametrize("branch", BRANCHES.values(), ids=BRANCHES)
def test_an_unknown_kind_of_job_is_an_error(branch: Callable[[Row], object]) -> None:
    hourly = replace(DAILY, kind=cast("Kind", "hourly"))
    with pytest.raises(AssertionError, match="hourly"):
        branch(hourly)


@pytest.mark.parametrize("row", [DAILY, WEEKLY, MONTHLY], ids=list(Kind))
def test_a_slots_day_and_name_belong_together(row: Row) -> None:
    day = schedule.present_day(row, date(2026, 5, 4))
    assert schedule.day_of(row, schedule.slot(row, day, BERLIN).name) == day


def test_the_schedulers_own_trigger_of_a_weekly_job_falls_on_its_day() -> None:
    found = local_backend.trigger_of(WEEKLY, BERLIN).get_next_fire_time(None, at("2026-05-04 06:00"))
    assert found == at("2026-05-10 00:30")
