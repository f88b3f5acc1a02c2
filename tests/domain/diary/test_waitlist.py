"""The waitlist: whom a slot suits, and offers that hold it."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from service.clock import DayTime
from service.domain.appointments import booking, free_times, holds
from service.domain.appointments.admission import Taken
from service.domain.appointments.free_times import FreeTime
from service.domain.appointments.requests import BookingRequest
from service.domain.diary import offers, waitlist
from service.domain.diary.waitlist import WaitlistRequest
from service.domain.foundation.actor import SYSTEM, Actor
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.storage.models import Appointment, AuditEntry, Offer, PartOfDay, Patient, WaitlistEntry
from tests.crowd import together
from tests.house import House, at
from tests.waiting import archive, entry, offer, row, visit_type
from tests.web.frozen_clinic import away

pytestmark = pytest.mark.usefixtures("clock")
ZONE = ZoneInfo("Europe/Berlin")
NINE = at("2026-05-05 07:00")
"""Nine o'clock in Berlin on Tuesday: in the morning."""


@pytest.fixture
def doctor(house: House) -> int:
    """A doctor who works from eight to six every day, in appointments of 15 minutes."""
    found = house.user("doctor", "ada@clinic.example", "Dr. Ada").doctor_id
    assert found is not None
    house.hours(found, "08:00", "18:00")
    return found


@pytest.fixture
def desk(house: House) -> Actor:
    """A receptionist."""
    return house.user("receptionist", "rita@clinic.example", "Rita")


def slot(doctor: int, starts_at: datetime = NINE, minutes: int = 15) -> FreeTime:
    return FreeTime(starts_at, starts_at + timedelta(minutes=minutes), doctor)


def fits(house: House, time: FreeTime) -> list[int]:
    with house.reading() as session:
        return [one.id for one in waitlist.who_fits(session, SYSTEM, ZONE, time)]


def counted(house: House, *times: FreeTime) -> dict[FreeTime, int]:
    with house.reading() as session:
        return waitlist.count_fits(session, ZONE, times)


def make(house: House, desk: Actor, waiting: int, doctor: int, starts_at: datetime = NINE) -> int:
    with house.writing() as session:
        return offers.make(session, desk, waiting, doctor_id=doctor, starts_at=starts_at, zone=ZONE).id


def accept(house: House, desk: Actor, offer_id: int) -> int:
    with house.writing() as session:
        return offers.accept(session, desk, offer_id, rules=house.settings.booking, zone=ZONE).id


def decline(house: House, desk: Actor, offer_id: int) -> None:
    with house.writing() as session:
        offers.decline(session, desk, offer_id)


def book(house: House, desk: Actor, patient: int, doctor: int, starts_at: datetime = NINE) -> int:
    with house.writing() as session:
        wanted = BookingRequest(patient, starts_at, doctor)
        return booking.book(session, desk, wanted, house.settings.booking, ZONE).id


def offered(house: House, doctor: int, for_patient: int | None = None) -> bool:
    """Whether nine o'clock can be booked."""
    with house.reading() as session:
        day = NINE.date()
        times = free_times.of_days(session, day, day, ZONE, doctor_ids=[doctor], for_patient=for_patient)
        return NINE in [time.starts_at for time in times]


def wish(house: House, desk: Actor, **values: Any) -> int:
    with house.writing() as session:
        return waitlist.add(session, desk, WaitlistRequest(**values)).id


# Who fits


def test_urgent_entries_come_first_then_those_waiting_longest(house: House, doctor: int) -> None:
    new, old = entry(house, house.patient(), days_ago=1), entry(house, house.patient(), days_ago=9)
    urgent = entry(house, house.patient(), days_ago=0.1, urgent=True)
    assert fits(house, slot(doctor)) == [urgent, old, new]


def test_a_slot_suits_entries_for_its_doctor_or_any(house: House, doctor: int) -> None:
    other = house.user("doctor", "bela@clinic.example").doctor_id
    mine, anybody = entry(house, house.patient(), doctor_id=doctor), entry(house, house.patient())
    entry(house, house.patient(), doctor_id=other)
    assert sorted(fits(house, slot(doctor))) == sorted([mine, anybody])


