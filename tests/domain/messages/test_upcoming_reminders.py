"""The next run, read beforehand: held, edited and let go again today, and left as it is by the run itself."""

from typing import Any

import pytest
import time_machine

from service.config.settings import Settings
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.domain.messages import content_preview, upcoming_reminders
from service.domain.messages.upcoming_reminders import UpcomingReminders
from service.domain.outbox import channels, reminders
from service.domain.outbox.reminders import DAILY
from service.storage.models import Message
from tests.domain.outbox.planning import CLINIC, claim, row
from tests.house import House, at, day

SETTINGS = Settings(clinic=CLINIC)
TOMORROW = day("2026-05-05")


@pytest.fixture(autouse=True)
def afternoon(clock: time_machine.Traveller) -> time_machine.Traveller:
    """It is three in the afternoon, the run of today is over."""
    clock.move_to(at("2026-05-04 13:00"))
    return clock


def coming(house: House, settings: Settings = SETTINGS) -> UpcomingReminders:
    with house.reading() as session:
        return upcoming_reminders.of(session, settings)


def visit(house: House, doctor: int, name: str, starts_at: str = "2026-05-05 12:00", **patient: Any) -> int:
    return house.visit(
        doctor, house.patient(name, **{"email": f"{name.lower()}@mail.example", **patient}), at(starts_at)
    )


def do(house: House, act: upcoming_reminders.Act, desk: Actor, visit: int) -> None:
    with house.writing() as session:
        act(session, desk, visit, DAILY, SETTINGS)


def edit(house: House, desk: Actor, visit: int, body: str, subject: str = "Tomorrow") -> None:
    with house.writing() as session:
        upcoming_reminders.edit(session, desk, visit, DAILY, SETTINGS, subject=subject, body=body)


def run(house: House, clock: time_machine.Traveller) -> None:
    """The run of tomorrow plans its messages."""
    clock.move_to(at("2026-05-05 06:00"))
    with house.writing() as session:
        reminders.plan(session, reminders.of_day(TOMORROW, CLINIC.zone), channels.ways(SETTINGS))


def test_it_shows_each_message_with_its_text_and_writes_nothing(house: House, doctor: int) -> None:
    visit(house, doctor, "Lena")
    visit(house, doctor, "Early", "2026-05-05 06:30")  # that today's run has missed
    visit(house, doctor, "Next", "2026-05-06 06:30")
    visit(house, doctor, "Later", "2026-05-06 12:00")
    found = coming(house)
    assert (found.day, found.at) == (TOMORROW, at("2026-05-05 06:00"))
    assert [one.recipient for one in found.messages] == [
        "early@mail.example",
        "lena@mail.example",
        "next@mail.example",
    ]
    assert "Hello Lena," in found.messages[1].body
    assert "{manage_link}" in found.messages[1].body
    assert house.count(Message) == 0


def test_a_family_is_one_message(house: House, doctor: int) -> None:
    for name in ("Lena Vogt", "Mia Vogt"):
        visit(house, doctor, name, email="vogt@mail.example")
    (one,) = coming(house).messages
    assert [found.patient.name for found in one.visits] == ["Lena Vogt", "Mia Vogt"]
    assert "Mia Vogt" in one.body


def test_who_cannot_be_reached_stands_apart_and_may_be_called_already(
    house: House, doctor: int, desk: Actor, afternoon: time_machine.Traveller
) -> None:
    nowhere = visit(house, doctor, "Nowhere", email=None)
    (one,) = coming(house).unreachable
    assert (one.visit.id, one.reason, one.phoned) == (nowhere, "no_address", False)
    do(house, upcoming_reminders.mark_phoned, desk, nowhere)
    (one,) = coming(house).unreachable
    assert one.phoned
    run(house, afternoon)
    assert house.count(Message) == house.count(Message, Message.phoned_at.is_not(None)) == 1


def test_a_call_to_someone_whom_a_message_reaches_is_refused(house: House, doctor: int, desk: Actor) -> None:
    with pytest.raises(Conflict):
        do(house, upcoming_reminders.mark_phoned, desk, visit(house, doctor, "Lena"))


