"""Clients that go first: signed-in browsers and staff addresses, for 15 minutes."""

import pytest

from service.domain.foundation import tokens
from service.process import known_clients
from service.process.known_clients import MOST, KnownClients
from tests.house import House


def test_a_browser_is_known_by_its_cookie_under_any_name_and_forgotten_when_it_signs_out() -> None:
    known, token, other = KnownClients(), tokens.new(), tokens.new()
    known.note(token, "203.0.113.5", is_staff=False)
    found = known.browser(f"theme=dark; rounds-0123456789ab={token}; other={other}")
    assert found is not None
    assert not found.is_staff
    assert token not in found.key
    assert known.browser(f"rounds={other}") is known.browser("") is None
    assert not known.is_staffed("203.0.113.5")
    known.forget(token)
    assert known.browser(f"rounds={token}") is None


def test_an_address_is_staffs_for_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    known, token, now = KnownClients(), tokens.new(), 1000.0
    monkeypatch.setattr(known_clients, "monotonic", lambda: now)
    known.note(token, "2001:db8:1:1::5", is_staff=True)
    known.note(tokens.new(), "", is_staff=True)
    now += 14 * 60
    assert known.is_staffed("2001:db8:1:1:ffff::1")
    assert not known.is_staffed("2001:db8:1:2::1")
    assert not known.is_staffed("")
    assert known.browser(f"rounds={token}") is not None
    now += 2 * 60
    assert not known.is_staffed("2001:db8:1:1::5")
    assert known.browser(f"rounds={token}") is None


def test_a_crowd_of_accounts_fills_no_memory() -> None:
    known, first, last = KnownClients(), tokens.new(), tokens.new()
    known.note(first, "203.0.113.5", is_staff=False)
    for _number in range(MOST - 1):
        known.note(tokens.new(), "203.0.113.5", is_staff=False)
    assert known.browser(f"rounds={first}") is not None
    known.note(last, "203.0.113.5", is_staff=False)
    assert known.browser(f"rounds={first}") is None
    assert known.browser(f"rounds={last}") is not None


def test_pages_tell_who_is_signed_in_and_who_is_not_any_more(house: House) -> None:
    house.user("receptionist", "desk@clinic.example")
    house.user("patient", "eve@clinic.example")
    known = house.wiring.known_clients
    desk, eve, stranger = house.browser("desk@clinic.example"), house.browser("eve@clinic.example"), house.browser()
    eve.get("/appointments", environ_base={"REMOTE_ADDR": "203.0.113.5"})
    stranger.get("/sign-in", environ_base={"REMOTE_ADDR": "203.0.113.6"})
    desk.get("/today", environ_base={"REMOTE_ADDR": "198.51.100.7"})
    cookies = [f"{one.cookie_name}={one.kept()[0]}" for one in (desk, eve, stranger)]
    found = [known.browser(cookie) for cookie in cookies]
    assert [one and one.is_staff for one in found] == [True, False, None]
    addresses = ("198.51.100.7", "203.0.113.5", "203.0.113.6")
    assert [known.is_staffed(address) for address in addresses] == [True, False, False]
    desk.post("/sign-out")
    desk.get("/today")
    assert known.browser(cookies[0]) is None


def test_a_browser_that_used_up_its_budget_no_longer_goes_first_until_its_next_ordinary_page(house: House) -> None:
    house.user("receptionist", "desk@clinic.example")
    known, desk = house.wiring.known_clients, house.browser("desk@clinic.example")
    cookie = f"{desk.cookie_name}={desk.kept()[0]}"
    while desk.get("/patients?q=an").status_code == 200:
        pass
    found = known.browser(cookie)
    assert found is not None
    assert not found.is_staff
    desk.get("/today")
    found = known.browser(cookie)
    assert found is not None
    assert found.is_staff
