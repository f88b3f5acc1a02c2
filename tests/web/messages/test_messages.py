"""The pages of messages: the log, one message with its history, the call list, upcoming reminders, why (not)."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from bs4 import Tag
from sqlalchemy import delete, update

from service.storage.models import Appointment, AuditEntry, JobRun, Message, MessageLink, Patient
from service.web.messages.messages import CAUSES
from tests import patience
from tests.house import Browser, at
from tests.patience import until
from tests.web.frozen_clinic import NOW, Clinic, away, email, opened, told
from tests.web.mailing import Mailing
from tests.web.reading import attribute, links, one, parsed, words

ROOT = Path(__file__).parents[3]
REFUSED = "550 5.1.1 no such user"


@pytest.fixture(autouse=True)
def _only_one(clinic: Clinic) -> None:
    """Pia's failed confirmation is the only message."""
    with clinic.house.writing() as session:
        session.execute(delete(MessageLink))
        session.execute(delete(Message).where(Message.id != clinic.message))


@pytest.fixture
def desk(clinic: Clinic) -> Browser:
    """The receptionist's browser."""
    return clinic.browser("receptionist")


def row(clinic: Clinic, message_id: int) -> Message:
    with clinic.house.reading() as session:
        return session.get_one(Message, message_id)


def lines(browser: Browser, path: str) -> list[str]:
    """The rows of the log."""
    return [words(line) for line in parsed(browser.get(path)).select(".log tbody tr")]


def press(browser: Browser, path: str, button: str) -> Tag:
    """Press the button of a page by its words, with what its form holds; returns where it leads."""
    page = parsed(browser.get(path))
    form = next(form for form in page.select("main form") if button in words(form))
    fields = {str(field["name"]): str(field["value"]) for field in form.select("input[name]")}
    answer = browser.client.post(str(form["action"]), data=fields, follow_redirects=True)
    assert answer.status_code == 200, words(parsed(answer).find("main"))
    return one(parsed(answer), "main")


# The log


def test_the_log_is_newest_first_with_person_kind_time_and_state(clinic: Clinic, desk: Browser) -> None:
    told(clinic.house, clinic.otto, "sent", sent_at=NOW)
    first, second = lines(desk, "/messages")
    assert first.startswith("Otto Birke")
    assert "Booking confirmation Appointment: Wed, 6 May, 09:30" in first
    assert "Sent" in first
    assert second.startswith("Pia Ahorn")
    assert "patient@clinic.example" in second
    assert "Failed 550 no such user" in second


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=ahorn", ["Pia"]),
        ("q=PATIENT@clinic.example", ["Otto", "Pia"]),
        ("q=030+1234567", ["Pia"]),
        ("q=nobody", []),
        ("state=failed", ["Pia"]),
        ("state=to_do", ["Pia"]),
        ("state=sent", ["Otto"]),
        ("state=queued", []),
        ("rule=booking_confirmation", ["Otto", "Pia"]),
        ("rule=daily_reminder", []),
        ("rule=booking_confirmation&state=sent&q=birke", ["Otto"]),
    ],
)
def test_the_log_is_searched_by_person_address_kind_and_state(
    clinic: Clinic, desk: Browser, query: str, found: list[str]
) -> None:
    told(clinic.house, clinic.otto, "sent")
    assert [line.split()[0] for line in lines(desk, f"/messages?{query}")] == found


def test_the_log_goes_back_page_by_page(clinic: Clinic, desk: Browser) -> None:
    with clinic.house.writing() as session:
        pattern = session.get_one(Message, clinic.message)
        for number in range(60):
            values = {name: getattr(pattern, name) for name in ("patient_id", "channel", "due_at", "lease_until")}
            session.add(Message(rule="invite", recipient=f"n{number}@x", created_at=pattern.created_at, **values))
    seen, path = [], "/messages"
    while path:
        page = parsed(desk.get(path))
        seen += [str(link["href"]) for link in page.select(".log tbody th a")]
        path = "".join(str(link["href"]) for link in page.select("a.older"))
    assert len(seen) == len(set(seen)) == 61