def test_a_slot_suits_entries_for_its_weekday_at_the_clinic(house: House, doctor: int) -> None:
    tuesday, not_tuesday = (entry(house, house.patient(), weekdays=days) for days in ("1", "023456"))
    assert fits(house, slot(doctor)) == [tuesday]
    # Half past eleven in the evening of Monday in UTC is Tuesday in Berlin.
    assert fits(house, slot(doctor, at("2026-05-04 22:30"))) == [tuesday]
    assert fits(house, slot(doctor, at("2026-05-04 21:30"))) == [not_tuesday]


@pytest.mark.parametrize(
    ("utc", "part"),
    [
        ("2026-05-05 09:59", "morning"),
        ("2026-05-05 10:00", "afternoon"),
        ("2026-05-05 14:59", "afternoon"),
        ("2026-05-05 15:00", "evening"),
        ("2026-10-23 09:59", "morning"),
        ("2026-10-23 10:00", "afternoon"),
        ("2026-10-26 10:59", "morning"),
        ("2026-10-26 11:00", "afternoon"),
        ("2026-03-27 10:59", "morning"),
        ("2027-03-29 10:00", "afternoon"),
    ],
)
def test_the_part_of_the_day_follows_the_clock_on_the_wall_also_when_it_changes(
    house: House, doctor: int, utc: str, part: str
) -> None:
    by_part = {name: entry(house, house.patient(), part=name) for name in PartOfDay}
    assert waitlist.part_of(at(utc), ZONE) == part
    assert set(fits(house, slot(doctor, at(utc)))) == {by_part[PartOfDay.ANY], by_part[PartOfDay(part)]}


def test_a_slot_suits_only_entries_it_is_long_enough_for(house: House, doctor: int) -> None:
    short, talk = visit_type(house, "Dressing", 15), visit_type(house, "Long talk", 30)
    first = entry(house, house.patient(), visit_type_id=short, days_ago=3)
    second = entry(house, house.patient(), visit_type_id=talk, days_ago=2)
    assert fits(house, slot(doctor, minutes=15)) == [first]
    assert fits(house, slot(doctor, minutes=30)) == [first, second]


def test_a_slot_does_not_suit_a_patient_with_an_appointment_then(house: House, doctor: int) -> None:
    other = house.user("doctor", "bela@clinic.example").doctor_id
    busy, free = house.patient("Busy"), house.patient("Free")
    entry(house, busy)
    waits = entry(house, free)
    house.visit(other, busy, NINE - timedelta(minutes=5))
    house.visit(other, free, NINE, status="cancelled")
    house.visit(other, free, NINE + timedelta(minutes=15))
    assert fits(house, slot(doctor)) == [waits]


def test_closed_archived_or_already_offered_entries_do_not_fit(house: House, doctor: int) -> None:
    gone = house.patient("Gone")
    entry(house, gone)
    with house.writing() as session:
        session.get_one(Patient, gone).archived_at = at("2026-05-01 08:00")
    entry(house, house.patient(), closed_at=at("2026-05-01 08:00"))
    offer(house, entry(house, house.patient()), doctor, NINE + timedelta(hours=1))
    late = entry(house, house.patient())
    offer(house, late, doctor, NINE + timedelta(hours=1), expires_at=at("2026-05-04 06:00"))
    back = entry(house, house.patient())
    offer(house, back, doctor, NINE + timedelta(hours=1), closed_at=at("2026-05-04 06:00"))
    assert fits(house, slot(doctor)) == [late, back]


def test_many_freed_times_are_counted_as_they_would_be_listed(house: House, doctor: int) -> None:
    house.hours(doctor, "18:00", "08:00")
    for weekdays, part in (("0123456", "any"), ("1", "morning"), ("1", "evening"), ("2", "morning")):
        entry(house, house.patient(), weekdays=weekdays, part=part)
    times = [slot(doctor, NINE + timedelta(hours=hour)) for hour in range(0, 48, 3)]
    assert counted(house, *times) == {time: len(fits(house, time)) for time in times}
    assert counted(house, slot(doctor)) == {slot(doctor): 2}


def test_a_time_that_is_taken_held_or_past_is_not_counted(house: House, doctor: int) -> None:
    waits = entry(house, house.patient())
    house.visit(doctor, house.patient(), NINE)
    offer(house, waits, doctor, NINE + timedelta(hours=1))
    later = slot(doctor, NINE + timedelta(hours=2))
    times = [slot(doctor), slot(doctor, NINE + timedelta(hours=1)), later, slot(doctor, at("2026-05-04 05:00"))]
    assert counted(house, *times) == {later: 0}
    assert counted(house) == {}


