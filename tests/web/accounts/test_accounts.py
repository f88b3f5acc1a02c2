"""Accounts: the admin's list, slips with a link that stands on one page only, closing, and registering oneself."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import inspect, text

from service.storage.models import AuditEntry, Patient, User
from tests.house import PASSWORD, Browser, House
from tests.web.frozen_clinic import NOBODY, Clinic, email
from tests.web.frozen_clinic import the_log as the_log
from tests.web.mail import letters_of, link
from tests.web.reading import faults, links, one, parsed, words

NEW = {"role": "doctor", "name": "Dr. Nora Neu", "email": "Nora@Clinic.Example", "department": "Skin"}


def user_id(clinic: Clinic, visitor: str) -> int:
    number = clinic.people[visitor].user_id
    assert number is not None
    return number


def link_on(page: str) -> str:
    return words(one(parsed(page), ".slip-link"))


def unused(clinic: Clinic) -> int:
    """An account of a patient that no one has used yet; returns its id."""
    return clinic.house.user("patient", "unused@clinic.example", "Uwe Neu", password_hash=None).user_id or 0


# The list and new ones


def test_the_admin_sees_who_may_sign_in(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    staff = words(parsed(browser.get("/users")).find("main"))
    assert "Rita Tresen" in staff
    assert "Pia Ahorn" not in staff
    assert "Pia Ahorn" in words(parsed(browser.get("/users?of=patients")).find("main"))
    assert words(one(parsed(browser.get("/users?q=RITA")), "table.people tbody")).startswith("Rita Tresen")


def test_a_new_user_is_made_without_a_password_and_with_what_is_behind_it(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    answer = browser.post("/users/new", dict(NEW), follow_redirects=True)
    assert words(parsed(answer).find("h1")) == "Dr. Nora Neu"
    assert "Not invited" in words(parsed(answer).find("main"))
    nora = clinic.house.actor("nora@clinic.example")
    assert (nora.role, nora.doctor_id is not None) == ("doctor", True)
    again = browser.post("/users/new", dict(NEW))
    assert (again.status_code, faults(again.get_data(as_text=True))) == (409, [])
    assert parsed(again).find(id="email-error") is not None


@pytest.mark.parametrize(
    "change",
    [
        {"role": "system"},
        {"role": "patient"},
        {"role": ""},
        {"email": "x"},
        {"name": "a\nb"},
        {"name": "x" * 201},
        {"department": "x" * 101},
        {"password_hash": "x"},
        {"patient_id": "1"},
        {"disabled_at": ""},
    ],
)
def test_z4_a_bad_form_makes_nobody(clinic: Clinic, change: dict[str, str]) -> None:
    before = clinic.house.count(User)
    answer = clinic.browser("admin").post("/users/new", {**NEW, **change})
    assert (answer.status_code, faults(answer.get_data(as_text=True))) == (422, [])
    assert clinic.house.count(User) == before


# The slip


@pytest.mark.parametrize("visitor", ["admin", "receptionist"])
def test_z3_nobody_makes_a_way_into_an_account_that_is_in_use(clinic: Clinic, visitor: str) -> None:
    answer = clinic.browser(visitor).post(f"/users/{user_id(clinic, 'patient')}/invite")
    assert answer.status_code == 409
    assert "/invite/" not in answer.get_data(as_text=True)
    assert clinic.browser(NOBODY).sign_in(email("patient"), PASSWORD).status_code == 303


@pytest.mark.parametrize("visitor", ["admin", "receptionist"])
def test_a11_the_slip_carries_a_link_that_works_once(clinic: Clinic, visitor: str) -> None:
    answer = clinic.browser(visitor).post(f"/users/{unused(clinic)}/invite")
    page = answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert faults(page) == []
    assert one(parsed(page), ".slip-code svg .qrline")["stroke"] == "#000"
    assert link_on(page).startswith("http://127.0.0.1:8000/invite/")
    path = link_on(page).removeprefix("http://127.0.0.1:8000")
    browser = clinic.browser(NOBODY)
    assert browser.post(path, {"password": "slow boats drift home"}).status_code == 303
    assert browser.post(path, {"password": "slow boats drift home"}).status_code == 410
    assert browser.sign_in("unused@clinic.example", "slow boats drift home").status_code == 303
    accepted = (AuditEntry.act == "user.invite_accepted", AuditEntry.address == "127.0.0.1")
    assert clinic.house.count(AuditEntry, *accepted) == 1


def test_a12_the_link_comes_from_the_settings_not_from_the_host_header(
    clinic: Clinic, make_house: Callable[..., House]
) -> None:
    house = make_house(clinic={"public_url": "https://rounds.clinic.example"})
    browser = house.browser(email("admin"))
    cookie = browser.client.get_cookie(browser.cookie_name)
    assert cookie is not None
    browser.client.set_cookie(browser.cookie_name, cookie.value, domain="192.0.2.9")
    page = browser.post(f"/users/{unused(clinic)}/invite", headers={"Host": "192.0.2.9:4711"})
    assert page.status_code == 200
    assert link_on(page.get_data(as_text=True)).startswith("https://rounds.clinic.example/invite/")


def test_a11_the_token_stands_on_that_one_page_only(clinic: Clinic, logged: Callable[[], str]) -> None:
    browser, number = clinic.browser("admin"), unused(clinic)
    token = link_on(browser.post(f"/users/{number}/invite").get_data(as_text=True)).rpartition("/")[2]
    for path in (
        f"/users/{number}",
        "/users?of=patients",
        f"/patients/{clinic.pia}",
        f"/patients/{clinic.pia}/guardians",
    ):
        assert token not in browser.get(path).get_data(as_text=True)
    clinic.browser(NOBODY).get(f"/invite/{token}")
    assert "/invite/<token>" in logged()
    assert token not in logged()
    with clinic.house.reading() as session:
        for table in inspect(session.get_bind()).get_table_names():
            assert token not in repr(session.execute(text(f"SELECT * FROM {table}")).all()), table


@pytest.mark.parametrize("visitor", ["doctor", "admin", "receptionist"])
def test_z2_for_reception_accounts_of_staff_are_not_there(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser("receptionist")
    foreign = browser.post(f"/users/{user_id(clinic, visitor)}/invite")
    missing = browser.post("/users/999999/invite")
    assert (foreign.status_code, foreign.data) == (404, missing.data)
    assert clinic.house.count(AuditEntry, AuditEntry.act == "user.invite") == 0


# Closing


def test_s4_a_closed_account_is_out_at_its_next_click(clinic: Clinic) -> None:
    admin, rita = clinic.browser("admin"), clinic.browser("receptionist")
    number = user_id(clinic, "receptionist")
    assert rita.get("/today").status_code == 200
    assert admin.post(f"/users/{number}/disabling").status_code == 303
    assert rita.get("/today").location.startswith("/sign-in")
    assert clinic.browser(NOBODY).sign_in(email("receptionist"), PASSWORD).status_code == 422
    page = admin.get(f"/users/{number}")
    assert "Closed" in words(parsed(page).find("main"))
    assert faults(page.get_data(as_text=True)) == []
    assert admin.post(f"/users/{number}/invite").status_code == 409
    assert admin.post(f"/users/{number}/enabling").status_code == 303
    assert rita.get("/today").location.startswith("/sign-in")
    assert clinic.browser(NOBODY).sign_in(email("receptionist"), PASSWORD).status_code == 303


def test_nobody_closes_their_own_account(clinic: Clinic) -> None:
    admin, number = clinic.browser("admin"), user_id(clinic, "admin")
    assert parsed(admin.get(f"/users/{number}")).find("form", action=f"/users/{number}/disabling") is None
    assert admin.post(f"/users/{number}/disabling").status_code == 409
    assert admin.get("/users").status_code == 200


# Registering oneself

FORM = {
    "name": "Lena Vogt",
    "birth_date": "1985-05-04",
    "phone": "030 5555555",
    "email": "lena@mail.example",
    "password": "slow boats drift home",
}


@pytest.fixture(name="open_house")
def an_open_house(clinic: Clinic, make_house: Callable[..., House]) -> House:
    """The clinic, where strangers may register."""
    return make_house(booking={"self_registration": True})


def test_where_the_clinic_does_not_allow_it_there_is_no_such_page(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    assert browser.get("/register").status_code == browser.post("/register", dict(FORM)).status_code == 404
    assert "/register" not in links(parsed(browser.get("/sign-in")))
    assert clinic.house.count(User, User.email == FORM["email"]) == 0


def prove_registration(house: House) -> Browser:
    """Open the link of the registration's mail; returns the browser that is signed in by it."""
    path, browser = link(letters_of(house)[-1], "register"), house.browser()
    assert faults(browser.get(path).get_data(as_text=True)) == []
    assert browser.post(path, {"password": "something else"}).status_code == 422
    assert browser.post(path, {"password": FORM["password"]}).location == "/"
    return browser


