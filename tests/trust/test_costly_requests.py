"""What costs the processor or the disk much has budgets by account and network, counted before it is done."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine

from service.domain.foundation.throttle import BUDGETS, Act, Budget
from service.http.costly_requests import COSTLY
from tests.api.program import token_of
from tests.house import PASSWORD, Browser, House
from tests.trust.test_sieges import known_browser
from tests.web.frozen_clinic import Clinic, email, minutes
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.frozen_clinic import the_log as the_log

DOCTOR, DESK = "dora@clinic.example", "rita@clinic.example"
Shrink = Callable[..., None]


@pytest.fixture(name="shrink")
def small_budgets(monkeypatch: pytest.MonkeyPatch) -> Shrink:
    """Makes the budgets of an act small enough for a test."""

    def shrink(act: Act, **counts: int) -> None:
        monkeypatch.setitem(BUDGETS, act, Budget(BUDGETS[act].words, window=BUDGETS[act].window, **counts))

    return shrink


ONE_OF_EACH = [
    (Act.SEARCH, "receptionist", "GET", "/patients?q=pia"),
    (Act.SEARCH, "admin", "GET", "/messages?q=pia"),
    (Act.SEARCH, "admin", "GET", "/audit?q=pia"),
    (Act.FREE_TIMES, "patient", "GET", "/appointments/new"),
    (Act.EXPORT, "patient", "POST", "/exports"),
    (Act.EXPORT, "admin", "POST", "/clinic-exports"),
    (Act.IMPORT, "admin", "POST", "/imports"),
    (Act.FIGURES, "admin", "POST", "/dashboard"),
]


@pytest.mark.parametrize(("act", "visitor", "method", "path"), ONE_OF_EACH)
def test_h17_costly_requests_are_counted_by_account(
    clinic: Clinic, shrink: Shrink, act: Act, visitor: str, method: str, path: str
) -> None:
    shrink(act, account=3)
    browser = clinic.browser(visitor)

    def ask(by: Browser) -> int:
        answer = by.get(path) if method == "GET" else by.post(path)
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) >= 1
            assert "very often" in answer.get_data(as_text=True)
        return answer.status_code

    statuses = [ask(browser) for _turn in range(5)]
    assert 429 not in statuses[:3]
    assert statuses[3:] == [429, 429]
    assert ask(clinic.house.browser(email(visitor))) == 429, "another browser of the same account"
    assert browser.get("/account").status_code == 200
    clinic.clock.shift(BUDGETS[act].window / 3)
    if BUDGETS[act].window <= minutes(10):
        assert ask(browser) != 429


def test_every_kind_of_expensive_action_is_in_the_table_of_routes() -> None:
    assert set(COSTLY.values()) == {act for act, *_rest in ONE_OF_EACH}


TIMES = "/visit/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/reschedule"


def test_strangers_are_counted_by_network_and_the_trusted_proxy_is_not(
    make_house: Callable[..., House], moved: time_machine.Traveller, shrink: Shrink
) -> None:
    shrink(Act.FREE_TIMES, network=3)
    stranger = make_house(server={"trusted_proxy": "127.0.0.1"}).browser()

    def asks(address: str | None, times: int) -> list[int]:
        headers = {"X-Forwarded-For": address} if address else {}
        return [stranger.get(TIMES, headers=headers).status_code for _turn in range(times)]

    assert asks(None, 6) == [404] * 6
    assert asks("2001:db8:1:2::9", 4) == [404] * 3 + [429]
    assert asks("2001:db8:1:2::8", 1) == [429]
    assert asks("2001:db8:1:3::8", 1) == [404]
    assert asks(None, 1) == [404]


@pytest.mark.parametrize("visitor", ["receptionist", "doctor", "patient"])
def test_a_flood_of_strangers_in_the_clinics_own_network_refuses_no_one_who_signed_in(
    clinic: Clinic, shrink: Shrink, visitor: str
) -> None:
    shrink(Act.FREE_TIMES, account=5, network=3)
    browser, stranger = clinic.browser(visitor), clinic.house.app.test_client()
    assert [stranger.get(TIMES).status_code for _turn in range(5)] == [404] * 3 + [429] * 2
    assert [browser.get("/appointments/new").status_code for _turn in range(5)] == [200] * 5
    assert browser.get("/appointments/new").status_code == 429, "by their own account"
    assert stranger.get(TIMES).status_code == 429


def test_a_program_and_the_pages_of_its_user_share_a_budget(clinic: Clinic, shrink: Shrink) -> None:
    shrink(Act.SEARCH, account=3)
    browser = clinic.browser("receptionist")
    program = clinic.house.app.test_client()
    token = token_of(clinic.house, "receptionist")
    shown = {"Authorization": f"Bearer {token}"}
    assert [program.get("/api/v1/patients?q=pia", headers=shown).status_code for _turn in range(2)] == [200] * 2
    assert [browser.get("/patients?q=pia").status_code for _turn in range(2)] == [200, 429]
    refused = program.get("/api/v1/patients?q=pia", headers=shown)
    assert (refused.status_code, refused.mimetype) == (429, "application/problem+json")


def test_h20_right_passwords_are_counted_and_known_browsers_and_sessions_for_themselves(
    moved: time_machine.Traveller, house: House, shrink: Shrink
) -> None:
    house.user("receptionist", DESK)
    known, inside = known_browser(house, DESK), house.browser(DESK)
    shrink(Act.PASSWORD_CHECK, account=3, network=5)
    strangers = [house.browser().sign_in(DESK).status_code for _turn in range(5)]
    assert strangers == [303] * 3 + [429] * 2, "two were signed in before"
    for _turn in range(3):
        assert known.sign_in(DESK).status_code == 303
        assert inside.post("/account/proof", {"password": PASSWORD}).status_code == 303
    assert inside.post("/account/proof", {"password": PASSWORD}).status_code == 429
    moved.shift(minutes(5.1))
    assert inside.post("/account/proof", {"password": PASSWORD}).status_code == 303


# The log


FLOODS = [("GET", "/nowhere"), ("GET", "/today"), ("POST", "/sign-in"), ("GET", "/api/v1/me"), ("PURGE", "/sign-in")]


@pytest.mark.parametrize(("method", "path"), FLOODS)
def test_h21_a_flood_of_refused_requests_does_not_fill_the_log(
    clinic: Clinic, shrink: Shrink, logged: Callable[[], str], method: str, path: str
) -> None:
    shrink(Act.LOG, network=2000)
    client = clinic.house.app.test_client()

    def ask(address: str) -> None:
        client.open(path, method=method, environ_base={"REMOTE_ADDR": address})

    for number in range(100):
        ask(f"2001:db8:1:2::{number:x}")
    assert 500 < len(logged()) < 4000
    written = logged().count("event=request")
    ask("192.0.2.7")
    assert logged().count("event=request") == written + 1, "others are still in the log"
    clinic.clock.shift(timedelta(minutes=1))
    for _time in range(3):
        ask("192.0.2.7")
    (line,) = [line for line in logged().splitlines() if "log lines left out" in line]
    assert f"lines={100 - written} " in f"{line} "
    assert "2001" not in line
    ask("2001:db8:1:2::1")
    assert logged().count("event=request") == written + 5


def test_h21_requests_that_only_the_proxy_is_known_of_are_bounded_together(
    make_house: Callable[..., House], moved: time_machine.Traveller, shrink: Shrink, logged: Callable[[], str]
) -> None:
    shrink(Act.LOG, network=1000)
    client = make_house(server={"trusted_proxy": "127.0.0.1"}).app.test_client()
    for _turn in range(100):
        client.get("/nowhere")
    assert 1000 < len(logged()) < 8000
