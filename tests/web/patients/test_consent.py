"""Which messages someone gets: set in the account, at the desk, by the link, or by a mail program; each on record."""

import pytest
from sqlalchemy import select

from service.config.settings import Settings
from service.storage.models import ConsentChange, Message, Patient
from tests.house import at
from tests.web import mail
from tests.web.frozen_clinic import NOBODY, Clinic
from tests.web.reading import faults, one, parsed, words

NOTHING = {"preferred": "email", "language": ""}


def patient(clinic: Clinic, patient_id: int | None = None) -> Patient:
    with clinic.house.reading() as session:
        return session.get_one(Patient, patient_id or clinic.pia)


def changes(clinic: Clinic) -> list[tuple[str, bool, str, int | None]]:
    with clinic.house.reading() as session:
        rows = session.scalars(select(ConsentChange).order_by(ConsentChange.id)).all()
        return [(row.channel, row.allowed, row.via, row.changed_by_id) for row in rows]


def with_sms(clinic: Clinic) -> Settings:
    """The clinic's settings once SMS is set up."""
    settings = clinic.house.settings
    return settings.model_copy(update={"sms": settings.sms.model_copy(update={"enabled": True})})


def booked(clinic: Clinic, time: str = "09:00") -> None:
    form = {"patient_id": clinic.pia, "doctor_id": clinic.people["doctor"].doctor_id}
    answer = clinic.browser("receptionist").post("/appointments", {**form, "starts_at": f"2026-06-01T{time}"})
    assert answer.status_code == 303


@pytest.fixture(name="path")
def the_link(clinic: Clinic) -> str:
    """The link in a confirmation."""
    booked(clinic)
    return mail.link(mail.letter(clinic, "booking_confirmation"), "contact")


def test_the_link_shows_by_get_and_changes_by_post(clinic: Clinic, path: str) -> None:
    browser = clinic.browser(NOBODY)
    page = browser.get(path).get_data(as_text=True)
    assert faults(page) == []
    assert [one for one in ("Ahorn", "patient@clinic.example", "1234567") if one in page] == []
    assert changes(clinic) == []
    for _twice in range(2):
        answer = browser.post(path, {**NOTHING, "sms": "y", "language": "de"})
        assert (answer.status_code, answer.location) == (303, path)
    assert changes(clinic) == [("email", False, "link", None)]
    assert (patient(clinic).email_allowed, patient(clinic).sms_allowed, patient(clinic).language) == (False, True, "de")


def test_unwanted_messages_are_not_sent(clinic: Clinic, path: str) -> None:
    clinic.browser(NOBODY).post(path, NOTHING)
    booked(clinic, "10:00")
    assert mail.letters(clinic) == []
    assert [row.skip_reason for row in mail.rows(clinic, "booking_confirmation")][-1] == "opted_out"


def test_the_language_and_the_way_that_were_chosen_hold(clinic: Clinic, path: str) -> None:
    clinic.browser(NOBODY).post(path, {"email": "y", "sms": "y", "preferred": "sms", "language": "de"})
    booked(clinic, "10:00")
    found = mail.letter(clinic, "booking_confirmation", with_sms(clinic))
    assert found.recipient == "+49301234567"
    assert found.body.startswith(
        "Our clinic: Ihr Termin ist gebucht: Mo., 1. Juni, 10:00. Ändern oder absagen: http://127.0.0.1:8000/visit/"
    )
    assert (found.html, found.attachments, found.unsubscribe_url) == ("", (), "")


def test_a_mail_program_unsubscribes_in_one_click_without_a_form_token(clinic: Clinic) -> None:
    booked(clinic)
    found = mail.letter(clinic, "booking_confirmation")
    path = found.unsubscribe_url.removeprefix("http://127.0.0.1:8000")
    client = clinic.browser(NOBODY).client
    assert client.get(path).status_code == 303  # people who press it are led to the form, and nothing changes
    assert changes(clinic) == []
    answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert changes(clinic) == [("email", False, "link", None)]
    assert client.post("/contact/" + "A" * 43 + "/unsubscribe").status_code == 404


def test_the_form_of_the_link_needs_its_token(clinic: Clinic, path: str) -> None:
    assert clinic.browser(NOBODY).client.post(path, data=NOTHING).status_code == 400
    assert changes(clinic) == []


@pytest.mark.parametrize("field", [{"preferred": "pigeon"}, {"language": "xx"}, {"role": "admin"}])
def test_other_values_are_refused(clinic: Clinic, path: str, field: dict[str, str]) -> None:
    answer = clinic.browser(NOBODY).post(path, {**NOTHING, **field})
    assert answer.status_code == 422
    assert clinic.browser("patient").post(f"/patients/{clinic.pia}/consent", {**NOTHING, **field}).status_code == 422
    assert changes(clinic) == []


def test_patients_set_it_in_their_account_and_the_desk_sees_who_and_when(clinic: Clinic) -> None:
    page = clinic.browser("patient").get("/contact").get_data(as_text=True)
    assert faults(page) == []
    answer = clinic.browser("patient").post(f"/patients/{clinic.pia}/consent", {**NOTHING, "email": "y"})
    assert (answer.status_code, answer.location) == (303, "/contact")
    desk = clinic.browser("receptionist")
    assert desk.post(f"/patients/{clinic.pia}/consent", {**NOTHING, "sms": "y"}).status_code == 303
    pia, rita = clinic.people["patient"].user_id, clinic.people["receptionist"].user_id
    assert changes(clinic) == [
        ("sms", False, "account", pia),
        ("email", False, "desk", rita),
        ("sms", True, "desk", rita),
    ]
    shown = words(parsed(desk.get(f"/patients/{clinic.pia}")).find("main"))
    assert "E-mail: not wanted Wed, 6 May, 10:00 · by Rita Tresen , at reception" in shown
    assert "SMS: not wanted Wed, 6 May, 10:00 · by Pia Ahorn , in their account" in shown


def test_z3_nobody_sets_it_for_someone_elses_patient(clinic: Clinic) -> None:
    path = f"/patients/{clinic.pia}/consent"
    for visitor, status in (("other patient", 404), ("doctor", 403)):
        assert clinic.browser(visitor).post(path, NOTHING).status_code == status
    signed_out = clinic.browser(NOBODY).post(path, NOTHING)
    page = parsed(signed_out)
    assert (signed_out.status_code, words(one(page, "h1"))) == (403, "You're signed out")
    assert one(page, "main a[href='/sign-in']")
    assert changes(clinic) == []


def test_a_family_that_shared_a_message_is_unsubscribed_together(clinic: Clinic) -> None:
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    mia, lena = (house.patient(name, email="vogt@mail.example") for name in ("Mia Vogt", "Lena Vogt"))
    now = at("2026-05-06 08:00")
    for who, time in ((mia, "08:00"), (lena, "08:30")):
        visit = house.visit(doll, who, at(f"2026-06-10 {time}"))
        with house.writing() as session:
            session.add(
                Message(
                    rule="daily_reminder",
                    appointment_id=visit,
                    patient_id=who,
                    starts_at=at(f"2026-06-10 {time}"),
                    channel="email",
                    recipient="vogt@mail.example",
                    due_at=now,
                    lease_until=now,
                    created_at=now,
                )
            )
    (found,) = [one for one in mail.letters(clinic) if one.recipient == "vogt@mail.example"]
    path = found.unsubscribe_url.removeprefix("http://127.0.0.1:8000")
    assert clinic.browser(NOBODY).client.post(path).status_code == 200
    assert [patient(clinic, who).email_allowed for who in (mia, lena)] == [False, False]
