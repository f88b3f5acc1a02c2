"""After a merge one person is one record: address, consent, language, holds and mailed links (I4, I5, H2, H3)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from service.storage.models import (
    ConsentChange,
    EmergencyAccess,
    Guardian,
    LegalHold,
    Message,
    Patient,
)
from tests.house import Browser, at
from tests.trust import rows as trust
from tests.web import mail
from tests.web.frozen_clinic import NOBODY, Clinic, email
from tests.web.imports.uploading import send, step
from tests.web.reading import one, parsed, words

PUBLIC = "http://127.0.0.1:8000"
LATER = at("2036-06-20 08:00")


def patient(clinic: Clinic, patient_id: int) -> Patient:
    with clinic.house.reading() as session:
        return session.get_one(Patient, patient_id)


@dataclass
class Desk:
    """Reception, signed in once."""

    clinic: Clinic
    browser: Browser

    def post(self, path: str, form: dict[str, Any]) -> TestResponse:
        answer = self.browser.post(path, form)
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return answer

    def merge(self, kept: int, other: int) -> None:
        assert self.post(f"/patients/{kept}/merge", {"other_id": other}).location == f"/patients/{kept}"

    def book(self, patient_id: int, time: str = "09:00") -> None:
        form = {"patient_id": patient_id, "doctor_id": self.clinic.people["doctor"].doctor_id}
        self.post("/appointments", {**form, "starts_at": f"2026-06-01T{time}"})

    def allow(self, patient_id: int, *channels: str, language: str = "de") -> None:
        """Say which channels are wanted: none but these."""
        form = {"preferred": "email", "language": language, **dict.fromkeys(channels, "y")}
        self.post(f"/patients/{patient_id}/consent", form)

    def person(self, name: str, **contact: str) -> int:
        """A new record."""
        made = self.post("/patients/new", {"name": name, "confirm": "y", **contact}).location
        return int(made.rpartition("/")[2])

    def rewrite(self, patient_id: int, name: str, address: str) -> None:
        """Type another address into a record."""
        form = {"name": name, "email": address, "version": patient(self.clinic, patient_id).version}
        self.post(f"/patients/{patient_id}/edit", form)


@pytest.fixture
def desk(clinic: Clinic) -> Desk:
    mail.letters(clinic)  # what the furnished clinic has to send
    return Desk(clinic, clinic.browser("receptionist"))


def one_click(clinic: Clinic, found: str) -> None:
    client = clinic.browser(NOBODY).client
    answer = client.post(found.removeprefix(PUBLIC), data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200


def said(clinic: Clinic, patient_id: int) -> list[tuple[str, bool, str, str | None]]:
    with clinic.house.reading() as session:
        mine = select(ConsentChange).where(ConsentChange.patient_id == patient_id).order_by(ConsentChange.id)
        return [(row.channel, row.allowed, row.via, row.address) for row in session.scalars(mine)]


def test_i4_a_merged_address_keeps_its_refusal_and_its_language(clinic: Clinic, desk: Desk) -> None:
    kept, other = clinic.house.patient("Lena Vogt", language="en"), desk.person("L. Vogt", email="lena@mail.example")
    desk.allow(other, "sms")
    desk.merge(kept, other)
    found = patient(clinic, kept)
    assert (found.email, found.email_allowed, found.sms_allowed, found.language) == (
        *("lena@mail.example", False, True, "de"),
    )
    desk.book(kept)
    assert mail.letters(clinic) == []
    assert said(clinic, kept) == [
        ("email", False, "desk", "lena@mail.example"),
        ("email", False, "merge", "lena@mail.example"),
    ]
    page = words(one(parsed(desk.browser.get(f"/patients/{kept}")), "main"))
    assert "from the record that was merged into this one" in page


def test_i4_a_refused_number_stays_refused_and_so_does_the_other_way_round(clinic: Clinic, desk: Desk) -> None:
    kept, other = desk.person("Lena Vogt", phone="030 5550111"), desk.person("L. Vogt", phone="030 5550111")
    desk.allow(other, "email")
    desk.allow(kept, "sms")
    desk.merge(kept, other)
    assert (patient(clinic, kept).email_allowed, patient(clinic, kept).sms_allowed) == (False, False)


def test_i4_what_waits_at_a_merge_goes_in_the_language_of_the_kept_record(clinic: Clinic, desk: Desk) -> None:
    kept, other = (
        desk.person("Lena Vogt", email="lena@mail.example"),
        desk.person("L. Vogt", email="l@mail.example"),
    )
    desk.allow(other, "email", language="de")
    desk.allow(kept, "email", language="en")
    desk.book(other)
    desk.merge(kept, other)
    found = mail.letter(clinic, "booking_confirmation")
    assert found.recipient == "lena@mail.example"
    assert "gebucht" not in found.subject + found.body


def test_i4_an_address_keeps_its_no_when_it_is_typed_into_another_record(clinic: Clinic, desk: Desk) -> None:
    first = desk.person("Lena Vogt", email="lena@mail.example")
    desk.allow(first)
    second = desk.person("Somebody Else", email="lena@mail.example")
    third = desk.person("Third One")
    desk.rewrite(third, "Third One", "lena@mail.example")
    for record in (second, third):
        assert not patient(clinic, record).email_allowed
        assert said(clinic, record) == [("email", False, "address", "lena@mail.example")]
    desk.allow(second, "email")
    assert patient(clinic, second).email_allowed, "what somebody says afterwards counts"


@pytest.mark.parametrize(
    ("refused", "other"),
    [
        ("Max@Straße.example", "max@xn--strae-oqa.example"),
        ("max@xn--strae-oqa.example", "MAX@STRAßE.example"),
        ("zoë@mail.example", "ZOË@mail.example"),
        ("max@mail.example", "Max@ＭＡＩＬ.example"),
    ],
)
def test_i4_a_no_holds_for_every_spelling_of_its_address_until_it_is_taken_back(
    clinic: Clinic, desk: Desk, refused: str, other: str
) -> None:
    first = desk.person("Lena Vogt", email=refused)
    desk.allow(first)
    second, neighbor = desk.person("Other Spelling", email=other), desk.person("Max Nah", email="max@strasse.example")
    assert not patient(clinic, second).email_allowed
    assert patient(clinic, neighbor).email_allowed, "another mailbox"
    desk.rewrite(first, "Lena Vogt", other)
    for record in (first, second):
        desk.allow(record, "email")
    assert patient(clinic, desk.person("Asked Later", email=refused)).email_allowed


def test_i4_an_old_address_that_was_unsubscribed_in_its_mailbox_is_remembered(clinic: Clinic, desk: Desk) -> None:
    first = desk.person("Lena Vogt", email="old@mail.example")
    desk.book(first)
    found = mail.letter(clinic, "booking_confirmation")
    desk.rewrite(first, "Lena Vogt", "new@mail.example")
    one_click(clinic, found.unsubscribe_url)
    assert said(clinic, first) == [("email", False, "link", "old@mail.example")]
    assert not patient(clinic, desk.person("Another One", email="old@mail.example")).email_allowed


def test_i4_an_address_that_comes_by_an_import_keeps_its_no(clinic: Clinic, desk: Desk) -> None:
    desk.allow(desk.person("Lena Vogt", email="lena@mail.example"))
    admin = clinic.house.browser(email("admin"))
    uploaded = send(admin, "Name;E-Mail\nIma Port;LENA@Mail.example\n")
    assert step(admin, uploaded.location, "import").status_code == 303
    with clinic.house.reading() as session:
        assert not session.scalars(select(Patient.email_allowed).where(Patient.name == "Ima Port")).one()


def test_h3_one_click_in_a_mail_from_before_the_merge_silences_the_kept_record(clinic: Clinic, desk: Desk) -> None:
    kept, other = desk.person("Lena Vogt"), desk.person("L. Vogt", email="lena@mail.example")
    desk.book(other)
    before = mail.letter(clinic, "booking_confirmation")
    desk.merge(kept, other)
    one_click(clinic, before.unsubscribe_url)
    assert not patient(clinic, kept).email_allowed
    assert patient(clinic, other).email_allowed, "nobody writes to the record that is gone"
    desk.book(kept, "10:00")
    assert mail.letters(clinic) == []


def test_h3_links_to_a_visit_from_before_two_merges_still_confirm_and_cancel(clinic: Clinic, desk: Desk) -> None:
    first, second, third = (
        desk.person("Lena A"),
        desk.person("Lena B"),
        desk.person("L. C", email="c@mail.example"),
    )
    desk.book(third)
    letter = mail.letter(clinic, "booking_confirmation")
    desk.merge(second, third)
    desk.merge(first, second)
    visit, contact = mail.link(letter, "visit"), mail.link(letter, "contact")
    browser = clinic.browser(NOBODY)
    assert browser.get(visit).status_code == 200
    assert browser.post(contact, {"preferred": "sms", "language": "de", "email": "y"}).status_code == 303
    found = patient(clinic, first)
    assert (found.preferred_channel, found.language, found.sms_allowed) == ("sms", "de", False)


def test_h2_a_hold_of_the_merged_record_stands_on_the_kept_one(clinic: Clinic, desk: Desk) -> None:
    kept = clinic.guest
    desk.merge(kept, clinic.pia)
    clinic.clock.move_to(LATER)
    admin = clinic.house.browser(email("admin"))
    page = admin.get(f"/patients/{kept}/erasure").get_data(as_text=True)
    assert "A claim in court" in page
    refused = admin.post(f"/patients/{kept}/erasure", {"sure": "y"})
    assert refused.status_code == 409
    assert "There is a legal hold" in refused.get_data(as_text=True)
    with clinic.house.reading() as session:
        hold = session.get_one(LegalHold, clinic.hold)
        assert (hold.patient_id, hold.reason, hold.created_at) == (kept, "A claim in court", at("2026-04-20 07:00"))
    assert admin.post(f"/patients/{kept}/holds/{clinic.hold}/lifting").status_code == 303
    assert admin.post(f"/patients/{kept}/erasure", {"sure": "y"}).status_code == 303


def test_i5_a_hold_lifted_on_one_record_and_standing_on_the_other(clinic: Clinic, desk: Desk) -> None:
    kept, other = desk.person("Lena Vogt"), desk.person("L. Vogt")
    lifted = trust.held(clinic.house, kept, "Settled", at("2026-04-20 07:00"))
    trust.held(clinic.house, other, "Still open", at("2026-04-21 07:00"))
    admin = clinic.house.browser(email("admin"))
    assert admin.post(f"/patients/{kept}/holds/{lifted}/lifting").status_code == 303
    desk.merge(kept, other)
    assert admin.post(f"/patients/{kept}/erasure", {"sure": "y"}).status_code == 409
    page = admin.get(f"/patients/{kept}/erasure").get_data(as_text=True)
    assert "Still open" in page
    assert "Settled" not in page
    assert clinic.house.count(LegalHold, LegalHold.patient_id == kept) == 2


def test_i5_no_hold_and_no_wish_is_written_to_a_record_that_was_merged(clinic: Clinic, desk: Desk) -> None:
    kept, other = desk.person("Lena Vogt"), desk.person("L. Vogt")
    desk.merge(kept, other)
    admin = clinic.house.browser(email("admin"))
    for browser, path, form in (
        (admin, "holds", {"reason": "A claim"}),
        (desk.browser, "consent", {"preferred": "email", "language": ""}),
    ):
        answer = browser.post(f"/patients/{other}/{path}", form)
        assert answer.status_code == 409
        assert "merged into another one" in answer.get_data(as_text=True)
    assert clinic.house.count(LegalHold, LegalHold.patient_id == other) == 0


def test_i5_emergency_access_and_guardians_come_along(clinic: Clinic, desk: Desk) -> None:
    desk.merge(clinic.guest, clinic.pia)
    with clinic.house.reading() as session:
        assert session.get_one(EmergencyAccess, clinic.emergency).patient_id == clinic.guest
    assert clinic.house.count(Guardian, Guardian.patient_id == clinic.guest) == 1
    looked = clinic.house.browser(email("patient")).get(f"/who-looked?patient_id={clinic.guest}")
    assert looked.status_code == 200
    assert clinic.house.count(Message, Message.patient_id == clinic.pia) == 0
    clinic.clock.shift(timedelta(minutes=1))
    assert clinic.browser(NOBODY).get(f"/visit/{clinic.links['visit_token']}").status_code == 200
