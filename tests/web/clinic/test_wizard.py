"""The pages of the first start and of settings: what is accepted, what is refused at its field, who may."""

import re
import socket
import tomllib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup, Tag
from sqlalchemy import select

from service.demo import clinic as demo
from service.storage.models import Appointment, AuditEntry, Doctor, DoctorHours, Installation, User
from tests.house import PASSWORD, House
from tests.web.reading import attribute, one, parsed, words

AWAY = {"REMOTE_ADDR": "192.0.2.7"}
ADMIN = {"name": "Ines", "email": "ines@clinic.example", "password": PASSWORD}
CLINIC = {"name": "Park", "timezone": "Europe/Berlin", "country": "DE", "language": "de", "phone": "030 901820"}
REACH = {"reach": "computer", "port": "8000", "address": "", "public_url": "https://", "trusted_proxy": "127.0.0.1"}
DOCTOR: dict[str, Any] = {"name": "Dr Ada", "department": "", "email": "ada@clinic.example", "weekdays": ["0", "1"]}
DOCTOR |= {"starts": "08:00", "ends": "12:00", "starts_2": "13:00", "ends_2": "17:00", "slot_minutes": "15"}
MAIL = {"host": "smtp.clinic.example", "port": "587", "security": "starttls", "username": "desk", "password": "words"}
MAIL |= {"sender": "Park <desk@clinic.example>", "test_to": ""}
GOOD = {"clinic": CLINIC, "reach": REACH, "doctor": DOCTOR, "mail": MAIL}

WRONG = [
    ("clinic", "name", ""),
    ("clinic", "name", "  "),
    ("clinic", "name", "x" * 101),
    ("clinic", "name", "Park\r\nBcc: all@clinic.example"),
    ("clinic", "timezone", "Mars/Olympus"),
    ("clinic", "country", "Germany"),
    ("clinic", "language", "fr"),
    ("clinic", "phone", "12"),
    ("clinic", "phone", "call\nme"),
    ("reach", "reach", "everybody"),
    ("reach", "reach", ""),
    ("reach", "port", ""),
    ("reach", "port", "0"),
    ("reach", "port", "65536"),
    ("reach", "port", "eighty"),
    ("mail", "host", ""),
    ("mail", "host", "http://smtp.clinic.example"),
    ("mail", "host", "smtp\nclinic"),
    ("mail", "port", "0"),
    ("mail", "security", "ssl"),
    ("mail", "security", "none"),  # the password could be read on its way
    ("mail", "password", ""),
    ("mail", "sender", "the desk"),
    ("mail", "sender", "desk@clinic.example, all@clinic.example"),
    ("mail", "sender", "desk@clinic.example\r\nBcc: all@clinic.example"),
    ("doctor", "name", ""),
    ("doctor", "name", "Dr\nAda"),
    ("doctor", "email", "ada"),
    ("doctor", "weekdays", []),
    ("doctor", "starts", ""),
    ("doctor", "ends", "25:00"),
    ("doctor", "ends", "08:00"),
    ("doctor", "ends", "08:10"),
    ("doctor", "starts_2", "11:00"),
    ("doctor", "starts_2", ""),
    ("doctor", "ends_2", ""),
    ("doctor", "ends_2", "12:30"),  # on the next day, when it is open from eight o'clock on
    ("doctor", "ends_2", "13:00"),
    ("doctor", "slot_minutes", "4"),
    ("doctor", "slot_minutes", "many"),
]


