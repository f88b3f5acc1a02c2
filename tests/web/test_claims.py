"""What pages promise about messages, times, backups and access is true, and each promise names the test that shows it.

A new sentence of that kind fails here until it stands in the table.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.jobs import local_backend
from service.storage.models import Message, MessageStatus, Patient
from service.web import notices
from tests.house import Browser, House
from tests.web.accounts.authenticator import set_up
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.mailing import Mailing
from tests.web.reading import one, parsed, words

ROOT = Path(__file__).parents[2]
SENTENCE = re.compile(
    r"""{%-?\s*trans\b[^%]*%}(.*?){%-?\s*endtrans|_\(\s*"((?:[^"\\]|\\.)*)"|_\('((?:[^'\\]|\\.)*)'""", re.S
)
PROMISE = re.compile(
    r"keep what you typed"
    r"|(is|are) (told|notified)\b|can't be notified|scheduled jobs wait|gets an? \w+ by e-mail|every (night|day) at"
    r"|half a minute|within \d+|kept for|no one else can"
    r"|history right away|the admin sees|works (once|for)|(is|are|were|'re|be) signed out"
    r"|administrators and the patient can see|^signed out everywhere|sending is paused|administrators see"
    r"|signs everyone out|patients get none|no messages are sent|Rounds keeps"
    r"|only (the doctor|for those|Rounds)|nothing is sent|(not|never) sent (twice|again)|won't resend|ever erase",
    re.IGNORECASE,
)
SHOWN_BY = {
    "You'll be signed out everywhere": "test_s4_a5_a_new_password_ends_every_session",
    "Password changed. You were signed out everywhere": "test_s4_a5_a_new_password_ends_every_session",
    "a link that works once, within 15 minutes": "test_a11_a_sign_in_link_works_for_a_quarter_of_an_hour",
    "a link is on its way. It works for 15 minutes": "test_a11_a_sign_in_link_works_for_a_quarter_of_an_hour",
    "a link is on its way. It works for one hour": "test_a11_the_link_works_for_an_hour",
    "keep what you typed for an hour": "test_it_is_gone_after_an_hour",
    "turn it off here. They will be signed out": "test_a10_the_admin_takes_it_off_a_lost_phone",
    "signed out right away, and their invite links stop": "test_s4_closing_an_account_ends_its_sessions_and_links",
    "Signed out everywhere.": "test_s4_what_the_admin_does_holds_at_the_next_click",
    "You're signed out everywhere but here": "test_s6_all_others_end_at_once",
    "You're signed out.": "test_signing_out_says_so_once",
    "Works once, until {{ at }}": "test_a11_the_slip_carries_a_link_that_works_once",
    "Until you set it up, patients get none": "test_d2_a_message_of_a_clinic_without_e_mail_is_nowhere_called_sent",
    "so no one is notified by e-mail": "test_d2_a_message_of_a_clinic_without_e_mail_is_nowhere_called_sent",
    "a year of appointments. No messages are sent": "test_while_the_demo_mark_stands_nothing_leaves_the_house",
    "signs everyone out. Setup starts again": "test_a_demo_clinic_is_wiped_after_a_backup_and_setup_comes_again",
    "monthly ones for twelve months, in": "test_o2_of_two_years_of_nights_seven_days_four_weeks_and_twelve_months_stay",
    "Rounds creates one every day at {{ at }}": "test_when_backups_are_made_is_what_the_settings_say",
    "The suggestion is not sent again while": "test_d1_new_times_are_mailed_once_however_often_they_are_proposed",
    "No one else can book it before then": "test_a_held_slot_is_unavailable_to_others_until_the_hold_expires",
    "Its link works only for those": "test_e4_a_link_needs_a_sign_in",
    "Files are kept for a short time": "test_e5_expired_files_and_strays_are_removed_and_the_others_stay",
    "Rounds last ran on {{ last }}": "test_f18_a_clock_that_is_two_years_off_is_warned_of_and_tells_nobody",
    "since {{ at }}. No one is notified until you resume": "test_while_all_are_paused_only_what_is_let_go_leaves",
    "Sending is paused. Messages are queued": "test_while_all_are_paused_only_what_is_let_go_leaves",
    "It shows how the patient is notified": (
        "test_d1_booking_moving_canceling_and_undoing_say_whom_they_tell_and_a_mail_leaves_for_each"
    ),
    "can't be notified: no": "test_who_cannot_or_does_not_want_to_be_told_is_named_with_the_number_to_call",
    "gets an invitation by e-mail right away": "test_an_invitation_that_leaves_is_said_with_its_address",
    "Rounds won't resend it by itself": "test_f2_a_crash_during_the_hand_over_is_unknown_and_never_sent_again",
    "administrators see it in the audit log": "test_z5_administrators_see_it_until_it_is_reviewed",
    "Administrators and the patient can see": "test_z5_emergency_access_is_temporary_and_audited",
    "own address can read the history right away": "test_h6_the_clinic_chooses_how_long_a_guardian_waits",
    "Rounds never erases": "test_o9_records_whose_time_is_over_are_listed_and_nobody_is_erased_by_itself",
    "Only the doctor sees why patients came": "test_h10_the_admin_reads_figures_and_names_by_every_door",
    "a separate file that only Rounds can read": "test_mail_is_tried_out_and_its_password_lies_beside_the_settings",
    "Anything due runs within 30 seconds": "test_what_is_due_is_looked_for_every_half_minute",
}


