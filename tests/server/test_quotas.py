"""Quotas: who may connect, whose connection is closed for another, and how many bytes requests may hold."""

from dataclasses import dataclass

import pytest

from service.domain.foundation.throttle import WIDER
from service.server.quotas import ALL_STRANGERS, IDLE_PROXY, MIB, PER_NETWORK, PER_STAFF_NETWORK, QuotaExceeded, Quotas

CLINIC = "198.51.100.7"


@dataclass(eq=False)
class Connection:
    """A connection that has been waiting since `since`; one that is `busy` cannot be closed for another."""

    since: float = 0
    busy: bool = False
    has_begun: bool = True
    is_staffs: bool = False
    is_gone: bool = False
    is_stuck: bool = False

    @property
    def may_go(self) -> bool:
        return not self.busy

    @property
    def patience(self) -> tuple[bool, bool, float]:
        return self.is_staffs, self.has_begun, self.since

    def let_go(self) -> None:
        self.is_gone = True


@pytest.fixture
def places() -> Quotas:
    return Quotas(lambda address: address == CLINIC)


def fill(places: Quotas, addresses: list[str], *, busy: bool = True) -> list[Connection]:
    """A connection from each address, in this order."""
    made = [Connection(number, busy=busy) for number, _address in enumerate(addresses)]
    for one, address in zip(made, addresses, strict=True):
        places.admit(one, address)
    return made


def is_full(places: Quotas, address: str) -> bool:
    """Whether a newcomer from an address finds no place; one that does gives it back."""
    newcomer = Connection()
    try:
        places.admit(newcomer, address)
    except QuotaExceeded:
        return True
    places.release(newcomer)
    return False


def test_h18_an_address_has_its_places_and_no_more_however_it_is_written(places: Quotas) -> None:
    fill(places, ["203.0.113.5"] * PER_NETWORK.connections)
    assert is_full(places, "203.0.113.5")
    assert is_full(places, "::ffff:203.0.113.5")
    assert not is_full(places, "203.0.113.6")


def test_h18_ipv6_counts_by_64_and_by_48_above_a_limit(places: Quotas) -> None:
    one = PER_NETWORK.connections
    fill(places, [f"2001:db8:1:1::{number:x}" for number in range(one)])
    assert is_full(places, "2001:db8:1:1:ffff::1")
    assert not is_full(places, "2001:db8:1:2::1")
    fill(places, [f"2001:db8:1:{number:x}::1" for number in range(2, 2 + (WIDER - 1) * one)])
    assert is_full(places, "2001:db8:1:ffff::1")
    assert not is_full(places, "2001:db8:2:1::1")


def test_h18_strangers_from_everywhere_leave_places_for_staff_and_this_computer(places: Quotas) -> None:
    strangers = [f"203.0.{number // 250}.{number % 250}" for number in range(ALL_STRANGERS.connections)]
    fill(places, strangers)
    assert is_full(places, "192.0.2.1")
    assert is_full(places, "")
    fill(places, [CLINIC] * PER_STAFF_NETWORK.connections)
    assert is_full(places, CLINIC)


def test_h18_a_newcomer_takes_the_place_of_a_connection_that_waits_between_two_requests(places: Quotas) -> None:
    held = fill(places, ["203.0.113.5"] * PER_NETWORK.connections, busy=False)
    held[3].has_begun = held[4].has_begun = False
    held[4].is_staffs = True
    places.admit(Connection(), "203.0.113.5")
    assert [one for one in held if one.is_gone] == [held[3]]
    places.admit(Connection(busy=True), "203.0.113.5")
    assert [one for one in held if one.is_gone] == [held[0], held[3]]


