"""How a patient is reached is one rule: anyone who asks hears the same, over all addresses, wishes and channels."""

from itertools import product
from typing import NamedTuple

import pytest
import time_machine
from sqlalchemy import select

from service.config.settings import Settings, Sms
from service.domain.messages import call_lists, decisions, message_log, upcoming_reminders
from service.domain.messages.message_log import Listed
from service.domain.outbox import channels, outbox, reach, reminders
from service.domain.outbox.channels import CHANNELS, WAYS
from service.domain.outbox.reach import Reached
from service.language.typed_dates import Order
from service.storage.models import Appointment, Channel, Message, Patient, SkipReason
from tests.domain.outbox.planning import CLINIC, claim
from tests.house import House, at, day

TODAY = day("2026-05-04")
WITHOUT_SMS = Settings(clinic=CLINIC)
WITH_SMS = Settings(clinic=CLINIC, sms=Sms(enabled=True))


class Wish(NamedTuple):
    """The patients, and what they agreed to."""

    has_email: bool
    has_phone: bool
    first: Channel
    by_email: bool
    by_sms: bool


class Crowd(NamedTuple):
    """One patient for each combination, with an appointment today at noon; wishes by patient and by appointment."""

    wishes: dict[int, Wish]
    visits: dict[int, int]


@pytest.fixture
def crowd(house: House, clock: time_machine.Traveller) -> Crowd:
    """It is five in the morning: the run of the day is still ahead."""
    clock.move_to(at("2026-05-04 03:00"))
    doctor = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg").doctor_id
    wishes, visits = {}, {}
    both = (True, False)
    for number, values in enumerate(product(both, both, WAYS, both, both)):
        wish = Wish(*values)
        patient = house.patient(
            f"Patient {number}",
            email=f"p{number}@mail.example" if wish.has_email else None,
            phone=f"+4917055501{number:02}" if wish.has_phone else None,
            preferred_channel=wish.first,
            email_allowed=wish.by_email,
            sms_allowed=wish.by_sms,
        )
        wishes[patient] = wish
        visits[house.visit(doctor, patient, at("2026-05-04 10:00"))] = patient
    return Crowd(wishes, visits)


def told(wish: Wish, ways: tuple[Channel, ...]) -> tuple[Channel, SkipReason | None]:
    """The rule once more, said plainly for two channels."""
    open_ways = {Channel.EMAIL: wish.has_email, Channel.SMS: wish.has_phone}
    wanted = {Channel.EMAIL: wish.by_email, Channel.SMS: wish.by_sms}
    order = [wish.first, *(way for way in WAYS if way != wish.first)]
    for way in order:
        if way in ways and open_ways[way] and wanted[way]:
            return way, None
    nobody = not any(open_ways[way] for way in ways)
    first = next(way for way in order if way in ways)
    return first, SkipReason.NO_ADDRESS if nobody else SkipReason.OPTED_OUT