def promises() -> Iterator[str]:
    """The sentences of all pages and notices that promise something."""
    for source in [*sorted(ROOT.glob("service/templates/**/*.html")), Path(notices.__file__)]:
        for found in SENTENCE.findall(source.read_text(encoding="utf-8")):
            sentence = " ".join("".join(found).split())
            if PROMISE.search(sentence):
                yield sentence


def test_each_promise_of_a_page_names_the_test_that_shows_it() -> None:
    found = list(promises())
    shown = {sentence: [part for part in SHOWN_BY if part.casefold() in sentence.casefold()] for sentence in found}
    assert [sentence for sentence, parts in shown.items() if not parts] == []
    assert set(SHOWN_BY) == {part for parts in shown.values() for part in parts}, "promised by no page any more"


def test_each_test_that_a_promise_names_is_there() -> None:
    written = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in SHOWN_BY.values() if f"def {name}(" not in written] == []


# Times


def test_what_is_due_is_looked_for_every_half_minute() -> None:
    assert local_backend.TICK_SECONDS <= 30


@pytest.mark.parametrize(
    ("months", "said"), [(1, "Rounds keeps texts for 1 month."), (6, "Rounds keeps texts for 6 months.")]
)
def test_how_long_texts_are_kept_is_what_the_settings_say(
    clinic: Clinic, make_house: Callable[..., House], months: int, said: str
) -> None:
    with clinic.house.writing() as session:
        message = session.get_one(Message, clinic.message)
        message.subject = message.body = None
        message.status, message.sent_at = MessageStatus.SENT, NOW
    house = make_house(messages={"keep_text_months": months})
    desk = house.browser("receptionist@clinic.example")
    assert said in words(parsed(desk.get(f"/messages/{clinic.message}")))


@pytest.mark.parametrize(
    ("backup", "said"),
    [
        ({"at": "12:30"}, "Rounds creates one every day at 12:30, or when you select Back up now."),
        ({"folder": ""}, "No backups are made. To turn them on, set [backup] folder in config.toml."),
    ],
)
def test_when_backups_are_made_is_what_the_settings_say(
    clinic: Clinic, make_house: Callable[..., House], backup: dict[str, str], said: str
) -> None:
    admin = make_house(backup=backup).browser("admin@clinic.example")
    assert said in words(parsed(admin.get("/system")))
    jobs = words(parsed(admin.get("/jobs")))
    assert ("every day at 12:30" in jobs) == ("at" in backup)


# Who is told


def beside(browser: Browser, path: str, form: str) -> str:
    """What stands beside the button of a form."""
    return words(one(parsed(browser.get(path)), f"form[action$='{form}'] p.told"))