def test_h18_when_all_places_are_taken_the_network_with_most_gives_one_up(places: Quotas) -> None:
    greedy = fill(places, ["203.0.113.5"] * PER_NETWORK.connections, busy=False)
    others = [f"192.0.{number // 250}.{number % 250}" for number in range(ALL_STRANGERS.connections - len(greedy))]
    modest = fill(places, others, busy=False)
    places.admit(Connection(), "198.18.0.1")
    assert [one.is_gone for one in greedy] == [True] + [False] * (len(greedy) - 1)
    assert not any(one.is_gone for one in modest)


def test_h18_a_client_spread_over_the_networks_of_a_48_gives_one_up_first(places: Quotas) -> None:
    spread = [f"2001:db8:1:{number:x}::1" for number in range(WIDER * PER_NETWORK.connections)]
    greedy = fill(places, spread, busy=False)
    others = [f"192.0.2.{number // 2}" for number in range(ALL_STRANGERS.connections - len(greedy))]
    modest = fill(places, others, busy=False)
    places.admit(Connection(), "198.18.0.1")
    assert sum(one.is_gone for one in greedy) == 1
    assert not any(one.is_gone for one in modest)


def test_h18_within_a_48_the_64_that_holds_most_gives_one_up(places: Quotas) -> None:
    one = PER_NETWORK.connections
    modest = fill(places, [f"2001:db8:1:{number:x}::1" for number in range(2, 2 + (WIDER - 1) * one)], busy=False)
    greedy = fill(places, ["2001:db8:1:1::1"] * one, busy=False)
    places.admit(Connection(), "2001:db8:1:ffff::1")
    assert sum(one.is_gone for one in greedy) == 1
    assert not any(one.is_gone for one in modest)


def test_h18_an_answer_that_is_long_unread_gives_up_its_place_last_of_all(places: Quotas) -> None:
    held = fill(places, ["203.0.113.5"] * PER_NETWORK.connections)
    held[1].is_stuck = True
    held[2].busy = False
    for gone in ([held[2]], [held[1], held[2]]):
        places.admit(Connection(busy=True), "203.0.113.5")
        assert [one for one in held if one.is_gone] == gone
    assert is_full(places, "203.0.113.5")


def test_h18_connections_of_the_proxy_count_for_nobody_until_they_bring_a_request(places: Quotas) -> None:
    waiting = [Connection(number) for number in range(IDLE_PROXY.connections)]
    for one in waiting:
        places.admit_proxy(one)
    assert not is_full(places, "127.0.0.1")
    places.admit_proxy(Connection())
    assert [one for one in waiting if one.is_gone] == [waiting[0]]
    for one in waiting[1 : PER_NETWORK.connections + 1]:
        one.busy = True
        places.admit(one, "203.0.113.5")
    with pytest.raises(QuotaExceeded) as full:
        places.admit(waiting[-1], "203.0.113.5")
    assert full.value.is_own


def test_h19_bytes_are_counted_by_network_for_strangers_and_for_all(places: Quotas) -> None:
    *first, one_more = fill(places, ["203.0.113.5"] * 6)
    for one in first:
        places.note_bytes(one, MIB)
    with pytest.raises(QuotaExceeded) as own:
        places.note_bytes(one_more, MIB)
    assert own.value.is_own
    for one in (*first, one_more):
        places.release(one)
    *others, last = fill(places, [f"203.0.113.{number}" for number in range(21)])
    for one in others:
        places.note_bytes(one, MIB)
    with pytest.raises(QuotaExceeded) as of_all:
        places.note_bytes(last, MIB)
    assert not of_all.value.is_own
    (desk,) = fill(places, [CLINIC])
    places.note_bytes(desk, 16 * MIB)


def test_h19_small_requests_do_not_count_and_what_was_answered_makes_room(places: Quotas) -> None:
    held = fill(places, ["203.0.113.5"] * PER_NETWORK.connections)
    for one in held:
        places.note_bytes(one, 60 * 1024)
    for _turn in range(20):
        places.note_bytes(held[0], PER_NETWORK.body_bytes)
        places.note_bytes(held[0], 0)
