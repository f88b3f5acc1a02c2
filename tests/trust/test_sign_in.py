"""Signing in as the trust checklist promises: good passwords, no guessing, no enumeration (A1-A9, A12)."""

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
import time_machine
from argon2 import PasswordHasher

from service.domain.accounts import passwords
from service.domain.foundation.throttle import BUDGETS, Act
from service.storage.models import Message, SignIn, User
from tests import patience
from tests.house import PASSWORD, House
from tests.process.launching import configure, run, serving
from tests.web.frozen_clinic import NOW, minutes
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.mail import letters_of, link

KNOWN, STRANGER = "known@clinic.example", "ghost@clinic.example"
WRONG = "rapid rivers run deep"
NEW = {"name": "Somebody New", "password": "slow boats drift home"}
FAILURES_PER_ACCOUNT = BUDGETS[Act.SIGN_IN].email or 0
FAILURES_PER_ADDRESS = BUDGETS[Act.SIGN_IN].network or 0


@pytest.fixture
def known(moved: time_machine.Traveller, house: House) -> House:
    house.user("doctor", KNOWN, "Dr. Known")
    return house


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of guesses without the work that slows each one down."""
    monkeypatch.setattr(passwords, "matches", lambda _stored, _password: False)


FIFTEEN = "correct horse b"


def registered(house: House, password: str, email: str = "new@clinic.example") -> int:
    """The status after someone registers with a password."""
    form = {"name": "Somebody New", "email": email, "password": password}
    return house.browser().post("/register", form).status_code


def proven(house: House, password: str) -> None:
    """Open the link that was mailed to the person who registered last."""
    (letter,) = letters_of(house)
    assert house.browser().post(link(letter, "register"), {"password": password}).location == "/"


@pytest.fixture
def open_house(make_house: Callable[..., House], moved: time_machine.Traveller) -> House:
    """A clinic where strangers may register."""
    return make_house(booking={"self_registration": True})


def test_a1_fourteen_characters_are_refused_and_fifteen_accepted(open_house: House) -> None:
    assert registered(open_house, FIFTEEN[:14]) == 422
    assert open_house.count(User) == 0
    assert registered(open_house, FIFTEEN) == 303
    proven(open_house, FIFTEEN)
    assert open_house.browser().sign_in("new@clinic.example", FIFTEEN).status_code == 303


def test_a2_a_hundred_characters_of_any_script_count_to_the_last(open_house: House) -> None:
    long = "Zwölf Boxkämpfer jagen Viktor 🚲 quer über den großen Sylter Deich, パスワードは長い方がよいと思います "
    first, second = f"{long:·<89}a{'z' * 10}", f"{long:·<89}b{'z' * 10}"
    assert (len(first), first[:89]) == (100, second[:89])
    assert registered(open_house, first) == 303
    proven(open_house, first)
    assert open_house.browser().sign_in("new@clinic.example", second).status_code == 422
    assert open_house.browser().sign_in("new@clinic.example", first).status_code == 303


def test_a3_twenty_small_letters_will_do_and_last_for_years(open_house: House, moved: time_machine.Traveller) -> None:
    assert registered(open_house, "quietriversrundeeply") == 303
    proven(open_house, "quietriversrundeeply")
    moved.shift(timedelta(days=730))
    assert open_house.browser().sign_in("new@clinic.example", "quietriversrundeeply").location == "/"


@pytest.mark.parametrize("password", ["passwordpassword", "Our clinic 2026", "Somebody New 99", "new@clinic.example"])
def test_a4_what_others_would_try_first_is_refused_with_the_reason(open_house: House, password: str) -> None:
    form = {"name": "Somebody New", "email": "new@clinic.example", "password": password}
    answer = open_house.browser().post("/register", form)
    assert answer.status_code == 422
    assert "This password is too easy to guess: it" in answer.get_data(as_text=True)
    setup = open_house.browser().post("/setup", form)
    assert setup.status_code == 422
    assert "This password is too easy to guess: it" in setup.get_data(as_text=True)


def test_a12_a_reset_asked_for_under_another_name_mails_nothing(known: House) -> None:
    browser = known.browser()
    token = browser.token()
    answer = browser.client.post(
        "/password-reset", data={"csrf_token": token, "email": KNOWN}, headers={"Host": "evil.example"}
    )
    assert answer.status_code == 400
    assert known.count(Message) == 0


def test_a6_guessing_at_one_account_is_throttled_with_the_time_to_wait(known: House) -> None:
    browser = known.browser()
    statuses = [browser.sign_in(KNOWN, f"{WRONG} {number}").status_code for number in range(FAILURES_PER_ACCOUNT + 20)]
    assert statuses == [422] * FAILURES_PER_ACCOUNT + [429] * 20
    refused = browser.sign_in(KNOWN, WRONG)
    assert 1 <= int(refused.headers["Retry-After"]) <= 301


def test_a6_while_throttled_the_right_password_is_refused_too(known: House) -> None:
    browser = known.browser()
    for _try in range(FAILURES_PER_ACCOUNT):
        browser.sign_in(KNOWN, WRONG)
    assert browser.sign_in(KNOWN, PASSWORD).status_code == 429
    assert known.count(SignIn) == 0


def test_a6_the_owner_gets_in_after_the_wait(known: House, moved: time_machine.Traveller) -> None:
    browser = known.browser()
    for _try in range(FAILURES_PER_ACCOUNT):
        browser.sign_in(KNOWN, WRONG)
    wait = int(browser.sign_in(KNOWN, PASSWORD).headers["Retry-After"])
    moved.shift(wait)
    assert browser.sign_in(KNOWN, PASSWORD).status_code == 303


def test_a6_a_restart_forgets_no_failure(make_house: Callable[..., House], moved: time_machine.Traveller) -> None:
    before = make_house()
    before.user("doctor", KNOWN)
    for _try in range(FAILURES_PER_ACCOUNT):
        before.browser().sign_in(KNOWN, WRONG)
    assert make_house().browser().sign_in(KNOWN, PASSWORD).status_code == 429


def test_a6_a_good_sign_in_forgets_the_failures_before_it(known: House) -> None:
    for _round in range(3):
        browser = known.browser()
        for _try in range(FAILURES_PER_ACCOUNT - 1):
            assert browser.sign_in(KNOWN, WRONG).status_code == 422
        assert browser.sign_in(KNOWN, PASSWORD).status_code == 303


def test_a6_other_accounts_of_the_same_address_are_not_throttled(known: House) -> None:
    known.user("receptionist", "desk@clinic.example")
    browser = known.browser()
    for _try in range(FAILURES_PER_ACCOUNT + 1):
        browser.sign_in(KNOWN, WRONG)
    assert browser.sign_in("desk@clinic.example", PASSWORD).status_code == 303


def test_a6_a_throttled_page_says_what_to_do(known: House) -> None:
    browser = known.browser()
    for _try in range(FAILURES_PER_ACCOUNT):
        browser.sign_in(KNOWN, WRONG)
    assert "Too many attempts" in browser.sign_in(KNOWN, WRONG).get_data(as_text=True)


def test_a7_a_forged_forwarded_address_does_not_reset_the_limits(known: House) -> None:
    browser = known.browser()
    token = browser.token()

    def guess(number: int) -> int:
        forged = dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP"), f"203.0.113.{number}")
        data = {"csrf_token": token, "email": f"ghost{number}@clinic.example", "password": WRONG}
        return browser.client.post("/sign-in", data=data, headers=forged).status_code

    statuses = [guess(number) for number in range(FAILURES_PER_ADDRESS + 5)]
    assert statuses == [422] * FAILURES_PER_ADDRESS + [429] * 5
    assert browser.sign_in(KNOWN, PASSWORD).status_code == 429
    away = browser.client.post(
        "/sign-in",
        data={"csrf_token": token, "email": KNOWN, "password": PASSWORD},
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert away.status_code == 303


def guesses_from(house: House, addresses: list[str]) -> list[int]:
    """How a guess at another account each is answered, from one address after the other."""
    browser = house.browser()
    token, statuses = browser.token(), []
    for number, address in enumerate(addresses):
        data = {"csrf_token": token, "email": f"ghost{number}@clinic.example", "password": WRONG}
        answer = browser.client.post("/sign-in", data=data, environ_base={"REMOTE_ADDR": address})
        statuses.append(answer.status_code)
    return statuses


@pytest.mark.usefixtures("cheap_hashes")
@pytest.mark.parametrize(
    ("template", "most"),
    [
        ("2001:db8:1:2::{:x}", 50),
        ("::ffff:192.0.2.7", 50),
        ("2001:db8:1:{:x}::1", 200),
        ("2001:db8:{:x}::1", 205),
        ("192.0.2.{}", 205),
    ],
)
def test_h23_guesses_are_counted_by_64_by_48_and_by_each_ipv4_address(known: House, template: str, most: int) -> None:
    statuses = guesses_from(known, [template.format(number) for number in range(205)])
    assert statuses == [422] * most + [429] * (205 - most)


def test_h23_the_proxys_own_address_is_nobodys(make_house: Callable[..., House], moved: time_machine.Traveller) -> None:
    house = make_house(server={"trusted_proxy": "127.0.0.1"})
    assert set(guesses_from(house, ["127.0.0.1"] * (FAILURES_PER_ADDRESS + 1))) == {422}
    assert house.browser().sign_in(KNOWN, WRONG).status_code == 422


@pytest.mark.parametrize("path", ["/password-reset", "/visit/" + "A" * 43])
def test_h23_other_forms_than_signing_in_are_counted_by_64_too(known: House, path: str) -> None:
    browser = known.browser()
    token, statuses = browser.token(), []
    for number in range(31):
        where = {"REMOTE_ADDR": f"2001:db8:1:2::{number:x}"}
        data = {"csrf_token": token, "email": f"ghost{number}@clinic.example"}
        method = "POST" if path == "/password-reset" else "GET"
        statuses.append(browser.client.open(path, method=method, data=data, environ_base=where).status_code)
    assert statuses[-1] == 429
    away = browser.client.open(path, method=method, data=data, environ_base={"REMOTE_ADDR": "2001:db8:1:3::1"})
    assert away.status_code != 429


@pytest.mark.parametrize(
    ("path", "act", "more"),
    [
        ("/register", Act.REGISTRATION, NEW),
        ("/sign-in/link", Act.SIGN_IN_LINK, {}),
        ("/setup", Act.SETUP_CODE, {**NEW, "setup_code": "guessed"}),
        ("/api/v1/doctors", Act.API_TOKEN, {}),
    ],
)
def test_h23_every_door_counts_an_ipv6_network_as_one(
    make_house: Callable[..., House], moved: time_machine.Traveller, path: str, act: Act, more: dict[str, str]
) -> None:
    most = BUDGETS[act].network or 0
    house = make_house(security={"sign_in_links": True}, booking={"self_registration": True})
    if path != "/setup":
        house.user("doctor", KNOWN)
    browser = house.browser()
    form = {"csrf_token": browser.token(), **more}

    def ask(number: int, network: str) -> int:
        return browser.client.open(
            path,
            method="GET" if path.startswith("/api") else "POST",
            data={**form, "email": f"ghost{number}@clinic.example"},
            headers={"Authorization": f"Bearer rounds_{number}"},
            environ_base={"REMOTE_ADDR": f"{network}::{number:x}"},
        ).status_code

    statuses = [ask(number, "2001:db8:1:2") for number in range(most + 1)]
    assert 429 not in statuses[:-1]
    assert statuses[-1] == 429
    assert ask(most + 1, "2001:db8:1:3") != 429


def test_h4_an_accounts_address_is_changed_five_times_an_hour(known: House) -> None:
    browser, doctor = known.browser(KNOWN), known.actor(KNOWN)
    statuses = [browser.post("/account/email", {"email": f"new{n}@clinic.example"}).status_code for n in range(6)]
    assert statuses == [303] * 5 + [429]
    assert [one.recipient for one in letters_of(known)] == [
        "new4@clinic.example"
    ]  # who is no longer meant hears nothing
    with known.reading() as session:
        assert session.get_one(User, doctor.user_id).email == KNOWN


def test_a7_forged_addresses_do_not_help_against_one_account(known: House) -> None:
    browser = known.browser()
    token = browser.token()
    statuses = [
        browser.client.post(
            "/sign-in",
            data={"csrf_token": token, "email": KNOWN, "password": WRONG},
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
        ).status_code
        for number in range(50)
    ]
    assert statuses[-1] == 429
    assert statuses.count(422) == FAILURES_PER_ACCOUNT


def test_a6_a7_on_a_running_service_neither_forged_addresses_nor_a_restart_help(tmp_path: Path) -> None:
    configure(tmp_path)
    who = ("--role", "doctor", "--email", KNOWN, "--name", "Dr. Known", "--password-stdin")
    assert run(tmp_path, "add-user", *who, given=f"{PASSWORD}\n").returncode == 0
    with serving(tmp_path) as service:
        client = service.client()
        body = urlencode({"csrf_token": client.token(), "email": KNOWN, "password": WRONG})
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        statuses = []
        for number in range(50):
            forged = dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "Forwarded"), f"203.0.113.{number}")
            form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies}
            with closing(HTTPConnection("127.0.0.1", service.port, timeout=patience.SECONDS)) as connection:
                connection.request("POST", "/sign-in", body, {**form, **forged})
                statuses.append(connection.getresponse().status)
    assert statuses == [422] * FAILURES_PER_ACCOUNT + [429] * (50 - FAILURES_PER_ACCOUNT)
    with serving(tmp_path) as service:
        assert service.client().sign_in(KNOWN).status == 429


@pytest.mark.parametrize(
    ("path", "more"),
    [("/sign-in", {"password": WRONG}), ("/password-reset", {}), ("/sign-in/link", {}), ("/register", NEW)],
)
def test_a8_an_unknown_account_answers_like_a_known_one_and_hashes_as_much(
    make_house: Callable[..., House],
    moved: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    more: dict[str, str],
) -> None:
    house = make_house(security={"sign_in_links": True}, booking={"self_registration": True})
    house.user("patient", KNOWN, "Kim Known", password_hash=passwords.hashed(PASSWORD))
    browser = house.browser()
    token, counting = browser.token(), CountingHasher(passwords._hasher)
    monkeypatch.setattr(passwords, "_hasher", counting)

    def asked(address: str) -> tuple[int, str, bytes, int]:
        moved.shift(minutes(6))
        before = counting.hashes
        form = {"csrf_token": token, "email": address, **more}
        answer = browser.client.post(path, data=form, buffered=True)
        page = without_token(answer.data).replace(address.encode(), b"ADDRESS")
        return answer.status_code, answer.location or "", page, counting.hashes - before

    asked("first@clinic.example")  # what an unknown one is compared with is hashed once
    known = asked(KNOWN)
    assert known[-1] > 0
    assert [asked(f"ghost{turn}@clinic.example") for turn in range(3)] == [known] * 3
    assert asked(KNOWN) == known


@dataclass
class CountingHasher:
    """A hasher that counts how often it was put to work, which is what takes the time of an answer."""

    hasher: PasswordHasher
    hashes: int = 0

    def hash(self, password: str | bytes) -> str:
        self.hashes += 1
        return self.hasher.hash(password)

    def verify(self, kept: str | bytes, password: str | bytes) -> bool:
        self.hashes += 1
        return self.hasher.verify(kept, password)

    def check_needs_rehash(self, kept: str) -> bool:
        return self.hasher.check_needs_rehash(kept)


def without_token(page: bytes) -> bytes:
    """A page without its form token, which holds the time."""
    return re.sub(rb'name="csrf_token" value="[^"]+"', b"", page)


@pytest.mark.parametrize("state", ["disabled", "invited"])
def test_a8_accounts_that_cannot_sign_in_answer_like_unknown_ones(known: House, state: str) -> None:
    with known.writing() as session:
        user = session.query(User).one()
        if state == "disabled":
            user.disabled_at = NOW
        else:
            user.password_hash = None
    browser = known.browser()
    token = browser.token()
    answers = [
        browser.client.post("/sign-in", data={"csrf_token": token, "email": address, "password": PASSWORD})
        for address in (KNOWN, STRANGER)
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].data.replace(KNOWN.encode(), b"") == answers[1].data.replace(STRANGER.encode(), b"")


def test_a8_an_unknown_account_is_throttled_like_a_known_one(known: House) -> None:
    browser = known.browser()
    answers = {
        address: [browser.sign_in(address, WRONG).status_code for _try in range(FAILURES_PER_ACCOUNT + 1)]
        for address in (KNOWN, STRANGER)
    }
    assert answers[KNOWN] == answers[STRANGER]


@pytest.mark.parametrize("password", ["admin", "password", ""])
def test_a9_a_fresh_installation_has_no_account_to_guess(house: House, password: str) -> None:
    browser = house.browser()
    for name in ("admin", "admin@clinic.example", "admin@demo.example", "root"):
        assert browser.sign_in(name, password).status_code == 422
    assert house.count(User) == 0
    assert house.count(SignIn) == 0


def test_a9_setup_is_gone_after_use(house: House) -> None:
    browser = house.browser()
    mine = {"name": "Ada", "email": "ada@clinic.example", "password": PASSWORD}
    assert browser.post("/setup", mine).status_code == 303
    assert browser.get("/setup").status_code == 404
    assert browser.post("/setup", {**mine, "email": "eve@clinic.example"}).status_code == 404
    assert browser.post("/setup/demo", {"password": PASSWORD}).status_code == 404
    assert house.count(User) == 1