def test_someone_registers_signs_in_and_is_seen_by_the_desk(open_house: House) -> None:
    browser = open_house.browser()
    assert "/register" in links(parsed(browser.get("/sign-in")))
    assert faults(browser.get("/register").get_data(as_text=True)) == []
    answer = browser.post("/register", dict(FORM), follow_redirects=True)
    assert answer.request.path == "/sign-in"
    assert "no link was sent" in words(one(parsed(answer), "[role=status]"))  # e-mail is off here
    assert browser.sign_in(FORM["email"], FORM["password"]).status_code == 422  # not before the mail was read
    browser = prove_registration(open_house)
    assert browser.get("/appointments").status_code == 200
    waiting = words(parsed(open_house.browser(email("receptionist")).get("/patients")).find("main"))
    assert "Lena Vogt" in waiting


def test_registering_says_whether_a_link_is_mailed(clinic: Clinic, make_house: Callable[..., House]) -> None:
    mail = {"enabled": True, "host": "127.0.0.1", "sender": "desk@clinic.example"}
    answer = (
        make_house(booking={"self_registration": True}, email=mail)
        .browser()
        .post("/register", dict(FORM), follow_redirects=True)
    )
    assert "We've e-mailed you a link" in words(one(parsed(answer), "[role=status]"))


