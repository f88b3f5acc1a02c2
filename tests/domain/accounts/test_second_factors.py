"""Codes and links count once, also when they come twice at the same moment, on either database."""

from datetime import timedelta

import pyotp
import pytest
import time_machine

from service import clock as wall
from service.config.settings import Security
from service.domain.accounts import own_account, password_reset, second_factors, sessions, unsent_forms
from service.domain.accounts.passwords import NewPassword
from service.domain.accounts.sessions import Place
from service.domain.foundation import tokens
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Throttled
from service.storage.models import Message, RecoveryCode, SignIn, UnsentForm, User, UserToken
from tests.crowd import together
from tests.house import HASH, House
from tests.web.frozen_clinic import mailed

pytestmark = pytest.mark.usefixtures("clock")

KEY = b"k" * 64
LIMITS = Security()


@pytest.fixture
def dora(house: House) -> Actor:
    return house.user("doctor", "dora@clinic.example", "Dr. Dora")


def set_up(house: House, actor: Actor) -> tuple[pyotp.TOTP, list[str]]:
    """The app and the recovery codes of someone whose second factor is on."""
    with house.writing() as session:
        second_factors.begin(session, actor)
    with house.writing() as session:
        app = second_factors.begun(session, actor, KEY, "Our clinic")
        assert app is not None
        codes = second_factors.confirm(session, actor, app.at(wall.now()), KEY)
    assert codes is not None
    return app, codes


def begin(house: House, actor: Actor) -> sessions.Begun:
    assert actor.user_id is not None
    with house.writing() as session:
        return sessions.begin(session, actor.user_id, Place("192.0.2.1"), LIMITS)


def complete(house: House, token: str, code: str) -> str | None:
    with house.writing() as session:
        opened = second_factors.complete_sign_in(session, Place("192.0.2.1", token=token), code, KEY, LIMITS)
    return opened and opened.token


def test_a10_a_code_opens_one_session_however_many_ask_at_once(
    house: House, dora: Actor, clock: time_machine.Traveller
) -> None:
    app, codes = set_up(house, dora)
    clock.shift(30)
    for code in (app.at(wall.now()), codes[0]):
        tokens = [begin(house, dora).token for _window in range(5)]

        def knock(number: int, code: str = code, tokens: list[str] = tokens) -> bool:
            try:
                return complete(house, tokens[number], code) is not None
            except Throttled:
                return False

        assert together(5, knock).count(True) == 1
        clock.shift(timedelta(minutes=6))
    assert house.count(SignIn, SignIn.awaits_code.is_(False)) == 2
    assert house.count(RecoveryCode, RecoveryCode.used_at.is_not(None)) == 1


def test_a10_another_key_file_makes_every_code_wrong_but_recovery_codes_open(house: House, dora: Actor) -> None:
    _app, codes = set_up(house, dora)
    token = begin(house, dora).token
    with house.writing() as session:
        assert second_factors.complete_sign_in(session, Place("192.0.2.1", token=token), codes[3], b"x" * 64, LIMITS)


def test_a10_a_new_set_up_has_a_new_secret(house: House, dora: Actor) -> None:
    first, _codes = set_up(house, dora)
    with house.writing() as session, pytest.raises(Conflict):
        second_factors.begin(session, dora)
    with house.writing() as session:
        second_factors.turn_off(session, dora)
    second, _codes = set_up(house, dora)
    assert first.secret != second.secret


def test_a11_a_reset_link_sets_one_password_however_many_post_it(house: House, dora: Actor) -> None:
    with house.writing() as session:
        now, token = wall.now(), tokens.new()
        values = {"user_id": dora.user_id, "token_hash": tokens.digest(token), "purpose": "password_reset"}
        session.add(UserToken(**values, created_at=now, expires_at=now + timedelta(hours=1)))

    def post(number: int) -> bool:
        try:
            with house.writing() as session:
                password_reset.choose(session, token, NewPassword(f"{HASH}{number}", is_short=False), "192.0.2.1")
        except Conflict:
            return False
        return True

    assert together(6, post).count(True) == 1
    assert house.count(Message, Message.event == "password.reset") == 1


def test_s7_an_address_is_taken_by_one_of_two_who_want_it_at_once(house: House) -> None:
    for number in range(4):
        house.user("receptionist", f"{number}@clinic.example")

    links = [mailed(house, f"{number}@clinic.example", "email", to="desk@clinic.example") for number in range(4)]

    def take(number: int) -> bool:
        try:
            with house.writing() as session:
                own_account.prove_email(session, links[number], "192.0.2.1")
        except Conflict:
            return False
        return True

    assert together(4, take).count(True) == 1
    assert house.count(Message, Message.rule == "account_changed") == 1


def test_a_form_is_kept_once_however_often_it_is_sent(house: House, dora: Actor) -> None:
    token = tokens.digest(begin(house, dora).token)

    def send(_number: int) -> None:
        with house.writing() as session:
            unsent_forms.keep(session, token, "/appointments/1/treatment", {"notes": ["x"]})

    together(6, send)
    assert house.count(UnsentForm) == 1


def test_a_short_password_chosen_beside_a_factor_that_is_gone_is_refused(house: House, dora: Actor) -> None:
    with house.writing() as session, pytest.raises(Conflict):
        own_account.change_password(session, dora, NewPassword(HASH, is_short=True))
    assert house.count(User, User.password_is_short) == 0
