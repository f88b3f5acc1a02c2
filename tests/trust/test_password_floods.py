"""Passwords that are expensive to check hold no one up: counted first, cut, one at a time (H17)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

import pytest
import time_machine

from service.domain.accounts import passwords
from service.domain.foundation.errors import DomainError
from service.domain.foundation.throttle import BUDGETS, Act
from tests import patience
from tests.house import PASSWORD, Browser, House
from tests.patience import until
from tests.web.frozen_clinic import Clinic, email
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.mail import letter, link

COSTLY = "4@8({[<3691!|70$5+%2" * 4
COSTLY = COSTLY[:64]
"""Each sign stands for letters in so many ways that the estimator took seconds."""


@dataclass
class Estimator:
    """Stands in for the real one: notes what it was given, and takes as long as the test says."""

    may_end: Event = field(default_factory=Event)
    given: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, password: str, user_inputs: list[str]) -> dict[str, Any]:
        with self._lock:
            self.given.append(password)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.may_end.wait(patience.SECONDS)
        with self._lock:
            self.at_once -= 1
        return {"guesses_log10": 0, "sequence": []}


@pytest.fixture(name="estimator")
def an_estimator(monkeypatch: pytest.MonkeyPatch) -> Estimator:
    made = Estimator()
    monkeypatch.setattr("zxcvbn.zxcvbn", made)
    return made


def test_h17_sixteen_costly_passwords_of_one_account_hold_nobody_up(clinic: Clinic, estimator: Estimator) -> None:
    first = clinic.browser("patient")
    cookie, token = first.kept()

    def change(_number: int) -> int:
        browser = clinic.browser("nobody")
        browser.resume(cookie, token)
        form = {"current_password": PASSWORD, "password": COSTLY}
        return browser.post("/account/password", form).status_code

    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(change, number) for number in range(16)]
        try:
            until(lambda: sum(answer.done() for answer in answers) >= 13)
            assert len(estimator.given) == 1, "the others wait or were refused"
            doctor = clinic.house.browser(email("doctor"))
            assert doctor.get("/today").status_code == 200
        finally:
            estimator.may_end.set()
    statuses = [answer.result() for answer in answers]
    assert statuses.count(422) <= 3
    assert set(statuses) == {422, 429}
    assert estimator.most_at_once == 1
    assert all(len(part) <= passwords.ESTIMATED for part in estimator.given)


def test_h17_other_users_are_asked_to_send_it_again(clinic: Clinic, estimator: Estimator) -> None:
    with a_full_line(estimator):
        browser = clinic.browser("doctor")
        form = {"current_password": PASSWORD, "password": "slow boats drift home"}
        answer = browser.post("/account/password", form)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
        assert "Try again in a few seconds" in answer.get_data(as_text=True)
    assert browser.post("/account/password", form).status_code == 422, "it was estimated this time"


@contextmanager
def a_full_line(estimator: Estimator) -> Iterator[None]:
    """As many passwords as may be estimated or wait for it."""
    with ThreadPoolExecutor(8) as pool:
        begun = [pool.submit(error_of, COSTLY) for _number in range(8)]
        try:
            until(lambda: sum(one.done() for one in begun) == 5)
            yield
        finally:
            estimator.may_end.set()
    assert sorted(one.result() for one in begun) == ["Invalid"] * 3 + ["Throttled"] * 5


def error_of(password: str) -> str:
    """What a password is refused by."""
    with pytest.raises(DomainError) as refused:
        passwords.check(password)
    return refused.type.__name__


BUDGET = BUDGETS[Act.NEW_PASSWORD]


@dataclass
class Door:
    """A page on which someone chooses a password."""

    path: str
    browser: Browser
    more: dict[str, str] = field(default_factory=dict)


def _reset(clinic: Clinic) -> Door:
    clinic.browser("nobody").post("/password-reset", {"email": email("doctor")})
    return Door(link(letter(clinic, "password_reset"), "password-reset"), clinic.browser("nobody"))


def _invitation(clinic: Clinic) -> Door:
    form = {"role": "receptionist", "name": "Nora Neu", "email": "nora@clinic.example"}
    assert clinic.browser("admin").post("/users/new", form).status_code == 303
    return Door(link(letter(clinic, "invite"), "invite"), clinic.browser("nobody"))


def _change(clinic: Clinic) -> Door:
    return Door("/account/password", clinic.browser("patient"), {"current_password": PASSWORD})


@pytest.mark.parametrize("door", [_reset, _invitation, _change])
def test_h17_who_chooses_a_password_has_a_budget_for_it(
    clinic: Clinic, estimator: Estimator, door: Callable[[Clinic], Door]
) -> None:
    estimator.may_end.set()
    at = door(clinic)
    statuses = [at.browser.post(at.path, {"password": COSTLY, **at.more}).status_code for _try in range(13)]
    assert statuses == [422] * (BUDGET.account or 0) + [429] * 3
    assert len(estimator.given) <= 2 * (BUDGET.account or 0)


@pytest.mark.parametrize(("path", "most"), [("/register", BUDGET.email), ("/setup", BUDGET.network)])
def test_h17_a_stranger_has_one_too(
    make_house: Callable[..., House], moved: time_machine.Traveller, estimator: Estimator, path: str, most: int
) -> None:
    estimator.may_end.set()
    browser = make_house(booking={"self_registration": True}).browser()
    form = {"name": "Somebody New", "email": "new@clinic.example", "password": COSTLY}
    statuses = [browser.post(path, form).status_code for _try in range(most + 2)]
    assert statuses == [422] * most + [429] * 2
    assert len(estimator.given) <= 2 * most


def test_h17_a_wrong_current_password_is_told_before_the_new_one_is_estimated(
    clinic: Clinic, estimator: Estimator
) -> None:
    browser = clinic.browser("patient")
    answer = browser.post("/account/password", {"current_password": "not this one", "password": COSTLY})
    assert answer.status_code == 422
    assert estimator.given == []
