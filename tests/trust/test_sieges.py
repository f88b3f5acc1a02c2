"""Guesses at an account lock its owner out of no browser they know, and the owner hears of them (H20)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from werkzeug.test import TestResponse

from service import clock
from service.domain.accounts import known_browsers
from service.domain.clinic import restored
from service.domain.foundation.throttle import BUDGETS, Act
from service.notifications.message import OutgoingMessage
from service.storage.models import KnownBrowser, Message, User
from tests.house import PASSWORD, Browser, House
from tests.web.accounts.authenticator import set_up
from tests.web.accounts.test_second_factors import give
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.frozen_clinic import minutes
from tests.web.mail import letters_of, link

OWNER, OTHER = "rita@clinic.example", "dora@clinic.example"
NEW = "slow boats drift home"
WRONG = "rapid rivers run deep"
ELSEWHERE = "203.0.113.9"
GUESSES = BUDGETS[Act.SIGN_IN].email or 0
OF_A_BROWSER = BUDGETS[Act.KNOWN_SIGN_IN].account or 0
OF_A_SESSION = BUDGETS[Act.PROOF].account or 0


@pytest.fixture(name="clinic")
def a_clinic_under_siege(moved: time_machine.Traveller, house: House) -> House:
    house.user("receptionist", OWNER, "Rita Tresen")
    house.user("doctor", OTHER, "Dr. Dora")
    return house


def guess(house: House, times: int = GUESSES, address: str = ELSEWHERE, who: str = OWNER) -> list[int]:
    """How wrong passwords from a browser that no one knows are answered."""
    browser = house.browser()
    form = {"csrf_token": browser.token(), "email": who, "password": WRONG}
    where = {"REMOTE_ADDR": address}
    return [browser.client.post("/sign-in", data=form, environ_base=where).status_code for _try in range(times)]


def known_browser(house: House, who: str = OWNER) -> Browser:
    """A browser that someone has signed in with, and out of."""
    browser = house.browser(who)
    assert browser.post("/sign-out").status_code == 303
    return browser


def is_locked_out(browser: Browser, who: str = OWNER, password: str = PASSWORD) -> bool:
    """Whether someone who knows their password has to wait."""
    status = browser.sign_in(who, password).status_code
    assert status in (303, 429)
    return status == 429


def known_cookie(browser: Browser) -> str:
    found = browser.client.get_cookie(f"{browser.cookie_name}-known")
    assert found is not None
    return str(found.value)


def showing(house: House, cookie: str) -> Browser:
    """A browser with nothing but the cookie that someone kept of another one."""
    browser = house.browser()
    browser.client.set_cookie(f"{browser.cookie_name}-known", cookie)
    return browser


def told(house: House) -> list[str]:
    """The users who were told that someone is guessing their password."""
    with house.reading() as session:
        found = session.query(Message).filter(Message.rule == "account_guessed").order_by(Message.id)
        return [str(message.recipient) for message in found]


def letter_with(house: House, page: str) -> OutgoingMessage:
    """The latest letter with a link to a page."""
    return [one for one in letters_of(house) if f"/{page}/" in one.body][-1]


# Where someone is known


def test_h20_guesses_lock_nobody_out_of_a_browser_they_know(clinic: House, moved: time_machine.Traveller) -> None:
    browser = known_browser(clinic)
    for _round in range(4):
        assert guess(clinic)[-1] == 422
        assert guess(clinic, 2) == [429, 429]
        assert is_locked_out(clinic.browser())
        assert not is_locked_out(browser)
        assert guess(clinic, 2) == [429, 429], "the owner's visit gives the guesser no more tries"
        browser.post("/sign-out")
        moved.shift(minutes(5.1))


def test_h20_a_siege_of_the_whole_network_does_not_either(clinic: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUDGETS, Act.SIGN_IN, replace(BUDGETS[Act.SIGN_IN], network=10))
    browser = known_browser(clinic)
    for number in range(10):
        guess(clinic, 1, "127.0.0.1", f"p{number}@clinic.example")
    assert is_locked_out(clinic.browser(), OTHER)
    assert not is_locked_out(browser)


def test_h20_a_known_browser_has_a_budget_of_its_own(clinic: House, moved: time_machine.Traveller) -> None:
    browser = known_browser(clinic)
    statuses = [browser.sign_in(OWNER, WRONG).status_code for _try in range(OF_A_BROWSER + 1)]
    assert statuses == [422] * OF_A_BROWSER + [429]
    assert not is_locked_out(clinic.browser()), "its guesses lock nobody out elsewhere"
    assert told(clinic) == [OWNER]
    moved.shift(minutes(5.1))
    assert not is_locked_out(browser)


def test_h20_tries_of_a_forgotten_browser_are_not_those_of_the_next(clinic: House) -> None:
    browser = known_browser(clinic)
    statuses = [browser.sign_in(OWNER, WRONG).status_code for _try in range(OF_A_BROWSER + 1)]
    assert statuses == [422] * OF_A_BROWSER + [429]
    assert browser.post("/password-reset", {"email": OWNER}).status_code == 303
    path = link(letter_with(clinic, "password-reset"), "password-reset")
    assert browser.post(path, {"password": NEW}).location == "/sign-in"
    assert not is_locked_out(browser, password=NEW)


def test_h20_a_browser_is_known_as_its_own_users_only(clinic: House) -> None:
    browser = known_browser(clinic)
    guess(clinic, who=OTHER)
    assert is_locked_out(browser, OTHER)
    shared = known_browser(clinic)
    guess(clinic, who=OWNER)
    assert shared.sign_in(OTHER).status_code == 429
    assert not is_locked_out(shared)


def test_h20_a_computer_that_two_people_share_is_known_as_both_of_theirs(clinic: House) -> None:
    shared = known_browser(clinic)
    assert not is_locked_out(shared, OTHER)
    guess(clinic, who=OWNER)
    guess(clinic, who=OTHER)
    for who in (OWNER, OTHER, OWNER):
        shared.post("/sign-out")
        assert not is_locked_out(shared, who)


def test_h20_a_copy_of_the_cookie_is_worthless_after_the_next_sign_in(clinic: House) -> None:
    browser = known_browser(clinic)
    copy = known_cookie(browser)
    guess(clinic)
    assert not is_locked_out(showing(clinic, copy))
    assert is_locked_out(browser), "the copy took its place"
    assert is_locked_out(showing(clinic, copy))
    assert is_locked_out(showing(clinic, "A" * 43))
    assert is_locked_out(showing(clinic, "nonsense"))


def test_h20_a_browser_is_known_for_180_days(clinic: House, moved: time_machine.Traveller) -> None:
    browser = known_browser(clinic)
    moved.shift(timedelta(days=179))
    clinic.clean_up()
    guess(clinic)
    assert not is_locked_out(browser)
    moved.shift(timedelta(days=181))
    guess(clinic)
    assert is_locked_out(browser)
    clinic.clean_up()
    assert clinic.count(KnownBrowser) == 0


def test_h20_so_many_browsers_as_were_used_last_are_known(
    clinic: House, moved: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known_browsers.MOST == 20
    monkeypatch.setattr(known_browsers, "MOST", 4)
    first, second = known_browser(clinic), known_browser(clinic)
    moved.shift(60)
    assert not is_locked_out(first)
    for _browser in range(known_browsers.MOST - 1):
        moved.shift(1)
        known_browser(clinic)
    assert clinic.count(KnownBrowser) == known_browsers.MOST
    guess(clinic)
    assert (is_locked_out(first), is_locked_out(second)) == (False, True)


@pytest.mark.parametrize("secure", [False, True])
def test_h20_the_cookie_is_for_the_server_alone_and_the_database_has_its_hash(clinic: House, secure: bool) -> None:
    client, scheme = clinic.app.test_client(), "https" if secure else "http"

    def ask(method: str, data: dict[str, str] | None = None) -> TestResponse:
        where = f"{scheme}://localhost"
        return client.open("/sign-in", method=method, base_url=where, data=data, headers={"Origin": where})

    page = ask("GET").get_data(as_text=True)
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = ask("POST", {"csrf_token": token, "email": OWNER, "password": PASSWORD})
    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if "-known=" in line]
    name, _, rest = cookie.partition("=")
    value, *settings = rest.split("; ")
    assert name == f"{'__Host-' if secure else ''}{clinic.cookie_name}-known"
    assert {"HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={180 * 24 * 3600}"} <= set(settings)
    assert ("Secure" in settings) == secure
    assert not any(one.startswith("Domain") for one in settings)
    assert clinic.count(KnownBrowser) == 1
    assert value.encode() not in clinic.stored()


# Sessions that are open


def test_h20_guesses_from_elsewhere_use_up_nothing_of_an_open_session(
    clinic: House, moved: time_machine.Traveller
) -> None:
    browser = clinic.browser(OWNER)
    browser.client.delete_cookie(f"{browser.cookie_name}-known")
    moved.shift(minutes(16))
    guess(clinic, GUESSES + 1)
    assert browser.post("/unlock", {"password": PASSWORD, "next": "/today"}).location == "/today"
    moved.shift(minutes(14))
    assert browser.get("/today").status_code == 200
    moved.shift(minutes(2))
    guess(clinic, GUESSES + 1)
    assert browser.get("/account/email").location == "/account/proof?next=/account/email"
    assert browser.post("/account/proof", {"password": PASSWORD}).status_code == 303
    change = browser.post("/account/password", {"current_password": PASSWORD, "password": NEW})
    assert change.location == "/sign-in"
    guess(clinic, GUESSES + 1)
    assert not is_locked_out(browser, password=NEW), "who has just chosen a password is known there"


@pytest.mark.parametrize(
    ("path", "field"),
    [("/account/proof", "password"), ("/account/password", "current_password"), ("/unlock", "password")],
)
def test_h20_each_session_has_tries_of_its_own(
    clinic: House, moved: time_machine.Traveller, path: str, field: str
) -> None:
    here, there = clinic.browser(OWNER), clinic.browser(OWNER)
    if path == "/unlock":
        moved.shift(minutes(16))

    def tries(browser: Browser, password: str, times: int) -> list[int]:
        form = {"password": NEW, field: password}
        return [browser.post(path, form).status_code for _try in range(times)]

    assert tries(here, WRONG, OF_A_SESSION + 1) == [422] * OF_A_SESSION + [429]
    assert told(clinic) == [OWNER]
    assert tries(here, PASSWORD, 1) == [429]
    assert tries(there, PASSWORD, 1) == [303]


# The second step, and the first appointment


def test_h20_wrong_codes_from_elsewhere_lock_nobody_out_of_a_known_browser(
    clinic: House, moved: time_machine.Traveller
) -> None:
    browser = clinic.browser(OWNER)
    telephone = set_up(browser)
    browser.post("/sign-out")
    moved.shift(60)
    thief = clinic.browser()
    assert thief.sign_in(OWNER).status_code == 303, "somebody has the password"
    assert [give(thief, f"00000{number}") for number in range(6)] == [422] * 5 + [429]
    assert told(clinic) == [OWNER]
    stranger = clinic.browser()
    assert stranger.sign_in(OWNER).status_code == 303
    assert give(stranger, telephone.code()) == 429
    assert browser.sign_in(OWNER).status_code == 303
    assert [give(browser, f"00000{number}") for number in range(3)] == [422] * 3
    assert give(browser, telephone.recovery_codes[0]) == 303
    assert browser.get("/today").status_code == 200


def test_h20_a_browser_is_known_after_the_code_and_not_after_the_password(
    clinic: House, moved: time_machine.Traveller
) -> None:
    set_up(clinic.browser(OWNER))
    before = clinic.count(KnownBrowser)
    moved.shift(60)
    browser = clinic.browser()
    assert browser.sign_in(OWNER).status_code == 303
    assert browser.client.get_cookie(f"{browser.cookie_name}-known") is None
    assert clinic.count(KnownBrowser) == before


def test_h20_links_to_new_passwords_bring_no_tries_at_the_code(clinic: House, moved: time_machine.Traveller) -> None:
    telephone = set_up(clinic.browser(OWNER))
    moved.shift(60)
    thief, statuses = clinic.browser(), list[int]()
    for number in range(3):
        assert thief.post("/password-reset", {"email": OWNER}).status_code == 303
        path, password = link(letter_with(clinic, "password-reset"), "password-reset"), f"{NEW} {number}"
        assert thief.post(path, {"password": password}).location == "/sign-in"
        assert thief.sign_in(OWNER, password).status_code == 303
        statuses += [give(thief, f"00000{digit}") for digit in range(3)]
    assert statuses == [422] * 5 + [429] * 4
    moved.shift(minutes(5.1))
    assert give(thief, telephone.code()) == 303
    assert thief.client.get_cookie(f"{thief.cookie_name}-known") is not None


def test_h20_from_elsewhere_the_reset_link_works(clinic: House) -> None:
    guess(clinic, GUESSES + 1)
    browser = clinic.browser()
    refused = browser.sign_in(OWNER)
    assert refused.status_code == 429
    assert "choose a new password" in refused.get_data(as_text=True)
    assert browser.post("/password-reset", {"email": OWNER}).status_code == 303
    path = link(letters_of(clinic)[-1], "password-reset")
    assert browser.post(path, {"password": NEW}).location == "/sign-in"
    guess(clinic, GUESSES + 1)
    assert is_locked_out(clinic.browser(), password=NEW)
    assert not is_locked_out(browser, password=NEW)


def test_h20_an_invited_person_gets_in_while_their_address_is_guessed(clinic: House) -> None:
    clinic.user("admin", "ada@clinic.example", "Ada")
    form = {"role": "doctor", "name": "Nora Neu", "email": "nora@clinic.example"}
    assert clinic.browser("ada@clinic.example").post("/users/new", form).status_code == 303
    path = link(letters_of(clinic)[-1], "invite")
    guess(clinic, GUESSES + 1, who="nora@clinic.example")
    browser = clinic.browser()
    assert browser.post(path, {"password": NEW}).status_code == 303
    guess(clinic, GUESSES + 1, who="nora@clinic.example")
    assert not is_locked_out(browser, "nora@clinic.example", NEW)


def test_h20_a_registration_is_proven_while_its_address_is_guessed(
    make_house: Callable[..., House], moved: time_machine.Traveller
) -> None:
    house = make_house(booking={"self_registration": True})
    form = {"name": "Somebody New", "email": "new@mail.example", "password": NEW}
    assert house.browser().post("/register", form).status_code == 303
    path = link(letters_of(house)[-1], "register")
    guess(house, GUESSES + 1, who="new@mail.example")
    browser = house.browser()
    wrong = [browser.post(path, {"password": WRONG}).status_code for _try in range(OF_A_SESSION)]
    assert wrong == [422] * OF_A_SESSION
    assert browser.post(path, {"password": NEW}).status_code == 429
    moved.shift(minutes(5.1))
    guess(house, GUESSES + 1, who="new@mail.example")
    assert browser.post(path, {"password": NEW}).status_code == 303
    browser.post("/sign-out")
    assert not is_locked_out(browser, "new@mail.example", NEW)


# What ends it


def _changed(house: House, browser: Browser) -> str:
    assert browser.post("/account/password", {"current_password": PASSWORD, "password": NEW}).status_code == 303
    return NEW


def _reset(house: House, browser: Browser) -> str:
    elsewhere = house.browser()
    assert elsewhere.post("/password-reset", {"email": OWNER}).status_code == 303
    assert elsewhere.post(link(letters_of(house)[-1], "password-reset"), {"password": NEW}).status_code == 303
    return NEW


def _signed_out_elsewhere(house: House, browser: Browser) -> str:
    assert browser.post("/account/sessions/removal").status_code == 303
    return PASSWORD


def _signed_out_by_the_admin(house: House, browser: Browser) -> str:
    house.user("admin", "ada@clinic.example", "Ada")
    owner = house.actor(OWNER).user_id
    assert house.browser("ada@clinic.example").post(f"/users/{owner}/sessions/removal").status_code == 303
    return PASSWORD


def _closed_and_opened(house: House, browser: Browser) -> str:
    house.user("admin", "ada@clinic.example", "Ada")
    admin, owner = house.browser("ada@clinic.example"), house.actor(OWNER).user_id
    for act in ("disabling", "enabling"):
        assert admin.post(f"/users/{owner}/{act}").status_code == 303
    return PASSWORD


@pytest.mark.parametrize(
    ("act", "here"),
    [
        (_changed, True),
        (_reset, False),
        (_signed_out_elsewhere, True),
        (_signed_out_by_the_admin, False),
        (_closed_and_opened, False),
    ],
)
def test_h20_what_ends_all_sessions_forgets_the_browsers(
    clinic: House, act: Callable[[House, Browser], str], here: bool
) -> None:
    lost, mine = clinic.browser(OWNER), clinic.browser(OWNER)
    password = act(clinic, mine)
    guess(clinic, GUESSES + 1)
    assert is_locked_out(lost, password=password)
    assert is_locked_out(mine, password=password) != here


def test_h20_a_restored_backup_knows_no_browser_again(clinic: House) -> None:
    browser = known_browser(clinic)
    with clinic.writing() as session:
        restored.settle(session, clinic.settings.clinic.zone, clock.now())
    guess(clinic, GUESSES + 1)
    assert is_locked_out(browser)


# The owner hears of it


def test_h20_the_owner_hears_of_a_siege_once(clinic: House, moved: time_machine.Traveller) -> None:
    for _round in range(6):
        guess(clinic, GUESSES + 1)
        moved.shift(timedelta(hours=8))
    assert told(clinic) == [OWNER]
    (letter,) = letters_of(clinic)
    assert letter.recipient == OWNER
    assert "Rita Tresen" in letter.body
    assert f"{clinic.settings.clinic.public_url}/password-reset" in letter.body
    assert WRONG not in letter.body
    moved.shift(timedelta(days=2))
    guess(clinic, GUESSES - 1)
    assert told(clinic) == [OWNER]
    guess(clinic, 1)
    assert told(clinic) == [OWNER, OWNER]


def test_h20_nobody_hears_of_guesses_at_what_is_no_account(clinic: House) -> None:
    with clinic.writing() as session:
        session.query(User).filter(User.email == OTHER).one().disabled_at = clock.now()
    for who in ("ghost@clinic.example", OTHER):
        guess(clinic, GUESSES + 1, who=who)
    assert told(clinic) == []


def test_h20_who_mistypes_now_and_then_hears_nothing(clinic: House) -> None:
    browser = clinic.browser()
    for _round in range(3):
        for _try in range(GUESSES - 1):
            browser.sign_in(OWNER, WRONG)
        assert not is_locked_out(browser)
        browser.post("/sign-out")
    assert told(clinic) == []
