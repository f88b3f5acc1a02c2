"""The board of the day, by doctor and by day."""

from datetime import timedelta

import pytest

from service.storage.models import Doctor
from service.web.diary import today
from tests.house import at
from tests.web.frozen_clinic import NOW, Clinic, opened
from tests.web.mailing import Mailing
from tests.web.reading import attribute, links, parsed, visit_links, words


def visits(clinic: Clinic, visitor: str, query: str = "") -> set[str]:
    """The appointments a day shows."""
    page = parsed(clinic.browser(visitor).get(f"/today{query}"))
    return set(visit_links(page))


def paths(*ids: int) -> set[str]:
    return {f"/appointments/{visit}" for visit in ids}


@pytest.mark.parametrize("visitor", ["receptionist", "admin"])
def test_the_desk_sees_everyone_booked_today(clinic: Clinic, visitor: str) -> None:
    assert visits(clinic, visitor) == paths(clinic.begun, clinic.later, clinic.other_visit)


def test_a_doctor_sees_their_own(clinic: Clinic) -> None:
    assert visits(clinic, "doctor") == paths(clinic.begun, clinic.later)
    assert visits(clinic, "other doctor") == paths(clinic.other_visit)


def test_a_doctor_cannot_choose_another_ones_day(clinic: Clinic) -> None:
    dora = clinic.people["other doctor"].doctor_id
    assert visits(clinic, "doctor", f"?doctor_id={dora}") == paths(clinic.begun, clinic.later)


def test_the_desk_chooses_a_doctor_and_keeps_the_choice_over_days(clinic: Clinic) -> None:
    dora = clinic.people["other doctor"].doctor_id
    assert visits(clinic, "receptionist", f"?doctor_id={dora}") == paths(clinic.other_visit)
    page = parsed(clinic.browser("receptionist").get(f"/today?doctor_id={dora}"))
    steps = [str(link["href"]) for link in page.select("nav.day-steps a")]
    assert steps == [
        f"/today?date=2026-05-05&doctor_id={dora}",
        f"/today?doctor_id={dora}",
        f"/today?date=2026-05-07&doctor_id={dora}",
    ]


def test_many_doctors_are_chosen_from_a_list(clinic: Clinic) -> None:
    for number in range(9):
        clinic.house.user("doctor", f"d{number}@clinic.example", f"Dr. {number}")
    page = parsed(clinic.browser("receptionist").get("/today?date=2026-05-05&doctor_id=2"))
    chosen = page.select("select[name=doctor_id] option[selected]")
    assert [option["value"] for option in chosen] == ["2"]
    assert attribute(page, "input[name='date']", "value") == "2026-05-05"


