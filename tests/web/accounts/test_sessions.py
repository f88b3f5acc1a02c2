"""Signing in and out, as a visitor meets it."""

import pytest

from service.storage.models import AuditEntry, SignIn
from tests.house import PASSWORD, House
from tests.web.frozen_clinic import NOBODY, PEOPLE, Clinic, email
from tests.web.reading import attribute, one, parsed, words


def test_the_front_door_leads_to_setup_while_nobody_exists(house: House) -> None:
    assert house.browser().get("/").location == "/setup"


@pytest.mark.parametrize(
    ("visitor", "home"),
    [
        (NOBODY, "/sign-in"),
        ("patient", "/appointments"),
        ("doctor", "/today"),
        ("receptionist", "/today"),
        ("admin", "/dashboard"),
    ],
)
def test_the_front_door_leads_everybody_to_the_page_they_work_on(clinic: Clinic, visitor: str, home: str) -> None:
    answer = clinic.browser(visitor).get("/")
    assert (answer.status_code, answer.location) == (303, home)


def test_a_good_password_opens_the_home_page(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    answer = browser.sign_in(email("doctor"))
    assert (answer.status_code, answer.location) == (303, "/")
    assert browser.get("/", follow_redirects=True).request.path == "/today"


def test_the_address_is_read_without_regard_to_case_and_blanks(clinic: Clinic) -> None:
    assert clinic.browser(NOBODY).sign_in(f"  {email('doctor').upper()} ").status_code == 303


@pytest.mark.parametrize("password", [PASSWORD.upper(), PASSWORD + " ", " " + PASSWORD, PASSWORD[:-1], "x" * 1000])
def test_a_wrong_password_keeps_the_address_and_says_so(clinic: Clinic, password: str) -> None:
    answer = clinic.browser(NOBODY).sign_in(email("doctor"), password)
    page = parsed(answer)
    assert answer.status_code == 422
    assert "Wrong e-mail address or password." in words(one(page, "[role=alert]"))
    assert attribute(page, "input[name='email']", "value") == email("doctor")
    assert not one(page, "input[name=password]").get("value")


@pytest.mark.parametrize("form", [{}, {"email": ""}, {"email": "x" * 255}, {"password": ""}, {"password": "x" * 1001}])
def test_what_is_missing_or_too_long_is_named_at_its_field(clinic: Clinic, form: dict[str, str]) -> None:
    browser = clinic.browser(NOBODY)
    filled = {"email": email("doctor"), "password": PASSWORD, **form} if form else {}
    answer = browser.post("/sign-in", filled)
    assert answer.status_code == 422
    assert parsed(answer).find_all(class_="invalid-feedback")


def test_a_visitor_comes_back_to_the_page_they_asked_for(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    asked = f"/patients/{clinic.pia}?before=20260601T000000000000-9"
    page = parsed(browser.get(browser.get(asked).location))
    kept = attribute(page, "input[name='next']", "value")
    answer = browser.sign_in(email("doctor"), next=kept)
    assert answer.location == asked
    assert browser.get(asked).status_code == 200


def test_the_page_asked_for_survives_a_wrong_password(clinic: Clinic) -> None:
    answer = clinic.browser(NOBODY).sign_in(email("doctor"), "wrong", next="/reports")
    assert attribute(parsed(answer), "input[name='next']", "value") == "/reports"


@pytest.mark.parametrize("visitor", PEOPLE)
def test_someone_signed_in_is_led_on(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser(visitor)
    assert browser.get("/sign-in").location == "/"
    assert browser.get("/sign-in?next=/appointments").location == "/appointments"


def test_signing_out_says_so_once(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    page = parsed(browser.post("/sign-out", follow_redirects=True))
    assert words(one(page, "[role=status]")) == "You're signed out."
    assert not parsed(browser.get("/sign-in")).select("[role=status]")


def test_coming_and_going_is_on_record(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    browser.sign_in(email("receptionist"), "wrong")
    browser.sign_in(email("receptionist"))
    browser.post("/sign-out")
    with clinic.house.reading() as session:
        rows = session.query(AuditEntry).order_by(AuditEntry.id).all()[-3:]
    assert [(row.act, row.user_id, row.address) for row in rows] == [
        (act, clinic.people["receptionist"].user_id, "127.0.0.1")
        for act in ("session.refused", "session.begin", "session.end")
    ]


def test_a_cookie_of_another_shape_is_nobody(clinic: Clinic) -> None:
    client, before = clinic.house.app.test_client(), clinic.house.count(SignIn)
    for value in ("", "x", "A" * 42, "A" * 44, "A" * 5000, "é" * 43, "A" * 42 + ";", "../" * 14 + "x"):
        for name in (clinic.house.cookie_name, "rounds"):
            sent = {"Cookie": f"{name}={value}".encode().decode("latin-1")}
            assert client.get("/today", headers=sent).status_code == 303
    assert clinic.house.count(SignIn) == before


def test_the_demo_accounts_are_only_shown_in_a_demo_clinic(clinic: Clinic) -> None:
    assert "demo" not in clinic.browser(NOBODY).get("/sign-in").get_data(as_text=True).lower()
