"""Tokens and what is done under a caller's key, on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from service import clock
from service.domain.accounts import api_tokens
from service.domain.accounts.api_tokens import Caller, Scope
from service.domain.foundation import idempotency
from service.domain.foundation.actor import SYSTEM, Actor
from service.domain.foundation.errors import Conflict, Invalid, NotFound, Throttled
from service.domain.foundation.idempotency import Kept
from service.domain.foundation.throttle import BUDGETS, Act
from service.domain.privacy import erasure
from service.storage.models import IdempotencyKey, User
from tests.crowd import together
from tests.house import House

EMAIL = "ada@clinic.example"


@pytest.fixture(name="ada")
def an_admin(house: House) -> Actor:
    return house.user("admin", EMAIL, "Ada")


def made(house: House, actor: Actor, scopes: tuple[str, ...] = ("read",), days: int | None = 30) -> str:
    with house.writing() as session:
        user = session.get_one(User, actor.user_id)
        return api_tokens.make(session, SYSTEM, user, label="Web site", scopes=scopes, days=days)


def found(house: House, token: str) -> Caller | None:
    with house.reading() as session:
        return api_tokens.find(session, token, "192.0.2.1")


def test_a_token_is_its_user_within_its_scopes(house: House, ada: Actor) -> None:
    caller = found(house, made(house, ada, ("clinical", "read")))
    assert caller is not None
    assert (caller.actor.user_id, caller.actor.role, caller.actor.address) == (ada.user_id, ada.role, "192.0.2.1")
    assert caller.scopes == {Scope.READ, Scope.CLINICAL}
    assert found(house, "rounds_nothing") is None


@pytest.mark.parametrize(
    "wish", [{"label": ""}, {"label": "x" * 61}, {"label": "a\0b"}, {"scopes": []}, {"scopes": ["all"]}, {"days": 0}]
)
def test_what_is_no_token_is_not_made(house: House, ada: Actor, wish: dict[str, Any]) -> None:
    with house.writing() as session:
        user = session.get_one(User, ada.user_id)
        with pytest.raises(Invalid):
            api_tokens.make(session, ada, user, **{"label": "x", "scopes": ["read"], "days": 1, **wish})


def test_nobody_makes_or_revokes_one_for_someone_else(house: House, ada: Actor) -> None:
    rita = house.user("receptionist", "rita@clinic.example", "Rita")
    made(house, ada)
    with house.writing() as session:
        token_id = api_tokens.of_user(session, ada)[0].token.id
        with pytest.raises(NotFound):
            api_tokens.make(session, ada, session.get_one(User, rita.user_id), label="x", scopes=["read"], days=1)
        with pytest.raises(NotFound):
            api_tokens.revoke(session, rita, token_id)
        with pytest.raises(NotFound):
            api_tokens.of_all(session, rita)
        assert len(api_tokens.of_all(session, ada)) == 1


def test_a_closed_account_gets_none(house: House, ada: Actor) -> None:
    with house.writing() as session:
        user = api_tokens.by_email(session, EMAIL.upper())
        user.disabled_at = clock.now()
        with pytest.raises(Conflict):
            api_tokens.make(session, SYSTEM, user, label="x", scopes=["read"], days=1)
        with pytest.raises(NotFound, match=r"nobody@clinic\.example"):
            api_tokens.by_email(session, "nobody@clinic.example")


def test_a6_many_wrong_ones_of_an_address_are_refused(house: House) -> None:
    for _ in range(BUDGETS[Act.API_TOKEN].network or 0):
        with house.writing() as session:
            api_tokens.refused(session, "192.0.2.1")
    with house.writing() as session, pytest.raises(Throttled):
        api_tokens.refused(session, "192.0.2.1")
    with house.writing() as session:
        api_tokens.refused(session, "192.0.2.2")


def test_b3_at_the_same_moment_one_acts_and_the_others_get_its_answer(house: House, ada: Actor) -> None:
    caller = found(house, made(house, ada))
    assert caller is not None

    def act(number: int) -> str:
        with house.writing() as session:
            before = idempotency.find(session, caller.token_id, "k", "hash")
            if before is not None:
                return before.body
            idempotency.keep(session, caller.token_id, "k", "hash", Kept(201, None, str(number)))
            return str(number)

    assert len(set(together(6, act))) == 1
    assert house.count(IdempotencyKey) == 1


def test_a_key_stands_for_one_request_and_for_a_day(house: House, ada: Actor) -> None:
    caller = found(house, made(house, ada))
    assert caller is not None
    with house.writing() as session:
        idempotency.keep(session, caller.token_id, "k", "hash", Kept(201, "/x", "{}"))
    with house.writing() as session:
        assert idempotency.find(session, caller.token_id, "k", "hash") == Kept(201, "/x", "{}")
        with pytest.raises(Invalid):
            idempotency.find(session, caller.token_id, "k", "another")
        session.get_one(IdempotencyKey, 1).created_at -= idempotency.KEPT_FOR + timedelta(seconds=1)
    with house.writing() as session:
        assert idempotency.find(session, caller.token_id, "k", "another") is None
    assert house.count(IdempotencyKey) == 0


def test_an_erasure_forgets_all_answers(house: House, ada: Actor) -> None:
    caller, pia = found(house, made(house, ada)), house.patient("Pia")
    assert caller is not None
    with house.writing() as session:
        idempotency.keep(session, caller.token_id, "k", "hash", Kept(201, None, '{"name":"Pia"}'))
    with house.writing() as session:
        erasure.erase(session, ada, pia, years=5, zone=house.settings.clinic.zone)
    assert house.count(IdempotencyKey) == 0