def test_freed_times_outside_the_hours_and_inside_time_off_are_not_counted(house: House, doctor: int) -> None:
    entry(house, house.patient())
    away(house, doctor, "2026-05-05", "2026-05-05", starts=DayTime.at(9, 10), ends=DayTime.at(10))
    times = [slot(doctor, NINE + timedelta(minutes=number)) for number in (-75, -60, -15, 0, 15, 45, 60, 525, 530)]
    within = [times[number] for number in (1, 2, 6, 7)]
    assert counted(house, *times) == dict.fromkeys(within, 1)


def test_more_freed_times_than_one_query_takes_are_counted(house: House, doctor: int) -> None:
    house.hours(doctor, "18:00", "08:00")
    entry(house, house.patient())
    times = [slot(doctor, NINE + timedelta(minutes=20 * number)) for number in range(230)]
    assert counted(house, *times) == dict.fromkeys(times, 1)


# The list


def test_an_entry_is_added_once_and_audited(house: House, desk: Actor, doctor: int) -> None:
    patient = house.patient()
    values = {"doctor_id": doctor, "weekdays": "420", "part": "morning", "urgent": True, "note": " soon \n please "}
    first = wish(house, desk, patient_id=patient, **values)
    assert wish(house, desk, patient_id=patient, **values) == first
    assert wish(house, desk, patient_id=patient) != first
    found = row(house, WaitlistEntry, first)
    assert (found.weekdays, found.part, found.urgent, found.note) == ("024", "morning", True, "soon please")
    assert house.count(AuditEntry, AuditEntry.act == "waiting.add", AuditEntry.patient_id == patient) == 2


def test_two_clicks_at_once_make_one_entry(house: House, desk: Actor) -> None:
    patient = house.patient()
    together(6, lambda _number: wish(house, desk, patient_id=patient))
    assert house.count(WaitlistEntry) == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"weekdays": ""}, "weekdays"),
        ({"weekdays": "07"}, "weekdays"),
        ({"weekdays": "Mon"}, "weekdays"),
        ({"part": "night"}, "part"),
        ({"part": ""}, "part"),
        ({"note": "x" * 201}, "note"),
        ({"note": "a\0b"}, "note"),
        ({"note": "\ud800"}, "note"),
    ],
)
def test_invalid_entries_are_refused(house: House, desk: Actor, values: dict[str, Any], field: str) -> None:
    patient = house.patient()
    with pytest.raises(Invalid) as refused:
        wish(house, desk, patient_id=patient, **values)
    assert refused.value.field == field
    assert house.count(WaitlistEntry) == 0


def test_an_entry_needs_an_existing_patient_doctor_and_type(house: House, desk: Actor, doctor: int) -> None:
    patient = house.patient()
    for missing in ({"patient_id": 99}, {"doctor_id": 99}, {"visit_type_id": 99}):
        with pytest.raises(NotFound):
            wish(house, desk, **{"patient_id": patient, **missing})
    archive(house, doctor)
    with pytest.raises(NotFound):
        wish(house, desk, patient_id=patient, doctor_id=doctor)


def test_only_the_desk_changes_the_list(house: House, doctor: int) -> None:
    patient = house.user("patient", "pia@mail.example")
    (own,) = patient.patient_ids
    waits = entry(house, own)
    made = offer(house, waits, doctor, NINE)
    ada = house.actor("ada@clinic.example")
    for actor in (patient, ada):
        with pytest.raises(Forbidden):
            wish(house, actor, patient_id=own)
        with pytest.raises(Forbidden):
            make(house, actor, waits, doctor)
        with pytest.raises(Forbidden), house.writing() as session:
            waitlist.remove(session, actor, waits)
    with pytest.raises(Forbidden):  # the patient may, by the link in the message
        accept(house, ada, made)
    with pytest.raises(Forbidden):
        decline(house, ada, made)


def test_the_list_shows_the_desk_everyone_and_a_doctor_their_own(house: House, desk: Actor, doctor: int) -> None:
    other = house.user("doctor", "bela@clinic.example")
    known = house.patient("Known")
    house.visit(doctor, known, at("2026-04-01 08:00"))
    mine = entry(house, house.patient(), doctor_id=doctor, days_ago=4)
    theirs = entry(house, house.patient(), doctor_id=other.doctor_id, days_ago=3)
    anybody, stranger = entry(house, known, days_ago=2), entry(house, house.patient(), days_ago=1)
    entry(house, house.patient(), closed_at=at("2026-05-01 08:00"))
    for actor, expected in (
        (desk, [mine, theirs, anybody, stranger]),
        (house.actor("ada@clinic.example"), [mine, anybody]),
        (other, [theirs]),
    ):
        with house.reading() as session:
            assert [one.id for one in waitlist.waiting(session, actor)] == expected
            assert waitlist.count(session, actor) == len(expected)


