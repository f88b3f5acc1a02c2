"""Users: who they are, that no two share an address, and that an invite opens the door once."""

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine

from service.config.settings import Security
from service.domain.accounts import passwords, sessions, users
from service.domain.accounts.passwords import NewPassword
from service.domain.accounts.sessions import Place
from service.domain.accounts.users import NewUser
from service.domain.foundation import contact_details, tokens
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.storage.models import AuditEntry, Doctor, Guardian, Patient, SignIn, User, UserToken
from tests.crowd import together
from tests.house import HASH, House

pytestmark = pytest.mark.usefixtures("clock")


def add(house: House, role: str = "patient", email: str = "lena@mail.example", **more: Any) -> User:
    values = {"name": "Lena Vogt", **more}
    actor = values.pop("actor", SYSTEM)
    with house.writing() as session:
        return users.add(session, actor, NewUser(Role(role), email, **values), house.settings.clinic)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Lena@Mail.Example ", "Lena@Mail.Example"),
        ("max@straße.de", "max@straße.de"),
        ("Groß@example.com", "Groß@example.com"),
        ("x@ශ්\u200dරී.example", "x@ශ්\u200dරී.example"),
        ("x@xn--10cl1a0b660p.example", "x@xn--10cl1a0b660p.example"),
        ("a+b@mail.example", "a+b@mail.example"),
        ("desk@clinic.local", "desk@clinic.local"),
        ("desk@clinic.test", "desk@clinic.test"),
        ("lena@müller.example", "lena@müller.example"),
    ],
)
def test_i1_an_address_is_kept_as_typed(typed: str, kept: str) -> None:
    assert contact_details.checked_email(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            "lena",
            "@mail.example",
            "lena@",
            "a b@mail.example",
            "a@b@c.example",
            "a@mail..example",
            "a@[127.0.0.1]",
        ),
        *("a@mail.example\nBcc: b@mail.example", "a\r\n@mail.example", "a\0@mail.example", "\ud800@mail.example"),
        *(
            "a@mail.example, b@mail.example",
            "Lena <a@mail.example>",
            f"{'a' * 242}@mail.example",
            f"a@{'b' * 250}.example",
        ),
    ],
)
def test_r6_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        contact_details.checked_email(typed)
    assert refused.value.field == "email"


@pytest.mark.parametrize(
    "typed", ["", "   ", "x" * 201, "Eva\nBcc: x", "Eva\rx", "a\0b", "a\u2028b", "a\x85b", "\ud800"]
)
def test_r6_a_name_has_no_line_breaks_or_control_characters(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        contact_details.checked_name(typed)
    assert refused.value.field == "name"


@pytest.mark.parametrize("typed", ["Dr. Zoë O'Connor-Łukasz", "名前", "نور", "=1+1", "x" * 200, "🙂"])
def test_a_name_may_be_of_any_script(typed: str) -> None:
    assert contact_details.checked_name(f" {typed} ") == typed


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("", None), ("  ", None), ("030 1234567", "+49301234567"), ("+1 212 555 2368", "+12125552368")],
)
def test_r9_a_phone_number_is_kept_with_its_country(typed: str, kept: str | None) -> None:
    assert contact_details.checked_phone(typed, "DE") == kept


@pytest.mark.parametrize("typed", ["12", "call me", "+49", "+999 123456", "030 1234567\nx"])
def test_r9_what_cannot_be_called_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        contact_details.checked_phone(typed, "DE")
    assert refused.value.field == "phone"


def test_a_patients_user_has_a_record_they_look_after(house: House) -> None:
    user = add(house, birth_date=date(1980, 2, 29), phone="030 1234567")
    with house.reading() as session:
        patient = session.query(Patient).one()
        assert (patient.name, patient.email, patient.phone) == ("Lena Vogt", "lena@mail.example", "+49301234567")
        assert patient.birth_date == date(1980, 2, 29)
        guardian = session.query(Guardian).one()
        assert (guardian.user_id, guardian.patient_id) == (user.id, patient.id)
        assert session.query(Doctor).count() == 0


def test_a_doctors_user_has_a_doctor(house: House) -> None:
    user = add(house, "doctor", department=" Surgery ")
    with house.reading() as session:
        doctor = session.query(Doctor).one()
        assert (doctor.user_id, doctor.name, doctor.department) == (user.id, "Lena Vogt", "Surgery")
        assert session.query(Patient).count() == 0


def test_l1_adding_someone_is_put_on_record(house: House) -> None:
    admin = house.user("admin", "admin@clinic.example")
    user = add(house, "receptionist", actor=admin)
    with house.reading() as session:
        entry = session.query(AuditEntry).order_by(AuditEntry.id.desc()).first()
        assert entry is not None
        assert (entry.act, entry.subject, entry.user_id, entry.address) == (
            "user.add",
            f"user/{user.id}",
            admin.user_id,
            "127.0.0.1",
        )


@pytest.mark.parametrize("role", ["receptionist", "doctor", "patient"])
def test_z4_only_the_admin_adds_users(house: House, role: str) -> None:
    actor = house.user(role, "somebody@clinic.example")
    with pytest.raises(Forbidden):
        add(house, actor=actor)
    assert house.count(User) == 1


@pytest.mark.parametrize("email", ["lena@mail.example", "LENA@MAIL.EXAMPLE", " Lena@mail.example"])
def test_an_address_is_used_once(house: House, email: str) -> None:
    add(house)
    with pytest.raises(Conflict, match="already uses"):
        add(house, "doctor", email)
    assert (house.count(User), house.count(Doctor), house.count(AuditEntry)) == (1, 0, 1)


