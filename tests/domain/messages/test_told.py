"""What happens is told: to whom, once, in their language, with a calendar entry that moves along; never why."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from icalendar import Calendar
from sqlalchemy import select, update

from service import clock as our_clock
from service.config.settings import Booking, Clinic
from service.domain.accounts import guardians, users
from service.domain.accounts.users import NewUser
from service.domain.appointments import booking, outcomes, series, walk_ins
from service.domain.appointments.requests import BookingRequest, MoveRequest, SeriesRequest
from service.domain.diary import offers, waitlist
from service.domain.diary.waitlist import WaitlistRequest
from service.domain.foundation import tokens
from service.domain.foundation.actor import Actor, Role
from service.domain.outbox import outbox
from service.domain.reports import reports
from service.notifications.message import OutgoingMessage
from service.storage.models import Appointment, Message, MessageLink, User, UserToken
from tests.domain.exports.asking import finished
from tests.domain.outbox import planning as hand
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")
RULES = Booking()
ZONE = hand.CLINIC.zone


@pytest.fixture(name="desk")
def reception(house: House) -> Actor:
    return house.user("receptionist", "rita@clinic.example", "Rita Tresen")


@pytest.fixture(name="doctor")
def a_doctor(house: House) -> Actor:
    found = house.user("doctor", "berg@clinic.example", "Dr. Ada Berg", department="Oncology")
    house.hours(found.doctor_id)
    return found


@pytest.fixture(name="lena")
def a_patient(house: House) -> int:
    return house.patient("Lena Vogt", email="lena@mail.example", phone="+4915735550132")


def book(house: House, actor: Actor, patient: int, doctor: Actor, starts_at: datetime, **more: Any) -> int:
    wanted = BookingRequest(patient, starts_at, doctor.doctor_id, **more)
    with house.writing() as session:
        return booking.book(session, actor, wanted, RULES, ZONE).id


def due(house: House, clinic: Clinic = hand.CLINIC, **sections: Any) -> list[OutgoingMessage]:
    """All letters that are due now, each sent."""
    found = []
    while (claimed := hand.claim(house, clinic=clinic, **sections)) is not None:
        assert claimed.status != "failed", hand.row(house, claimed.id).last_error
        if claimed.outgoing is not None:
            found.append(claimed.outgoing)
            with house.writing() as session:
                session.execute(update(Message).where(Message.id == claimed.id).values(status="sent"))
    return found


def the_event(letter: OutgoingMessage) -> tuple[Calendar, Any]:
    """The calendar a letter carries, and its one event."""
    (part,) = letter.attachments
    calendar = Calendar.from_ical(part.content)
    (event,) = calendar.walk("VEVENT")
    assert part.content_type == f"text/calendar; method={calendar['method']}; charset=utf-8"
    return calendar, event


def test_a_booking_is_confirmed_once_with_a_link_and_a_calendar_entry(
    house: House, desk: Actor, doctor: Actor, lena: int
) -> None:
    starts_at = at("2026-05-11 08:00")
    assert book(house, desk, lena, doctor, starts_at) == book(house, desk, lena, doctor, starts_at)
    (found,) = due(house)
    assert found.subject == "Appointment booked at Practice at the Park: Mon, 11 May, 10:00"
    assert "  Mon, 11 May, 10:00, Dr. Ada Berg\n" in found.body
    assert re.search(r"Confirm, reschedule, or cancel: http://127\.0\.0\.1:8000/visit/[\w-]{43}\n", found.body)
    assert found.unsubscribe_url.startswith("http://127.0.0.1:8000/contact/")
    calendar, event = the_event(found)
    assert (calendar["method"], event["status"]) == ("REQUEST", "CONFIRMED")
    assert event["dtstart"].dt == starts_at
    assert b"\r\nDTSTART:20260511T080000Z\r\nDTEND:20260511T081500Z\r\n" in found.attachments[0].content
    assert calendar.walk("VTIMEZONE") == []
    assert due(house) == []


def test_r5_no_message_says_why_someone_comes(house: House, desk: Actor, doctor: Actor, lena: int) -> None:
    house.treated(doctor.doctor_id, lena, at("2026-04-04 12:00"), diagnosis="melanoma", notes="sad")
    visit = book(house, desk, lena, doctor, at("2026-05-11 08:00"), reason="second chemotherapy")
    told = due(house)
    with house.writing() as session:
        moved = booking.reschedule(session, desk, visit, MoveRequest(at("2026-05-12 08:00")), RULES, ZONE).id
    told += due(house)
    with house.writing() as session:
        outcomes.cancel(session, desk, moved, reason="the tumour marker is fine", rules=RULES)
    told += due(house)
    assert len(told) == 3
    for one in told:
        parts = b" ".join(part.content for part in one.attachments).decode()
        text = f"{one.subject} {one.body} {one.html} {parts}".casefold()
        assert [word for word in ("melanoma", "chemo", "oncolog", "tumour", "sad") if word in text] == []


def test_a_calendar_entry_keeps_its_name_over_moves_and_goes_with_the_cancellation(
    house: House, desk: Actor, doctor: Actor, lena: int, clock: time_machine.Traveller
) -> None:
    visit = book(house, desk, lena, doctor, at("2026-05-11 08:00"))
    told = due(house)
    for day in ("12", "13"):
        clock.shift(1)
        with house.writing() as session:
            starts_at = at(f"2026-05-{day} 08:00")
            visit = booking.reschedule(session, desk, visit, MoveRequest(starts_at), RULES, ZONE).id
        told += due(house)
    clock.shift(1)
    with house.writing() as session:
        outcomes.cancel(session, desk, visit, reason="", rules=RULES)
    told += due(house)
    events = [the_event(one) for one in told]
    assert len({str(event["uid"]) for _calendar, event in events}) == 1
    numbers = [event["sequence"] for _calendar, event in events]
    assert numbers == sorted(set(numbers))
    assert [str(calendar["method"]) for calendar, _event in events] == ["REQUEST", "REQUEST", "REQUEST", "CANCEL"]
    assert events[-1][1]["status"] == "CANCELLED"
    assert "The old time, Tue, 12 May, 10:00, no longer applies." in told[2].body


@pytest.mark.parametrize(
    ("starts_at", "local"),
    [
        ("2026-03-28 09:00", "2026-03-28 10:00 +0100"),
        ("2026-03-29 08:00", "2026-03-29 10:00 +0200"),
        ("2026-10-24 08:00", "2026-10-24 10:00 +0200"),
        ("2026-10-25 09:00", "2026-10-25 10:00 +0100"),
    ],
)
def test_f19_an_entry_has_the_hour_of_the_wall_on_both_sides_of_a_clock_change(
    house: House, desk: Actor, doctor: Actor, lena: int, starts_at: str, local: str
) -> None:
    with time_machine.travel(at("2026-03-01 08:00"), tick=False):
        book(house, desk, lena, doctor, at(starts_at))
        (found,) = due(house)
    _calendar, event = the_event(found)
    assert event["dtstart"].dt == at(starts_at)
    assert f"{event['dtstart'].dt.astimezone(ZONE):%Y-%m-%d %H:%M %z}" == local
    assert local[11:16] in found.subject


def test_a_series_is_told_in_one_message_that_lists_its_dates(
    house: House, desk: Actor, doctor: Actor, lena: int
) -> None:
    first = BookingRequest(lena, at("2026-05-11 08:00"), doctor.doctor_id)
    with house.writing() as session:
        series.book(session, desk, SeriesRequest(first, count=3, every_days=7), RULES, hand.CLINIC)
    (found,) = due(house)
    assert [line.strip() for line in found.body.splitlines() if line.startswith("  ")] == [
        f"Mon, {day}, 10:00, Dr. Ada Berg" for day in ("11 May", "18 May", "25 May")
    ]
    assert len(found.attachments) == 3
    assert len({str(Calendar.from_ical(part.content).walk("VEVENT")[0]["uid"]) for part in found.attachments}) == 3


def test_the_language_is_the_recipients_else_the_clinics(house: House, desk: Actor, doctor: Actor, lena: int) -> None:
    other = house.patient("Otto Birke", email="otto@mail.example", language="de")
    book(house, desk, lena, doctor, at("2026-05-11 08:00"))
    book(house, desk, other, doctor, at("2026-05-11 09:00"))
    german = Clinic(name="Praxis am Park", message_language="de")
    assert [one.subject.split(" ")[1] for one in due(house)] == ["booked", "gebucht"]
    book(house, desk, lena, doctor, at("2026-05-12 08:00"))
    (found,) = due(house, german)
    assert found.subject == "Termin gebucht bei Praxis am Park: Di., 12. Mai, 10:00"
    assert "Termin bei Praxis am Park" in found.attachments[0].content.decode()
    assert '<html lang="de" dir="ltr">' in found.html


def test_a_message_as_html_runs_from_right_to_left_in_such_a_language(
    house: House, desk: Actor, doctor: Actor, lena: int
) -> None:
    book(house, desk, lena, doctor, at("2026-05-11 08:00"))
    (found,) = due(house, Clinic(name="Praxis am Park", message_language="ar_XB"))
    assert '<html lang="ar-XB" dir="rtl">' in found.html


def test_links_open_in_the_language_that_the_recipient_chose_if_any(
    house: House, desk: Actor, doctor: Actor, lena: int
) -> None:
    other = house.patient("Otto Birke", email="otto@mail.example", language="de")
    gone = house.patient("Gina Rossi", email="gina@mail.example", language="xx")
    for patient, hour in ((lena, "08"), (other, "09"), (gone, "10")):
        book(house, desk, patient, doctor, at(f"2026-05-11 {hour}:00"))
    queries = [set(re.findall(r"/(?:visit|contact)/[\w-]{43}(\S*)", one.body)) for one in due(house)]
    assert queries == [{""}, {"?lang=de"}, {""}]
    book(house, desk, other, doctor, at("2026-05-12 08:00"))
    (found,) = due(house)
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/contact/[\w-]{43}/unsubscribe", found.unsubscribe_url)
    assert len(re.findall(r'href="http://127\.0\.0\.1:8000/\w+/[\w-]{43}\?lang=de"', found.html)) == 2


def test_a_cancellation_that_was_told_and_taken_back_is_told_again(
    house: House, desk: Actor, doctor: Actor, lena: int, clock: time_machine.Traveller
) -> None:
    visit = book(house, desk, lena, doctor, at("2026-05-11 08:00"))
    told = due(house)
    for _turn in range(2):
        for act in (outcomes.cancel, outcomes.undo):
            clock.shift(1)
            with house.writing() as session:
                more: dict[str, Any] = (
                    {"reason": "", "rules": RULES} if act is outcomes.cancel else {"settings": house.settings}
                )
                act(session, desk, visit, **more)
            told += due(house)
    words = [one.subject.split(" ")[0] for one in told]
    assert words == ["Appointment", "Canceled", "Your", "Canceled", "Your"]
    numbers = [the_event(one)[1]["sequence"] for one in told]
    assert numbers == sorted(set(numbers))


def test_a_cancellation_that_was_not_told_yet_and_taken_back_is_not_told(
    house: House, desk: Actor, doctor: Actor, lena: int
) -> None:
    visit = book(house, desk, lena, doctor, at("2026-05-11 08:00"))
    due(house)
    with house.writing() as session:
        outcomes.cancel(session, desk, visit, reason="", rules=RULES)
    with house.writing() as session:
        outcomes.undo(session, desk, visit, house.settings)
    assert due(house) == []


@pytest.mark.parametrize("act", ["cancel", "move"])
def test_r2_a_confirmation_of_what_has_changed_meanwhile_is_not_sent(
    house: House, desk: Actor, doctor: Actor, lena: int, act: str
) -> None:
    visit = book(house, desk, lena, doctor, at("2026-05-11 08:00"))
    with house.writing() as session:
        if act == "cancel":
            outcomes.cancel(session, desk, visit, reason="", rules=RULES)
        else:
            booking.reschedule(session, desk, visit, MoveRequest(at("2026-05-12 08:00")), RULES, ZONE)
    (found,) = due(house)
    assert found.subject.split(" ")[0] == ("Canceled" if act == "cancel" else "New")


def test_nobody_is_told_of_a_visit_in_the_past(
    house: House, desk: Actor, doctor: Actor, lena: int, clock: time_machine.Traveller
) -> None:
    visit = book(house, desk, lena, doctor, at("2026-05-04 07:00"))
    due(house)
    clock.move_to(at("2026-05-04 08:00"))
    with house.writing() as session:
        outcomes.cancel(session, desk, visit, reason="", rules=RULES)
    assert house.count(Message, Message.rule == "visit_cancelled") == 0
    assert due(house) == []


def test_r4_who_has_no_address_or_wants_none_is_written_down_with_the_reason(
    house: House, desk: Actor, doctor: Actor
) -> None:
    nobody = house.patient("No Address")
    quiet = house.patient(
        "Quiet", email="q@mail.example", phone="+4915735550133", email_allowed=False, sms_allowed=False
    )
    for number, who in enumerate((nobody, quiet)):
        book(house, desk, who, doctor, at(f"2026-05-11 1{number}:00"))
    assert due(house) == []
    with house.reading() as session:
        rows = session.execute(select(Message.status, Message.skip_reason).order_by(Message.id)).all()
    assert [tuple(row) for row in rows] == [("skipped", "no_address"), ("skipped", "opted_out")]


NAMES = ["{{7*7}}<b>{clinic_name}", "{manage_link}{doctor}", "<script>alert(1)</script>", 'Eve "</p>" Evil']


@pytest.mark.parametrize("name", NAMES)
def test_r7_names_arrive_literally_and_escaped_where_they_are_markup(house: House, desk: Actor, name: str) -> None:
    doctor = house.user("doctor", "other@clinic.example", name)
    house.hours(doctor.doctor_id)
    book(house, desk, house.patient(name, email="a@mail.example"), doctor, at("2026-05-11 08:00"))
    (found,) = due(house)
    assert f"Hello {name},\n" in found.body
    assert f"10:00, {name}\n" in found.body
    assert "<script" not in found.html
    assert "<b>" not in found.html
    assert 'href="https://evil' not in found.html
    _calendar, event = the_event(found)
    assert str(event["description"]) == name


def test_r6_line_breaks_in_names_begin_no_header_and_no_calendar_line(house: House, desk: Actor) -> None:
    name = "Eva\r\nBcc: all@mail.example\r\nEND:VEVENT"
    doctor = house.user("doctor", "other@clinic.example", "Dr. Line")
    with house.writing() as session:
        session.execute(update(User).values(name=name))
    house.hours(doctor.doctor_id)
    book(house, desk, house.patient(name, email="a@mail.example"), doctor, at("2026-05-11 08:00"))
    (found,) = due(house, Clinic(name="Our\r\nBcc: x@mail.example"))
    assert len(found.subject.splitlines()) == 1
    assert not any(line.startswith("Bcc") for line in found.body.splitlines())
    calendar, _event = the_event(found)
    assert len(calendar.walk("VEVENT")) == 1
    assert b"\r\nBcc" not in found.attachments[0].content


def test_a_text_that_was_written_beforehand_keeps_its_words_and_gets_its_links(
    house: House, desk: Actor, doctor: Actor, lena: int
) -> None:
    book(house, desk, lena, doctor, at("2026-05-11 08:00"))
    mine = {"subject": "Please {bring} your card", "body": "See {manage_link}\n\n{{7*7}} {doctor}\n"}
    with house.writing() as session:
        session.execute(update(Message).values(edited_at=at("2026-05-04 05:00"), **mine))
    (found,) = due(house)
    assert found.subject == mine["subject"]
    assert re.fullmatch(r"See http://127\.0\.0\.1:8000/visit/[\w-]{43}\n\n\{\{7\*7\}\} \{doctor\}\n", found.body)
    assert "/visit/" not in (hand.row(house, found.id).body or "")


def test_a_waitlist_offer_is_told_and_held(house: House, desk: Actor, doctor: Actor, lena: int) -> None:
    with house.writing() as session:
        entry = waitlist.add(session, desk, WaitlistRequest(lena, doctor.doctor_id))
        starts_at = at("2026-05-06 08:00")
        offers.make(session, desk, entry.id, doctor_id=doctor.doctor_id or 0, starts_at=starts_at, zone=ZONE)
    (found,) = due(house)
    assert found.subject == "An earlier appointment at Practice at the Park: Wed, 6 May, 10:00"
    assert "until 08:20" in found.body
    assert "/offer/" in found.body


def test_an_export_that_is_ready_is_told_by_a_link_never_with_the_file(house: House) -> None:
    pia = house.user("patient", "pia@mail.example", "Pia Ahorn")
    export_id = finished(house, pia)
    (found,) = due(house)
    assert (found.recipient, found.attachments) == ("pia@mail.example", ())
    assert f"http://127.0.0.1:8000/exports/{export_id}\n" in found.body
    assert "until Tue, 5 May, 08:00" in found.body


def test_a_report_that_is_ready_is_told_once_and_holds_nothing_of_it(house: House, doctor: Actor, lena: int) -> None:
    house.treated(doctor.doctor_id, lena, at("2026-04-10 08:00"), diagnosis="melanoma")
    with house.reading() as session:
        content = reports.produce(session, doctor.doctor_id or 0, "2026-04", ZONE)
    for _twice in range(2):
        with house.writing() as session:
            reports.store(session, doctor.doctor_id or 0, "2026-04", content)
    (found,) = due(house)
    assert (found.recipient, found.subject) == ("berg@clinic.example", "Your report for April 2026 is ready")
    assert "/reports/1\n" in found.body
    assert "melanoma" not in found.body + found.html


@pytest.mark.parametrize(
    ("rule", "page", "purpose", "lasting"),
    [
        ("invite", "invite", "invite", timedelta(days=7)),
        ("password_reset", "password-reset", "password_reset", timedelta(hours=1)),
        ("sign_in_link", "sign-in", "sign_in", timedelta(minutes=15)),
    ],
)
def test_a11_sign_in_mails_hold_a_fresh_token_of_which_only_the_hash_is_kept(
    house: House, doctor: Actor, rule: str, page: str, purpose: str, lasting: timedelta
) -> None:
    message_id = hand.posted(house, doctor, rule)
    assert house.count(UserToken) == 0  # made in the claim, so its time begins when it is sent
    (found,) = due(house)
    (token,) = re.findall(rf"http://127\.0\.0\.1:8000/{page}/([\w-]{{43}})\n", found.body)
    with house.reading() as session:
        (row,) = session.scalars(select(UserToken)).all()
        assert (row.purpose, row.user_id, row.expires_at) == (purpose, doctor.user_id, our_clock.now() + lasting)
        assert (row.token_hash, row.used_at) == (tokens.digest(token), None)
    assert token not in (hand.row(house, message_id).body or "")
    assert (found.unsubscribe_url, found.attachments) == ("", ())
    assert house.count(MessageLink) == 0


def test_an_account_made_by_the_admin_or_at_the_desk_is_invited_by_mail(house: House, desk: Actor, lena: int) -> None:
    admin = house.user("admin", "ada@clinic.example", "Ada Leitung")
    with house.writing() as session:
        users.add(session, admin, NewUser(Role.RECEPTIONIST, "rolf@clinic.example", "Rolf Neu"), house.settings.clinic)
        guardians.link(session, desk, lena, email="aunt@mail.example", name="Aunt May", wait_hours=24)
        guardians.link(session, desk, lena, email="aunt@mail.example", wait_hours=24)
    found = due(house)
    invitations = [one.recipient for one in found if "/invite/" in one.body]
    assert invitations == ["rolf@clinic.example", "aunt@mail.example"]
    (token,) = re.findall(r"/invite/([\w-]{43})\n", found[0].body)
    with house.reading() as session:
        invited = users.invited(session, token)
        assert invited is not None
        assert invited.email == "rolf@clinic.example"


def test_a_closed_account_gets_no_mail(house: House, doctor: Actor) -> None:
    hand.posted(house, doctor, "password_reset")
    with house.writing() as session:
        session.execute(update(User).values(disabled_at=our_clock.now()))
    assert due(house) == []
    assert house.count(UserToken) == 0


def test_the_note_that_an_account_was_changed_goes_to_the_old_address(house: House, doctor: Actor) -> None:
    with house.writing() as session:
        user = session.get_one(User, doctor.user_id)
        outbox.to_user(session, "account_changed", user, event="user.change_email")
        user.email = "new@clinic.example"
    (found,) = due(house)
    assert found.recipient == "berg@clinic.example"
    assert "please call us right away (+49 30 1234567)." in found.body


def test_a_walk_in_is_told_nothing(house: House, desk: Actor, doctor: Actor, lena: int) -> None:
    with house.writing() as session:
        walk_ins.take_in(session, desk, BookingRequest(lena, our_clock.now(), doctor.doctor_id), ZONE)
    assert house.count(Message) == 0
    assert house.count(Appointment) == 1
