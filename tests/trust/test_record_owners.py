"""The owner of a record hears of who gets access to it, and strangers wait before they read (H6, H7)."""

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from service.domain.accounts import api_tokens, sign_in_links, users
from service.domain.accounts.api_tokens import Scope
from service.domain.accounts.users import NewUser
from service.domain.foundation.actor import SYSTEM, Role
from service.storage.models import AuditEntry, Guardian, MessageLink, Patient, User
from tests.house import HASH, Browser, House
from tests.web import mail
from tests.web.frozen_clinic import NOW, Clinic, email
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.reading import attribute, one, parsed, words

STRANGER = "made.up@mail.example"
OWN = email("patient")
DAY = timedelta(hours=24)
NEW = "slow boats drift home"


def notices(clinic: Clinic, rule: str) -> list[str | None]:
    """The people who should get a notice."""
    return [row.recipient for row in mail.rows(clinic, rule)]


def number_of(clinic: Clinic, address: str) -> int:
    with clinic.house.reading() as session:
        return session.scalars(select(User.id).where(User.email == address)).one()


def link(clinic: Clinic, address: str = STRANGER, patient: int | None = None) -> None:
    """Reception adds an account to a record, through the page."""
    form = {"email": address, "name": "Aunt May"}
    answer = clinic.browser("receptionist").post(f"/patients/{patient or clinic.pia}/guardians", form)
    assert answer.status_code == 303


def enter(clinic: Clinic, address: str = STRANGER) -> Browser:
    """Reception prints the slip, and the person who holds it goes in."""
    page = parsed(clinic.browser("receptionist").post(f"/users/{number_of(clinic, address)}/invite"))
    path = re.sub(r"^http://[^/]+", "", words(one(page, ".slip-link")))
    assert clinic.house.browser().post(path, {"password": NEW}).status_code == 303
    return signed_in(clinic, address)


def unused_account(clinic: Clinic, role: Role = Role.PATIENT, address: str = "unused@mail.example") -> int:
    """An account that no one has used, with its record; returns its id."""
    with clinic.house.writing() as session:
        new = NewUser(role, address, "Uwe Neu", birth_date=date(1980, 1, 2))
        return users.add(session, SYSTEM, new, clinic.house.settings.clinic).id


def token(clinic: Clinic) -> str:
    """A token of the stranger's, with all scopes."""
    with clinic.house.writing() as session:
        user = session.get_one(User, number_of(clinic, STRANGER))
        return api_tokens.make(session, SYSTEM, user, label="Web site", scopes=list(Scope), days=30)


def looks(clinic: Clinic) -> str:
    return words(one(parsed(clinic.house.browser(OWN).get("/who-looked")), "main"))


def signed_in(clinic: Clinic, address: str = STRANGER) -> Browser:
    browser = clinic.house.browser()
    assert browser.sign_in(address, NEW).status_code == 303
    return browser


# A guardian whom the desk added (H6)


