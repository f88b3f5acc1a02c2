"""What pages say about who is told is what the outbox holds, before an act and after it; a mail server counts."""

import re
from typing import cast

import pytest
from bs4 import Tag
from flask import render_template_string
from sqlalchemy import update
from werkzeug.test import TestResponse

from service.domain.messages.notifications import Notification, State
from service.domain.outbox.message_rules import RULES
from service.http.cookies import Cookies
from service.storage.models import Channel, Message, MessageStatus, Patient, SkipReason
from tests.house import Browser, at
from tests.web.frozen_clinic import NOBODY, NOW, Clinic, email, opened
from tests.web.mailing import Mailing, make_demo
from tests.web.reading import faults, links, one, parsed, words

FREE = "2026-06-16T09:00"
PIA = "patient@clinic.example"


def contact(clinic: Clinic, patient: int, **values: object) -> None:
    with clinic.house.writing() as session:
        session.execute(update(Patient).where(Patient.id == patient).values(**values))


def notice(browser: Browser, answer: TestResponse) -> str:
    """What the page after an act says, and only that page."""
    assert answer.status_code == 303, words(parsed(answer).find("main"))
    page = browser.get(answer.location)
    assert faults(page.get_data(as_text=True)) == []
    found = words(one(parsed(page), "[role=status]"))
    assert parsed(browser.get(answer.location)).select_one("[role=status]") is None
    return found


def carrier(clinic: Clinic) -> str:
    """The cookie that carries a notice over a redirect."""
    return cast(Cookies, clinic.house.app.session_interface).notice_name()


def beside(browser: Browser, path: str) -> str:
    """What the line beside the button says."""
    return words(one(parsed(browser.get(path)), "p.told"))


def booked(clinic: Clinic, browser: Browser, patient: int) -> TestResponse:
    doctor = clinic.people["doctor"].doctor_id
    return browser.post("/appointments", {"patient_id": patient, "doctor_id": doctor, "starts_at": FREE})


def row(clinic: Clinic, rule: str) -> Message:
    with clinic.house.reading() as session:
        return session.query(Message).where(Message.rule == rule).order_by(Message.id.desc()).limit(1).one()


def test_d1_booking_moving_canceling_and_undoing_say_whom_they_tell_and_a_mail_leaves_for_each(
    mailing: Mailing,
) -> None:
    clinic = mailing.clinic
    desk, doctor = clinic.browser("receptionist"), clinic.people["doctor"].doctor_id
    contact(clinic, clinic.guest, email="gus@mail.example")
    new = f"/appointments/new?patient_id={clinic.guest}&doctor_id={doctor}&date={FREE[:10]}"
    assert beside(desk, new) == "Gus Gast will be notified right away by e-mail (gus@mail.example) ."
    answer = booked(clinic, desk, clinic.guest)
    assert "Gus Gast will be notified right away by e-mail (gus@mail.example) ." in notice(desk, answer)
    assert mailing.deliver() == ["gus@mail.example"]
    move = f"{answer.location}/reschedule"
    assert beside(desk, move).startswith("Gus Gast will be notified right away by e-mail")
    answer = desk.post(move, {"starts_at": "2026-06-16T10:00"})
    assert mailing.deliver() == ["gus@mail.example"]
    assert "Gus Gast was notified by e-mail (gus@mail.example) : Wed, 6 May, 10:00" in notice(desk, answer)
    assert beside(desk, answer.location).startswith("Gus Gast will be notified right away by e-mail")
    cancelled = desk.post(f"{answer.location}/cancellation", {"by": "clinic"})
    assert "Gus Gast will be notified right away by e-mail" in notice(desk, cancelled)
    undone = notice(desk, desk.post(f"{answer.location}/undo"))
    assert "“Appointment canceled” hadn't been sent to Gus Gast yet and won't be sent." in undone
    assert mailing.deliver() == []
    desk.post(f"{answer.location}/cancellation")
    assert mailing.deliver() == ["gus@mail.example"]
    assert "Gus Gast will be notified right away by e-mail" in notice(desk, desk.post(f"{answer.location}/undo"))
    assert mailing.deliver() == ["gus@mail.example"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"email": None}, "Gus Gast can't be notified: no e-mail on file."),
        ({"email": "g@mail.example", "email_allowed": False}, "Gus Gast won't be notified: no messages wanted."),
    ],
)
def test_who_cannot_or_does_not_want_to_be_told_is_named_with_the_number_to_call(
    mailing: Mailing, values: dict[str, object], said: str
) -> None:
    clinic = mailing.clinic
    contact(clinic, clinic.guest, phone="+491705550132", **values)
    desk = clinic.browser("receptionist")
    after = notice(desk, booked(clinic, desk, clinic.guest))
    assert said in after
    assert "Please call: 0170 5550132" in after
    assert mailing.deliver() == []


