"""Tokens: shown once, hashed at rest, narrowed, over at once; wrong ones are slowed down."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service import clock
from service.domain.accounts import accounts, api_tokens, passwords, users
from service.domain.clinic import restored
from service.domain.foundation.actor import Role
from service.domain.foundation.throttle import BUDGETS, Act
from service.storage.models import ApiToken, AuditEntry, Doctor, User
from tests.api.program import Program, token_of
from tests.web.frozen_clinic import Clinic, minutes

Programs = Callable[..., Program]


def user_id(clinic: Clinic, who: str) -> int:
    found = clinic.people[who].user_id
    assert found is not None
    return found


def status(program: Program) -> int:
    return program.get("/doctors").status_code


@pytest.mark.sqlite("its file is searched for the token")
def test_a11_only_the_hash_rests_and_it_is_long(clinic: Clinic) -> None:
    token = token_of(clinic.house, "admin")
    assert len(token) >= len(api_tokens.PREFIX) + 43
    database = clinic.house.settings.base / "rounds.db"
    clinic.house.wiring.database.forget()
    assert token.encode() not in database.read_bytes()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer rounds_nothing",
        "Bearer \u00e9",
        "Token x",
        "bearer x y",
        "Bearer " + "x" * 5000,
    ],
)
def test_what_is_no_token_of_ours_is_nobody(clinic: Clinic, header: str) -> None:
    answer = Program(clinic.house.app).get(
        "/doctors", headers={"Authorization": header.encode("utf-8").decode("latin-1")}
    )
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_token_ends_with_its_time(clinic: Clinic, program: Programs) -> None:
    caller = Program(clinic.house.app, token_of(clinic.house, "admin", days=2))
    clinic.clock.shift(timedelta(days=2) - minutes(1))
    assert status(caller) == 200
    clinic.clock.shift(minutes(1))
    assert status(caller) == 401


def test_a_token_without_an_end_goes_on(clinic: Clinic) -> None:
    caller = Program(clinic.house.app, token_of(clinic.house, "admin", days=None))
    clinic.clock.shift(timedelta(days=3000))
    assert status(caller) == 200


def test_s4_a_revoked_token_is_over_at_once(clinic: Clinic, program: Programs) -> None:
    caller = program("receptionist")
    assert status(caller) == 200
    with clinic.house.writing() as session:
        token_id = session.scalars(select(ApiToken.id).where(ApiToken.label == "Web site")).one()
        api_tokens.revoke(session, clinic.people["receptionist"], token_id)
    assert status(caller) == 401


def test_s4_a_closed_account_s_token_is_over_and_stays_over(clinic: Clinic, program: Programs) -> None:
    caller, admin = program("receptionist"), clinic.people["admin"]
    with clinic.house.writing() as session:
        accounts.disable(session, admin, user_id(clinic, "receptionist"))
    assert status(caller) == 401
    with clinic.house.writing() as session:
        accounts.enable(session, admin, user_id(clinic, "receptionist"))
    assert status(caller) == 401


def test_s4_a_new_password_ends_tokens(clinic: Clinic, program: Programs) -> None:
    caller = program("doctor")
    with clinic.house.writing() as session:
        password = passwords.chosen("slow boats drift home", about=())
        users.set_password(session, session.get_one(User, user_id(clinic, "doctor")), password)
    assert status(caller) == 401


def test_s4_another_role_ends_tokens(clinic: Clinic, program: Programs) -> None:
    caller = program("receptionist")
    with clinic.house.writing() as session:
        accounts.change_role(session, clinic.people["admin"], user_id(clinic, "receptionist"), Role.ADMIN)
    assert status(caller) == 401


def test_a_doctor_who_was_archived_sees_nobody(clinic: Clinic, program: Programs) -> None:
    caller = program("doctor")
    assert caller.get("/appointments").get_json()["items"]
    with clinic.house.writing() as session:
        session.execute(
            update(Doctor).where(Doctor.id == clinic.people["doctor"].doctor_id).values(archived_at=clock.now())
        )
    assert caller.get("/appointments").get_json()["items"] == []
    assert caller.get("/statistics").status_code == 403


def test_a_restored_backup_revives_no_token(clinic: Clinic, program: Programs) -> None:
    caller = program("admin")
    assert caller.post("/patients", {"name": "Nora Neu"}, key="once").status_code == 201
    with clinic.house.writing() as session:
        restored.settle(session, clinic.house.settings.clinic.zone, clock.now())
    assert status(caller) == 401


def test_a6_wrong_tokens_are_slowed_down_by_address_and_right_ones_are_not(clinic: Clinic, program: Programs) -> None:
    wrong, right = Program(clinic.house.app, "rounds_wrong"), program("admin")
    answers = [wrong.get("/doctors") for _ in range((BUDGETS[Act.API_TOKEN].network or 0) + 1)]
    assert {one.status_code for one in answers[:-1]} == {401}
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 301
    assert status(right) == 200
    assert Program(clinic.house.app).get("/doctors").status_code == 401  # who shows nothing guesses nothing
    clinic.clock.shift(minutes(5.1))
    assert status(wrong) == 401


def test_its_last_use_is_noted_once_a_minute(clinic: Clinic, program: Programs) -> None:
    caller = program("admin")

    def used() -> object:
        with clinic.house.reading() as session:
            return session.scalars(select(ApiToken.last_used_at).where(ApiToken.label == "Web site")).one()

    assert used() is None
    assert status(caller) == 200
    first = used()
    clinic.clock.shift(minutes(0.9))
    assert status(caller) == 200
    assert used() == first
    clinic.clock.shift(minutes(0.2))
    assert status(caller) == 200
    assert used() == clock.now()


def test_l1_creating_and_revoking_a_token_is_audited(clinic: Clinic, program: Programs) -> None:
    program("receptionist")
    with clinic.house.writing() as session:
        token_id = session.scalars(select(ApiToken.id).where(ApiToken.label == "Web site")).one()
        api_tokens.revoke(session, clinic.people["admin"], token_id)
    with clinic.house.reading() as session:
        acts = select(AuditEntry.act).where(AuditEntry.subject == f"token/{token_id}").order_by(AuditEntry.id)
        assert session.scalars(acts).all() == ["token.make", "token.revoke"]


def test_l1_what_a_program_does_is_its_user_s_act(clinic: Clinic, program: Programs) -> None:
    program("receptionist").post(f"/appointments/{clinic.ahead}/cancellation")
    with clinic.house.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "appointment.cancel")).one()
        assert (entry.user_id, entry.role, entry.address) == (
            user_id(clinic, "receptionist"),
            "receptionist",
            "127.0.0.1",
        )


def test_old_tokens_are_cleaned_up(clinic: Clinic, program: Programs) -> None:
    program("receptionist").post("/patients", {"name": "Nora Neu"}, key="k")
    clinic.clock.shift(timedelta(days=59))
    clinic.house.clean_up()
    assert clinic.house.count(ApiToken) == 2
    clinic.clock.shift(timedelta(days=2))
    clinic.house.clean_up()
    assert clinic.house.count(ApiToken) == 0
