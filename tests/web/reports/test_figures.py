"""The small figures: a doctor's own, the day's for the desk, each from a cache of its own."""

from datetime import timedelta

import pytest

from tests.house import Browser
from tests.web.frozen_clinic import NOW, Clinic, minutes
from tests.web.reading import one, parsed, words


def figures(browser: Browser, path: str = "/figures") -> dict[str, str]:
    return {str(tag["data-figure"]): words(tag) for tag in parsed(browser.get(path)).select("[data-figure]")}


def busy(clinic: Clinic) -> None:
    """Four more appointments with Dr Doll today, two with Dr Dora."""
    for number in range(4):
        clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, NOW + timedelta(hours=3 + number))
    for number in range(2):
        clinic.house.visit(clinic.people["other doctor"].doctor_id, clinic.otto, NOW + timedelta(hours=3 + number))


def test_a_doctor_sees_their_own_figures_and_the_desk_the_day(clinic: Clinic) -> None:
    before = {who: int(figures(clinic.browser(who))["appointments_today"]) for who in ("receptionist",)}
    clinic.clock.shift(minutes(5.1))
    busy(clinic)
    doll, dora = (figures(clinic.browser(who)) for who in ("doctor", "other doctor"))
    desk = figures(clinic.browser("receptionist"))
    assert int(doll["appointments_today"]) + int(dora["appointments_today"]) == int(desk["appointments_today"])
    assert int(desk["appointments_today"]) == before["receptionist"] + 6
    assert int(doll["appointments_today"]) > int(dora["appointments_today"])
    assert "no_show_rate" not in desk
    assert "reminders_sent" not in doll


@pytest.mark.parametrize("first", ["admin", "doctor", "other doctor", "receptionist"])
def test_z8_no_role_sees_what_another_has_warmed(clinic: Clinic, first: str) -> None:
    busy(clinic)
    paths = {
        who: "/dashboard" if who == "admin" else "/figures"
        for who in ("admin", "doctor", "other doctor", "receptionist")
    }
    browsers = {who: clinic.browser(who) for who in paths}
    figures(browsers[first], paths[first])
    seen = {who: figures(browsers[who], path)["appointments_today"] for who, path in paths.items()}
    assert int(seen["doctor"]) + int(seen["other doctor"]) == int(seen["admin"]) == int(seen["receptionist"])
    assert len({seen["doctor"], seen["other doctor"], seen["admin"]}) == 3
    assert browsers["doctor"].get("/dashboard").status_code == 403
    assert browsers["receptionist"].get("/dashboard").status_code == 403
    assert browsers["admin"].get("/figures").status_code == 403


@pytest.mark.parametrize("who", ["doctor", "receptionist"])
def test_figures_say_how_old_they_are_and_change_after_five_minutes(clinic: Clinic, who: str) -> None:
    browser = clinic.browser(who)
    before = figures(browser)["appointments_today"]
    busy(clinic)
    clinic.clock.shift(minutes(4.9))
    assert figures(browser)["appointments_today"] == before
    lead = one(parsed(browser.get("/figures")), "#lead")
    assert words(lead) == "As of 10:00 · next 10:05"
    clinic.clock.shift(minutes(0.2))
    assert figures(browser)["appointments_today"] != before


def test_the_desk_sees_the_day_by_doctor(clinic: Clinic) -> None:
    busy(clinic)
    page = parsed(clinic.browser("receptionist").get("/figures"))
    rows = {words(row.find("th")): words(row.select("td.figure")[0]) for row in page.select("tbody tr")}
    assert rows == {"Dr. Doll": "6", "Dr. Dora": "3"}