def test_removing_an_entry_releases_the_slot_held_for_it(house: House, desk: Actor, doctor: int) -> None:
    waits = entry(house, house.patient())
    made = make(house, desk, waits, doctor)
    for _click in range(2):
        with house.writing() as session:
            waitlist.remove(session, desk, waits)
    assert row(house, WaitlistEntry, waits).closed_at is not None
    assert row(house, Offer, made).closed_at is not None
    assert offered(house, doctor)
    assert house.count(AuditEntry, AuditEntry.act == "waiting.remove") == 1
    with pytest.raises(NotFound), house.writing() as session:
        waitlist.remove(session, desk, 99)


# Offers


def test_an_offer_holds_its_time_for_twenty_minutes(
    house: House, desk: Actor, doctor: int, clock: time_machine.Traveller
) -> None:
    patient, other = house.patient("Lena"), house.patient("Otto")
    make(house, desk, entry(house, patient), doctor)
    assert not offered(house, doctor)
    assert not offered(house, doctor, for_patient=other)
    assert offered(house, doctor, for_patient=patient)
    with pytest.raises(Conflict):
        book(house, desk, other, doctor)
    clock.shift(timedelta(minutes=19, seconds=59))
    assert not offered(house, doctor)
    clock.shift(1)
    assert offered(house, doctor)
    assert book(house, desk, other, doctor)


def test_held_times_are_those_of_the_doctors_and_days_asked_for(house: House, desk: Actor, doctor: int) -> None:
    patient = house.patient()
    offer(house, entry(house, patient), doctor, NINE)
    hold = (doctor, NINE, NINE + timedelta(minutes=15), patient)
    with house.reading() as session:

        def held(doctor_id: int | None, first: datetime, last: datetime) -> list[Any]:
            return holds.held(session, None if doctor_id is None else [doctor_id], first, last)

        assert held(doctor, NINE, NINE + timedelta(minutes=1)) == [hold]
        assert held(doctor, NINE + timedelta(minutes=14), NINE + timedelta(hours=1)) == [hold]
        assert held(doctor, NINE + timedelta(minutes=15), NINE + timedelta(hours=1)) == []
        assert held(doctor, NINE - timedelta(hours=1), NINE) == []
        assert held(doctor + 1, NINE, NINE + timedelta(hours=1)) == []
        assert held(None, NINE, NINE + timedelta(hours=1)) == [hold]


def test_the_patient_it_was_offered_to_may_book_it_by_another_way(house: House, desk: Actor, doctor: int) -> None:
    patient = house.patient()
    make(house, desk, entry(house, patient), doctor)
    assert book(house, desk, patient, doctor)


def test_an_offer_that_is_accepted_books_the_visit_and_closes_the_entry(house: House, desk: Actor, doctor: int) -> None:
    patient, kind = house.patient(), visit_type(house)
    waits = entry(house, patient, visit_type_id=kind)
    made = make(house, desk, waits, doctor)
    visit = accept(house, desk, made)
    assert accept(house, desk, made) == visit
    found = row(house, Appointment, visit)
    assert (found.patient_id, found.doctor_id, found.starts_at) == (patient, doctor, NINE)
    assert (found.ends_at - found.starts_at, found.visit_type_id) == (timedelta(minutes=30), kind)
    closed = row(house, WaitlistEntry, waits)
    assert closed.closed_at is not None
    assert closed.appointment_id == visit
    assert house.count(Appointment) == 1
    assert house.count(AuditEntry, AuditEntry.act == "offer.accept") == 1
    with pytest.raises(Conflict):
        decline(house, desk, made)


def test_declining_an_offer_releases_the_slot_and_keeps_the_entry(house: House, desk: Actor, doctor: int) -> None:
    waits = entry(house, house.patient())
    made = make(house, desk, waits, doctor)
    decline(house, desk, made)
    decline(house, desk, made)
    assert offered(house, doctor)
    assert fits(house, slot(doctor)) == [waits]
    with pytest.raises(Conflict):
        accept(house, desk, made)
    assert house.count(AuditEntry, AuditEntry.act == "offer.decline") == 1
    assert make(house, desk, waits, doctor) != made


