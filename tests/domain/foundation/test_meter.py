"""The meter of costly requests: what is used grows back, by account and network, whatever the clock does."""

from datetime import timedelta

import pytest
import time_machine

from service.domain.foundation import meter
from service.domain.foundation.errors import Throttled
from service.domain.foundation.meter import Meter
from service.domain.foundation.throttle import BUDGETS, WIDER, Act, Budget
from tests.crowd import together

pytestmark = pytest.mark.usefixtures("clock")
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUDGETS, Act.SEARCH, Budget("searches", account=6, network=12, window=MINUTE))
    monkeypatch.setitem(BUDGETS, Act.LOG, Budget("bytes of the log", network=1000, window=MINUTE))


def spends(used: Meter, account: int | None = 1, network: str | None = "192.0.2.1") -> bool:
    try:
        used.spend(Act.SEARCH, account=account, network=network)
    except Throttled:
        return False
    return True


def test_what_is_used_grows_back_evenly(clock: time_machine.Traveller) -> None:
    used = Meter()
    assert [spends(used) for _turn in range(8)] == [True] * 6 + [False] * 2
    with pytest.raises(Throttled) as refused:
        used.spend(Act.SEARCH, account=1)
    assert refused.value.retry_after == 10
    clock.shift(9)
    assert not spends(used)
    clock.shift(1)
    assert [spends(used) for _turn in range(2)] == [True, False]
    clock.shift(MINUTE * 10)
    assert [spends(used) for _turn in range(7)] == [True] * 6 + [False]


def test_accounts_share_what_their_network_may_and_nothing_of_a_refusal_is_used() -> None:
    used = Meter()
    assert all(spends(used, account) for account in (1, 2) for _turn in range(6))
    assert not spends(used, 3)
    assert all(spends(used, 3, "192.0.2.2") for _turn in range(6)), "what was refused did not count"
    assert all(spends(used, 4, "") for _turn in range(6)), "nobody knows from where"


def test_ipv6_is_counted_by_64_and_by_48() -> None:
    used = Meter()
    inside = [spends(used, None, f"2001:db8:1:2::{number:x}") for number in range(13)]
    assert inside == [True] * 12 + [False]
    wider = [spends(used, None, f"2001:db8:1:{number + 16:x}::1") for number in range(12 * WIDER)]
    assert wider.count(True) == 12 * (WIDER - 1)


def test_a_clock_that_goes_back_locks_nobody_out(clock: time_machine.Traveller) -> None:
    used = Meter()
    assert all(spends(used) for _turn in range(5))
    clock.shift(timedelta(hours=-3))
    assert [spends(used) for _turn in range(2)] == [True, False]
    clock.shift(MINUTE)
    assert spends(used)


def test_at_the_same_moment_are_not_more() -> None:
    used = Meter()
    assert together(16, lambda _number: spends(used)).count(True) == 6


def test_the_least_recently_seen_client_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "MOST", 10)
    used = Meter()
    assert all(spends(used, account, None) for account in range(100) for _turn in range(6))
    assert not spends(used, 99, None)
    assert len(used._used) == 10


def test_those_of_whom_only_the_proxy_is_known_share_the_log_s_room() -> None:
    used = Meter()
    assert [used.has_room(Act.LOG, 600, network="192.0.2.1") for _turn in range(2)] == [True, False]
    assert used.has_room(Act.LOG, 400, network="192.0.2.1")
    assert [used.has_room(Act.LOG, 1000, network="") for _turn in range(5)] == [True] * 4 + [False]