def test_counts_say_how_much_waits_for_the_desk(clinic: Clinic, desk: Browser) -> None:
    told(clinic.house, clinic.otto, "unknown")
    page = parsed(desk.get("/messages"))
    states = [words(tab) for tab in page.select("nav[aria-label=Status] a")]
    assert states == ["All", "To do 1", "Queued", "Sent", "Failed 1", "Delivery unknown 1", "Skipped"]
    assert words(page.select_one("nav .side-link[href='/messages']")) == "Messages 1", "Otto's visit has begun"


@pytest.mark.parametrize("path", ["state=lost", "rule=gossip", "before=x", "before=0"])
def test_a_log_that_does_not_exist_is_not_found(desk: Browser, path: str) -> None:
    assert desk.get(f"/messages?{path}").status_code == 404


# One message


def test_one_message_is_followed_from_its_cause_to_the_answer(clinic: Clinic, desk: Browser) -> None:
    message = told(
        clinic.house,
        clinic.otto,
        "sent",
        sent_at=at("2026-05-06 07:31"),
        attempts=2,
        answer="250 2.0.0 Ok: queued as 4F1A",
    )
    page = words(one(parsed(desk.get(f"/messages/{message}")), "main"))
    for fact in (
        "Wed, 6 May, 10:00 Created Appointment booked",
        "Wed, 6 May, 09:31 Sent by e-mail 250 2.0.0 Ok: queued as 4F1A",
        "To patient@clinic.example",
        "Attempts 2",
        "Your visit Hello Pia",
    ):
        assert fact in page
    assert f"/appointments/{clinic.other_visit}" in links(parsed(desk.get(f"/messages/{message}")))


def test_everything_that_causes_a_message_has_words() -> None:
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "service" / "domain").rglob("*.py")]
    events = {event for source in sources for event in re.findall(r'event="([a-z_.]+)"', source)}
    tellings = re.findall(r'_tell\(session, "\w+", visit, "([a-z.]+)"', "".join(sources))
    assert {"schedule", "appointment.book", "user.invite"} <= events | set(tellings) <= set(CAUSES)


def test_reading_a_message_is_on_record(clinic: Clinic, desk: Browser) -> None:
    desk.get(f"/messages/{clinic.message}")
    seen = AuditEntry.act == "message.view"
    assert clinic.house.count(AuditEntry, seen, AuditEntry.patient_id == clinic.pia) == 1


def test_a_failed_message_is_sent_again_with_one_tap(clinic: Clinic, desk: Browser) -> None:
    press(desk, "/messages?state=to_do", "Send again")
    assert row(clinic, clinic.message).status in ("queued", "sending", "handing_over", "sent")


def test_a_message_is_phoned_instead_and_that_is_taken_back(clinic: Clinic, desk: Browser) -> None:
    shown = press(desk, "/messages?state=to_do", "Mark as called")
    assert "Nothing to do" in words(shown)
    assert "Notified by phone Rita Tresen" in words(parsed(desk.get(f"/messages/{clinic.message}")))
    press(desk, f"/messages/{clinic.message}", "Mark as not called")
    assert row(clinic, clinic.message).phoned_at is None


# The switch


def test_pausing_stops_everything_and_says_so_on_every_page(clinic: Clinic, desk: Browser) -> None:
    shown = press(desk, "/messages", "Pause all messages")
    assert "All messages are paused since Wed, 6 May, 10:00" in words(shown)
    for path in ("/today", "/messages/morning", "/messages/tomorrow", f"/messages/{clinic.message}"):
        assert "All messages are paused" in words(parsed(desk.get(path)))
    assert "All messages are paused" in words(parsed(clinic.browser("admin").get("/dashboard")))
    shown = press(desk, "/messages", "Resume sending")
    assert "paused" not in words(shown)


def test_what_waits_while_all_is_paused_can_be_released(clinic: Clinic, desk: Browser) -> None:
    waiting = told(clinic.house, clinic.pia, "queued", rule="visit_restored")
    press(desk, "/messages", "Pause all messages")
    clinic.house.deliver()
    assert row(clinic, waiting).status == "queued"
    press(desk, "/messages", "Send queued messages now")
    clinic.house.deliver()
    assert row(clinic, waiting).status == "sent"
    later = told(clinic.house, clinic.otto, "queued", rule="visit_restored")
    clinic.house.deliver()
    assert row(clinic, later).status == "queued", "new ones wait again"