def test_a_doctor_who_left_is_no_longer_offered_but_their_visits_stay(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.get_one(Doctor, clinic.people["other doctor"].doctor_id).archived_at = NOW
    page = parsed(clinic.browser("receptionist").get("/today"))
    assert not page.select("a[href*='doctor_id=']:not(.btn)")
    assert visits(clinic, "receptionist") >= paths(clinic.other_visit)


def test_a_day_is_in_the_clinics_time_zone(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    first = clinic.house.visit(doll, clinic.pia, at("2026-06-09 22:00"))  # midnight in Berlin
    last = clinic.house.visit(doll, clinic.pia, at("2026-06-10 21:45"))
    clinic.house.visit(doll, clinic.pia, at("2026-06-10 22:00"))
    assert visits(clinic, "doctor", "?date=2026-06-10") == paths(first, last)


@pytest.mark.parametrize("date", ["2026-02-30", "tomorrow", "", "2026-5", "1999-12-31", "2101-01-01", "20261306"])
def test_an_invalid_day_is_not_found(clinic: Clinic, date: str) -> None:
    assert clinic.browser("receptionist").get(f"/today?date={date}").status_code == 404


@pytest.mark.parametrize(("date", "missing"), [("2000-01-01", "1999-12-31"), ("2100-12-31", "2101-01-01")])
def test_no_step_leads_out_of_the_calendar(clinic: Clinic, date: str, missing: str) -> None:
    browser = clinic.browser("receptionist")
    page = parsed(browser.get(f"/today?date={date}"))
    assert missing not in str(page)
    for step in page.select("nav.day-steps a"):
        assert browser.get(str(step["href"])).status_code == 200


def test_only_today_refreshes_itself(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    assert "hx-trigger" in browser.get("/today").get_data(as_text=True)
    assert "hx-trigger" not in browser.get("/today?date=2026-05-07").get_data(as_text=True)


def test_appointments_are_listed_under_their_state(clinic: Clinic) -> None:
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    where = {"booked": [clinic.begun, clinic.later, clinic.other_visit]}
    for status, column in (
        ("arrived", "arrived"),
        ("completed", "completed"),
        ("no_show", "not_coming"),
        ("cancelled", "not_coming"),
    ):
        visit = house.visit(doll, clinic.pia, NOW - timedelta(hours=1), status=status, arrived_at=NOW, overbooked=True)
        where.setdefault(column, []).append(visit)
    page = parsed(clinic.browser("receptionist").get("/today"))
    for column, ids in where.items():
        section = page.select_one(f"section[aria-labelledby=column-{column}]")
        assert section is not None
        found = {str(link["href"]) for link in section.select("a.visit-name")}
        assert found == paths(*ids), column


def test_only_the_visits_own_doctor_is_offered_to_record_it(clinic: Clinic) -> None:
    record = f"/appointments/{clinic.begun}/treatment"
    assert record in links(parsed(clinic.browser("doctor").get("/today")))
    for visitor in ("receptionist", "admin", "other doctor"):
        assert record not in links(parsed(clinic.browser(visitor).get("/today")))
    assert f"/appointments/{clinic.later}/treatment" not in links(parsed(clinic.browser("doctor").get("/today")))


def test_the_day_shows_how_its_reminders_went(mailing: Mailing) -> None:
    clinic = mailing.clinic
    nobody = clinic.house.patient("No Address")
    clinic.house.visit(clinic.people["doctor"].doctor_id, nobody, at("2026-05-06 13:00"))
    browser = clinic.browser("receptionist")
    assert parsed(browser.get("/today")).find(id="reminders") is None
    clinic.house.execute(opened(clinic.house, "send_daily_reminders"))
    band = parsed(browser.get("/today")).select_one("[aria-labelledby=reminders]")
    assert "1 sent" in words(band)
    assert "No e-mail on file: 1" in words(band)
    assert "Too late: 2" in words(band)


def test_the_next_visit_is_named(clinic: Clinic) -> None:
    page = parsed(clinic.browser("receptionist").get("/today"))
    assert "Next: 14:00 , Pia Ahorn with Dr. Doll" in words(page.find(id="lead"))
    assert "3 appointments" in words(page.find(id="lead"))


def test_a_long_day_shows_the_next_booked_and_the_latest_completed_and_links_to_all(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(today, "NEXT", 2)
    monkeypatch.setattr(today, "LATEST", 2)
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    done = [
        house.visit(doll, clinic.pia, NOW - timedelta(hours=hours), status="completed", overbooked=True)
        for hours in (1, 2, 3)
    ]
    browser = clinic.browser("receptionist")
    page = parsed(browser.get("/today"))
    assert set(visit_links(page)) == paths(clinic.begun, clinic.other_visit, *done[:2])
    assert "Completed 3" in words(page.find(id="column-completed"))
    assert "Booked 3" in words(page.find(id="column-booked"))
    more = page.select("a.older")
    assert [words(link) for link in more] == ["Show 1 later", "Show 1 earlier"]
    everything = parsed(browser.get(str(more[0]["href"])))
    assert set(visit_links(everything)) == paths(clinic.begun, clinic.later, clinic.other_visit, *done)
    assert not everything.select("a.older")
