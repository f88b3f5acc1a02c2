"""A patient's appointments, and the page of one appointment for each role."""

from datetime import timedelta

import pytest

from service.storage.models import Guardian, Patient
from tests.house import at
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.reading import links, one, parsed, visit_links, words


def test_my_appointments_shows_the_next_one_first_then_past_ones(clinic: Clinic) -> None:
    page = parsed(clinic.browser("patient").get("/appointments"))
    assert words(page.find("h1")) == "Hello Pia Ahorn"
    upcoming = f"/appointments/{clinic.later}"
    others = [f"/appointments/{visit}" for visit in (clinic.ahead, clinic.begun, clinic.past)]
    assert visit_links(page) == [upcoming, *others]
    panel = words(one(page, "[aria-labelledby=next-visit]"))
    assert "14:00" in panel
    assert "Dr. Doll" in panel


def test_i8_my_page_greets_me_by_the_given_name_in_my_own_record(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.pia).given_name = "Pia Maria"
    assert words(parsed(clinic.browser("patient").get("/appointments")).find("h1")) == "Hello Pia Maria"


def test_an_appointment_is_listed_as_past_once_it_is_over(clinic: Clinic) -> None:
    now = clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, NOW - timedelta(minutes=14))
    browser = clinic.browser("patient")
    before = visit_links(parsed(browser.get("/appointments")))
    clinic.clock.shift(60)
    after = visit_links(parsed(browser.get("/appointments")))
    assert before == [
        f"/appointments/{visit}" for visit in (now, clinic.later, clinic.ahead, clinic.begun, clinic.past)
    ]
    assert after == [f"/appointments/{visit}" for visit in (clinic.later, clinic.ahead, now, clinic.begun, clinic.past)]


def test_a_patient_without_appointments_is_told_how_to_get_one(clinic: Clinic) -> None:
    clinic.house.user("patient", "new@clinic.example", "New Comer")
    page = parsed(clinic.house.browser("new@clinic.example").get("/appointments"))
    assert "No appointments booked" in words(page.find("main"))


def test_past_appointments_are_paged_by_key_without_gaps_or_repeats(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    made = [clinic.house.visit(doll, clinic.otto, at("2026-03-01 08:00"), status="no_show") for _twin in range(3)]
    for day in range(1, 29):
        for hour in (8, 9):
            made.append(clinic.house.visit(doll, clinic.otto, at(f"2026-02-{day:02} {hour:02}:00"), status="no_show"))
    browser, path, seen = clinic.browser("other patient"), "/appointments", list[str]()
    pages = 0
    while path:
        page = parsed(browser.get(path))
        older = page.find("a", class_="older")
        seen += visit_links(page)
        if pages == 1:
            clinic.house.visit(doll, clinic.otto, NOW - timedelta(hours=1), status="completed")  # meanwhile
        path, pages = (str(older["href"]) if older else ""), pages + 1
        assert pages < 10
    wanted = {f"/appointments/{visit}" for visit in made}
    assert wanted <= set(seen)
    assert len(seen) == len(set(seen))
    assert pages == 3


def test_a_family_sees_whose_appointment_each_is(clinic: Clinic) -> None:
    child = clinic.house.patient("Kim Ahorn")
    with clinic.house.writing() as session:
        session.add(Guardian(user_id=clinic.people["patient"].user_id, patient_id=child, created_at=NOW))
    visit = clinic.house.visit(clinic.people["other doctor"].doctor_id, child, NOW + timedelta(hours=1))
    browser = clinic.browser("patient")
    page = parsed(browser.get("/appointments"))
    assert visit_links(page)[0] == f"/appointments/{visit}"
    assert "Kim Ahorn" in words(page.find("main"))
    assert browser.get(f"/appointments/{visit}").status_code == 200
    assert clinic.browser("other patient").get(f"/appointments/{visit}").status_code == 404


@pytest.mark.parametrize(
    ("visitor", "clinical", "record", "may_write"),
    [
        ("patient", True, False, False),
        ("doctor", True, True, True),
        ("receptionist", False, False, False),
        ("admin", False, False, False),
    ],
)
def test_an_appointment_shows_each_role_what_it_can_see_and_do(
    clinic: Clinic, visitor: str, clinical: bool, record: bool, may_write: bool
) -> None:
    page = parsed(clinic.browser(visitor).get(f"/appointments/{clinic.past}"))
    assert ("Hay fever" in words(page)) is clinical
    assert (f"/patients/{clinic.pia}" in links(page)) is record
    assert (f"/appointments/{clinic.past}/treatment" in links(page)) is may_write
    assert "Pia Ahorn" in words(page.find("main"))
    assert "Completed" in words(page.find("main"))


@pytest.mark.parametrize(
    ("more", "patient_reads", "desk_reads"),
    [
        ({"status": "booked"}, "Booked", "Booked"),
        ({"status": "booked", "confirmed_at": NOW}, "Confirmed", "Confirmed"),
        ({"status": "arrived", "arrived_at": NOW - timedelta(minutes=12)}, "waiting 12 min", "waiting 12 min"),
        ({"status": "no_show"}, "No-show", "No-show"),
        ({"status": "cancelled", "cancelled_by": "clinic"}, "Canceled by the clinic", "Canceled by the clinic"),
        ({"status": "cancelled", "cancelled_by": "patient"}, "Canceled", "Canceled by the patient"),
    ],
)
def test_the_status_of_an_appointment_is_shown_in_words(
    clinic: Clinic, more: dict[str, object], patient_reads: str, desk_reads: str
) -> None:
    visit = clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, NOW + timedelta(minutes=30), **more)
    for visitor, word in (("patient", patient_reads), ("receptionist", desk_reads)):
        page = parsed(clinic.browser(visitor).get(f"/appointments/{visit}"))
        assert words(page.select_one(".pill")) == word


def test_my_appointments_redirects_staff_to_the_day(clinic: Clinic) -> None:
    assert clinic.browser("receptionist").get("/appointments").location == "/today"


@pytest.mark.parametrize("visitor", ["doctor", "receptionist", "admin"])
def test_a_page_that_logs_its_reader_returns_its_connections(clinic: Clinic, visitor: str) -> None:
    assert clinic.browser(visitor).get(f"/appointments/{clinic.begun}").status_code == 200
    assert "Current Checked out connections: 0" in clinic.house.wiring.database.engine.pool.status()
