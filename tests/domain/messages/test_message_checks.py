"""What is looked at once more before a message leaves: way, address, cap; and what of it is kept."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, update

from service.clock import now
from service.config.settings import Email, Messages, Settings, Sms
from service.domain.messages import deliveries, message_log
from service.notifications import channels
from service.notifications.console import Console
from service.storage.models import Installation, Message, Patient
from tests.domain.outbox.planning import claim, hand_over, planned, posted, refused, row, sent, taken
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def visit(house: House, doctor: int) -> int:
    """An appointment of today at 14:00, with its reminder planned."""
    made = house.visit(doctor, house.patient("Lena Vogt", email="lena@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    return made


# Which way it goes


def lena(house: House, **values: Any) -> None:
    """Change the one patient who has an address."""
    with house.writing() as session:
        session.execute(update(Patient).where(Patient.name == "Lena Vogt").values(name="Lena Vogt", **values))


EMAIL = Email(enabled=True, host="mail.example", sender="desk@clinic.example")
SMS = Sms(enabled=True, url="https://sms.example/{to}", body="{text}")


@pytest.mark.parametrize(
    ("planned_as", "sections", "patient", "way"),
    [
        ("email", {}, {}, ("console", "lena@mail.example")),
        ("console", {}, {}, ("console", "lena@mail.example")),
        ("email", {"email": EMAIL}, {}, ("email", "lena@mail.example")),
        ("console", {"email": EMAIL}, {}, ("email", "lena@mail.example")),
        ("sms", {"sms": SMS}, {"phone": "+4915735985555"}, ("sms", "+4915735985555")),
        ("sms", {}, {"phone": "+4915735985555"}, ("console", "lena@mail.example")),
        ("sms", {"email": EMAIL}, {"phone": "+4915735985555"}, ("email", "lena@mail.example")),
        ("email", {"email": EMAIL}, {"email": "new@mail.example"}, ("email", "new@mail.example")),
        (
            "email",
            {"email": EMAIL, "sms": SMS},
            {"phone": "+4915735985555", "email_allowed": False},
            ("sms", "+4915735985555"),
        ),
    ],
)
def test_channel_and_address_are_those_of_the_moment(
    house: House, visit: int, planned_as: str, sections: dict[str, Any], patient: dict[str, Any], way: tuple[str, str]
) -> None:
    with house.writing() as session:
        session.execute(update(Message).values(channel=planned_as))
    lena(house, **patient)
    claimed = claim(house, **sections)
    assert claimed is not None
    assert claimed.outgoing is not None
    assert (claimed.channel, claimed.outgoing.recipient) == way
    assert (row(house, claimed.id).channel, row(house, claimed.id).recipient) == way


@pytest.mark.parametrize(
    ("planned_as", "patient", "reason"),
    [
        ("email", {"email_allowed": False}, "opted_out"),
        ("email", {"email": None}, "no_address"),
        ("sms", {"email": None, "phone": "+4915735985555"}, "no_address"),
        ("sms", {"email_allowed": False, "phone": "+4915735985555"}, "opted_out"),
    ],
)
def test_r4_without_a_way_that_is_wanted_it_is_skipped_with_the_reason(
    house: House, visit: int, planned_as: str, patient: dict[str, Any], reason: str
) -> None:
    with house.writing() as session:
        session.execute(update(Message).values(channel=planned_as))
    lena(house, **patient)
    claimed = claim(house)
    assert claimed is not None
    assert (claimed.outgoing, claimed.skip_reason) == (None, reason)


def test_r1_what_was_told_by_the_console_is_not_told_by_mail_as_well(house: House, visit: int) -> None:
    first = taken(house)
    assert hand_over(house, first)
    assert sent(house, first)
    with house.writing() as session:
        told = session.get_one(Message, first.id)
        values = {name: getattr(told, name) for name in ("appointment_id", "patient_id", "starts_at", "rule")}
        times = {"due_at": now(), "lease_until": now(), "created_at": now()}
        session.add(Message(channel="email", recipient=told.recipient, **values, **times))
    again = claim(house)
    assert again is not None
    assert again.skip_reason == "duplicate"
    assert row(house, again.id).covered_by == first.id


def test_while_the_demo_mark_stands_nothing_leaves_the_house(house: House, visit: int) -> None:
    with house.writing() as session:
        session.get_one(Installation, 1).demo_at = now()
    claimed = claim(house, email=EMAIL)
    assert claimed is not None
    assert isinstance(channels.choose(Settings(email=EMAIL)).of(claimed.channel), Console)


# How many a day


def test_r9_who_has_had_enough_today_gets_the_next_one_tomorrow_morning(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    patient = house.patient("Lena Vogt", email="lena@mail.example")
    visit = house.visit(doctor, patient, at("2026-05-06 12:00"))
    with house.writing() as session:
        times = {"due_at": now(), "lease_until": now(), "created_at": now(), "sent_at": now()}
        for number in range(3):
            status = "unknown" if number == 2 else "sent"
            values = {"rule": f"news_{number}", "channel": "email", "status": status}
            session.add(Message(patient_id=patient, **values, **times))
        about = {"appointment_id": visit, "patient_id": patient, "starts_at": at("2026-05-06 12:00")}
        times.pop("sent_at")
        session.add(Message(rule="daily_reminder", channel="email", recipient="lena@mail.example", **about, **times))
    kept = claim(house, messages=Messages(daily_cap=3))
    assert kept is not None
    assert (kept.outgoing, kept.status) == (None, "queued")
    assert row(house, kept.id).due_at == at("2026-05-05 06:00")
    assert claim(house, messages=Messages(daily_cap=3)) is None
    clock.shift(timedelta(days=1))
    tomorrow = claim(house, messages=Messages(daily_cap=3))
    assert tomorrow is not None
    assert tomorrow.outgoing is not None


@pytest.mark.usefixtures("plain_letters")
def test_what_an_account_needs_has_no_limit_and_goes_first(house: House, visit: int) -> None:
    account = house.user("patient", "eve@mail.example")
    ids = [posted(house, account) for _number in range(8)]
    assert [taken(house).id for _number in range(8)] == ids
    assert taken(house).outgoing is not None


# What is kept


@pytest.mark.usefixtures("plain_letters")
def test_the_text_is_kept_without_its_links(house: House, visit: int) -> None:
    found = taken(house)
    assert found.outgoing is not None
    assert "https://rounds.example/x/abc" in found.outgoing.body
    assert row(house, found.id).body == "Hello, see [link] today.\n"


@pytest.mark.usefixtures("plain_letters")
def test_a_text_that_someone_wrote_keeps_its_empty_link_until_it_is_sent(house: House, visit: int) -> None:
    with house.writing() as session:
        session.execute(update(Message).values(edited_at=now(), subject="Mine", body="Come: {manage_link}\n"))
    found = taken(house)
    assert row(house, found.id).body == "Come: {manage_link}\n"
    assert hand_over(house, found)
    assert sent(house, found)
    assert (row(house, found.id).subject, row(house, found.id).body) == ("Mine", "Come: [link]\n")


def test_a_letter_bears_the_same_name_at_every_attempt(house: House, visit: int, clock: time_machine.Traveller) -> None:
    first = taken(house)
    refused(house, first, permanent=False)
    clock.shift(deliveries.FIRST_PAUSE)
    second = taken(house)
    assert first.outgoing is not None
    assert second.outgoing is not None
    assert first.outgoing.message_id == second.outgoing.message_id
    assert first.outgoing.message_id == f"<{first.id}.1777874400000000@rounds.invalid>"


def test_r9_what_would_come_too_late_tomorrow_is_sent_today(house: House, visit: int) -> None:
    with house.writing() as session:
        patient = session.query(Patient.id).filter(Patient.name == "Lena Vogt").scalar()
        times = {"due_at": now(), "lease_until": now(), "created_at": now(), "sent_at": now()}
        for number in range(9):
            session.add(Message(patient_id=patient, rule=f"news_{number}", channel="email", status="sent", **times))
    assert taken(house).outgoing is not None


# A family that shares an address


@pytest.fixture
def family(house: House, doctor: int) -> tuple[int, int]:
    """Two patients of one address with appointments at 14:00 and 17:00 today, their reminders planned."""
    ids = []
    for name, time in (("Lena Vogt", "12:00"), ("Mia Vogt", "15:00")):
        ids.append(house.visit(doctor, house.patient(name, email="vogt@mail.example"), at(f"2026-05-04 {time}")))
    planned(house)
    return ids[0], ids[1]


def test_who_was_to_be_told_with_another_is_told_alone_when_that_comes_too_late(
    house: House, family: tuple[int, int], clock: time_machine.Traveller
) -> None:
    assert refused(house, taken(house), permanent=False) == "queued"
    clock.move_to(at("2026-05-04 12:30"))
    with house.writing() as session:
        deliveries.give_up_begun(session)
    left = taken(house)
    assert row(house, left.id).appointment_id == family[1]


def test_everybody_of_a_family_whose_message_failed_is_to_be_called(
    house: House, family: tuple[int, int], clock: time_machine.Traveller
) -> None:
    assert refused(house, taken(house), permanent=True) == "failed"
    for time, visits in (("08:00", list(family)), ("13:00", [family[1]])):
        clock.move_to(at(f"2026-05-04 {time}"))
        with house.reading() as session:
            calls = message_log.to_call(session, Message.rule == "daily_reminder")
        assert [entry.message.appointment_id for entry in calls] == visits


@pytest.mark.parametrize("change", [{"email": "mia@mail.example"}, {"email_allowed": False}])
def test_who_has_left_the_shared_address_is_not_named_there(
    house: House, family: tuple[int, int], change: dict[str, Any]
) -> None:
    with house.writing() as session:
        mia = session.scalars(select(Patient).where(Patient.name == "Mia Vogt")).one()
        for name, value in change.items():
            setattr(mia, name, value)
    first = taken(house)
    assert first.outgoing is not None
    assert "Mia" not in first.outgoing.body
    second = claim(house)
    assert second is not None
    if "email" in change:
        assert second.outgoing is not None
        assert second.outgoing.recipient == "mia@mail.example"
    else:
        assert second.skip_reason == "opted_out"