@pytest.fixture(params=[WITHOUT_SMS, WITH_SMS], ids=["e-mail", "e-mail and SMS"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """A clinic with these channels."""
    found: Settings = request.param
    return found


@pytest.fixture
def expected(house: House, crowd: Crowd, settings: Settings) -> dict[int, Reached]:
    """How each appointment's patient is reached, by the appointment."""
    found = {}
    with house.reading() as session:
        for visit, patient_id in crowd.visits.items():
            way, reason = told(crowd.wishes[patient_id], channels.ways(settings))
            patient = session.get_one(Patient, patient_id)
            found[visit] = Reached(way, None if reason else CHANNELS[way].address_of(patient), reason)
    return found


def test_every_combination_is_among_them_with_each_ending(crowd: Crowd, expected: dict[int, Reached]) -> None:
    assert len(set(crowd.wishes.values())) == len(crowd.visits) == 2**5
    assert {one.why_not for one in expected.values()} == {None, SkipReason.NO_ADDRESS, SkipReason.OPTED_OUT}


def test_the_rule_is_read_for_one_patient_as_for_many(
    house: House, crowd: Crowd, settings: Settings, expected: dict[int, Reached]
) -> None:
    ways = channels.ways(settings)
    with house.reading() as session:
        many = reach.of_patients(session, crowd.wishes, ways)
        assert {visit: many[patient] for visit, patient in crowd.visits.items()} == expected
        assert many == {patient: reach.of_patient(session, patient, ways) for patient in crowd.wishes}


def test_what_is_expected_at_the_visit_and_before_the_run_is_what_the_run_plans(
    house: House, settings: Settings, expected: dict[int, Reached], clock: time_machine.Traveller
) -> None:
    with house.reading() as session:
        run = upcoming_reminders.of(session, settings, with_texts=False)
        at_the_visits = {
            visit: next(
                one
                for one in decisions.of_visit(session, session.get_one(Appointment, visit), settings)
                if one.rule.name == reminders.DAILY
            )
            for visit in expected
        }
    shown = {visit.id: (one.channel, one.recipient, None) for one in run.messages for visit in one.visits}
    left_out = {one.visit.id: one.reason for one in run.unreachable}
    assert shown == {visit: way for visit, way in expected.items() if way.why_not is None}
    assert left_out == {visit: way.why_not for visit, way in expected.items() if way.why_not is not None}
    assert {visit: (one.channel, one.recipient, one.reason) for visit, one in at_the_visits.items()} == expected

    clock.move_to(at("2026-05-04 06:00"))
    with house.writing() as session:
        reminders.plan(session, reminders.of_day(TODAY, CLINIC.zone), channels.ways(settings))
    with house.reading() as session:
        rows = session.scalars(select(Message)).all()
    assert {row.appointment_id: (row.channel, row.recipient, row.skip_reason) for row in rows} == expected


def test_those_to_call_are_those_without_an_address_in_sheet_list_and_count(
    house: House, settings: Settings, expected: dict[int, Reached], clock: time_machine.Traveller
) -> None:
    clock.move_to(at("2026-05-04 06:00"))
    desk = house.user("receptionist", "desk@clinic.example", "Rita Tresen")
    with house.writing() as session:
        reminders.plan(session, reminders.of_day(TODAY, CLINIC.zone), channels.ways(settings))
    to_call = {visit for visit, way in expected.items() if way.why_not == SkipReason.NO_ADDRESS}
    with house.reading() as session:
        sheet = call_lists.of_day(session, TODAY, settings)
        listed = message_log.page(session, desk, state=Listed.TO_DO, order=Order.DAY).entries
        counted = message_log.counts(session, desk)[Listed.TO_DO]
    assert {entry.message.appointment_id for entry in sheet.to_call} == to_call
    assert {entry.message.appointment_id for entry in listed} == to_call
    assert counted == sheet.no_address == len(to_call)


@pytest.mark.usefixtures("plain_letters")
def test_a_message_leaves_the_way_the_plan_would_choose_or_is_is_left_out(
    house: House, settings: Settings, expected: dict[int, Reached]
) -> None:
    with house.writing() as session:
        for visit in expected:
            booked = session.get_one(Appointment, visit)
            outbox.about_visit(session, "booking_confirmation", booked, event="test")
    while claim(house, sms=settings.sms) is not None:
        pass
    with house.reading() as session:
        rows = session.scalars(select(Message)).all()
    # Where the clinic has no SMS, a number that is not to be used is still a wish when the message is written.
    assert {row.appointment_id: row.recipient if row.skip_reason is None else None for row in rows} == {
        visit: way.recipient for visit, way in expected.items()
    }
    left = {row.appointment_id: CHANNELS[row.channel].way for row in rows if row.skip_reason is None}
    assert left == {visit: way.channel for visit, way in expected.items() if way.why_not is None}
