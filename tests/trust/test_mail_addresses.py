"""E-mail addresses through the doors people use: kept as typed, compared by their key, never mixed up (I1)."""

from collections.abc import Callable

import pytest
import time_machine
from sqlalchemy import update

from service.storage.models import AddressForm, AuditEntry, Guardian, Message, Patient, User
from tests.house import PASSWORD, House
from tests.services.mail_server import MailServer, running
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.mail import letters_of, link

CHOSEN = "quiet rivers run deeper"


@pytest.fixture
def clinic(make_house: Callable[..., House], moved: time_machine.Traveller) -> House:
    """A clinic where strangers may register and patients may sign in by a link."""
    return make_house(booking={"self_registration": True}, security={"sign_in_links": True})


def registered(house: House, email: str) -> int:
    """The status after someone registers; they open the link they are mailed."""
    form = {"name": "Somebody New", "email": email, "password": CHOSEN}
    status = house.browser().post("/register", form).status_code
    for letter in letters_of(house):
        if "/register/" in letter.body:
            assert house.browser().post(link(letter, "register"), {"password": CHOSEN}).location is not None
    return status


def signs_in(house: House, email: str, password: str = CHOSEN) -> bool:
    return house.browser().sign_in(email, password).status_code == 303


def accounts(house: House) -> list[str]:
    with house.reading() as session:
        return [user.email for user in session.query(User).order_by(User.id)]


def told(house: House, rule: str) -> list[str | None]:
    with house.reading() as session:
        return [row.recipient for row in session.query(Message).where(Message.rule == rule).order_by(Message.id)]


def from_before(house: House, email: str, form: AddressForm = AddressForm.DOUBTFUL) -> None:
    """Let the rows with this address be such as an earlier release left them."""
    with house.writing() as session:
        for table in (User, Patient):
            session.execute(update(table).where(table.email == email).values(email_form=form))


@pytest.mark.parametrize(
    ("typed", "same", "other"),
    [
        ("max@straße.de", "MAX@xn--strae-oqa.de", "max@strasse.de"),
        ("Groß@example.com", "groß@EXAMPLE.com", "gross@example.com"),
        ("İrem@example.com", "İREM@example.com", "irem@example.com"),
        ("νικος@νίκος.gr", "ΝΙΚΟΣ@νίκος.gr", "νικοσ@νίκοσ.gr"),
        ("oﬃce@example.com", "OﬃCE@example.com", "office@example.com"),
        ("a@ශ්\u200dරී.example", "A@xn--10cl1a0b660p.example", "a@ශ්රී.example"),
    ],
)
def test_i1_two_addresses_are_two_accounts_and_two_spellings_are_one(
    clinic: House, typed: str, same: str, other: str
) -> None:
    assert [registered(clinic, email) for email in (typed, same, other)] == [303, 303, 303]
    assert accounts(clinic) == [typed, other]
    assert signs_in(clinic, typed)
    assert signs_in(clinic, same)
    clinic.browser().post("/password-reset", {"email": same})
    clinic.browser().post("/sign-in/link", {"email": same})
    assert told(clinic, "password_reset") == told(clinic, "sign_in_link") == [typed]
    with clinic.reading() as session:
        assert [patient.email for patient in session.query(Patient).order_by(Patient.id)] == [typed, other]


@pytest.mark.parametrize("typed", ["max＠example.com", "a@b\u200dc.example", "a\u200db@example.com", "a@-ß.de"])
def test_i1_what_cannot_be_an_address_is_refused(clinic: House, typed: str) -> None:
    assert registered(clinic, typed) == 422
    assert accounts(clinic) == []


def test_i1_wrong_passwords_count_for_the_account_whatever_the_spelling(clinic: House) -> None:
    registered(clinic, "max@straße.de")
    for spelling in ("max@straße.de", "MAX@straße.de", "max@xn--strae-oqa.de", "Max@STRAßE.de", " max@straße.de"):
        assert not signs_in(clinic, spelling, "rapid rivers run deep")
    assert not signs_in(clinic, "max@straße.DE"), "five tries are used up"


def test_i1_an_account_from_before_matches_both_forms_and_mails_nobody_else(clinic: House) -> None:
    registered(clinic, "max@strasse.de")
    from_before(clinic, "max@strasse.de")
    assert signs_in(clinic, "max@strasse.de")
    assert signs_in(clinic, "Max@Straße.de")
    assert registered(clinic, "max@straße.de") == 303
    assert accounts(clinic) == ["max@strasse.de"], "it may be the same person's"
    clinic.browser().post("/password-reset", {"email": "max@straße.de"})
    assert told(clinic, "password_reset") == []
    clinic.browser().post("/password-reset", {"email": "max@strasse.de"})
    assert told(clinic, "password_reset") == ["max@strasse.de"]


def test_i1_an_account_from_before_that_is_not_doubtful_is_asked_for_nothing(clinic: House) -> None:
    registered(clinic, "office@example.com")
    from_before(clinic, "office@example.com", AddressForm.FOLDED)
    for typed in ("Office@Example.com", "oﬃce@example.com"):
        assert clinic.browser().sign_in(typed, CHOSEN).location == "/"