def test_a_patient_reads_it_as_you_and_when_it_leaves_after_the_time_to_take_it_back(mailing: Mailing) -> None:
    clinic, pia = mailing.clinic, mailing.clinic.browser("patient")
    page = f"/appointments/{clinic.ahead}"
    assert beside(pia, page) == f"You'll be notified by e-mail ({PIA}) : Wed, 6 May, 10:10 ."
    after = notice(pia, pia.post(f"{page}/cancellation"))
    assert f"You'll be notified by e-mail ({PIA}) : Wed, 6 May, 10:10 ." in after
    assert mailing.deliver() == []
    clinic.clock.shift(601)
    assert mailing.deliver() == [PIA]


def test_a_doctor_reads_that_it_is_told_and_no_address(mailing: Mailing) -> None:
    doctor = mailing.clinic.browser("doctor")
    after = notice(doctor, doctor.post(f"/appointments/{mailing.clinic.ahead}/cancellation"))
    assert "Pia Ahorn will be notified right away by e-mail." in after
    assert "@" not in after


def test_while_all_messages_are_paused_nobody_is_said_to_be_told(mailing: Mailing) -> None:
    desk = mailing.clinic.browser("receptionist")
    desk.post("/messages/pause")
    after = notice(desk, desk.post(f"/appointments/{mailing.clinic.ahead}/cancellation"))
    assert "The message to Pia Ahorn by e-mail (patient@clinic.example) is on hold." in after
    assert mailing.deliver() == []


def test_the_ids_in_the_cookie_show_nobody_other_peoples_messages(mailing: Mailing) -> None:
    clinic = mailing.clinic
    desk = clinic.browser("receptionist")
    booked(clinic, desk, clinic.otto)
    secret = row(clinic, "booking_confirmation").id
    for visitor in ("patient", "other doctor"):
        browser = clinic.browser(visitor)
        browser.client.set_cookie(carrier(clinic), f"visit_booked.{secret}.x.-1.99999999999999999999")
        shown = words(one(parsed(browser.get("/account")), "[role=status]"))
        assert shown == "Appointment booked."


def test_asking_for_a_new_password_leaves_no_trace_of_whether_there_is_an_account(mailing: Mailing) -> None:
    clinic, cookies = mailing.clinic, []
    for address in (email("doctor"), "nobody@mail.example"):
        answer = clinic.browser(NOBODY).post("/password-reset", {"email": address})
        cookies += [one for one in answer.headers.getlist("Set-Cookie") if one.startswith(carrier(clinic))]
    assert len(cookies) == 2
    assert cookies[0] == cookies[1]
    assert mailing.deliver() == [email("doctor")]


def test_d2_no_link_is_promised_while_e_mail_is_off(clinic: Clinic) -> None:
    browser, page = clinic.browser(NOBODY), "/password-reset"
    answer = browser.post(page, {"email": email("patient")})
    assert notice(browser, answer) == "E-mail is off here, so no link was sent. Call the clinic."


def test_an_invitation_is_promised_only_where_it_leaves(clinic: Clinic) -> None:
    admin = clinic.browser("admin")
    assert "E-mail is off, so no invitation is sent." in beside(admin, "/users/new")
    form = {"role": "receptionist", "email": "rosa@clinic.example", "name": "Rosa Reihe", "department": ""}
    after = notice(admin, admin.post("/users/new", form))
    assert "Not sent to Rosa Reihe : e-mail is off. Set up e-mail" in after
    assert "goes out" not in after


def test_an_invitation_that_leaves_is_said_with_its_address(mailing: Mailing) -> None:
    admin = mailing.clinic.browser("admin")
    assert "gets an invitation by e-mail right away" in beside(admin, "/users/new")
    form = {"role": "receptionist", "email": "rosa@clinic.example", "name": "Rosa Reihe", "department": ""}
    assert "Rosa Reihe will be notified right away by e-mail" in notice(admin, admin.post("/users/new", form))
    assert mailing.deliver() == ["rosa@clinic.example"]


def test_a_new_address_of_an_account_is_told_to_the_old_one(mailing: Mailing) -> None:
    browser = mailing.clinic.browser("patient")
    with mailing.clinic.house.writing() as session:
        before = session.query(Message.id).count()
    browser.post("/account/email", {"email": "pia@new.example", "current_password": "quiet rivers run deep"})
    with mailing.clinic.house.reading() as session:
        written = session.query(Message).order_by(Message.id).offset(before).all()
    assert sorted(mailing.deliver()) == sorted(str(one.recipient) for one in written)


# E-mail that is off


def off(clinic: Clinic) -> Message:
    """The desk books for Pia while e-mail is off, and the message is done with."""
    desk = clinic.browser("receptionist")
    after = notice(desk, booked(clinic, desk, clinic.pia))
    assert "Not sent to Pia Ahorn : e-mail is off." in after
    clinic.house.deliver()
    return row(clinic, "booking_confirmation")