# The call list


def reminded(clinic: Clinic, *nameless: str) -> None:
    """The run of today, with patients who have no address."""
    for name in nameless:
        patient = clinic.house.patient(name, phone="+491705550132")
        clinic.house.visit(clinic.people["doctor"].doctor_id, patient, at("2026-05-06 13:00"))
    clinic.house.execute(opened(clinic.house, "send_daily_reminders"))


def test_the_call_list_says_whom_to_call_with_a_number_to_tap(mailing: Mailing) -> None:
    reminded(mailing.clinic, "Nora Nowhere")
    page = parsed(mailing.clinic.browser("receptionist").get("/messages/morning"))
    assert "The 08:00 reminders started at 10:00" in words(page.find(id="lead"))
    (call,) = page.select(".call")
    assert words(call).startswith("Nora Nowhere Wed, 6 May, 15:00 · Dr. Doll No e-mail on file 0170 5550132")
    assert attribute(call, "a[href^=tel]", "href") == "tel:+491705550132"


def test_a_late_run_says_that_the_computer_was_off(clinic: Clinic) -> None:
    clinic.clock.shift(timedelta(minutes=17))
    clinic.house.tick(clinic.house.wiring.queue)
    until(lambda: clinic.house.count(JobRun, JobRun.job == "send_daily_reminders", JobRun.status == "done"))
    clinic.house.wiring.queue.stop(patience.SECONDS)
    page = parsed(clinic.house.browser("receptionist@clinic.example").get("/messages/morning"))
    assert words(page.find(id="lead")) == "The 08:00 reminders started late, at 10:17 : the computer was off"


def test_a_call_is_one_tap_with_undo(mailing: Mailing) -> None:
    reminded(mailing.clinic, "Nora Nowhere")
    desk = mailing.clinic.browser("receptionist")
    assert "Call 1 patient →" in words(parsed(desk.get("/today")))
    shown = press(desk, "/messages/morning?date=2026-05-06", "Mark as called Nora Nowhere")
    assert "No one to call" in words(shown)
    shown = press(desk, "/messages/morning", "Undo Nora Nowhere")
    assert "To call 1" in words(shown)


def test_a_day_without_a_run_says_so(desk: Browser) -> None:
    assert "No reminders sent on this day" in words(parsed(desk.get("/messages/morning?date=2026-01-05")))
    assert "No reminders sent yet today" in words(parsed(desk.get("/messages/morning")))


# Upcoming reminders


def test_an_upcoming_reminder_is_read_put_on_hold_and_released(clinic: Clinic, desk: Browser) -> None:
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.guest, at("2026-05-07 13:00"))
    shown = words(parsed(desk.get("/messages/tomorrow")).find("main"))
    assert "Upcoming reminders: Thu, 7 May, 08:00" in shown
    assert "Can't be reached 1 Gus Gast" in shown
    assert "Hello Tom Morgen," in shown
    assert "Called Undo Gus Gast" in words(press(desk, "/messages/tomorrow", "Mark as called Gus Gast"))
    assert "Undo" not in words(press(desk, "/messages/tomorrow", "Undo Gus Gast"))
    assert "On hold" in words(press(desk, "/messages/tomorrow", "Put on hold Tom Morgen"))
    assert "On hold" not in words(press(desk, "/messages/tomorrow", "Release Tom Morgen"))


def test_a_name_with_an_apostrophe_is_escaped_once_on_its_buttons(clinic: Clinic, desk: Browser) -> None:
    with clinic.house.writing() as session:
        session.execute(update(Patient).where(Patient.name == "Tom Morgen").values(name="Tom O'Morgen"))
    buttons = [words(button) for button in parsed(desk.get("/messages/tomorrow")).select("button")]
    assert "Put on hold Tom O'Morgen" in buttons