def test_an_offer_may_be_accepted_late_unless_the_slot_was_taken(
    house: House, desk: Actor, doctor: int, clock: time_machine.Traveller
) -> None:
    first, second = (
        make(house, desk, entry(house, house.patient()), doctor, NINE + timedelta(hours=n)) for n in (0, 1)
    )
    clock.shift(timedelta(minutes=30))
    assert accept(house, desk, first)
    book(house, desk, house.patient(), doctor, NINE + timedelta(hours=1))
    with pytest.raises(Taken):
        accept(house, desk, second)
    assert row(house, Offer, second).closed_at is None


def test_the_same_offer_again_is_the_same_and_another_one_is_refused(house: House, desk: Actor, doctor: int) -> None:
    waits = entry(house, house.patient())
    made = make(house, desk, waits, doctor)
    assert make(house, desk, waits, doctor) == made
    with pytest.raises(Conflict):
        make(house, desk, waits, doctor, NINE + timedelta(hours=1))


@pytest.mark.parametrize("minutes", [0, 10, -10])
def test_a_time_that_is_booked_or_held_cannot_be_offered(house: House, desk: Actor, doctor: int, minutes: int) -> None:
    taken = NINE + timedelta(minutes=minutes)
    house.visit(doctor, house.patient(), taken)
    with pytest.raises(Taken):
        make(house, desk, entry(house, house.patient()), doctor)
    make(house, desk, entry(house, house.patient()), doctor, NINE + timedelta(hours=2))
    with pytest.raises(Taken):
        make(house, desk, entry(house, house.patient()), doctor, NINE + timedelta(hours=2, minutes=minutes))


def test_of_many_offers_of_one_slot_at_once_one_holds_it(house: House, desk: Actor, doctor: int) -> None:
    waiting = [entry(house, house.patient()) for _one in range(8)]

    def try_it(number: int) -> bool:
        try:
            make(house, desk, waiting[number], doctor)
        except Taken:
            return False
        return True

    assert sorted(together(8, try_it)) == [False] * 7 + [True]
    assert house.count(Offer) == 1


@pytest.mark.parametrize("utc", ["2026-05-04 05:00", "2026-05-05 05:45", "2026-05-05 16:00", "2026-05-05 15:50"])
def test_times_that_are_past_or_outside_the_hours_cannot_be_offered(
    house: House, desk: Actor, doctor: int, utc: str
) -> None:
    with pytest.raises(Invalid):
        make(house, desk, entry(house, house.patient()), doctor, at(utc))


def test_offers_need_an_entry_for_that_doctor(house: House, desk: Actor, doctor: int) -> None:
    other = house.user("doctor", "bela@clinic.example").doctor_id
    with pytest.raises(Invalid):
        make(house, desk, entry(house, house.patient(), doctor_id=other), doctor)
    with pytest.raises(Conflict):
        make(house, desk, entry(house, house.patient(), closed_at=at("2026-05-01 08:00")), doctor)
    for waits, doctor_id in ((99, doctor), (entry(house, house.patient()), 99)):
        with pytest.raises(NotFound):
            make(house, desk, waits, doctor_id)
    with pytest.raises(NotFound):
        accept(house, desk, 99)
    assert house.count(Offer) == 0


def test_free_time_reaches_to_the_next_appointment(house: House, desk: Actor, doctor: int) -> None:
    def stretch(starts_at: datetime) -> int | None:
        with house.reading() as session:
            found = offers.free_stretch(session, ZONE, doctor, starts_at)
        return int((found.ends_at - found.starts_at).total_seconds() // 60) if found else None

    house.visit(doctor, house.patient(), NINE)
    offer(house, entry(house, house.patient()), doctor, NINE + timedelta(hours=2))
    assert stretch(NINE - timedelta(minutes=20)) == 20
    assert stretch(NINE + timedelta(minutes=15)) == 105
    assert stretch(at("2026-05-05 15:45")) == 15
    for closed in (NINE, NINE + timedelta(minutes=5), NINE + timedelta(hours=2), at("2026-05-05 16:00")):
        assert stretch(closed) is None
    assert stretch(at("2026-05-04 05:30")) is None