def test_d2_a_message_of_a_clinic_without_e_mail_is_nowhere_called_sent(clinic: Clinic) -> None:
    message = off(clinic)
    assert (message.status, message.channel) == (MessageStatus.SENT, Channel.CONSOLE)
    desk = clinic.house.browser(email("receptionist"))
    pages = {
        "/messages": ".log tbody tr",
        f"/messages/{message.id}": "main",
        f"/appointments/{message.appointment_id}": "[aria-labelledby=why]",
        "/messages?state=stayed_here": ".log tbody tr",
    }
    for path, place in pages.items():
        shown = parsed(desk.get(path))
        assert "e-mail was off" in words(one(shown, place)), path
        assert one(shown, place).select_one(".pill-sent") is None, path
    assert f"/messages/{message.id}" not in links(parsed(desk.get("/messages?state=sent")))
    history = words(one(parsed(desk.get(f"/appointments/{message.appointment_id}")), ".timeline"))
    assert "Booking confirmation: not sent: e-mail was off" in history


@pytest.mark.parametrize(
    ("visitor", "advice"), [("admin", "Set up e-mail"), ("receptionist", "Call the patients, and ask an administrator")]
)
def test_d2_the_pages_of_messages_say_what_to_do(clinic: Clinic, visitor: str, advice: str) -> None:
    browser = clinic.browser(visitor)
    for path in ("/messages", "/messages/morning", "/messages/tomorrow"):
        page = parsed(browser.get(path))
        assert advice in words(one(page, "[aria-label='E-mail is off']")), path
    if visitor == "admin":
        assert browser.get("/settings/mail").status_code == 200
        assert page.select_one("[aria-label='E-mail is off'] a[href='/settings/mail']") is not None


def test_d2_reminders_that_only_the_console_has_put_their_patients_on_the_call_list(clinic: Clinic) -> None:
    house, desk = clinic.house, clinic.browser("receptionist")
    house.visit(clinic.people["doctor"].doctor_id, clinic.pia, at("2026-05-06 13:00"))
    house.execute(opened(house, "send_daily_reminders"))
    sheet = parsed(desk.get("/messages/morning"))
    tally = {words(one(tile, "dt")): words(one(tile, "dd")) for tile in sheet.select(".tally > div")}
    assert tally["Notified"] == "0"
    assert int(tally["Not sent: e-mail was off"]) >= 1
    assert "Pia Ahorn" in words(one(sheet, ".calls"))
    band = words(one(parsed(desk.get("/today")), "[aria-labelledby=reminders]"))
    assert "0 sent" in band
    assert "Not sent: e-mail was off" in band
    admin = clinic.browser("admin")
    shown = parsed(admin.get("/dashboard"))
    assert words(one(shown, "[data-figure=reminders_sent]")) == "0"
    assert "not sent: e-mail was off" in words(shown)
    assert re.search(r"written only to the console: \d", words(parsed(admin.get("/jobs"))))


def test_d2_what_is_expected_says_so_too(clinic: Clinic) -> None:
    page = words(one(parsed(clinic.browser("receptionist").get(f"/appointments/{clinic.tomorrow}")), "#why ~ ul"))
    assert "Not sent: e-mail is off" in page
    assert "Will be sent" not in page


def test_d2_in_a_demo_clinic_its_mail_stays_here_and_nobody_has_to_be_called(clinic: Clinic) -> None:
    make_demo(clinic)
    desk = clinic.browser("receptionist")
    assert "this is a demo clinic" in notice(desk, booked(clinic, desk, clinic.pia))
    clinic.house.execute(opened(clinic.house, "send_daily_reminders"))
    for path in ("/messages", "/messages/morning", "/today", f"/appointments/{clinic.tomorrow}"):
        shown = words(parsed(desk.get(path)))
        assert "demo clinic" in shown, path
        assert "e-mail is off" not in shown, path
        assert "e-mail was off" not in shown, path
    assert "Pia Ahorn" not in [words(one) for one in parsed(desk.get("/messages/morning")).select(".call-who strong")]


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_sentence(clinic: Clinic, state: State) -> None:
    reasons = list(SkipReason) if state == State.NOT else [None]
    with clinic.house.app.test_request_context("/"):
        for reason in reasons:
            telling = Notification(
                RULES["visit_moved"], state, "Ada Rossi", Channel.EMAIL, "ada@mail.example", NOW, reason, None
            )
            text = render_template_string(
                '{% import "messages/_notifications.html" as tell with context %}{{ tell.before(telling) }}',
                telling=telling,
            )
            (line,) = parsed(text).select("p.told")
            assert isinstance(line, Tag)
            assert "Ada Rossi" in words(line)
