"""The outbox: what is claimed, what is skipped at the last moment, and how a message ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from service.clock import DayTime, now
from service.config.settings import Settings
from service.domain.messages import call_lists, content, decisions, deliveries
from service.notifications.message import OutgoingMessage
from service.storage.models import Appointment, ExceptionKind, HoursException, Message
from tests.crowd import together
from tests.domain.outbox.planning import (
    SETTINGS,
    change,
    claim,
    hand_over,
    letter,
    planned,
    posted,
    refused,
    row,
    sent,
    taken,
)
from tests.house import House, at, day

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def visit(house: House, doctor: int) -> int:
    """An appointment of today at 14:00, with its reminder planned."""
    made = house.visit(doctor, house.patient("Lena Vogt", email="lena@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    return made


# What is claimed


def test_f11_of_many_that_claim_at_once_each_gets_another_message(house: House, doctor: int) -> None:
    for number in range(8):
        house.visit(doctor, house.patient(email=f"p{number}@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    claims = together(8, lambda number: claim(house, f"owner-{number}"))
    got = [one.outgoing.recipient for one in claims if one and one.outgoing]
    assert len(got) == len(set(got))
    while (more := claim(house)) is not None and more.outgoing:
        got.append(more.outgoing.recipient)
    assert sorted(got) == [f"p{number}@mail.example" for number in range(8)]


def test_f11_a_family_gets_one_letter_however_many_claim_at_once(house: House, doctor: int) -> None:
    for family in range(4):
        for hour in ("12:00", "12:15", "12:30"):
            house.visit(doctor, house.patient(email=f"family{family}@mail.example"), at(f"2026-05-04 {hour}"))
    planned(house)
    claims = [one for _round in range(2) for one in together(8, lambda number: claim(house, f"owner-{number}"))]
    got = sorted(one.outgoing.recipient for one in claims if one and one.outgoing)
    assert got == [f"family{family}@mail.example" for family in range(4)]


def test_a_letter_that_a_busy_database_stops_is_written_later(
    house: House, visit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_given: object) -> OutgoingMessage:
        raise OperationalError("SELECT 1", {}, psycopg.errors.LockNotAvailable("canceled due to lock timeout"))

    with monkeypatch.context() as patched:
        patched.setattr(content, "write", write)
        with pytest.raises(OperationalError):
            claim(house)
    claimed = claim(house)
    assert claimed is not None
    assert claimed.outgoing is not None
    assert claimed.attempt == 1


def test_nothing_is_claimed_before_its_time_or_twice(house: House, visit: int) -> None:
    with house.writing() as session:
        session.execute(update(Message).values(due_at=at("2026-05-04 06:01")))
    assert claim(house) is None
    with time_machine.travel(at("2026-05-04 06:01"), tick=False):
        assert claim(house) is not None
        assert claim(house) is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"status": "cancelled", "cancelled_by": "patient"}, "cancelled"),
        ({"status": "no_show"}, "cancelled"),
        ({"starts_at": at("2026-05-04 15:00"), "ends_at": at("2026-05-04 15:15")}, "cancelled"),
        ({"status": "arrived"}, "too_late"),
        ({"status": "completed"}, "too_late"),
    ],
)
def test_r2_what_changed_between_plan_and_claim_is_not_sent(
    house: House, visit: int, values: dict[str, Any], reason: str
) -> None:
    change(house, visit, **values)
    claimed = claim(house)
    assert claimed is not None
    assert (claimed.outgoing, claimed.status, claimed.skip_reason) == (None, "skipped", reason)
    assert (row(house, claimed.id).status, row(house, claimed.id).skip_reason) == ("skipped", reason)
    assert claim(house) is None


def test_r3_a_visit_that_has_begun_is_not_announced(house: House, visit: int, clock: time_machine.Traveller) -> None:
    clock.shift(timedelta(hours=6))
    claimed = claim(house)
    assert claimed is not None
    assert claimed.skip_reason == "too_late"


@pytest.mark.parametrize("whole_clinic", [False, True])
def test_nothing_contradicts_time_off_the_desk_calls_until_it_is_taken_back(
    house: House, visit: int, doctor: int, whole_clinic: bool
) -> None:
    today = day("2026-05-04")
    with house.writing() as session:
        values = {"kind": ExceptionKind.OFF, "first_day": today, "last_day": today, "created_at": now()}
        session.add(HoursException(doctor_id=None if whole_clinic else doctor, **values))
    claimed = claim(house)
    assert claimed is not None
    assert (claimed.status, claimed.skip_reason) == ("skipped", "time_off")
    with house.reading() as session:
        sheet = call_lists.of_day(session, today, SETTINGS)
        assert [(entry.message.appointment_id, entry.message.skip_reason) for entry in sheet.to_call] == [
            (visit, "time_off")
        ]
        decided = decisions.of_visit(session, session.get_one(Appointment, visit), SETTINGS)
        assert {one.reason for one in decided if one.rule.name == "daily_reminder"} == {"time_off"}
    with house.writing() as session:
        session.delete(session.scalars(select(HoursException)).one())
    planned(house)
    assert taken(house).outgoing is not None


def test_time_off_of_a_colleague_or_at_another_hour_holds_nothing_back(house: House, visit: int, doctor: int) -> None:
    today, other = day("2026-05-04"), house.user("doctor", "other@clinic.example").doctor_id
    with house.writing() as session:
        values = {"kind": ExceptionKind.OFF, "first_day": today, "last_day": today, "created_at": now()}
        session.add(HoursException(doctor_id=other, **values))
        session.add(HoursException(doctor_id=doctor, starts=DayTime.at(8), ends=DayTime.at(14), **values))
    assert taken(house).outgoing is not None


def test_a_relatives_visit_that_was_canceled_is_not_listed(house: House, doctor: int) -> None:
    patients = [house.patient(name, email="vogt@mail.example") for name in ("Lena Vogt", "Mia Vogt")]
    house.visit(doctor, patients[0], at("2026-05-04 12:00"))
    off = house.visit(doctor, patients[1], at("2026-05-04 13:00"))
    planned(house)
    change(house, off, status="cancelled")
    assert "Mia" not in letter(house).body
    rest = claim(house)
    assert rest is not None
    assert rest.skip_reason == "cancelled"


def test_the_relatives_are_told_when_the_visit_their_letter_was_about_falls_away(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    patients = [house.patient(name, email="vogt@mail.example") for name in ("Lena Vogt", "Mia Vogt")]
    first = house.visit(doctor, patients[0], at("2026-05-04 12:00"))
    house.visit(doctor, patients[1], at("2026-05-04 13:00"))
    planned(house)
    refused(house, taken(house), permanent=False)
    change(house, first, status="cancelled")
    clock.shift(deliveries.FIRST_PAUSE)
    gone = claim(house)
    assert gone is not None
    assert gone.skip_reason == "cancelled"
    rest = letter(house)
    assert "Hello Mia Vogt,\n" in rest.body
    assert "  Mon, 4 May, 15:00, Dr. Ada Berg\n" in rest.body
    assert house.count(Message, Message.skip_reason == "duplicate") == 0


# How a message ends


def unsure(house: House, settings: Settings | None = None) -> int:
    with house.writing() as session:
        return deliveries.unsure(session, settings or house.settings)


def statuses(house: House) -> list[Message]:
    with house.reading() as session:
        return list(session.scalars(select(Message).order_by(Message.id)))


def overdue(house: House) -> bool:
    with house.reading() as session:
        return deliveries.waiting(session, house.settings, deliveries.LEASE)


def test_a_message_is_sent_when_the_channel_has_taken_it(house: House, visit: int) -> None:
    found = taken(house)
    assert hand_over(house, found)
    assert row(house, found.id).status == "handing_over"
    assert sent(house, found)
    ended = row(house, found.id)
    assert (ended.status, ended.sent_at, ended.answer) == ("sent", at("2026-05-04 06:00"), "250 queued as 7")


def test_only_the_owner_moves_a_message_on(house: House, visit: int) -> None:
    found = taken(house)
    assert not hand_over(house, replace(found, owner="two"))
    assert not hand_over(house, replace(found, attempt=2)), "nor the same owner at another attempt"
    assert hand_over(house, found)
    assert not sent(house, replace(found, owner="two"))


def test_r10_a_permanent_refusal_is_kept_with_its_reason_and_not_repeated(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    found = taken(house)
    assert refused(house, found, permanent=True) == "failed"
    assert (row(house, found.id).status, row(house, found.id).last_error) == ("failed", "550 no such user")
    clock.shift(timedelta(hours=5))
    assert claim(house) is None
    assert not overdue(house)


def test_r10_a_passing_refusal_is_repeated_with_growing_pauses_until_the_visit_begins(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    pauses: list[float] = []
    while (found := claim(house)) is not None and found.outgoing:
        assert hand_over(house, found)
        assert refused(house, found, permanent=False) == "queued"
        pause = row(house, found.id).due_at - now()
        pauses.append(pause.total_seconds() / 60)
        clock.shift(pause - timedelta(seconds=1))
        assert claim(house) is None
        clock.shift(1)
    assert pauses[:6] == [2, 4, 8, 16, 32, 60]
    assert all(pause <= 60 for pause in pauses)
    assert min(pauses) == 2, "and shorter ones as the visit comes near"
    assert now() - at("2026-05-04 12:00") < timedelta(minutes=2), "tried to the end"
    assert found is not None
    assert found.skip_reason == "too_late"


def test_f17_the_other_side_says_how_long_to_wait_at_least(house: House, visit: int) -> None:
    assert refused(house, taken(house), permanent=False, retry_after=3600) == "queued"
    (waits,) = statuses(house)
    assert waits.due_at == at("2026-05-04 07:00")


def test_a_message_about_no_visit_is_given_up_after_two_days(
    house: House, clock: time_machine.Traveller, plain_letters: None
) -> None:
    posted(house, house.user("patient", "lena@mail.example"))
    began, status = now(), "queued"
    while status == "queued":
        clock.shift(timedelta(hours=1))
        status = refused(house, taken(house), permanent=False)
    assert status == "failed"
    assert now() - began == timedelta(days=2, hours=1)


def test_f2_a_crash_before_the_hand_over_is_sent_again_once_the_lease_is_over(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    found = taken(house)
    clock.shift(deliveries.LEASE)
    assert not overdue(house)
    assert claim(house, "two") is None
    clock.shift(1)
    assert overdue(house)
    again = claim(house, "two")
    assert again is not None
    assert again.outgoing is not None
    assert again.outgoing.id == found.id
    assert not hand_over(house, found), "whoever held it first has lost it"


def test_f2_a_crash_during_the_hand_over_is_unknown_and_never_sent_again(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    found = taken(house)
    hand_over(house, found)
    assert unsure(house) == 0
    clock.shift(deliveries.LAST_LEASE + timedelta(seconds=1))
    assert overdue(house)
    assert claim(house, "two") is None
    assert unsure(house) == 1
    assert row(house, found.id).status == "unknown"
    clock.shift(timedelta(hours=1))
    assert claim(house, "two") is None
    assert not overdue(house)


def test_a_message_left_waiting_is_overdue_after_a_minute(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    assert not overdue(house)
    clock.shift(deliveries.LEASE)
    assert overdue(house)


def test_a_message_that_waits_until_its_visit_has_begun_is_given_up(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    with house.reading() as session:
        assert not deliveries.begun(session)
    clock.shift(timedelta(hours=6))
    with house.writing() as session:
        assert deliveries.begun(session)
        deliveries.give_up_begun(session)
        assert not deliveries.begun(session)
    assert house.count(Message, Message.status == "skipped", Message.skip_reason == "too_late") == 1


def test_at_a_start_what_dead_processes_of_the_kind_held_is_free_at_once(house: House, doctor: int) -> None:
    for number in range(3):
        house.visit(doctor, house.patient(email=f"p{number}@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    claims = [claim(house, owner) for owner in ("serve-dead", "serve-dead", "command-alive")]
    held = [one for one in claims if one]
    assert hand_over(house, held[1])
    with house.writing() as session:
        deliveries.release(session, "serve-")
    assert unsure(house) == 1
    assert row(house, held[1].id).status == "unknown"
    again = claim(house, "serve-new")
    assert again is not None
    assert again.id == held[0].id
    assert claim(house, "serve-new") is None


def test_one_message_that_cannot_be_written_fails_alone(house: House, visit: int) -> None:
    with house.writing() as session:
        session.execute(update(Message).values(rule="no_such_text"))
    claimed = claim(house)
    assert claimed is not None
    assert (claimed.outgoing, claimed.status) == (None, "failed")
    assert "no_such_text" in str(row(house, claimed.id).last_error)
