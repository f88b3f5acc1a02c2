"""The admin's figures: they equal the database, are at most five minutes old, and are counted once at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Lock
from typing import Any

import pytest
from sqlalchemy.orm import Session

from service.domain.reports import statistics
from service.storage.models import Appointment, Message
from tests import patience
from tests.house import Browser, House
from tests.web.frozen_clinic import NOW, Clinic, email, minutes, opened
from tests.web.mailing import Mailing
from tests.web.reading import one, parsed, tenths, words


def figures(browser: Browser) -> dict[str, str]:
    page = parsed(browser.get("/dashboard"))
    found = page.select("[data-figure]")
    assert len({str(one["data-figure"]) for one in found}) == len(found)
    return {str(one["data-figure"]): words(one) for one in found}


def as_of(browser: Browser) -> datetime:
    moment = parsed(browser.get("/dashboard")).select_one("#lead time")
    assert moment is not None
    return datetime.fromisoformat(str(moment["datetime"]))


def furnish(clinic: Clinic) -> None:
    """Appointments of the last days in every state."""
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    for status, number in (("completed", 5), ("no_show", 3), ("cancelled", 2), ("booked", 4)):
        for back in range(number):
            house.visit(doll, clinic.pia, NOW - timedelta(days=40 + back), status=status)
            house.visit(doll, clinic.otto, NOW - timedelta(days=2 + back), status=status)
    house.visit(doll, clinic.pia, NOW - timedelta(hours=1), status="arrived", arrived_at=NOW)
    house.visit(doll, clinic.pia, NOW - timedelta(hours=2), status="completed")
    house.visit(doll, clinic.pia, NOW + timedelta(hours=2), status="cancelled")
    for ahead in (1, 1, 3, 6, 7):
        house.visit(doll, clinic.otto, NOW + timedelta(days=ahead))


def test_figures_equal_the_database(mailing: Mailing) -> None:
    clinic = mailing.clinic
    furnish(clinic)
    house = clinic.house
    house.execute(opened(house, "send_daily_reminders"))
    midnight = datetime.fromisoformat("2026-05-06T00:00+02:00")
    today = (Appointment.starts_at >= midnight, Appointment.starts_at < midnight + timedelta(days=1))
    recent = (Appointment.starts_at >= midnight - timedelta(days=30), Appointment.starts_at < midnight)
    before = (
        Appointment.starts_at >= midnight - timedelta(days=60),
        Appointment.starts_at < midnight - timedelta(days=30),
    )
    kept = Appointment.status != "cancelled"
    missed, came = Appointment.status == "no_show", Appointment.status == "completed"
    shown = figures(clinic.browser("admin"))
    no_shows = house.count(Appointment, *recent, missed)
    reminder = Message.rule == "daily_reminder"
    counted = {
        "appointments_today": house.count(Appointment, *today),
        "completed_today": house.count(Appointment, *today, came),
        "booked_today": house.count(Appointment, *today, Appointment.status == "booked"),
        "cancelled_today": house.count(Appointment, *today, Appointment.status == "cancelled"),
        "no_show_today": house.count(Appointment, *today, missed),
        "not_coming_today": house.count(Appointment, *today, Appointment.status.in_(("cancelled", "no_show"))),
        "arrived_today": house.count(Appointment, *today, Appointment.status == "arrived"),
        "to_complete": house.count(
            Appointment, Appointment.status.in_(("booked", "arrived")), Appointment.ends_at <= NOW
        ),
        "visits_30_days": house.count(Appointment, *recent, kept),
        "visits_30_before": house.count(Appointment, *before, kept),
        "reminders_sent": house.count(Message, reminder, Message.status == "sent"),
        "reminders_failed": house.count(Message, reminder, Message.status.in_(("failed", "unknown"))),
        "reminders_skipped": house.count(Message, reminder, Message.status == "skipped"),
    }
    assert {name: int(shown[name]) for name in counted} == counted
    assert counted["appointments_today"] == 6
    assert counted["reminders_sent"] == 1
    assert shown["no_show_rate"] == tenths(100 * no_shows / (no_shows + house.count(Appointment, *recent, came)))
    assert (shown["new_patients_30_days"], shown["returning_patients_30_days"]) == ("1", "1")


def test_the_next_seven_days_are_a_table_whose_cells_hold_bars(clinic: Clinic) -> None:
    furnish(clinic)
    page = parsed(clinic.browser("admin").get("/dashboard"))
    table = one(page, ".columns")
    days = [words(head) for head in table.select("thead th")]
    assert days == ["Wed, 6 May", "Thu, 7 May", "Fri, 8 May", "Sat, 9 May", "Sun, 10 May", "Mon, 11 May", "Tue, 12 May"]
    lines = {words(row.find("th")): [words(cell) for cell in row.find_all("td")] for row in table.select("tbody tr")}
    assert lines == {
        "Hours booked": ["1,2", "0,5", "0,2", "0,2", "0", "0", "0,2"],
        "Hours open": ["22"] * 7,
        "Appointments": ["5", "2", "1", "1", "0", "0", "1"],
    }
    assert len(table.select("svg[aria-hidden=true]")) == 7


def test_each_doctors_week_is_a_line_of_a_table(clinic: Clinic) -> None:
    furnish(clinic)
    page = parsed(clinic.browser("admin").get("/dashboard"))
    lines = {
        words(row.find("th")): [words(td) for td in row.select("td.figure")]
        for row in page.select("tr:has(.bar-along)")
    }
    assert lines == {
        "Dr. Doll": ["8", "2", "77", "3 %"],
        "Dr. Dora": ["2", "0,5", "77", "1 %"],
    }


def test_the_busiest_hours_are_a_table_of_numbers_and_shades(clinic: Clinic) -> None:
    furnish(clinic)
    page = parsed(clinic.browser("admin").get("/dashboard"))
    heat = one(page, ".heat")
    counts = [[int(words(cell)) for cell in row.find_all("td")] for row in heat.select("tbody tr")]
    start, end = NOW - timedelta(days=30, hours=10), NOW - timedelta(hours=10)
    kept = (Appointment.starts_at >= start, Appointment.starts_at < end, Appointment.status != "cancelled")
    assert sum(map(sum, counts)) == clinic.house.count(Appointment, *kept) > 0
    busiest = max(max(line) for line in counts)
    assert len(heat.select(".heat-5")) == sum(line.count(busiest) for line in counts)
    assert f": {busiest}." in words(one(page, "#busy-hours + p"))


def health(browser: Browser) -> dict[str, str]:
    """Each line of "is everything running?": its title, and its state with its words."""
    found = [words(line) for line in parsed(browser.get("/dashboard")).select(".health li")]
    return {title: line for line in found for title in ("Backup", "Messages") if f" {title} " in line}


def test_a_backup_that_is_switched_off_is_said_so(clinic: Clinic, make_house: Callable[..., House]) -> None:
    browser = make_house(backup={"folder": ""}).browser(email("admin"))
    assert health(browser)["Backup"] == "Not run yet Backup not set up"


def test_o2_the_last_backup_is_said_with_its_visits_and_its_test(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    assert health(browser)["Backup"].startswith("Failing Backup was due and has not started")
    clinic.house.execute(opened(clinic.house, "make_backup"))
    said = health(browser)["Backup"]
    assert said.startswith(f"OK Backup last Wed, 6 May, 10:00, {clinic.house.count(Appointment)} appointments, ")
    assert said.endswith(", restored in a test: yes")


def test_a_second_folder_that_is_missing_is_said_so(clinic: Clinic, make_house: Callable[..., House]) -> None:
    house = make_house(backup={"second_folder": "stick"})
    house.execute(opened(house, "make_backup"))
    said = health(house.browser(email("admin")))["Backup"]
    assert said.startswith("Needs attention Backup last Wed, 6 May, 10:00, ")
    assert said.endswith("the second folder is missing")


def test_a_clinic_without_visits_has_figures_too(house: House) -> None:
    house.user("admin", email("admin"))
    shown = figures(house.browser(email("admin")))
    assert shown["appointments_today"] == "0"
    assert "no_show_rate" not in shown
    assert "reminders_sent" not in shown


def test_the_page_says_as_of_when(clinic: Clinic) -> None:
    assert as_of(clinic.browser("admin")) == NOW


def test_a_change_shows_after_five_minutes_not_before(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    assert figures(browser)["appointments_today"] == "3"
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, NOW + timedelta(hours=1))
    clinic.clock.shift(minutes(4.9))
    assert figures(browser)["appointments_today"] == "3"
    assert as_of(browser) == NOW
    clinic.clock.shift(minutes(0.2))
    assert figures(browser)["appointments_today"] == "4"
    assert as_of(browser) == NOW + minutes(5.1)


def test_a_change_shows_at_once_after_the_button(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    figures(browser)
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, NOW + timedelta(hours=1))
    clinic.clock.shift(60)
    answer = browser.post("/dashboard", follow_redirects=True)
    assert words(one(parsed(answer), "[role=status]")) == "Statistics updated."
    assert figures(browser)["appointments_today"] == "4"
    assert as_of(browser) == NOW + minutes(1)


def test_another_process_shows_a_change_within_the_five_minutes(
    clinic: Clinic, make_house: Callable[..., House]
) -> None:
    here, there = clinic.browser("admin"), make_house().browser(email("admin"))
    assert figures(here) == figures(there)
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, NOW + timedelta(hours=1))
    here.post("/dashboard")
    clinic.clock.shift(minutes(5.1))
    assert figures(there)["appointments_today"] == "4"


def test_a_setting_says_how_long_figures_are_kept(clinic: Clinic, make_house: Callable[..., House]) -> None:
    browser = make_house(cache={"statistics_seconds": 10}).browser(email("admin"))
    figures(browser)
    clinic.clock.shift(11)
    assert as_of(browser) == NOW + timedelta(seconds=11)


class Counting:
    """Stands in for the count and notes each call; the real one still answers."""

    def __init__(self) -> None:
        self.calls = 0
        self._lock = Lock()
        self._real = statistics.dashboard_stats

    def __call__(self, session: Session, zone: Any) -> Any:
        with self._lock:
            self.calls += 1
        return self._real(session, zone)


def test_thirty_visitors_at_once_make_one_count(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    monkeypatch.setattr(statistics, "dashboard_stats", counting)
    cookie, _token = clinic.tokens["admin"]
    together = Barrier(30, timeout=patience.SECONDS)

    def look(_number: int) -> int:
        client = clinic.house.app.test_client()
        client.set_cookie(clinic.house.cookie_name, cookie)
        together.wait()
        return client.get("/dashboard").status_code

    with ThreadPoolExecutor(30) as crowd:
        assert set(crowd.map(look, range(30))) == {200}
    assert counting.calls == 1


def test_figures_are_counted_once_in_five_minutes(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    monkeypatch.setattr(statistics, "dashboard_stats", counting)
    browser = clinic.browser("admin")
    for _look in range(10):
        browser.get("/dashboard")
        clinic.clock.shift(29)
    assert counting.calls == 1
    clinic.clock.shift(minutes(5))
    browser.get("/dashboard")
    assert counting.calls == 2


def test_a_count_that_fails_is_not_remembered(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = clinic.browser("admin")
    with monkeypatch.context() as broken:
        broken.setattr(statistics, "dashboard_stats", lambda *_args: 1 / 0)
        assert browser.get("/dashboard").status_code == 500
    assert browser.get("/dashboard").status_code == 200
