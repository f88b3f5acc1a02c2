"""The first start: the first admin, or a demo clinic; for who sits at this computer or knows the code."""

import pytest

from service.demo import clinic as demo
from service.storage.models import AuditEntry, User
from tests.house import House
from tests.web.reading import attribute, one, parsed, words

AWAY = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
PASSWORD = "slow boats drift home"


def form(**changed: str) -> dict[str, str]:
    return {"name": "Ada", "email": "Ada@Clinic.example", "password": PASSWORD, **changed}


def test_the_first_admin_is_made_and_signs_in(house: House) -> None:
    browser = house.browser()
    answer = browser.post("/setup", form(), follow_redirects=True)
    assert answer.request.path == "/sign-in"
    assert words(one(parsed(answer), "[role=status]")).startswith("Your clinic is set up.")
    assert browser.sign_in("ada@clinic.example", PASSWORD).status_code == 303
    assert browser.get("/", follow_redirects=True).request.path == "/dashboard"
    assert house.actor("ada@clinic.example").role == "admin"
    assert house.count(AuditEntry, AuditEntry.act == "user.add") == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1"])
def test_at_this_computer_no_code_is_asked_for(house: House, address: str) -> None:
    here = {"REMOTE_ADDR": address}
    page = parsed(house.browser().get("/setup", environ_base=here))
    assert page.find("input", attrs={"name": "setup_code"}) is None
    assert house.browser().post("/setup", form(), environ_base=here).status_code == 303


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "", "nonsense"])
def test_from_elsewhere_the_code_of_the_console_is_needed(house: House, address: str) -> None:
    there = {"REMOTE_ADDR": address}
    browser = house.browser()
    assert parsed(browser.get("/setup", environ_base=there)).find("input", attrs={"name": "setup_code"})
    for code in ({}, {"setup_code": ""}, {"setup_code": "00000000"}, {"setup_code": "é"}):
        for path, filled in (("/setup", form()), ("/setup/demo", {"password": PASSWORD})):
            answer = browser.post(path, {**filled, **code}, environ_base=there)
            assert answer.status_code == 422
            assert "in the console" in answer.get_data(as_text=True)
    assert house.count(User) == 0
    right = {"setup_code": f" {house.wiring.setup_code} "}
    assert browser.post("/setup", {**form(), **right}, environ_base=there).status_code == 303


def test_a_forged_forwarded_address_is_not_this_computer(house: House) -> None:
    answer = house.browser().post("/setup", form(), headers={"X-Forwarded-For": "127.0.0.1"}, **AWAY)
    assert answer.status_code == 422
    assert house.count(User) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 201),
        ("name", "Ada\nBcc: all@clinic.example"),
        ("email", ""),
        ("email", "ada"),
        ("email", "ada@clinic.example\r\nBcc: all@clinic.example"),
        ("email", "x" * 250 + "@clinic.example"),
        ("password", ""),
        ("password", "fourteen chars"),
        ("password", "a" * 40),
        ("password", "x" * 1001),
    ],
)
def test_what_cannot_be_accepted_is_said_at_its_field_and_the_rest_is_kept(
    house: House, field: str, value: str
) -> None:
    answer = house.browser().post("/setup", form(**{field: value}))
    page = parsed(answer)
    assert answer.status_code == 422
    assert page.find(id=f"{field}-error") is not None
    assert house.count(User) == 0
    kept = {"name": "Ada", "email": "Ada@Clinic.example"}
    kept.pop(field, None)
    for name, text in kept.items():
        assert attribute(page, f"input[name='{name}']", "value") == text


def test_a_password_of_fifteen_characters_in_any_script_is_fine(house: House) -> None:
    password = "ä ö ü ß 漢字 и шесть"[:15]
    assert len(password) == 15
    browser = house.browser()
    assert browser.post("/setup", form(password=password)).status_code == 303
    assert browser.sign_in("ada@clinic.example", password).status_code == 303


def test_two_at_once_make_one_admin(house: House) -> None:
    first, second = house.browser(), house.browser()
    tokens = first.token(), second.token()
    answers = [
        browser.client.post("/setup", data={"csrf_token": token, **form(email=f"{number}@clinic.example")})
        for number, (browser, token) in enumerate(zip((first, second), tokens, strict=True))
    ]
    assert [answer.status_code for answer in answers] == [303, 404]
    assert house.count(User) == 1


def test_the_button_fills_a_demo_clinic_with_the_password_shown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    small = demo.Size(doctors=2, patients=5, appointments=200)
    monkeypatch.setattr(demo, "Size", lambda: small)
    browser = house.browser()
    shown = attribute(parsed(browser.get("/setup")), "#demo_password", "value")
    assert len(shown) >= 15
    answer = browser.post("/setup/demo", {"password": shown}, follow_redirects=True)
    page = parsed(answer)
    assert answer.request.path == "/sign-in"
    assert "The demo clinic is ready." in words(one(page, "[role=status]"))
    assert "Demo clinic: all people are made up" in words(page.find("aside"))
    accounts = [words(item) for item in page.select("main li")]
    assert {name.split("@")[0] for name in accounts} == {"admin", "reception", "doctor1", "patient1"}
    for account in accounts:
        assert house.browser().sign_in(account, shown).status_code == 303


@pytest.mark.parametrize("password", ["", "short", "a" * 20])
def test_the_demo_clinic_has_no_weak_password(house: House, password: str) -> None:
    answer = house.browser().post("/setup/demo", {"password": password})
    assert answer.status_code == 422
    assert house.count(User) == 0