def test_a_message_is_edited_before_it_is_sent(clinic: Clinic, desk: Browser) -> None:
    path = f"/messages/tomorrow/{clinic.tomorrow}/daily_reminder"
    page = parsed(desk.get(path))
    assert "Hello Tom Morgen," in words(page.select_one("textarea"))
    refused = desk.post(path, {"subject": "Kept", "body": ""})
    assert refused.status_code == 422
    assert attribute(parsed(refused), "#subject", "value") == "Kept"
    assert desk.post(path, {"subject": "Tomorrow", "body": "By the <back> door"}).status_code == 303
    assert "Edited" in words(parsed(desk.get("/messages/tomorrow")))
    assert "By the <back> door" in words(parsed(desk.get("/messages/tomorrow")))
    assert "Hello Tom Morgen," in words(press(desk, path, "Restore standard text"))


# Why (not)?


def test_a_visit_says_beforehand_how_its_patient_will_be_told(mailing: Mailing) -> None:
    clinic, desk = mailing.clinic, mailing.clinic.browser("receptionist")
    page = words(parsed(desk.get(f"/appointments/{clinic.tomorrow}")))
    assert "Will be sent Thu, 7 May, 08:00 by e-mail: tom@mail.example" in page
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.guest, at("2026-05-08 13:00"))
    with clinic.house.reading() as session:
        last = session.query(Appointment.id).order_by(Appointment.id.desc()).limit(1).scalar()
    assert "No e-mail or phone number for messages on file" in words(parsed(desk.get(f"/appointments/{last}")))


@pytest.mark.parametrize(
    ("values", "is_away", "visit_says", "list_says"),
    [
        ({"email": None}, False, "No e-mail or phone number for messages on file.", "No e-mail on file"),
        ({"email_allowed": False}, False, "Won't be notified: the patient doesn't want messages.", "Wants no messages"),
        ({}, True, "Won't be notified: Doctor away.", "Doctor away"),
    ],
)
def test_d28_a_visit_and_the_next_run_give_one_reason_and_the_run_then_gives_it_too(
    clinic: Clinic, desk: Browser, values: dict[str, object], is_away: bool, visit_says: str, list_says: str
) -> None:
    house = clinic.house
    if values:
        with house.writing() as session:
            session.execute(update(Patient).where(Patient.name == "Tom Morgen").values(**values))
    if is_away:
        away(house, clinic.people["other doctor"].doctor_id, "2026-05-08", "2026-05-08")
    visit = f"/appointments/{clinic.tomorrow}"
    assert visit_says in words(one(parsed(desk.get(visit)), "[aria-labelledby=why]"))
    call = next(line for line in parsed(desk.get("/messages/tomorrow")).select(".call") if "Tom Morgen" in words(line))
    assert words(one(call, ".call-why")) == f"{list_says} Tom Morgen"
    clinic.clock.move_to(at("2026-05-07 06:00"))
    house.execute(opened(house, "send_daily_reminders"))
    desk = house.browser(email("receptionist"))
    assert f": {list_says}." in words(one(parsed(desk.get(visit)), "[aria-labelledby=why]"))
    for page in ("/messages/morning", "/messages?state=skipped"):
        shown = parsed(desk.get(page))
        (line,) = (each for each in shown.select(".call, .log tbody tr, .more li") if "Tom Morgen" in words(each))
        assert list_says in words(line), page


def test_a_visit_says_afterwards_what_came_of_it_and_the_answer(clinic: Clinic, desk: Browser) -> None:
    with clinic.house.writing() as session:
        session.execute(update(Message).where(Message.id == clinic.message).values(last_error=REFUSED))
    page = parsed(desk.get(f"/appointments/{clinic.ahead}"))
    assert "Booking confirmation Failed Couldn't be sent" in words(page)
    assert REFUSED in words(page)
    assert f"/messages/{clinic.message}" in links(page)


def test_a_doctor_reads_why_and_no_text_or_address(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    page = parsed(browser.get(f"/appointments/{clinic.ahead}"))
    why = words(page.select_one("[aria-labelledby=why]"))
    assert "Booking confirmation Failed" in why
    assert "@" not in why
    assert not [link for link in links(page) if link.startswith("/messages")]
    assert browser.get(f"/messages/{clinic.message}").status_code == 403


def test_a_patient_is_not_shown_the_clinics_why(clinic: Clinic) -> None:
    page = parsed(clinic.browser("patient").get(f"/appointments/{clinic.ahead}"))
    assert page.select_one("[aria-labelledby=why]") is None