@pytest.mark.parametrize(("page", "field", "value"), WRONG)
def test_what_cannot_be_is_said_at_its_field_and_the_rest_is_kept(
    house: House, page: str, field: str, value: Any
) -> None:
    form = {**GOOD[page], field: value}
    answer = house.browser().post(f"/setup/{page}", form)
    shown = parsed(answer)
    assert answer.status_code == 422
    assert shown.find(id=f"{field}-error") is not None
    for name, text in form.items():
        if name != field and isinstance(text, str) and (found := shown.find("input", attrs={"name": name})):
            assert found.get("type") in ("password", "radio") or found.get("value", "") == text
    assert "words" not in [each.get("value") for each in shown.find_all("input")]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"reach": "network", "address": ""}, "address"),
        ({"reach": "network", "address": "127.0.0.1"}, "address"),
        ({"reach": "network", "address": "192.0.2.200"}, "address"),
        ({"reach": "internet", "public_url": "http://rounds.example"}, "public_url"),
        ({"reach": "internet", "public_url": "https://"}, "public_url"),
        ({"reach": "internet", "public_url": "https://rounds.example/path"}, "public_url"),
        ({"reach": "internet", "public_url": "https://a@rounds.example"}, "public_url"),
        ({"reach": "internet", "public_url": "https://[::1"}, "public_url"),
        ({"reach": "internet", "public_url": "https://rounds.example:99999"}, "public_url"),
        ({"reach": "internet", "public_url": 'https://a"b'}, "public_url"),
        ({"reach": "internet", "public_url": "https://<b>"}, "public_url"),
        ({"reach": "internet", "public_url": "https://*"}, "public_url"),
        ({"reach": "internet", "public_url": "https://rounds.example", "trusted_proxy": "proxy"}, "trusted_proxy"),
        ({"reach": "internet", "public_url": "https://rounds.example", "trusted_proxy": "0.0.0.0"}, "trusted_proxy"),
    ],
)
def test_each_way_to_reach_it_is_checked(house: House, changed: dict[str, str], field: str) -> None:
    answer = house.browser().post("/setup/reach", {**REACH, **changed})
    assert answer.status_code == 422
    assert parsed(answer).find(id=f"{field}-error") is not None


