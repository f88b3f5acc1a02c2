"""Searching appointments and free slots, as the API does, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service import clock
from service.domain.appointments import appointment_search
from service.domain.appointments.appointment_search import Wanted
from service.domain.diary import offered_times
from service.domain.diary.offered_times import Asked
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import NotFound
from tests.house import House


@pytest.fixture(name="ada")
def an_admin(house: House) -> Actor:
    return house.user("admin", "ada@clinic.example", "Ada")


def test_pages_join_without_a_gap_even_within_one_moment(house: House, ada: Actor) -> None:
    start = clock.now().replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=2)
    doctors = [house.user("doctor", f"d{number}@clinic.example", f"Dr. {number}").doctor_id for number in range(3)]
    visits = [house.visit(doctor, house.patient(f"P {doctor}"), start) for doctor in doctors]
    later = house.visit(doctors[0], house.patient("Last"), start + timedelta(hours=1))
    found, after = [], None
    with house.reading() as session:
        while True:
            page = appointment_search.search(session, ada, Wanted(begins=start), after=after, limit=2)
            found += [visit.id for visit in page.visits]
            after = page.older
            if after is None:
                break
    assert found == [*visits, later]


@pytest.mark.parametrize("after", ["", "x", "20260101T000000000000-0", "99999999T000000000000-1", "3"])
def test_a_key_that_no_page_returned_is_not_found(house: House, ada: Actor, after: str) -> None:
    with house.reading() as session, pytest.raises(NotFound):
        appointment_search.search(session, ada, Wanted(), after=after, limit=2)


def test_free_times_of_several_doctors_are_offered_once_each(house: House, ada: Actor) -> None:
    zone = house.settings.clinic.zone
    for number in range(2):
        house.hours(house.user("doctor", f"d{number}@clinic.example", f"Dr. {number}", department="Eyes").doctor_id)
    first = clock.today(zone) + timedelta(days=3)
    asked = Asked(first)
    with house.reading() as session:
        times = offered_times.page(session, ada, replace(asked, department="Eyes"), zone, limit=100).times
        assert len({time.starts_at for time in times}) == len(times) == 44
        with pytest.raises(NotFound):
            offered_times.page(session, ada, asked, zone, after="99991231T235959999999-1", limit=100)
        assert offered_times.page(session, ada, replace(asked, department="Ears"), zone, limit=100).times == []
        with pytest.raises(NotFound):
            offered_times.page(session, ada, replace(asked, doctor_id=99), zone, limit=100)
