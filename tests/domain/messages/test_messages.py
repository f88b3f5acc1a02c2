"""What the desk does with messages: pause all, hold one, let one go, send one again; and when they are forgotten."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, update

from service import clock as clinic_clock
from service.config.settings import Messages
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden, NotFound
from service.domain.messages import messages
from service.storage.models import AuditEntry, Message, MessageLink, MessageStatus, Patient
from tests.domain.outbox.planning import claim, planned, row
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def desk(house: House) -> Actor:
    """Someone at the desk."""
    return house.user("receptionist", "desk@clinic.example")


@pytest.fixture
def waiting(house: House) -> list[int]:
    """Two reminders of today, planned; their ids."""
    doctor = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg").doctor_id
    for number in range(2):
        patient = house.patient(f"Patient {number}", email=f"p{number}@mail.example")
        house.visit(doctor, patient, at("2026-05-04 12:00"), overbooked=True)
    planned(house)
    with house.reading() as session:
        return list(session.scalars(select(Message.id).order_by(Message.id)))


def act(house: House, function: Any, *args: Any) -> Any:
    with house.writing() as session:
        return function(session, *args)


def set_all(house: House, **values: Any) -> None:
    with house.writing() as session:
        session.execute(update(Message).values(**values))


def acts(house: House) -> list[tuple[str, str | None]]:
    with house.reading() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.act.like("message%")).order_by(AuditEntry.id))
        return [(entry.act, entry.subject) for entry in entries]


# Pause, hold, let go


def test_while_all_are_paused_only_what_is_let_go_leaves(house: House, desk: Actor, waiting: list[int]) -> None:
    act(house, messages.pause, desk)
    act(house, messages.pause, desk)
    assert claim(house) is None
    with house.reading() as session:
        assert messages.paused_at(session) == at("2026-05-04 06:00")
    act(house, messages.release, desk, waiting[1])
    claimed = claim(house)
    assert claimed is not None
    assert claimed.id == waiting[1]
    assert claim(house) is None
    act(house, messages.resume, desk)
    claimed = claim(house)
    assert claimed is not None
    assert claimed.id == waiting[0]
    assert acts(house) == [
        ("messages.pause", None),
        ("message.release", f"message/{waiting[1]}"),
        ("messages.resume", None),
    ]


def test_the_settings_pause_all_as_well(house: House, desk: Actor, waiting: list[int]) -> None:
    assert claim(house, messages=Messages(hold=True)) is None
    act(house, messages.release, desk, waiting[0])
    assert claim(house, messages=Messages(hold=True)) is not None


def test_one_that_is_held_back_waits_alone_until_it_is_let_go(house: House, desk: Actor, waiting: list[int]) -> None:
    act(house, messages.hold_back, desk, waiting[0])
    claimed = claim(house)
    assert claimed is not None
    assert claimed.id == waiting[1]
    assert claim(house) is None
    act(house, messages.hold_no_longer, desk, waiting[0])
    assert claim(house) is not None


def test_what_no_longer_waits_cannot_be_held_or_let_go(house: House, desk: Actor, waiting: list[int]) -> None:
    claim(house)
    for function in (messages.hold_back, messages.hold_no_longer, messages.release):
        with pytest.raises(Conflict):
            act(house, function, desk, waiting[0])


@pytest.mark.parametrize("role", ["doctor", "patient"])
def test_z1_messages_are_the_desks(house: House, waiting: list[int], role: str) -> None:
    stranger = house.user(role, "stranger@clinic.example")
    for function in (messages.pause, messages.resume):
        with pytest.raises(Forbidden):
            act(house, function, stranger)
    for change in (messages.hold_back, messages.hold_no_longer, messages.release, messages.send_again):
        with pytest.raises(Forbidden):
            act(house, change, stranger, waiting[0])


def test_a_message_that_is_not_there_is_not_found(house: House, desk: Actor) -> None:
    for function in (messages.hold_back, messages.release, messages.send_again):
        with pytest.raises(NotFound):
            act(house, function, desk, 404)


# Send again


@pytest.mark.parametrize("status", ["failed", "unknown"])
def test_r10_one_that_failed_or_is_unsure_is_sent_again_to_the_address_of_now(
    house: House, desk: Actor, waiting: list[int], status: str
) -> None:
    set_all(house, status=status, attempts=3)
    with house.writing() as session:
        session.execute(update(Patient).where(Patient.email == "p0@mail.example").values(email="new@mail.example"))
    for _press in range(2):
        act(house, messages.send_again, desk, waiting[0])
    claimed = claim(house)
    assert claimed is not None
    assert claimed.outgoing is not None
    assert claimed.outgoing.recipient == "new@mail.example"
    assert acts(house) == [("message.send_again", f"message/{waiting[0]}")]


@pytest.mark.parametrize("status", ["sent", "skipped", "sending"])
def test_what_was_sent_is_not_sent_again(house: House, desk: Actor, waiting: list[int], status: str) -> None:
    set_all(house, status=status)
    with pytest.raises(Conflict):
        act(house, messages.send_again, desk, waiting[0])


def test_nothing_is_sent_again_once_the_visit_has_begun_or_without_an_address(
    house: House, desk: Actor, waiting: list[int], clock: time_machine.Traveller
) -> None:
    set_all(house, status="failed")
    with house.writing() as session:
        session.execute(update(Patient).values(email=None))
    with pytest.raises(Conflict, match="no address"):
        act(house, messages.send_again, desk, waiting[0])
    clock.shift(timedelta(hours=6))
    with pytest.raises(Conflict, match="has started"):
        act(house, messages.send_again, desk, waiting[0])


def test_a_transaction_knows_whether_it_has_posted_something(house: House, desk: Actor, waiting: list[int]) -> None:
    set_all(house, status="failed")
    with house.writing() as session:
        assert not messages.was_posted(session)
        messages.send_again(session, desk, waiting[0])
        session.flush()
        assert messages.was_posted(session)
    with house.writing() as session:
        messages.pause(session, desk)
        session.flush()
        assert not messages.was_posted(session)


# Retention


def test_texts_go_after_months_and_rows_after_years(
    house: House, waiting: list[int], clock: time_machine.Traveller
) -> None:
    set_all(house, status="sent", subject="Your visit", body="Hello")
    with house.writing() as session:
        session.execute(update(Message).where(Message.id == waiting[1]).values(covered_by=waiting[0]))
        now, later = clinic_clock.now(), clinic_clock.now() + timedelta(days=1)
        link = {"message_id": waiting[0], "patient_id": 1, "created_at": now, "expires_at": later}
        session.add(MessageLink(purpose="visit", token_hash="0" * 64, **link))

    def left() -> list[tuple[str | None, str | None]]:
        with house.writing() as session:
            assert not messages.purge(session, Messages(keep_text_months=6, keep_rows_months=24))
            return [(one.subject, one.body) for one in session.scalars(select(Message))]

    clock.shift(timedelta(days=180))
    assert left() == [("Your visit", "Hello")] * 2
    clock.shift(timedelta(days=4))
    assert left() == [(None, None)] * 2
    clock.shift(timedelta(days=365 * 2 - 184))
    assert len(left()) == 2
    clock.shift(timedelta(days=2))
    assert left() == []


def test_many_are_forgotten_some_at_a_time(
    house: House, waiting: list[int], clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "AT_ONCE", 1)
    clock.shift(timedelta(days=800))
    turns = 1
    while act(house, messages.purge, Messages()):
        turns += 1
    assert turns == 3
    assert house.count(Message) == 0


def test_it_says_how_many_wait_and_how_many_are_unsure(house: House, waiting: list[int]) -> None:
    with house.writing() as session:
        session.get_one(Message, waiting[0]).status = MessageStatus.UNKNOWN
    with house.reading() as session:
        assert messages.waiting_and_unsure(session) == (1, 1)
    assert row(house, waiting[1]).status == "queued"
