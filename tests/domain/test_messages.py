"""The outbox: what is claimed, what is skipped at the last moment, what a letter says, and how a message ends."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import true, update

from service.domain import messages, reminders
from service.domain.messages import Claim
from service.models import Appointment, Message
from service.notifications.message import Letter
from service.settings import Clinic
from tests.crowd import together
from tests.house import House, at, day

pytestmark = pytest.mark.usefixtures("clock")
CLINIC = Clinic(name="Practice at the Park", phone="+49 30 1234567")


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor, whose department says what patients come for."""
    found = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg", department="Oncology").doctor_id
    assert found is not None
    return found


def planned(house: House) -> None:
    with house.writing() as session:
        reminders.plan(session, day("2026-05-04"), CLINIC.zone, "console")


def claim(house: House, owner: str = "one", clinic: Clinic = CLINIC) -> Claim | None:
    with house.writing() as session:
        return messages.claim(session, owner, clinic, true())


def letter(house: House, clinic: Clinic = CLINIC) -> Letter:
    """The one letter that is due."""
    claimed = claim(house, clinic=clinic)
    assert claimed is not None
    assert claimed.letter is not None
    return claimed.letter


def row(house: House, message_id: int) -> Message:
    with house.reading() as session:
        return session.get_one(Message, message_id)


def change(house: House, visit: int, **values: Any) -> None:
    with house.writing() as session:
        session.execute(update(Appointment).where(Appointment.id == visit).values(**values))