@pytest.mark.parametrize("answer", ["max@strasse.de", "Max@Straße.de"])
def test_i1_the_owner_is_asked_once_after_signing_in(clinic: House, answer: str) -> None:
    registered(clinic, "max@strasse.de")
    from_before(clinic, "max@strasse.de")
    browser = clinic.browser()
    asked = browser.sign_in("max@straße.de", CHOSEN).location
    assert asked is not None
    assert asked.startswith("/account/email?next=")
    assert "Is this your e-mail address?" in browser.get(asked).get_data(as_text=True)
    assert browser.post("/account/email", {"email": answer, "next": "/"}).location == "/"
    for letter in letters_of(clinic):
        assert letter.recipient == "Max@xn--strae-oqa.de" or letter.recipient == answer
        assert browser.post(link(letter, "account/email")).status_code == 303
    assert accounts(clinic) == [answer]
    assert told(clinic, "account_changed") == [], "the stored address may be somebody else's"
    assert clinic.count(Patient, Patient.email == answer, Patient.email_form == AddressForm.TYPED) == 1
    assert clinic.browser().sign_in(answer, CHOSEN).location == "/"
    assert not signs_in(clinic, "max@straße.de" if answer == "max@strasse.de" else "max@strasse.de")


def test_i1_the_page_that_asks_leads_nowhere_else(clinic: House) -> None:
    registered(clinic, "max@strasse.de")
    browser = clinic.browser()
    browser.sign_in("max@strasse.de", CHOSEN)
    assert 'href="https://evil' not in browser.get("/account/email?next=https://evil.example/").get_data(as_text=True)
    assert browser.post("/account/email", {"email": "max@strasse.de", "next": "//evil.example"}).location == "/"


def test_i1_the_desk_confirms_and_corrects_what_is_doubtful(clinic: House) -> None:
    clinic.user("receptionist", "desk@clinic.example")
    clinic.user("admin", "boss@strasse.de")
    registered(clinic, "gross@example.com")
    strasser = clinic.patient("Eva Strasser", email="eva@strasser.de")
    for email in ("gross@example.com", "eva@strasser.de", "boss@strasse.de"):
        from_before(clinic, email)
    with clinic.reading() as session:
        gross = session.query(Patient.id).where(Patient.email == "gross@example.com").scalar()
        boss = session.query(User.id).where(User.email == "boss@strasse.de").scalar()
    desk = clinic.browser()
    desk.sign_in("desk@clinic.example")
    assert "2 e-mail addresses may be wrong" in desk.get("/patients").get_data(as_text=True)
    listed = desk.get("/patients/addresses").get_data(as_text=True)
    assert "gross@example.com" in listed
    assert "boss@strasse.de" not in listed, "accounts are the admin's"
    assert desk.post(f"/patients/{strasser}/address", {"email": "eva@strasser.de"}).status_code == 303
    assert desk.post(f"/patients/{gross}/address", {"email": "Groß@example.com"}).status_code == 303
    assert desk.post(f"/users/{boss}/address", {"email": "boss@straße.de"}).status_code in (403, 404)
    assert "No addresses to check" in desk.get("/patients/addresses").get_data(as_text=True)
    assert accounts(clinic)[-1] == "Groß@example.com", "the account of the same person follows"
    admin = clinic.browser()
    admin.sign_in("boss@straße.de", PASSWORD)
    refused = admin.post(f"/users/{boss}/address", {"email": "boss@evil.example"})
    assert refused.status_code == 422
    assert "Only the owner of the account can change it" in refused.get_data(as_text=True)
    assert admin.post(f"/users/{boss}/address", {"email": "boss@straße.de"}).status_code == 303
    assert "boss@straße.de" in accounts(clinic)
    with clinic.reading() as session:
        acts = [entry.act for entry in session.query(AuditEntry).where(AuditEntry.act.like("%.address"))]
    assert sorted(acts) == ["patient.address", "patient.address", "user.address", "user.address"]


def test_i1_nobody_is_given_a_record_because_an_old_form_fits(clinic: House) -> None:
    clinic.user("receptionist", "desk@clinic.example")
    registered(clinic, "max@strasse.de")
    from_before(clinic, "max@strasse.de")
    child = clinic.patient("Mia Straße")
    desk = clinic.browser()
    desk.sign_in("desk@clinic.example")
    assert desk.post(f"/patients/{child}/guardians", {"email": "max@straße.de", "name": ""}).status_code == 422
    assert clinic.count(Guardian, Guardian.patient_id == child) == 0
    assert desk.post(f"/patients/{child}/guardians", {"email": "MAX@strasse.de", "name": ""}).status_code < 400
    assert clinic.count(Guardian, Guardian.patient_id == child) == 1


def test_i1_the_desk_reads_why_a_message_could_not_leave(make_house: Callable[..., House], clinic: House) -> None:
    server = MailServer(smtputf8=False)
    with running(server):
        house = make_house(email=server.settings())
        house.user("receptionist", "desk@clinic.example")
        both = ("groß@example.com", "max@straße.de")
        assert [registered(clinic, email) for email in both] == [303, 303]
        for email in both:
            house.browser().post("/password-reset", {"email": email})
        house.deliver()
    assert set(server.told) == {"max@xn--strae-oqa.de"}
    desk = house.browser()
    desk.sign_in("desk@clinic.example")
    with house.reading() as session:
        to_gross = (Message.recipient == "groß@example.com", Message.rule == "password_reset")
        number = session.query(Message.id).where(*to_gross).scalar()
    assert "letters such as ß or é before the @" in desk.get(f"/messages/{number}").get_data(as_text=True)
    assert "groß@example.com" in desk.get("/messages?q=GROß@example.com").get_data(as_text=True)
