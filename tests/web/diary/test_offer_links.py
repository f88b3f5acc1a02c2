"""A slot offered from the waitlist, accepted or declined by the link in its message."""

import pytest

from service.storage.models import Appointment, Message, Offer, WaitlistEntry
from tests import waiting
from tests.house import at
from tests.web import mail
from tests.web.frozen_clinic import NOBODY, Clinic, minutes
from tests.web.reading import faults, parsed, words

TIME = "2026-06-03T09:00"


@pytest.fixture(name="path")
def the_link(clinic: Clinic) -> str:
    """The link of an offer that the desk has just made to Pia: she waits for Dr. Doll."""
    doll = clinic.people["doctor"].doctor_id
    form = {"doctor_id": doll, "starts_at": TIME}
    answer = clinic.browser("receptionist").post(f"/waitlist/{clinic.waiting}/offers", form)
    assert answer.status_code == 303
    return mail.link(mail.letter(clinic, "waiting_list_offer"), "offer")


def test_the_message_names_the_time_and_until_when_it_is_held(clinic: Clinic, path: str) -> None:
    (row,) = [one for one in mail.rows(clinic, "waiting_list_offer") if one.body]
    assert "Wed, 3 Jun, 09:00, Dr. Doll" in (row.body or "")
    assert "until 10:20" in (row.body or "")
    assert "/offer/" not in (row.body or "")


def test_opening_shows_the_slot_and_accepting_books_it_once(clinic: Clinic, path: str) -> None:
    browser = clinic.browser(NOBODY)
    for _turn in range(2):
        page = browser.get(path)
        assert faults(page.get_data(as_text=True)) == []
    assert clinic.house.count(Appointment, Appointment.starts_at == at("2026-06-03 07:00")) == 0
    for _twice in range(2):
        answer = browser.post(f"{path}/acceptance")
        assert (answer.status_code, answer.location) == (303, path)
    assert clinic.house.count(Appointment, Appointment.starts_at == at("2026-06-03 07:00")) == 1
    assert clinic.house.count(WaitlistEntry, WaitlistEntry.id == clinic.waiting, WaitlistEntry.closed_at.is_(None)) == 0
    assert "Booked" in words(parsed(browser.get(path)).find("main"))
    assert browser.post(f"{path}/decline").status_code == 409
    assert mail.letter(clinic, "booking_confirmation").recipient == "patient@clinic.example"


def test_declining_frees_the_slot_and_keeps_the_patient_on_the_waitlist(clinic: Clinic, path: str) -> None:
    browser = clinic.browser(NOBODY)
    for _twice in range(2):
        assert browser.post(f"{path}/decline").status_code == 303
    assert clinic.house.count(WaitlistEntry, WaitlistEntry.id == clinic.waiting, WaitlistEntry.closed_at.is_(None)) == 1
    assert browser.post(f"{path}/acceptance").status_code == 409
    assert "This offer has ended" in words(parsed(browser.get(path)).find("main"))


def test_after_the_hold_the_slot_goes_to_the_first_to_book(clinic: Clinic, path: str) -> None:
    clinic.clock.shift(minutes(21))
    doll = clinic.people["doctor"].doctor_id
    browser = clinic.browser(NOBODY)
    assert "if no one else has" in words(parsed(browser.get(path)).find("main"))
    clinic.house.visit(doll, clinic.guest, at("2026-06-03 07:00"))
    answer = browser.post(f"{path}/acceptance")
    assert answer.status_code == 409
    assert faults(answer.get_data(as_text=True)) == []


def test_an_offer_that_is_over_is_not_sent(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    offers = [
        waiting.offer(clinic.house, waiting.entry(clinic.house, clinic.guest), doll, at(f"2026-06-04 0{hour}:00"))
        for hour in (7, 8)
    ]
    with clinic.house.writing() as session:
        for offer in offers:
            values = {"channel": "email", "recipient": "g@mail.example", "due_at": at("2026-05-06 08:00")}
            session.add(
                Message(
                    rule="waiting_list_offer",
                    about=f"offer/{offer}",
                    patient_id=clinic.guest,
                    lease_until=values["due_at"],
                    created_at=values["due_at"],
                    **values,
                )
            )
        session.get_one(Offer, offers[0]).closed_at = at("2026-05-06 08:00")
    clinic.clock.shift(minutes(25))
    assert [one for one in mail.letters(clinic) if one.recipient == "g@mail.example"] == []
    reasons = [row.skip_reason for row in mail.rows(clinic, "waiting_list_offer") if row.patient_id == clinic.guest]
    assert reasons == ["cancelled", "too_late"]


def test_an_offers_link_expires_when_its_slot_begins(clinic: Clinic, path: str) -> None:
    clinic.clock.move_to(at("2026-06-03 07:00"))
    assert clinic.browser(NOBODY).get(path).status_code == 410
