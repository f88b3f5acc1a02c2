"""The call list: who was told, who was not and why, whom to call; one tap notes a call, another takes it back."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update

from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import NotFound
from service.domain.messages import call_lists, content_facts, message_log
from service.domain.messages.call_lists import CallList
from service.domain.outbox import reminders
from service.storage.models import Appointment, Channel, Message
from tests.domain.outbox.planning import CLINIC, SETTINGS, change, claim
from tests.house import House, at, day

TODAY = day("2026-05-04")
pytestmark = pytest.mark.usefixtures("clock")


def sheet(house: House) -> CallList:
    with house.reading() as session:
        return call_lists.of_day(session, TODAY, SETTINGS)


def visit(house: House, doctor: int, name: str, starts_at: str = "2026-05-04 12:00", **patient: Any) -> int:
    person = {"email": f"{name.lower()}@mail.example", "phone": "+491705550132", **patient}
    return house.visit(doctor, house.patient(name, **person), at(starts_at))


def plan(house: House) -> None:
    with house.writing() as session:
        for span in (reminders.of_day(TODAY, CLINIC.zone), reminders.early(TODAY, SETTINGS)):
            reminders.plan(session, span, (Channel.EMAIL,))


def settle(house: House, appointment_id: int, **values: Any) -> None:
    with house.writing() as session:
        session.execute(update(Message).where(Message.appointment_id == appointment_id).values(**values))


def to_call(house: House) -> list[str]:
    return [entry.patient_name for entry in sheet(house).to_call]


def test_who_was_not_told_is_called_soonest_first(house: House, doctor: int) -> None:
    told = visit(house, doctor, "Told")
    failed = visit(house, doctor, "Failed", "2026-05-04 15:00")
    lost = visit(house, doctor, "Lost", "2026-05-04 14:00")
    visit(house, doctor, "Nowhere", "2026-05-04 13:00", email=None)
    visit(house, doctor, "Tomorrow", "2026-05-05 06:00", email=None)
    plan(house)
    settle(house, told, status="sent")
    settle(house, failed, status="failed")
    settle(house, lost, status="unknown")
    found = sheet(house)
    assert [entry.patient_name for entry in found.to_call] == ["Nowhere", "Lost", "Failed", "Tomorrow"]
    assert (found.told, found.failed, found.no_address, found.waiting) == (1, 2, 2, 0)
    assert {entry.phone for entry in found.to_call} == {"+491705550132"}


@pytest.mark.parametrize(
    "changed",
    [{"status": "cancelled"}, {"starts_at": at("2026-05-04 16:00"), "ends_at": at("2026-05-04 16:15")}],
)
def test_nobody_is_called_about_a_visit_that_is_not_so_any_more(
    house: House, doctor: int, changed: dict[str, Any]
) -> None:
    gone = visit(house, doctor, "Nowhere", email=None)
    plan(house)
    assert to_call(house) == ["Nowhere"]
    change(house, gone, **changed)
    assert to_call(house) == []


def test_nobody_is_called_once_the_visit_has_begun(house: House, doctor: int, clock: time_machine.Traveller) -> None:
    visit(house, doctor, "Nowhere", email=None)
    plan(house)
    clock.shift(timedelta(hours=6))
    assert to_call(house) == []


def test_who_needs_no_call_stands_apart_with_the_reason(house: House, doctor: int) -> None:
    visit(house, doctor, "Unwilling", email_allowed=False)
    new = visit(house, doctor, "New", "2026-05-04 13:00")
    with house.writing() as session:
        session.execute(update(Appointment).where(Appointment.id == new).values(created_at=at("2026-05-04 05:00")))
    plan(house)
    found = sheet(house)
    left_out = [(entry.patient_name, entry.message.skip_reason) for entry in found.left_out]
    assert left_out == [("Unwilling", "opted_out"), ("New", "just_booked")]
    assert found.to_call == []


def test_a_call_is_noted_once_and_can_be_taken_back(house: House, doctor: int, desk: Actor) -> None:
    visit(house, doctor, "Nowhere", email=None)
    plan(house)
    (entry,) = sheet(house).to_call
    for _again in range(2):
        with house.writing() as session:
            call_lists.mark_phoned(session, desk, entry.message.id)
    (called,) = sheet(house).called
    assert (called.message.phoned_at, called.phoned_by) == (at("2026-05-04 06:00"), "Rita Tresen")
    assert to_call(house) == []
    with house.reading() as session:
        assert message_log.to_do(session) == 0
    with house.writing() as session:
        call_lists.unmark_phoned(session, desk, entry.message.id)
    assert to_call(house) == ["Nowhere"]


def test_a_call_about_no_message_is_refused(house: House, desk: Actor) -> None:
    with house.writing() as session, pytest.raises(NotFound):
        call_lists.mark_phoned(session, desk, 999)


def test_z3_only_the_desk_notes_calls(house: House, doctor: int) -> None:
    visit(house, doctor, "Nowhere", email=None)
    plan(house)
    (entry,) = sheet(house).to_call
    for role in ("doctor", "patient"):
        actor = house.user(role, f"{role}2@clinic.example", "Somebody")
        with house.writing() as session, pytest.raises(NotFound):
            call_lists.mark_phoned(session, actor, entry.message.id)
        with house.reading() as session, pytest.raises(NotFound):
            message_log.fetch(session, actor, entry.message.id)


def test_the_sheet_is_posted_once_a_day_with_names_and_numbers(house: House, doctor: int) -> None:
    visit(house, doctor, "Nowhere", email=None)
    plan(house)
    for _again in range(2):
        with house.writing() as session:
            posted = call_lists.post(session, TODAY, "desk@clinic.example").id
    assert house.count(Message, Message.rule == "morning_sheet") == 1
    claimed = claim(house)
    assert claimed is not None
    assert claimed.outgoing is not None
    assert (claimed.id, claimed.outgoing.recipient) == (posted, "desk@clinic.example")
    assert "Mon, 4 May, 14:00  Nowhere  0170 5550132\n" in claimed.outgoing.body
    assert "/messages/morning?date=2026-05-04" in claimed.outgoing.body


def test_a_sheet_with_nobody_to_call_says_so(house: House) -> None:
    with house.writing() as session:
        message = call_lists.post(session, TODAY, "desk@clinic.example")
        assert content_facts.of(session, message, [], SETTINGS).values["calls"] == "  –"