def test_a_new_address_and_a_second_factor_taken_off_are_told_as_the_page_says(mailing: Mailing) -> None:
    clinic = mailing.clinic
    pia, admin = clinic.browser("patient"), clinic.browser("admin")
    assert beside(pia, "/account/email", "/email") == "We'll e-mail a link to the new address right away."
    assert pia.post("/account/email", {"email": "pia@new.example"}).status_code == 303
    assert mailing.deliver() == ["pia@new.example"]
    set_up(clinic.browser("doctor"))
    mailing.deliver()
    user = f"/users/{clinic.people['doctor'].user_id}"
    said = beside(admin, user, "/second-factor/removal")
    assert said == "Dr. Doll will be notified right away by e-mail (doctor@clinic.example) ."
    assert admin.post(f"{user}/second-factor/removal").status_code == 303
    assert mailing.deliver() == ["doctor@clinic.example"]


def test_while_e_mail_is_off_no_page_about_accounts_and_access_promises_a_mail(clinic: Clinic) -> None:
    set_up(clinic.browser("other doctor"))
    admin, doctor = clinic.people["admin"], clinic.people["other doctor"]
    pages = {
        "patient": ["/account/email"],
        "admin": [f"/users/{doctor.user_id}", f"/patients/{clinic.pia}/guardians", "/audit", f"/users/{admin.user_id}"],
        "doctor": ["/emergency"],
    }
    for visitor, paths in pages.items():
        browser = clinic.browser(visitor)
        for path in paths:
            answer = browser.get(path)
            assert answer.status_code == 200, path
            said = words(one(parsed(answer), "main"))
            assert not re.search(
                r"gets a note|(is|are) told by e-mail|patients? (is|are) told|notified by e-mail|will be notified", said
            ), path
    assert (
        beside(clinic.browser("patient"), "/account/email", "/email")
        == "E-mail is off, so no link is sent. Call the clinic."
    )


# Archived records


@pytest.mark.parametrize(
    ("visitor", "erased", "said"),
    [
        ("patient", False, "This record is archived. Please call the clinic."),
        ("doctor", False, "This record is archived. Ask reception to restore it, then book the appointment."),
        ("receptionist", False, "This record is archived. Open it and choose Restore record, then book"),
        ("receptionist", True, "This record was erased, so it can't have new appointments."),
        ("doctor", True, "This record was erased, so it can't have new appointments."),
    ],
)
def test_d27_booking_for_an_archived_record_says_what_to_do(
    clinic: Clinic, visitor: str, erased: bool, said: str
) -> None:
    with clinic.house.writing() as session:
        patient = session.get_one(Patient, clinic.pia)
        patient.archived_at, patient.erased_at = NOW, NOW if erased else None
    browser, doctor = clinic.browser(visitor), clinic.people["doctor"].doctor_id
    book = {"patient_id": clinic.pia, "doctor_id": doctor, "starts_at": "2026-06-16T09:00"}
    for path, form in (
        ("/appointments", book),
        (f"/appointments/{clinic.ahead}/reschedule", {"starts_at": book["starts_at"]}),
    ):
        answer = browser.post(path, form)
        assert answer.status_code == 422
        assert said in words(one(parsed(answer), "[role=alert]")), path
    if visitor != "patient":
        has_button = "Restore record" in words(one(parsed(browser.get(f"/patients/{clinic.pia}")), "main"))
        assert has_button == ("choose Restore record" in said)


def test_d25_a_patient_reads_of_a_queued_message_that_it_is_not_sent_yet(clinic: Clinic) -> None:
    pia = clinic.browser("patient")
    moved = pia.post(f"/appointments/{clinic.ahead}/reschedule", {"starts_at": "2026-06-16T09:00"})
    assert moved.status_code == 303
    shown = parsed(pia.get(moved.location))
    assert "Appointment rescheduled: not sent yet" in words(one(shown, ".timeline"))
    assert "waits" not in words(one(shown, ".timeline"))