def test_h6_the_owner_hears_of_an_account_that_the_desk_adds_whatever_mail_they_want(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        pia = session.get_one(Patient, clinic.pia)
        pia.email_allowed, pia.sms_allowed, pia.language = False, False, "de"
    link(clinic)
    letter = mail.letter(clinic, "guardian_linked")
    assert (letter.recipient, letter.unsubscribe_url) == (OWN, "")
    assert "Wenn Sie das nicht veranlasst haben" in letter.body
    assert "Pia" not in letter.subject + letter.body
    assert STRANGER not in letter.body
    with clinic.house.reading() as session:
        assert session.scalars(select(MessageLink.id).where(MessageLink.message_id == letter.id)).all() == []


def test_h6_a_stranger_reads_no_clinical_text_before_the_waiting_time_is_over(clinic: Clinic) -> None:
    link(clinic)
    stranger = enter(clinic)
    closed = parsed(stranger.get(f"/treatments?patient_id={clinic.pia}"))
    assert "You can read this medical history starting" in words(closed)
    assert attribute(closed, "main .note time", "datetime").startswith("2026-05-07T10:00")
    visit = stranger.get(f"/appointments/{clinic.past}")
    assert "You can read what was recorded starting" in words(parsed(visit))
    bearer = {"Authorization": f"Bearer {token(clinic)}"}
    refused = [
        stranger.get(f"/exports/new?patient_id={clinic.pia}"),
        stranger.post("/exports", {"patient_id": str(clinic.pia)}),
        stranger.get(f"/exports/{clinic.export}"),
        stranger.get(f"/exports/{clinic.export}/file"),
        stranger.get(f"/api/v1/treatments?patient_id={clinic.pia}", headers=bearer),
        stranger.post("/exports", {"patient_id": str(clinic.pia), "format": "json"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 6
    missing = stranger.get(f"/api/v1/appointments/{clinic.past}/treatment", headers=bearer)
    assert missing.status_code == 404
    assert not [answer for answer in (*refused, missing, visit) if "Hay fever" in answer.get_data(as_text=True)]
    assert "Hay fever" not in words(closed)
    assert stranger.get(f"/appointments/new?patient_id={clinic.pia}").status_code == 200  # booking needs no wait
    clinic.clock.shift(DAY)
    assert "Hay fever" in signed_in(clinic).get(f"/treatments?patient_id={clinic.pia}").get_data(as_text=True)


def test_h6_the_owner_of_a_record_never_waits(clinic: Clinic) -> None:
    link(clinic)
    assert "Hay fever" in clinic.browser("patient").get("/treatments").get_data(as_text=True)
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.guest).email = "gus@mail.example"
    clinic.house.treated(clinic.people["doctor"].doctor_id, clinic.guest, NOW - timedelta(days=30), diagnosis="Gout")
    link(clinic, "gus@mail.example", clinic.guest)
    assert "Gout" in enter(clinic, "gus@mail.example").get("/treatments").get_data(as_text=True)
    assert notices(clinic, "guardian_linked") == [OWN]  # their own account is nothing to be warned of


def test_h6_a_record_that_was_given_the_strangers_address_first_is_not_their_own(clinic: Clinic) -> None:
    desk = clinic.browser("receptionist")
    page = parsed(desk.get(f"/patients/{clinic.pia}/edit"))
    form = {
        "name": "Pia Ahorn",
        "phone": "030 1234567",
        "email": STRANGER,
        "version": attribute(page, "input[name=version]", "value"),
    }
    assert desk.post(f"/patients/{clinic.pia}/edit", form).status_code == 303
    link(clinic)
    assert notices(clinic, "guardian_linked") == [STRANGER, OWN]  # the address it left hears of it too
    assert "Hay fever" not in enter(clinic).get(f"/treatments?patient_id={clinic.pia}").get_data(as_text=True)


def test_h6_an_address_that_was_only_spelled_differently_is_still_their_own(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.guest).email = "gus@mail.example"
    clinic.house.treated(clinic.people["doctor"].doctor_id, clinic.guest, NOW - timedelta(days=30), diagnosis="Gout")
    desk = clinic.browser("receptionist")
    page = parsed(desk.get(f"/patients/{clinic.guest}/edit"))
    form = {"name": "Gus Gast", "version": attribute(page, "input[name=version]", "value")}
    assert desk.post(f"/patients/{clinic.guest}/edit", {**form, "email": "Gus@Mail.example"}).status_code == 303
    link(clinic, patient=clinic.guest)
    assert notices(clinic, "guardian_linked") == ["Gus@Mail.example"], "one mailbox hears of it once"
    link(clinic, "GUS@mail.example", clinic.guest)
    assert "Gout" in enter(clinic, "GUS@mail.example").get("/treatments").get_data(as_text=True)


def test_h6_a_notice_stays_at_the_address_that_was_known_then(clinic: Clinic) -> None:
    clinic.browser("receptionist").post("/messages/pause")
    link(clinic)
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.pia).email = STRANGER
    clinic.browser("receptionist").post("/messages/pause/removal")
    assert mail.letter(clinic, "guardian_linked").recipient == OWN


def test_h6_the_desk_cannot_hold_a_notice_back(clinic: Clinic) -> None:
    link(clinic)
    (notice,) = mail.rows(clinic, "guardian_linked")
    answer = clinic.browser("receptionist").post(f"/messages/{notice.id}/holding")
    assert answer.status_code == 409
    assert "can&#39;t be put on hold" in answer.get_data(as_text=True)
    assert mail.letter(clinic, "guardian_linked").recipient == OWN


def test_h6_taking_an_account_off_again_leaves_its_trace(clinic: Clinic) -> None:
    link(clinic)
    stranger = enter(clinic)
    removal = f"/patients/{clinic.pia}/guardians/{number_of(clinic, STRANGER)}/removal"
    assert clinic.browser("receptionist").post(removal).status_code == 303
    assert stranger.get(f"/treatments?patient_id={clinic.pia}").status_code == 404
    seen = looks(clinic)
    for act in ("Linked an account to the patient", "Printed an invite slip", "Unlinked an account from the patient"):
        assert f"Rita Tresen · Receptionist {act}" in seen
    link(clinic)  # a second time begins a second wait
    clinic.clock.shift(DAY - timedelta(minutes=1))
    assert "You can read this medical history starting" in words(parsed(signed_in(clinic).get("/treatments")))


def test_h6_another_guardians_reading_of_a_visit_is_a_look(clinic: Clinic) -> None:
    link(clinic)
    enter(clinic)
    clinic.clock.shift(DAY)
    assert "Hay fever" in signed_in(clinic).get(f"/appointments/{clinic.past}").get_data(as_text=True)
    assert "Aunt May · Patient Read a treatment" in looks(clinic)


def test_h6_the_clinic_chooses_how_long_a_guardian_waits(clinic: Clinic, make_house: Callable[..., House]) -> None:
    house = make_house(privacy={"new_guardian_hours": 1})
    browser = house.browser(email("receptionist"))
    browser.post(f"/patients/{clinic.pia}/guardians", {"email": STRANGER})
    with house.reading() as session:
        row = session.get_one(Guardian, (number_of(clinic, STRANGER), clinic.pia))
    assert row.clinical_from == row.created_at + timedelta(hours=1)


# Merging, which gives the guardians of one record the other one too


def merge(clinic: Clinic, kept: int, other: int) -> None:
    """Reception makes one record of two, through the page."""
    answer = clinic.browser("receptionist").post(f"/patients/{kept}/merge", {"other_id": other})
    assert answer.status_code == 303


@pytest.mark.parametrize("is_kept", [True, False])
def test_h6_a_merge_opens_no_clinical_text_to_the_guardian_of_the_other_record_at_once(
    clinic: Clinic, is_kept: bool
) -> None:
    link(clinic, patient=clinic.guest)
    stranger = enter(clinic)
    clinic.clock.shift(DAY + timedelta(minutes=1))
    stranger = signed_in(clinic)
    assert "You can read" not in words(parsed(stranger.get(f"/treatments?patient_id={clinic.guest}")))
    before = notices(clinic, "guardian_linked")
    kept, other = (clinic.pia, clinic.guest) if is_kept else (clinic.guest, clinic.pia)
    merge(clinic, kept, other)
    assert notices(clinic, "guardian_linked") == [*before, OWN]
    closed = parsed(stranger.get(f"/treatments?patient_id={kept}"))
    assert "You can read this medical history starting" in words(closed)
    assert "Hay fever" not in words(closed)
    assert stranger.get(f"/appointments/{clinic.past}").status_code == 200
    assert "Hay fever" not in stranger.get(f"/appointments/{clinic.past}").get_data(as_text=True)
    assert stranger.post("/exports", {"patient_id": str(kept)}).status_code == 403
    own = clinic.house.browser(OWN).get(f"/treatments?patient_id={kept}")
    assert "Hay fever" in own.get_data(as_text=True), "the owner never waits"
    clinic.clock.shift(DAY)
    assert "Hay fever" in signed_in(clinic).get(f"/treatments?patient_id={kept}").get_data(as_text=True)


def test_h6_a_merge_with_a_record_that_has_no_clinical_text_lets_nobody_wait(clinic: Clinic) -> None:
    merge(clinic, clinic.pia, clinic.guest)
    assert "Hay fever" in clinic.house.browser(OWN).get("/treatments").get_data(as_text=True)
    assert notices(clinic, "guardian_linked") == []


def test_h6_a_merge_does_not_end_a_wait(clinic: Clinic) -> None:
    link(clinic)
    merge(clinic, clinic.guest, clinic.pia)
    stranger = enter(clinic)
    assert "You can read this medical history starting" in words(parsed(stranger.get("/treatments")))


# Slips (H6, H7)


def test_h6_the_owner_hears_of_a_slip_for_their_own_account(clinic: Clinic) -> None:
    number = unused_account(clinic)
    assert clinic.browser("receptionist").post(f"/users/{number}/invite").status_code == 200
    assert notices(clinic, "slip_printed") == ["unused@mail.example"]
    assert "Anyone with the slip can choose the password" in mail.letter(clinic, "slip_printed").body


def test_h6_the_account_hears_of_a_slip_beside_each_record_it_sees(clinic: Clinic) -> None:
    link(clinic)
    clinic.browser("receptionist").post(f"/users/{number_of(clinic, STRANGER)}/invite")
    assert sorted(filter(None, notices(clinic, "slip_printed"))) == [STRANGER, OWN]


def test_h6_staff_are_told_about_a_slip_too(clinic: Clinic) -> None:
    number = unused_account(clinic, Role.DOCTOR, "new.doctor@mail.example")
    assert clinic.browser("admin").post(f"/users/{number}/invite").status_code == 200
    assert notices(clinic, "slip_printed") == ["new.doctor@mail.example"]


@pytest.mark.parametrize("who", ["admin", "receptionist"])
def test_h7_no_slip_for_an_account_that_was_used_without_a_password(
    clinic: Clinic, make_house: Callable[..., House], who: str
) -> None:
    house = make_house(security={"sign_in_links": True})
    number = unused_account(clinic)
    with house.writing() as session:
        sign_in_links.ask(session, "unused@mail.example", "192.0.2.1")
    path = mail.link(mail.letter(clinic, "sign_in_link", house.settings), "sign-in")
    assert house.browser().post(path).status_code == 303
    refused = house.browser(email(who)).post(f"/users/{number}/invite")
    assert refused.status_code == 409
    assert "This account is already in use, so only its owner" in refused.get_data(as_text=True)
    assert "/invite/" not in refused.get_data(as_text=True)
    assert house.count(AuditEntry, AuditEntry.act == "user.invite") == 0
    assert house.browser().post("/password-reset", {"email": "unused@mail.example"}).status_code == 303  # the way out
    reset = mail.link(mail.letter(clinic, "password_reset", house.settings), "password-reset")
    assert house.browser().post(reset, {"password": NEW}).status_code == 303


@pytest.mark.parametrize("who", ["admin", "receptionist"])
def test_h7_no_slip_for_an_account_with_a_password_that_nobody_has_used(clinic: Clinic, who: str) -> None:
    number = unused_account(clinic)
    with clinic.house.writing() as session:
        session.get_one(User, number).password_hash = HASH
    assert clinic.browser(who).post(f"/users/{number}/invite").status_code == 409


def test_h7_no_slip_for_the_account_of_a_colleague_that_is_in_use(clinic: Clinic) -> None:
    number = number_of(clinic, email("doctor"))
    assert clinic.browser("admin").post(f"/users/{number}/invite").status_code == 409
    assert "Create invite slip" not in clinic.browser("admin").get(f"/users/{number}").get_data(as_text=True)


def test_h7_a_slip_from_before_the_first_use_opens_nothing_afterwards(
    clinic: Clinic, make_house: Callable[..., House]
) -> None:
    house = make_house(security={"sign_in_links": True})
    number = unused_account(clinic)
    page = parsed(house.browser(email("receptionist")).post(f"/users/{number}/invite"))
    slip = re.sub(r"^http://[^/]+", "", words(one(page, ".slip-link")))
    with house.writing() as session:
        sign_in_links.ask(session, "unused@mail.example", "192.0.2.1")
    path = mail.link(mail.letter(clinic, "sign_in_link", house.settings), "sign-in")
    assert house.browser().post(path).status_code == 303
    assert house.browser().get(slip).status_code == 410
    assert house.browser().post(slip, {"password": NEW}).status_code == 410


# Emergencies, and what the admin sees


def test_h6_the_owner_hears_of_an_emergency_door(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.otto).birth_date = date(1980, 1, 2)
    form = {"name": "Otto Birke", "birth_date": "1980-01-02", "reason": "Fainted in the waiting room"}
    assert clinic.browser("doctor").post("/emergency", form).status_code == 303
    letter = mail.letter(clinic, "emergency_access")
    assert letter.recipient == email("other patient")
    assert "Fainted" not in letter.body
    assert "Doll" not in letter.body
    doctors_own = {**form, "name": "Pia Ahorn"}  # no birth date is known of her
    assert clinic.browser("doctor").post("/emergency", doctors_own).status_code == 303
    assert len(mail.rows(clinic, "emergency_access")) == 1


def test_h6_a_record_with_only_a_phone_number_is_notified_by_sms(
    clinic: Clinic, make_house: Callable[..., House]
) -> None:
    with clinic.house.writing() as session:
        pia = session.get_one(Patient, clinic.pia)
        pia.email, pia.sms_allowed = None, False
    link(clinic)
    sms = {"enabled": True, "url": "https://sms.example/send", "body": '{"to": "{to}", "text": "{text}"}'}
    letter = mail.letter(clinic, "guardian_linked", make_house(sms=sms).settings)
    assert letter.recipient == "+49301234567"
    assert "An account was linked to your record" in letter.body


def test_h6_without_any_address_the_desk_sees_that_nobody_was_told(clinic: Clinic) -> None:
    link(clinic, patient=clinic.guest)
    (row,) = mail.rows(clinic, "guardian_linked")
    assert (row.recipient, row.status, row.skip_reason) == (None, "skipped", "no_address")


def test_h6_the_admin_has_a_list_of_who_was_given_access(clinic: Clinic) -> None:
    link(clinic)
    clinic.browser("receptionist").post(f"/users/{number_of(clinic, STRANGER)}/invite")
    admin = clinic.browser("admin")
    page = parsed(admin.get("/audit"))
    lines = [words(line) for line in page.select("section[aria-labelledby=grants] li")]
    assert [line.partition("Rita Tresen ")[2] for line in lines] == [
        f"· Printed an invite slip: {STRANGER} → Pia Ahorn",
        f"· Linked an account to the patient: {STRANGER} → Pia Ahorn",
        "· Added cover for a doctor: Dr. Doll",
    ]
    seen = attribute(page, "section[aria-labelledby=grants] form", "action")
    link(clinic, "second@mail.example")  # after the page was opened
    assert admin.post(seen).status_code == 303
    left = parsed(admin.get("/audit")).select("section[aria-labelledby=grants] li")
    assert ["second@mail.example" in words(line) for line in left] == [True]
    assert clinic.browser("receptionist").post(seen).status_code == 403


def test_h6_guardians_of_old_read_on_after_an_upgrade(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.add(
            Guardian(user_id=number_of(clinic, OWN), patient_id=clinic.guest, created_at=NOW - timedelta(days=30))
        )
    assert clinic.browser("patient").get(f"/exports/new?patient_id={clinic.guest}").status_code == 200