def test_of_many_that_take_an_address_at_once_one_gets_it(house: House) -> None:
    def take(_number: int) -> bool:
        try:
            add(house)
        except Conflict:
            return False
        return True

    assert together(8, take).count(True) == 1
    assert (house.count(User), house.count(Patient)) == (1, 1)


@pytest.mark.parametrize(
    "mistake",
    [{"email": "x"}, {"name": ""}, {"phone": "x"}, {"birth_date": date(2026, 5, 5)}, {"department": "x" * 101}],
)
def test_a_mistake_leaves_nobody_half_made(house: House, mistake: dict[str, Any]) -> None:
    role = "doctor" if "department" in mistake else "patient"
    with pytest.raises(Invalid) as refused:
        add(house, role, **mistake)
    assert refused.value.field == next(iter(mistake))
    assert house.count(User) == house.count(Patient) == house.count(Doctor) == house.count(AuditEntry) == 0


def test_z7_the_id_of_a_removed_user_is_not_given_again(house: House) -> None:
    with house.writing() as session:  # no entry of the audit is about this one, so that it can be removed
        first = users.make(session, NewUser(Role.RECEPTIONIST, "first@clinic.example", "First")).id
    with house.writing() as session:
        session.query(User).delete()
    assert add(house, "receptionist").id > first


def test_a9_the_first_admin_is_made_once(house: House) -> None:
    def first(email: str) -> User:
        with house.writing() as session:
            return users.add_first_admin(session, NewUser(Role.ADMIN, email, "Ada", password_hash=HASH), "192.0.2.1")

    with house.reading() as session:
        assert users.none_exist(session)
    assert first("ada@clinic.example").role == "admin"
    with pytest.raises(NotFound):
        first("eve@clinic.example")
    with house.reading() as session:
        assert not users.none_exist(session)
        assert session.query(AuditEntry).one().address == "192.0.2.1"


# Invites


def invite(house: House, user: User) -> str:
    with house.writing() as session:
        return users.invite(session, user)


def accept(house: House, token: str) -> User:
    with house.writing() as session:
        return users.accept_invite(session, token, NewPassword(HASH, is_short=False), "192.0.2.7")


def invited(house: House, token: str) -> str | None:
    with house.reading() as session:
        user = users.invited(session, token)
        return user.email if user else None


def test_a11_an_invite_lets_its_user_choose_a_password_once(house: House) -> None:
    user = add(house)
    token = invite(house, user)
    assert len(token) >= 22
    assert invited(house, token) == "lena@mail.example"
    accept(house, token)
    with house.reading() as session:
        assert passwords.matches(session.get_one(User, user.id).password_hash, "quiet rivers run deep")
    assert invited(house, token) is None
    with pytest.raises(Conflict, match="already been used or has expired"):
        accept(house, token)
    assert house.count(AuditEntry, AuditEntry.act == "user.invite_accepted") == 1


def test_a11_of_many_that_use_an_invite_at_once_one_succeeds(house: House) -> None:
    token = invite(house, add(house))

    def use(_number: int) -> bool:
        try:
            accept(house, token)
        except Conflict:
            return False
        return True

    assert together(8, use).count(True) == 1


def test_a11_an_invite_is_dead_after_seven_days(house: House, clock: time_machine.Traveller) -> None:
    token = invite(house, add(house))
    clock.shift(timedelta(days=7) - timedelta(seconds=1))
    assert invited(house, token) == "lena@mail.example"
    clock.shift(1)
    assert invited(house, token) is None
    with pytest.raises(Conflict):
        accept(house, token)


@pytest.mark.parametrize("token", ["", "x", "é\0", "0" * 1000])
def test_a11_another_token_is_no_invite(house: House, token: str) -> None:
    invite(house, add(house))
    assert invited(house, token) is None
    with pytest.raises(Conflict):
        accept(house, token)


def test_a11_the_database_does_not_hold_the_token(house: House) -> None:
    token = invite(house, add(house))
    with house.reading() as session:
        stored = session.query(UserToken).one()
        assert stored.token_hash == tokens.digest(token)
        assert token not in repr(vars(stored))


def test_s4_choosing_a_password_ends_the_users_sessions(house: House) -> None:
    user = add(house, password_hash=HASH)
    with house.writing() as session:
        cookie = sessions.begin(session, user.id, Place("192.0.2.1"), Security()).token
    with house.writing() as session:
        users.set_password(session, session.get_one(User, user.id), NewPassword(HASH, is_short=False))
    with house.reading() as session:
        assert sessions.find(session, cookie, Security(), "192.0.2.1") is None
    assert house.count(SignIn, SignIn.ended_at.is_(None)) == 0


def test_sessions_and_links_long_over_are_forgotten(house: House, clock: time_machine.Traveller) -> None:
    user = add(house)
    invite(house, user)
    colleague = house.user("receptionist", "rita@clinic.example")
    with house.writing() as session:
        sessions.begin(session, colleague.user_id or 0, Place("192.0.2.1"), Security())
    clock.shift(timedelta(days=38))
    fresh = invite(house, user)
    with house.writing() as session:
        sessions.prune(session)
    assert (house.count(SignIn), house.count(UserToken)) == (0, 1)
    assert invited(house, fresh) == "lena@mail.example"


def test_an_actor_that_is_the_system_is_no_role_of_a_user(house: House) -> None:
    assert not SYSTEM.is_staff
    assert Actor(Role.RECEPTIONIST).is_staff
    assert not Actor(Role.PATIENT).is_staff