@pytest.fixture
def visit(house: House, doctor: int) -> int:
    """A visit of today at 14:00, with its reminder planned."""
    made = house.visit(doctor, house.patient("Lena Vogt", email="lena@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    return made


# The text


def test_a_reminder_says_where_when_and_with_whom(house: House, visit: int) -> None:
    found = letter(house)
    assert found.recipient == "lena@mail.example"
    assert found.subject == "Your visit at Practice at the Park: Mon 4 May, 14:00"
    assert "Hello Lena,\n" in found.body
    assert "Mon 4 May, 14:00, Dr. Ada Berg\n" in found.body
    assert "(+49 30 1234567)" in found.body
    assert (row(house, found.id).subject, row(house, found.id).body) == (found.subject, found.body)


def test_a_reminder_of_a_clinic_without_a_telephone_leaves_it_out(house: House, visit: int) -> None:
    assert "please tell us, so that" in letter(house, Clinic(name="Practice")).body


def test_r5_a_reminder_says_nothing_of_why_somebody_comes(house: House, doctor: int) -> None:
    patient = house.patient("Lena Vogt", email="lena@mail.example")
    house.treated(doctor, patient, at("2026-04-04 12:00"), diagnosis="melanoma", prescription="interferon", notes="sad")
    house.visit(doctor, patient, at("2026-05-04 12:00"), reason="second chemotherapy")
    planned(house)
    found = letter(house)
    text = f"{found.subject}\n{found.body}".casefold()
    assert [word for word in ("melanoma", "interferon", "sad", "chemo", "oncology") if word in text] == []


@pytest.mark.parametrize(
    "name", ["{{7*7}}<b>{clinic_name}", "{doctor}&amp;", "%s %(x)s {0}", "<script>alert(1)</script>", "名前 名字"]
)
def test_r7_a_name_arrives_literally(house: House, doctor: int, name: str) -> None:
    other = house.user("doctor", "other@clinic.example", name).doctor_id
    house.visit(other, house.patient(name, email="a@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    found = letter(house)
    assert f"Hello {name.split(' ')[0]},\n" in found.body
    assert f"14:00, {name}\n" in found.body


def test_r6_names_with_line_breaks_stay_on_one_line(house: House, doctor: int) -> None:
    for name in ("Eva\r\nBcc: all@mail.example\n\nfree", "Bo\x0b\x85\u2028Berg"):
        house.visit(doctor, house.patient(name, email="a@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    found = letter(house, Clinic(name="Our\nBcc: x@mail.example"))
    assert len(found.subject.splitlines()) == 1
    assert "  Eva Bcc: all@mail.example free: Mon 4 May" in found.body
    assert "  Bo Berg: Mon 4 May" in found.body
    assert not any(line.startswith("Bcc") for line in found.subject.splitlines())


def test_a_family_that_shares_an_address_gets_one_letter_that_lists_everybody(house: House, doctor: int) -> None:
    for name, time in (("Mia Vogt", "13:00"), ("Lena Vogt", "12:00"), ("Ben Vogt", "20:00")):
        house.visit(doctor, house.patient(name, email="vogt@mail.example"), at(f"2026-05-04 {time}"))
    house.visit(doctor, house.patient("Tomorrow", email="vogt@mail.example"), at("2026-05-04 23:00"))
    house.visit(doctor, house.patient("Other", email="other@mail.example"), at("2026-05-04 12:30"))
    planned(house)
    claimed = claim(house)
    assert claimed is not None
    assert claimed.letter is not None
    assert claimed.covered == 2
    lines = [line.strip() for line in claimed.letter.body.splitlines() if line.startswith("  ")]
    assert lines == [
        "Lena Vogt: Mon 4 May, 14:00, Dr. Ada Berg",
        "Mia Vogt: Mon 4 May, 15:00, Dr. Ada Berg",
        "Ben Vogt: Mon 4 May, 22:00, Dr. Ada Berg",
    ]
    assert house.count(Message, Message.skip_reason == "duplicate", Message.covered_by == claimed.id) == 2
    assert letter(house).recipient == "other@mail.example"
    assert claim(house) is None


def test_two_visits_of_one_patient_are_one_letter_without_the_name(house: House, doctor: int) -> None:
    patient = house.patient("Lena Vogt", email="lena@mail.example")
    for time in ("12:00", "13:00"):
        house.visit(doctor, patient, at(f"2026-05-04 {time}"))
    planned(house)
    body = letter(house).body
    assert "  Mon 4 May, 14:00, Dr. Ada Berg\n  Mon 4 May, 15:00, Dr. Ada Berg\n" in body
    assert "Vogt" not in body


def test_a_relatives_visit_that_was_called_off_is_not_listed(house: House, doctor: int) -> None:
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
    refused(house, letter(house).id, permanent=False)
    change(house, first, status="cancelled")
    clock.shift(messages.BACK_OFF)
    gone = claim(house)
    assert gone is not None
    assert gone.skip_reason == "cancelled"
    rest = letter(house)
    assert "Hello Mia,\n" in rest.body
    assert "  Mon 4 May, 15:00, Dr. Ada Berg\n" in rest.body
    assert house.count(Message, Message.skip_reason == "duplicate") == 0


# What is claimed


def test_f11_of_many_that_claim_at_once_each_gets_another_message(house: House, doctor: int) -> None:
    for number in range(8):
        house.visit(doctor, house.patient(email=f"p{number}@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    claims = together(8, lambda number: claim(house, f"owner-{number}"))
    got = [one.letter.recipient for one in claims if one and one.letter]
    assert len(got) == len(set(got))
    while (more := claim(house)) is not None and more.letter:
        got.append(more.letter.recipient)
    assert sorted(got) == [f"p{number}@mail.example" for number in range(8)]


def test_f11_a_family_gets_one_letter_however_many_claim_at_once(house: House, doctor: int) -> None:
    for family in range(4):
        for time in ("12:00", "12:15", "12:30"):
            house.visit(doctor, house.patient(email=f"family{family}@mail.example"), at(f"2026-05-04 {time}"))
    planned(house)
    claims = [one for _round in range(2) for one in together(8, lambda number: claim(house, f"owner-{number}"))]
    got = sorted(one.letter.recipient for one in claims if one and one.letter)
    assert got == [f"family{family}@mail.example" for family in range(4)]


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
    assert (claimed.letter, claimed.status, claimed.skip_reason) == (None, "skipped", reason)
    assert (row(house, claimed.id).status, row(house, claimed.id).skip_reason) == ("skipped", reason)
    assert claim(house) is None


def test_r3_a_visit_that_has_begun_is_not_announced(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    clock.shift(timedelta(hours=6))
    claimed = claim(house)
    assert claimed is not None
    assert claimed.skip_reason == "too_late"


# How a message ends


def hand_over(house: House, message_id: int, owner: str = "one") -> bool:
    with house.writing() as session:
        return messages.hand_over(session, message_id, owner)


def refused(house: House, message_id: int, *, permanent: bool) -> str:
    with house.writing() as session:
        return messages.refused(session, message_id, "one", "550 no such user", permanent=permanent)


def unsure(house: House) -> int:
    with house.writing() as session:
        return messages.unsure(session)


def overdue(house: House) -> bool:
    with house.reading() as session:
        return messages.overdue(session)


def test_a_message_is_sent_when_the_channel_has_taken_it(house: House, visit: int) -> None:
    found = letter(house)
    assert hand_over(house, found.id)
    assert row(house, found.id).status == "handing_over"
    with house.writing() as session:
        assert messages.sent(session, found.id, "one")
    assert (row(house, found.id).status, row(house, found.id).sent_at) == ("sent", at("2026-05-04 06:00"))


def test_only_the_owner_moves_a_message_on(house: House, visit: int) -> None:
    found = letter(house)
    assert not hand_over(house, found.id, "two")
    assert hand_over(house, found.id)
    with house.writing() as session:
        assert not messages.sent(session, found.id, "two")


def test_r10_a_permanent_refusal_is_kept_with_its_reason_and_not_repeated(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    found = letter(house)
    assert refused(house, found.id, permanent=True) == "failed"
    assert (row(house, found.id).status, row(house, found.id).last_error) == ("failed", "550 no such user")
    clock.shift(timedelta(hours=5))
    assert claim(house) is None
    assert not overdue(house)


def test_r10_a_passing_refusal_is_repeated_with_growing_pauses_until_it_is_enough(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    pauses = []
    for _attempt in range(messages.ATTEMPTS - 1):
        found = letter(house)
        assert hand_over(house, found.id)
        assert refused(house, found.id, permanent=False) == "queued"
        pauses.append(row(house, found.id).due_at - at("2026-05-04 06:00") - sum(pauses, timedelta()))
        clock.shift(pauses[-1] - timedelta(seconds=1))
        assert claim(house) is None
        clock.shift(1)
    assert [pause.total_seconds() / 60 for pause in pauses] == [2, 4, 8, 16]
    assert refused(house, letter(house).id, permanent=False) == "failed"


def test_f2_a_crash_before_the_hand_over_is_sent_again_once_the_lease_is_over(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    found = letter(house)
    clock.shift(messages.LEASE)
    assert not overdue(house)
    assert claim(house, "two") is None
    clock.shift(1)
    assert overdue(house)
    again = claim(house, "two")
    assert again is not None
    assert again.letter is not None
    assert again.letter.id == found.id
    assert not hand_over(house, found.id, "one"), "whoever held it first has lost it"


def test_f2_a_crash_during_the_hand_over_is_unknown_and_never_sent_again(
    house: House, visit: int, clock: time_machine.Traveller
) -> None:
    found = letter(house)
    hand_over(house, found.id)
    assert unsure(house) == 0
    clock.shift(messages.LEASE + timedelta(seconds=1))
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
    clock.shift(messages.LEASE)
    assert overdue(house)


def test_at_a_start_what_dead_processes_of_the_kind_held_is_free_at_once(house: House, doctor: int) -> None:
    for number in range(3):
        house.visit(doctor, house.patient(email=f"p{number}@mail.example"), at("2026-05-04 12:00"))
    planned(house)
    claims = [claim(house, owner) for owner in ("serve-dead", "serve-dead", "command-alive")]
    held = [one.id for one in claims if one]
    assert hand_over(house, held[1], "serve-dead")
    with house.writing() as session:
        messages.release(session, "serve-")
    assert unsure(house) == 1
    assert row(house, held[1]).status == "unknown"
    again = claim(house, "serve-new")
    assert again is not None
    assert again.id == held[0]
    assert claim(house, "serve-new") is None


def test_one_message_that_cannot_be_written_fails_alone(house: House, visit: int) -> None:
    with house.writing() as session:
        session.execute(update(Message).values(rule="no_such_text"))
    claimed = claim(house)
    assert claimed is not None
    assert (claimed.letter, claimed.status) == (None, "failed")
    assert "no_such_text" in str(row(house, claimed.id).last_error)