def test_a_message_that_is_held_waits_until_it_is_let_go(
    house: House, doctor: int, desk: Actor, afternoon: time_machine.Traveller
) -> None:
    lena = visit(house, doctor, "Lena")
    do(house, upcoming_reminders.hold, desk, lena)
    assert coming(house).messages[0].held
    assert claim(house) is None, "its run is tomorrow"
    run(house, afternoon)
    assert claim(house) is None
    assert house.count(Message) == 1, "the run leaves it as it is"
    afternoon.move_to(at("2026-05-04 14:00"))
    do(house, upcoming_reminders.let_go, desk, lena)
    assert not coming(house).messages[0].held
    assert claim(house) is None, "it goes with its run, not now"
    afternoon.move_to(at("2026-05-05 06:00"))
    assert claim(house) is not None


def test_a_familys_message_is_held_as_a_whole(
    house: House, doctor: int, desk: Actor, afternoon: time_machine.Traveller
) -> None:
    first, _second = (visit(house, doctor, name, email="vogt@mail.example") for name in ("Lena Vogt", "Mia Vogt"))
    do(house, upcoming_reminders.hold, desk, first)
    run(house, afternoon)
    assert claim(house) is None
    assert house.count(Message, Message.held_at.is_not(None)) == 2


def test_an_edited_text_goes_out_as_it_was_typed_with_the_link_filled_in(
    house: House, doctor: int, desk: Actor, afternoon: time_machine.Traveller
) -> None:
    lena = visit(house, doctor, "Lena")
    edit(house, desk, lena, "Please use the <back> door.\n\n{manage_link} {doctor}")
    (one,) = coming(house).messages
    assert (one.edited, one.body.strip()) == (True, "Please use the <back> door.\n\n{manage_link} {doctor}")
    run(house, afternoon)
    claimed = claim(house)
    assert claimed is not None
    assert claimed.outgoing is not None
    assert claimed.outgoing.subject == "Tomorrow"
    assert claimed.outgoing.body.startswith("Please use the <back> door.\n\nhttp://127.0.0.1:8000/visit/")
    assert "{doctor}" in claimed.outgoing.body
    with house.reading() as session:
        text = content_preview.of(session, row(house, claimed.id), SETTINGS)
    assert text is not None
    assert "http" not in text[1]


def test_the_usual_text_can_be_taken_again(house: House, doctor: int, desk: Actor) -> None:
    lena = visit(house, doctor, "Lena")
    edit(house, desk, lena, "Mine")
    do(house, upcoming_reminders.restore, desk, lena)
    (one,) = coming(house).messages
    assert not one.edited
    assert "Hello Lena," in one.body


@pytest.mark.parametrize(("subject", "body"), [("Tomorrow", " \n "), (" ", "Text"), ("x" * 201, "Text"), ("x", "a\0b")])
def test_a_text_that_cannot_be_sent_is_refused(house: House, doctor: int, desk: Actor, subject: str, body: str) -> None:
    with pytest.raises(Invalid):
        edit(house, desk, visit(house, doctor, "Lena"), body, subject)


def test_a_subject_is_one_line(house: House, doctor: int, desk: Actor) -> None:
    lena = visit(house, doctor, "Lena")
    edit(house, desk, lena, "Text", "Tomorrow\r\nBcc: everybody@mail.example")
    assert coming(house).messages[0].subject == "Tomorrow Bcc: everybody@mail.example"


def test_what_the_next_run_does_not_tell_is_not_found(house: House, doctor: int, desk: Actor) -> None:
    for missing in (visit(house, doctor, "Lena", "2026-05-06 12:00"), 999_999):
        with pytest.raises(NotFound):
            do(house, upcoming_reminders.hold, desk, missing)


def test_before_the_hour_the_next_run_is_todays(house: House, doctor: int, afternoon: time_machine.Traveller) -> None:
    visit(house, doctor, "Lena", "2026-05-04 12:00")
    afternoon.move_to(at("2026-05-04 05:59"))
    found = coming(house)
    assert (found.day, len(found.messages)) == (day("2026-05-04"), 1)


def test_the_advance_reminders_of_the_run_are_there_too(house: House, doctor: int) -> None:
    visit(house, doctor, "Lena", "2026-05-07 12:00")
    settings = Settings(clinic=CLINIC, messages={"advance_hours": 48})  # type: ignore[arg-type]
    assert [one.rule.name for one in coming(house, settings).messages] == ["advance_reminder"]