def test_i8_who_registers_may_say_what_they_are_called(open_house: House) -> None:
    browser = open_house.browser()
    assert browser.post("/register", {**FORM, "given_name": "Leni"}).status_code == 303
    browser = prove_registration(open_house)
    assert words(parsed(browser.get("/appointments")).find("h1")) == "Hello Leni"


@pytest.mark.parametrize("known", ["patient@clinic.example", "ADMIN@clinic.example"])
def test_a8_the_answer_is_the_same_for_a_known_address(open_house: House, known: str) -> None:
    answers = [open_house.browser().post("/register", {**FORM, "email": address}) for address in (FORM["email"], known)]
    seen = [
        (
            answer.status_code,
            answer.data,
            sorted((name, value) for name, value in answer.headers if not once(name, value)),
        )
        for answer in answers
    ]
    assert seen[0] == seen[1]
    assert open_house.browser().sign_in(known.lower(), FORM["password"]).status_code == 422
    assert open_house.count(User, User.email_key == known.lower()) == 1


def once(name: str, value: str) -> bool:
    """Whether a header differs between any two answers."""
    return name in ("X-Request-ID", "Date") or bool(re.match("rounds-[0-9a-f]{12}=", value))


@pytest.mark.parametrize("field", ["role", "patient_id", "registered_at", "confirm", "version", "disabled_at"])
def test_z4_registering_refuses_a_field_it_does_not_have(open_house: House, field: str) -> None:
    before = open_house.count(User)
    assert open_house.browser().post("/register", {**FORM, field: "admin"}).status_code == 422
    assert open_house.count(User) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\nb"),
        ("given_name", "Dr"),
        ("email", ""),
        ("email", "  "),
        ("email", "x"),
        ("phone", "12"),
        ("birth_date", "2030-01-01"),
        ("password", "fourteen chars"),
        ("password", ""),
    ],
)
def test_a1_a_bad_registration_is_refused_beside_its_field(open_house: House, field: str, value: str) -> None:
    answer = open_house.browser().post("/register", {**FORM, field: value})
    assert (answer.status_code, faults(answer.get_data(as_text=True))) == (422, [])
    assert parsed(answer).find(id=f"{field}-error") is not None
    assert FORM["password"] not in answer.get_data(as_text=True)
    assert open_house.count(Patient, Patient.registered_at.is_not(None)) == 0


def test_a6_registering_is_slowed_down_per_address(open_house: House) -> None:
    browser = open_house.browser()
    codes = [browser.post("/register", {**FORM, "email": f"l{turn}@mail.example"}).status_code for turn in range(21)]
    assert codes == [303] * 20 + [429]
    away = browser.post("/register", dict(FORM), environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert away.status_code == 303


def test_who_is_signed_in_is_sent_home_from_the_form(open_house: House) -> None:
    assert open_house.browser(email("patient")).get("/register").location == "/"
