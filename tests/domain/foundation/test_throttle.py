"""Throttling: five failures an account and fifty an address within five minutes, whatever restarts."""

from datetime import timedelta

import pytest
import time_machine

from service.config.settings import Security
from service.domain.accounts import sessions
from service.domain.accounts.sessions import Place
from service.domain.foundation import throttle
from service.domain.foundation.errors import Throttled
from service.storage.database import Database
from service.storage.models import Failure
from tests.crowd import together
from tests.house import House, at

pytestmark = pytest.mark.usefixtures("clock")


def attempt(
    database: Database, email: str = "lena@mail.example", address: str = "192.0.2.1"
) -> tuple[int | None, str | None]:
    with database.transaction() as session:
        return sessions.stored_password(session, email, Place(address))


def fail(house: House, times: int, email: str = "lena@mail.example", address: str = "192.0.2.1") -> None:
    for _time in range(times):
        attempt(house.wiring.database, email, address)


def refusal(house: House, email: str = "lena@mail.example", address: str = "192.0.2.1") -> Throttled:
    with pytest.raises(Throttled) as refused:
        attempt(house.wiring.database, email, address)
    return refused.value


def test_a6_the_sixth_try_at_an_account_waits_wherever_it_comes_from(house: House) -> None:
    for number in range(5):
        attempt(house.wiring.database, address=f"192.0.2.{number}")
    assert refusal(house, address="192.0.2.99").retry_after == 301
    assert refusal(house, " LENA@Mail.example ").retry_after == 301
    attempt(house.wiring.database, "other@mail.example")


def test_a6_a_whole_clinic_behind_one_address_has_fifty(house: House) -> None:
    for number in range(50):
        attempt(house.wiring.database, f"p{number}@mail.example")
    refusal(house, "new@mail.example")
    attempt(house.wiring.database, "new@mail.example", "192.0.2.2")


def test_a6_a_restart_forgets_nothing(house: House) -> None:
    fail(house, 5)
    house.wiring.database.close()
    again = Database(house.wiring.settings.database_url)
    with pytest.raises(Throttled):
        attempt(again)
    again.close()


def test_a6_there_is_no_lasting_lock_out(house: House, clock: time_machine.Traveller) -> None:
    fail(house, 3)
    clock.shift(timedelta(minutes=2))
    fail(house, 2)
    assert refusal(house).retry_after == 181
    clock.shift(timedelta(minutes=3))
    fail(house, 3)
    assert refusal(house).retry_after == 121


def test_a_refused_try_does_not_make_the_wait_longer(house: House, clock: time_machine.Traveller) -> None:
    fail(house, 5)
    clock.shift(200)
    assert [refusal(house).retry_after for _time in range(3)] == [101, 101, 101]
    assert house.count(Failure, Failure.key.startswith("sign_in:")) == 10


def test_a_good_try_takes_back_the_accounts_failures_and_its_own_of_the_address(house: House) -> None:
    user = house.user("patient", "lena@mail.example")
    assert user.user_id is not None
    fail(house, 4)
    fail(house, 3, "other@mail.example")
    attempt(house.wiring.database)
    with house.writing() as session:
        sessions.begin(session, user.user_id, Place("192.0.2.1"), Security())
    assert house.count(Failure, Failure.key.startswith("sign_in:email:")) == 3
    assert house.count(Failure, Failure.key == "sign_in:network:192.0.2.1") == 7
    fail(house, 5)
    refusal(house)


def test_a6_tries_at_the_same_moment_are_not_more(house: House) -> None:
    def knock(_number: int) -> bool:
        try:
            attempt(house.wiring.database)
        except Throttled:
            return False
        return True

    assert together(8, knock).count(True) == 5


def test_a8_an_account_that_does_not_exist_or_is_closed_is_throttled_alike(house: House) -> None:
    assert attempt(house.wiring.database, "nobody@mail.example") == (None, None)
    fail(house, 4, "nobody@mail.example")
    refusal(house, "nobody@mail.example")


@pytest.mark.parametrize(
    ("address", "alike"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("64:ff9b::192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::2"),
        ("2001:DB8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
    ],
)
def test_h23_an_address_is_counted_alike_however_it_is_written(address: str, alike: str) -> None:
    assert throttle.networks(address) == throttle.networks(alike) != {}


def test_h23_what_is_no_address_is_not_counted() -> None:
    assert [throttle.networks(text) for text in ("", "unknown", "192.0.2.7:80", "_hidden")] == [{}] * 4


def test_what_no_longer_counts_is_forgotten(house: House, clock: time_machine.Traveller) -> None:
    fail(house, 2)
    clock.move_to(at("2026-05-04 06:04"))
    fail(house, 1)
    clock.move_to(at("2026-05-04 06:06"))
    with house.writing() as session:
        throttle.prune(session)
    assert house.count(Failure, Failure.key.startswith("sign_in:")) == 2
