"""A session and a token of the same user act as the same person, whatever became of the doctor behind them."""

import pytest

from service import clock
from service.config.settings import Security
from service.domain.accounts import api_tokens, sessions
from service.domain.accounts.sessions import Place
from service.domain.foundation.actor import Actor, Role
from service.storage.models import Doctor, User
from tests.house import House

pytestmark = pytest.mark.usefixtures("clock")
HERE = "192.0.2.1"


def both_ways(house: House, user_id: int) -> tuple[Actor, Actor]:
    """Whom a browser acts as, and whom a program with a token."""
    with house.writing() as session:
        user = session.get_one(User, user_id)
        cookie = sessions.begin(session, user_id, Place(HERE), Security()).token
        owner = Actor(Role(user.role), user_id=user_id)
        secret = api_tokens.make(session, owner, user, label="Program", scopes=["read"], days=1)
    with house.reading() as session:
        signed_in = sessions.find(session, cookie, Security(), HERE)
        calling = api_tokens.find(session, secret, HERE)
    assert signed_in is not None
    assert calling is not None
    return signed_in.actor, calling.actor


@pytest.mark.parametrize("role", [role for role in Role if role != Role.SYSTEM])
def test_a_browser_and_a_program_act_as_the_same_user(house: House, role: Role) -> None:
    made = house.user(role, "lena@mail.example", "Lena Vogt")
    assert made.user_id is not None
    signed_in, calling = both_ways(house, made.user_id)
    assert signed_in == calling
    assert (signed_in.doctor_id is not None) == (role == Role.DOCTOR)
    assert len(signed_in.patient_ids) == (role == Role.PATIENT)


@pytest.mark.parametrize("became", ["archived", "receptionist"])
def test_neither_acts_as_a_doctor_who_is_none_any_more(house: House, became: str) -> None:
    doctor = house.user("doctor", "ada@clinic.example", "Dr. Ada Berg")
    assert doctor.user_id is not None
    with house.writing() as session:
        if became == "archived":
            session.get_one(Doctor, doctor.doctor_id).archived_at = clock.now()
        else:
            session.get_one(User, doctor.user_id).role = Role.RECEPTIONIST
    signed_in, calling = both_ways(house, doctor.user_id)
    assert signed_in.doctor_id is calling.doctor_id is None
    assert signed_in == calling
