"""The admin's figures: they equal the database, are at most five minutes old, and are counted once at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Lock
from typing import Any

import pytest
from sqlalchemy.orm import Session

from service.domain import statistics
from service.models import Appointment, Message
from tests.house import Browser, House
from tests.web.clinic import NOW, Clinic, email, minutes, opened
from tests.web.reading import one, parsed, words


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
    """Visits of the last days in every state."""
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


def test_figures_equal_the_database(clinic: Clinic) -> None:
    furnish(clinic)
    house = clinic.house
    house.wiring.tasks.execute(opened(house, "send_daily_reminders"))
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
        "arrived_today": house.count(Appointment, *today, Appointment.status == "arrived"),
        "not_coming_today": house.count(Appointment, *today, Appointment.status.in_(("cancelled", "no_show"))),
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
    assert shown["no_show_rate"] == f"{100 * no_shows / (no_shows + house.count(Appointment, *recent, came)):.1f}"
    assert (shown["new_patients_30_days"], shown["returning_patients_30_days"]) == ("1", "1")


def test_the_next_seven_days_are_bars_and_a_table(clinic: Clinic) -> None:
    furnish(clinic)
    page = parsed(clinic.browser("admin").get("/dashboard"))
    table = {words(row.find("th")): words(row.find("td")) for row in page.select("details table tbody tr")}
    assert table == {
        "Wed 6 May": "5",
        "Thu 7 May": "2",
        "Fri 8 May": "1",
        "Sat 9 May": "1",
        "Sun 10 May": "0",
        "Mon 11 May": "0",
        "Tue 12 May": "1",
    }
    assert [words(bar) for bar in page.select(".bar-number")] == list(table.values())


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
    assert words(one(parsed(answer), "[role=status]")) == "The figures were counted anew."
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

    def __call__(self, session: Session, zone: Any) -> dict[str, Any]:
        with self._lock:
            self.calls += 1
        return self._real(session, zone)


def test_thirty_visitors_at_once_make_one_count(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    monkeypatch.setattr(statistics, "dashboard_stats", counting)
    cookie = clinic.tokens["admin"]
    together = Barrier(30, timeout=20)

    def look(_number: int) -> int:
        client = clinic.house.app.test_client()
        client.set_cookie("rounds", cookie)
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