def test_a_port_that_another_program_has_is_refused(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = house.browser().post("/setup/reach", {**REACH, "port": port})
    assert answer.status_code == 422
    assert f"Port {port} can't be used" in words(parsed(answer).find(id="port-error"))


def test_patients_at_home_need_tls_and_the_page_says_how(house: House) -> None:
    browser = house.browser()
    page = browser.get("/setup/reach").get_data(as_text=True)
    assert "reverse_proxy 127.0.0.1:8000" in page
    form = {**REACH, "reach": "internet", "public_url": "https://rounds.example"}
    assert browser.post("/setup/reach", form).status_code == 303
    assert browser.post("/setup", ADMIN).status_code == 303
    text = (house.settings.base / "config.toml").read_text(encoding="utf-8")
    assert 'public_url = "https://rounds.example"' in text
    assert 'trusted_proxy = "127.0.0.1"' in text


def test_two_tabs_share_one_draft_and_other_browsers_have_theirs(house: House) -> None:
    browser, other = house.browser(), house.browser()
    assert browser.post("/setup/clinic", CLINIC).status_code == 303
    assert browser.post("/setup/clinic", {**CLINIC, "name": "River"}).status_code == 303
    assert attribute(parsed(browser.get("/setup/clinic")), "input[name=name]", "value") == "River"
    assert attribute(parsed(other.get("/setup/clinic")), "input[name=name]", "value") == "Our clinic"
    assert browser.post("/setup/clinic", {"act": "skip"}).status_code == 303
    assert attribute(parsed(browser.get("/setup/clinic")), "input[name=name]", "value") == "Unsere Praxis"


def test_a_password_for_mail_is_kept_without_being_shown_and_may_stay_empty_then(house: House) -> None:
    browser = house.browser()
    assert browser.post("/setup/mail", MAIL).status_code == 303
    page = browser.get("/setup/mail").get_data(as_text=True)
    assert "A password is saved" in page
    assert 'value="words"' not in page
    assert browser.post("/setup/mail", {**MAIL, "password": "", "port": "588"}).status_code == 303
    assert browser.post("/setup", ADMIN).status_code == 303
    assert (house.settings.base / "email.password").read_text(encoding="utf-8") == "words"


def test_on_another_computer_the_code_opens_all_pages_once(house: House) -> None:
    browser = house.browser()
    refused = browser.post("/setup/clinic", CLINIC, environ_base=AWAY)
    assert refused.status_code == 422
    assert "in the console" in refused.get_data(as_text=True)
    assert browser.post("/setup/clinic", {"act": "skip"}, environ_base=AWAY).status_code == 422
    right = {**CLINIC, "setup_code": house.wiring.setup_code}
    assert browser.post("/setup/clinic", right, environ_base=AWAY).status_code == 303
    assert parsed(browser.get("/setup/doctor", environ_base=AWAY)).find("input", attrs={"name": "setup_code"}) is None
    assert house.browser().post("/setup/doctor", DOCTOR, environ_base=AWAY).status_code == 422
    assert browser.post("/setup", ADMIN, environ_base=AWAY).status_code == 303
    assert house.count(User) == 1


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_a9_what_a_proxy_passes_on_is_not_asked_at_this_computer(house: House, header: str) -> None:
    browser = house.browser()
    for path, form in (("/setup", ADMIN), ("/setup/clinic", CLINIC), ("/setup/demo", {"password": PASSWORD})):
        answer = browser.post(path, form, headers={header: "203.0.113.9"})
        assert answer.status_code == 422
        assert "in the console" in answer.get_data(as_text=True)
    assert house.count(User) == 0
    right = {**ADMIN, "setup_code": house.wiring.setup_code}
    assert browser.post("/setup", right, headers={header: "203.0.113.9"}).status_code == 303


def test_a6_the_code_is_not_found_by_guessing(house: House) -> None:
    browser = house.browser()
    answers = [
        browser.post("/setup/clinic", {**CLINIC, "setup_code": f"{turn:08x}"}, environ_base=AWAY) for turn in range(11)
    ]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    right = {**CLINIC, "setup_code": house.wiring.setup_code}
    assert browser.post("/setup/clinic", right, environ_base=AWAY).status_code == 429
    assert browser.post("/setup/clinic", right, environ_base={"REMOTE_ADDR": "192.0.2.8"}).status_code == 303


def test_the_admin_and_the_first_doctor_have_addresses_of_their_own(house: House) -> None:
    browser = house.browser()
    assert browser.post("/setup/clinic", {**CLINIC, "language": "en"}).status_code == 303
    assert browser.post("/setup/doctor", {**DOCTOR, "email": ADMIN["email"]}).status_code == 303
    answer = browser.post("/setup", ADMIN)
    assert answer.status_code == 422
    assert "The first doctor already uses this address" in words(parsed(answer).find(id="email-error"))
    assert [house.count(table) for table in (User, Doctor, DoctorHours, AuditEntry)] == [0, 0, 0, 0]
    assert not (house.settings.base / "config.toml").exists()
    assert not house.wiring.restart.is_asked


def test_a_file_that_may_only_be_read_stops_it_with_a_sentence_and_nothing_is_changed(house: House) -> None:
    file = house.settings.base / "config.toml"
    file.write_text("# ours\n", encoding="utf-8")
    file.chmod(0o444)
    answer = house.browser().post("/setup/clinic", CLINIC)
    assert answer.status_code == 422
    assert "may only be read: nothing was changed" in answer.get_data(as_text=True)
    assert file.read_text(encoding="utf-8") == "# ours\n"


def test_pages_of_the_first_start_are_gone_afterwards(house: House) -> None:
    browser = house.browser()
    assert browser.post("/setup/doctor", DOCTOR).status_code == 303
    assert browser.post("/setup", ADMIN).status_code == 303
    assert not house.wiring.restart.is_asked  # no setting was answered
    assert not (house.settings.base / "config.toml").exists()
    assert house.count(DoctorHours) == 4
    for page in GOOD:
        assert browser.get(f"/setup/{page}").status_code == browser.post(f"/setup/{page}").status_code == 404


# Where the clinic is


def filled_in(page: Tag, **changed: str) -> dict[str, Any]:
    """The page's form as a browser sends it, with what someone changed in it."""
    form = page if page.name == "form" else one(page, "form.panel")
    found: dict[str, Any] = {str(each["name"]): each.get("value", "") for each in form.select("input[name]")}
    for field in form.select("select[name]"):
        chosen = field.select_one("option[selected]") or field.select_one("option")
        assert chosen is not None
        found[str(field["name"])] = chosen["value"]
    return {**found, **({"act": "save"} if "act" in found else {}), **changed}


def zones_of(page: BeautifulSoup) -> list[str]:
    return [str(option["value"]) for option in page.select("#timezone optgroup:first-of-type option")]


@pytest.mark.parametrize(
    ("browser_says", "answers", "stored", "day", "moment"),
    [
        (
            "en-US,en;q=0.8",
            {"timezone": "America/Chicago"},
            ("en", "US", "America/Chicago", 12, "sunday"),
            "Sunday",
            r"\b[A-Z][a-z]{2} \d{1,2}, (\d{4}, )?3:00\sAM",
        ),
        (
            "de-AT,de;q=0.8",
            {},
            ("de", "AT", "Europe/Vienna", 24, "monday"),
            "Montag",
            r"\b\d{1,2}\. ?\S+\.?( \d{4})?,? 03:00",
        ),
        (
            "en-US,en;q=0.8",
            {"country": "AT"},
            ("en", "AT", "Europe/Vienna", 24, "monday"),
            "Monday",
            r"\b\d{1,2} [A-Z][a-z]{2}( \d{4})?, 03:00",
        ),
        (
            "de-AT,de;q=0.8",
            {"country": "US", "timezone": "America/Chicago"},
            ("de", "US", "America/Chicago", 12, "sunday"),
            "Sonntag",
            r"\b3:00\sAM",
        ),
    ],
)
def test_clock_week_and_dates_follow_the_country(
    make_house: Callable[..., House],
    tmp_path: Path,
    browser_says: str,
    answers: dict[str, str],
    stored: tuple[Any, ...],
    day: str,
    moment: str,
) -> None:
    browser, says = make_house().browser(), {"headers": {"Accept-Language": browser_says}}
    page = parsed(browser.get("/setup/clinic", **says))
    assert page.html is not None
    assert page.html["lang"] == stored[0]
    assert attribute(page, "#name", "value") == {"en": "Our clinic", "de": "Unsere Praxis"}[stored[0]]
    assert [link["href"] for link in page.select(".setup-languages a")] == ["?lang=en", "?lang=de", "?lang=en_GB"]
    fields = [each["name"] for each in page.select("form.panel [name]:not([type=hidden], [type=submit])")]
    assert fields[:3] == ["language", "country", "timezone"]
    assert browser.post("/setup/clinic", filled_in(page, name="Park", **answers), **says).status_code == 303
    hours = parsed(browser.get("/setup/doctor", **says))
    assert words(one(hours, "label[for^=weekday-]")) == day
    assert attribute(hours, "#starts", "value") == ("8:00 AM" if stored[3] == 12 else "08:00")
    assert browser.post("/setup", ADMIN, **says).status_code == 303
    said = tomllib.loads((tmp_path / "config.toml").read_text(encoding="utf-8"))["clinic"]
    assert tuple(said[key] for key in ("language", "country", "timezone", "clock", "first_weekday")) == stored
    admin = make_house(clinic=said).browser(ADMIN["email"])
    assert re.search(moment, words(parsed(admin.get("/jobs")).find("main")))
    assert day in words(parsed(admin.get("/settings")).find("main"))


def test_a_country_with_several_clocks_has_its_zone_chosen(house: House) -> None:
    browser = house.browser()
    page = parsed(browser.get("/setup/clinic"))
    refused = browser.post("/setup/clinic", filled_in(page, name="Park", country="US"))
    assert refused.status_code == 422
    page = parsed(refused)
    assert "Choose a time zone." in words(page.find(id="timezone-error"))
    assert page.select_one("#timezone option[selected][value='']") is not None
    assert "America/Chicago" in zones_of(page)
    assert not [zone for zone in zones_of(page) if zone.startswith("Europe/")]
    assert filled_in(page)["clock"] == "12"
    chosen = filled_in(page, timezone="Europe/Berlin")  # someone may know better
    assert browser.post("/setup/clinic", chosen).status_code == 303


def test_the_page_shows_the_zones_and_the_time_of_the_country_that_is_chosen(house: House) -> None:
    browser = house.browser()
    answered = {
        "language": "en",
        "country": "JP",
        "timezone": "Europe/Berlin",
        "clock": "24",
        "first_weekday": "monday",
    }
    page = parsed(browser.get("/setup/clinic", query_string={**answered, "listed_for": "DE"}))
    assert zones_of(page) == ["Asia/Tokyo"]
    form = filled_in(page)
    assert (form["timezone"], form["first_weekday"], form["listed_for"]) == ("Asia/Tokyo", "sunday", "JP")
    there = datetime.now(ZoneInfo("Asia/Tokyo"))
    assert any(f"{at:%H:%M} at your clinic" in words(page) for at in (there, there - timedelta(minutes=1)))
    assert "+81" in words(page)


@pytest.mark.parametrize("country", ["", "XX", "Japan", "../../etc", "J" * 5000])
def test_a_country_that_there_is_not_changes_nothing(house: House, country: str) -> None:
    answer = house.browser().get("/setup/clinic", query_string={"country": country, "listed_for": country})
    assert answer.status_code == 200


def test_a_demo_clinic_stands_where_the_page_says(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = demo.Size(doctors=2, patients=5, appointments=200)
    monkeypatch.setattr(demo, "Size", lambda: small)
    browser = house.browser()
    says = {"headers": {"Accept-Language": "en-GB"}}
    form = one(parsed(browser.get("/setup", **says)), "form[action='/setup/demo']")
    assert browser.post("/setup/demo", filled_in(form), **says).status_code == 303
    said = tomllib.loads((tmp_path / "config.toml").read_text(encoding="utf-8"))["clinic"]
    assert (said["language"], said["country"], said["timezone"]) == ("en_GB", "GB", "Europe/London")
    with house.reading() as session:
        assert session.scalars(select(Appointment.zone).distinct()).all() == ["Europe/London"]
        assert session.get_one(Installation, 1).zone == "Europe/London"


# The admin's pages


@pytest.fixture
def admin(house: House) -> Any:
    house.user("admin", "ines@clinic.example", "Ines")
    return house.browser("ines@clinic.example")


@pytest.mark.parametrize(("page", "field", "value"), [line for line in WRONG if line[0] != "doctor"])
def test_settings_refuse_the_same(admin: Any, house: House, page: str, field: str, value: Any) -> None:
    answer = admin.post(f"/settings/{page}", {**GOOD[page], field: value})
    assert answer.status_code == 422
    assert parsed(answer).find(id=f"{field}-error") is not None
    assert not (house.settings.base / "config.toml").exists()
    assert not house.wiring.restart.is_asked


def test_what_was_changed_is_on_record_without_the_password(admin: Any, house: House) -> None:
    assert admin.post("/settings/mail", MAIL).status_code == 303
    assert house.wiring.restart.is_asked
    assert house.count(AuditEntry, AuditEntry.act == "settings.change", AuditEntry.subject == "settings/mail") == 1
    page = admin.get("/audit").get_data(as_text=True)
    assert "Changed clinic settings" in page
    assert "smtp.clinic.example" in page
    assert "words</" not in page


@pytest.mark.parametrize("act", ["save", "test"])
def test_the_password_that_is_kept_goes_to_no_other_server(
    make_house: Callable[..., House], tmp_path: Path, act: str
) -> None:
    (tmp_path / "email.password").write_text("words", encoding="utf-8")
    mail = {"enabled": True, "host": "smtp.clinic.example", "username": "desk", "sender": "desk@clinic.example"}
    house = make_house(email=mail)
    house.user("admin", "ines@clinic.example", "Ines")
    admin = house.browser("ines@clinic.example")
    kept = {**MAIL, "password": ""}
    asked = {**kept, "act": act, "test_to": "ines@clinic.example", "host": "smtp.elsewhere.example"}
    answer = admin.post("/settings/mail", asked)
    assert answer.status_code == 422
    assert "Enter the password" in words(parsed(answer).find(id="password-error"))
    assert admin.post("/settings/mail", {**kept, "port": "588"}).status_code == 303


def test_e_mail_is_turned_off_with_one_button(make_house: Callable[..., House]) -> None:
    mail = {"enabled": True, "host": "smtp.clinic.example", "sender": "desk@clinic.example"}
    house = make_house(email=mail)
    house.user("admin", "ines@clinic.example", "Ines")
    (house.settings.base / "config.toml").write_text("[email]\nenabled = true # yes\n", encoding="utf-8")
    assert house.browser("ines@clinic.example").post("/settings/mail", {"act": "off"}).status_code == 303
    assert (house.settings.base / "config.toml").read_text(encoding="utf-8") == "[email]\nenabled = false # yes\n"


def test_the_banner_says_what_is_left_and_is_empty_when_all_is_done(admin: Any, house: House) -> None:
    elsewhere = ["/settings/clinic", "/users/new", "/settings/mail"]
    for path, links in (("/dashboard", [*elsewhere, "/system"]), ("/system", elsewhere)):
        banner = one(parsed(admin.get(path)), ".unfinished")
        assert [a["href"] for a in banner.find_all("a")] == links
        assert "No backup was made yet" in words(banner)


def test_the_banner_is_gone_when_all_is_done(make_house: Callable[..., House], tmp_path: Path) -> None:
    mail = {"enabled": True, "host": "smtp.clinic.example", "sender": "desk@clinic.example"}
    house = make_house(clinic={"name": "Park", "public_url": "https://rounds.example"}, email=mail)
    house.user("admin", "ines@clinic.example", "Ines")
    house.hours(house.user("doctor", "ada@clinic.example", "Dr Ada").doctor_id)
    house.run_by_hand("make_backup", "2026-01-01")
    page = parsed(house.browser("ines@clinic.example").get("/dashboard"))
    assert page.select(".unfinished") == []
