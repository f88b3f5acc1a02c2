"""O2: which backups are kept: seven days, four weeks, twelve months, and those before an upgrade or a restore."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine

from service.backups import rotation
from service.backups.rotation import Kept
from tests.house import at

ZONE = ZoneInfo("Europe/Berlin")
NOW = at("2026-05-04 01:00")


def nights(number: int, before: datetime = NOW, step: timedelta = timedelta(days=1)) -> list[Kept]:
    """So many nightly backups, newest first."""
    return [
        Kept(Path(f"{before - turn * step:%Y%m%d-%H%M}"), before - turn * step, "nightly") for turn in range(number)
    ]


def kept(backups: list[Kept]) -> list[str]:
    with time_machine.travel(NOW, tick=False):
        gone = set(rotation.outdated(backups, ZONE))
    return [one.file.name for one in backups if one not in gone]


def test_o2_of_two_years_of_nights_seven_days_four_weeks_and_twelve_months_stay() -> None:
    found = kept(nights(730))
    days = [f"{NOW - timedelta(days=turn):%Y%m%d}-0100" for turn in range(7)]
    weeks = ["20260504-0100", "20260503-0100", "20260426-0100", "20260419-0100"]
    months = ["20260504-0100", "20260430-0100", "20260331-0100", "20260228-0100", "20260131-0100", "20251231-0100"]
    months += ["20251130-0100", "20251031-0100", "20250930-0100", "20250831-0100", "20250731-0100", "20250630-0100"]
    assert set(found) == {*days, *weeks, *months}


def test_o2_night_after_night_the_same_backups_stay_as_if_all_were_judged_at_once() -> None:
    shelf_now: list[Kept] = []
    for night in reversed(nights(400)):
        with time_machine.travel(night.made_at, tick=False):
            shelf_now = [night, *shelf_now]
            gone = set(rotation.outdated(shelf_now, ZONE))
        shelf_now = [one for one in shelf_now if one not in gone]
    assert 18 <= len(shelf_now) <= 23
    assert len([one for one in shelf_now if one.made_at > NOW - timedelta(days=7)]) == 7
    months = {f"{one.made_at.astimezone(ZONE):%Y-%m}" for one in shelf_now}
    assert len(months) == 12


def test_a_computer_that_was_off_for_months_loses_nothing() -> None:
    old = nights(7, NOW - timedelta(days=200))
    assert kept([nights(1)[0], *old])[:7] == [nights(1)[0].file.name, *(one.file.name for one in old[:6])]


def test_pressing_the_button_all_day_leaves_the_nights_backup_and_the_last_once_two_days_have_passed() -> None:
    presses = nights(20, NOW - timedelta(days=3) + timedelta(hours=20), timedelta(hours=1))
    assert kept(presses) == [presses[0].file.name, presses[-1].file.name]


def test_what_was_saved_in_the_last_two_days_all_stays() -> None:
    presses = nights(20, NOW, timedelta(hours=1))
    tries = [
        Kept(Path(f"try{number}"), NOW - timedelta(minutes=number), rotation.BEFORE_RESTORE) for number in range(9)
    ]
    assert len(kept([*tries, *presses])) == 29


def test_backups_from_a_clock_that_was_ahead_push_nothing_out() -> None:
    ahead = nights(9, NOW + timedelta(days=700))
    assert kept([*ahead, *nights(7)]) == [one.file.name for one in [*ahead, *nights(7)]]


@pytest.mark.parametrize("kind", ["before-upgrade", "before-restore"])
def test_the_last_three_before_an_upgrade_or_a_restore_are_kept_besides(kind: str) -> None:
    special = [Kept(Path(f"{turn}-{kind}"), NOW - timedelta(days=100 * turn), kind) for turn in range(5)]
    assert kept([*nights(3), *special]) == [one.file.name for one in [*nights(3), *special[:3]]]


def test_only_files_with_our_names_are_ours(tmp_path: Path) -> None:
    ours = tmp_path / "rounds-2020-01-01T030000Z-0a1b.zip"
    for name in (
        ours.name,
        "rounds-2020-01-01T030000Z.zip",
        "rounds.db",
        "taxes.zip",
        "rounds-2020-01-01T030000Z-0a1b",
    ):
        (tmp_path / name).touch()
    assert [one.file for one in rotation.kept(tmp_path)] == [ours]
    rotation.rotate(tmp_path, ZONE, ours)
    assert len(list(tmp_path.iterdir())) == 5, "the only one is never removed"
