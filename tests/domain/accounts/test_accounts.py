"""Accounts: who looks after whom, who is let in by a link, whose account is closed, and who registered themselves."""

from dataclasses import replace
from datetime import date

import pytest
import time_machine

from service.config.settings import Security
from service.domain.accounts import accounts, guardians, registration, sessions, user_tokens, users
from service.domain.accounts.sessions import Place
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound, Throttled
from service.domain.foundation.throttle import BUDGETS, Act
from service.domain.patients.details import PatientDetails
from service.storage.models import AuditEntry, Guardian, Patient, SignIn, TokenPurpose, User
from tests.crowd import together
from tests.house import HASH, House, at

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def desk(house: House) -> Actor:
    return house.user("receptionist", "desk@clinic.example", "Rita Tresen")


@pytest.fixture
def admin(house: House) -> Actor:
    return house.user("admin", "admin@clinic.example", "Ada Leitung")


def link(house: House, actor: Actor, patient_id: int, email: str, name: str = "") -> tuple[int, bool]:
    with house.writing() as session:
        user, is_new = guardians.link(session, actor, patient_id, email=email, name=name, wait_hours=24)
        return user.id, is_new


def number_of(actor: Actor) -> int:
    assert actor.user_id is not None
    return actor.user_id


# Who looks after whom


def test_one_user_looks_after_several_patients(house: House, desk: Actor) -> None:
    mother = house.user("patient", "mother@mail.example")
    child = house.patient("Kim Ahorn")
    assert link(house, desk, child, " Mother@Mail.example ") == (mother.user_id, False)
    assert link(house, desk, child, "mother@mail.example") == (mother.user_id, False)
    assert house.actor("mother@mail.example").patient_ids == {min(mother.patient_ids), child}
    assert house.count(AuditEntry, AuditEntry.act == "guardian.add", AuditEntry.patient_id == child) == 1


def test_a_new_address_makes_an_account_without_a_password(house: House, desk: Actor) -> None:
    patient_id = house.patient("Kim Ahorn")
    user_id, is_new = link(house, desk, patient_id, "aunt@mail.example", "Aunt May")
    other_id, _is_new = link(house, desk, patient_id, "kim@mail.example")
    assert is_new
    with house.reading() as session:
        aunt, kim = session.get_one(User, user_id), session.get_one(User, other_id)
        assert (aunt.role, aunt.name, aunt.password_hash) == ("patient", "Aunt May", None)
        assert kim.name == "Kim Ahorn"
        assert [one.id for one in guardians.of_patient(session, desk, patient_id)] == [user_id, other_id]
    assert house.count(Patient) == 1


@pytest.mark.parametrize("email", ["desk@clinic.example", "x", "", "a@b\nBcc: c@d.example"])
def test_staff_and_what_is_no_address_are_refused(house: House, desk: Actor, email: str) -> None:
    patient_id = house.patient("Kim Ahorn")
    with pytest.raises(Invalid) as refused:
        link(house, desk, patient_id, email)
    assert refused.value.field == "email"
    assert (house.count(Guardian), house.count(User)) == (0, 1)


def test_s4_who_is_removed_sees_the_record_no_more(house: House, desk: Actor) -> None:
    pia = house.user("patient", "pia@mail.example")
    patient_id = min(pia.patient_ids)
    with house.writing() as session:
        guardians.unlink(session, desk, patient_id, user_id=number_of(pia))
    assert house.actor("pia@mail.example").patient_ids == frozenset()
    with pytest.raises(NotFound), house.writing() as session:
        guardians.unlink(session, desk, patient_id, user_id=number_of(pia))


@pytest.mark.parametrize("role", ["doctor", "patient"])
def test_z1_only_the_desk_says_who_looks_after_a_patient(house: House, role: str) -> None:
    actor, patient_id = house.user(role, "somebody@clinic.example"), house.patient("Kim Ahorn")
    with pytest.raises(Forbidden):
        link(house, actor, patient_id, "somebody@clinic.example")
    with house.reading() as session:
        assert guardians.of_patient(session, actor, patient_id) == []


# Links


def test_a_new_link_makes_the_earlier_ones_worthless(house: House, admin: Actor) -> None:
    user_id = number_of(house.user("receptionist", "rita@clinic.example", password_hash=None))
    tokens = []
    for _again in range(2):
        with house.writing() as session:
            tokens.append(accounts.invite(session, admin, user_id)[1])
    with house.reading() as session:
        assert [users.invited(session, token) is not None for token in tokens] == [False, True]
        assert accounts.fetch(session, admin, user_id).invited_until == at("2026-05-11 06:00")
    assert house.count(AuditEntry, AuditEntry.act == "user.invite") == 2


def test_z2_reception_invites_patients_and_finds_nobody_else(house: House, desk: Actor, admin: Actor) -> None:
    patient = house.user("patient", "pia@mail.example")
    with pytest.raises(Conflict), house.writing() as session:  # who has a password needs no slip from the desk
        accounts.invite(session, desk, number_of(patient))
    newcomer = house.user("patient", "new@mail.example", password_hash=None)
    with house.writing() as session:
        assert accounts.invite(session, desk, number_of(newcomer))[0].email == "new@mail.example"
    for user_id in (number_of(admin), number_of(desk), 4711, 2**62):
        with pytest.raises(NotFound), house.writing() as session:
            accounts.invite(session, desk, user_id)
    with pytest.raises(Forbidden), house.writing() as session:
        accounts.invite(session, patient, number_of(patient))


# Closed and opened


def test_s4_closing_an_account_ends_its_sessions_and_links(house: House, admin: Actor) -> None:
    user_id = number_of(house.user("receptionist", "rita@clinic.example"))
    with house.writing() as session:
        cookie = sessions.begin(session, user_id, Place("192.0.2.1"), Security()).token
        token = user_tokens.issue(session, user_id, TokenPurpose.PASSWORD_RESET)
    with house.writing() as session:
        accounts.disable(session, admin, user_id)
    with house.reading() as session:
        assert sessions.find(session, cookie, Security(), "192.0.2.1") is None
        assert user_tokens.user_of(session, token, TokenPurpose.PASSWORD_RESET) is None
    assert house.count(SignIn, SignIn.user_id == user_id, SignIn.ended_at.is_(None)) == 0
    with pytest.raises(Conflict, match="closed"), house.writing() as session:
        accounts.invite(session, admin, user_id)
    with house.writing() as session:
        accounts.enable(session, admin, user_id)
    with house.writing() as session:
        assert sessions.stored_password(session, "rita@clinic.example", Place("192.0.2.1")) == (user_id, HASH)


def test_nobody_closes_their_own_account(house: House, admin: Actor) -> None:
    house.user("admin", "second@clinic.example")
    with pytest.raises(Conflict, match="your own"), house.writing() as session:
        accounts.disable(session, admin, number_of(admin))


def test_of_two_admins_who_close_each_others_account_one_stays(house: House, admin: Actor) -> None:
    pair = admin, house.user("admin", "second@clinic.example")

    def close(number: int) -> bool:
        try:
            with house.writing() as session:
                accounts.disable(session, pair[number], number_of(pair[1 - number]))
        except Conflict:
            return False
        return True

    assert together(2, close).count(True) == 1
    assert house.count(User, User.role == "admin", User.disabled_at.is_(None)) == 1


@pytest.mark.parametrize("role", ["receptionist", "doctor", "patient"])
def test_z1_accounts_are_the_admins(house: House, admin: Actor, role: str) -> None:
    actor = house.user(role, "somebody@clinic.example")
    for act in (accounts.disable, accounts.enable, accounts.fetch):
        with pytest.raises(Forbidden), house.writing() as session:
            act(session, actor, number_of(admin))
    with pytest.raises(Forbidden), house.reading() as session:
        accounts.listing(session, actor, of_patients=False)


def test_the_list_shows_staff_or_patients_by_name_and_when_they_signed_in(house: House, admin: Actor) -> None:
    house.user("patient", "pia@mail.example", "Pia Ahorn")
    rita = house.user("receptionist", "rita@clinic.example", "Rita Tresen")
    with house.writing() as session:
        sessions.begin(session, number_of(rita), Place("192.0.2.1"), Security())
    with house.reading() as session:
        staff = accounts.listing(session, admin, of_patients=False).accounts
        assert [(one.user.name, one.last_sign_in) for one in staff] == [
            ("Ada Leitung", None),
            ("Rita Tresen", at("2026-05-04 06:00")),
        ]
        patients = accounts.listing(session, admin, of_patients=True).accounts
        assert [one.user.name for one in patients] == ["Pia Ahorn"]
        for text, count in (("RITA", 1), ("clinic.example", 2), ("%", 0), ("_", 0), ("\0", 2), ("pia", 0)):
            assert len(accounts.listing(session, admin, of_patients=False, text=text).accounts) == count, text


def test_the_list_of_accounts_is_paged_without_gap_or_repetition(house: House, admin: Actor) -> None:
    for number in range(59):
        house.user("receptionist", f"r{number}@clinic.example", f"Rita {number % 5}")
    seen: list[int] = []
    after = None
    with house.reading() as session:
        while True:
            page = accounts.listing(session, admin, of_patients=False, after=after)
            seen += [one.user.id for one in page.accounts]
            if (after := page.after) is None:
                break
        with pytest.raises(NotFound):
            accounts.listing(session, admin, of_patients=False, after=4711)
    assert len(set(seen)) == len(seen) == 60


# Registering oneself

LENA = PatientDetails("Lena Vogt", date(1985, 5, 4), "+49301234567", "lena@mail.example")


def register(house: House, who: PatientDetails = LENA) -> None:
    with house.writing() as session:
        registration.register(session, who, password_hash=HASH, address="192.0.2.1")


def test_registering_makes_an_account_and_a_record_that_waits_for_the_desk(house: House) -> None:
    register(house)
    with house.reading() as session:
        patient, user = session.query(Patient).one(), session.query(User).one()
        assert (user.role, user.email, user.password_hash) == ("patient", "lena@mail.example", HASH)
        assert (patient.name, patient.birth_date, patient.phone) == ("Lena Vogt", date(1985, 5, 4), "+49301234567")
        assert patient.registered_at == at("2026-05-04 06:00")
        assert session.query(AuditEntry).one().address == "192.0.2.1"
    assert house.actor("lena@mail.example").patient_ids == {patient.id}


def test_a8_a_known_address_changes_nothing_and_says_nothing(house: House) -> None:
    desk = house.user("receptionist", "lena@mail.example")
    register(house)
    assert (house.count(User), house.count(Patient)) == (1, 0)
    assert (
        house.count(AuditEntry, AuditEntry.act == "user.register_again", AuditEntry.subject == f"user/{desk.user_id}")
        == 1
    )


def test_of_many_who_register_an_address_at_once_one_has_it(house: House) -> None:
    together(6, lambda _number: register(house))
    assert (house.count(User), house.count(Patient), house.count(Guardian)) == (1, 1, 1)


def test_a_registration_needs_an_address(house: House) -> None:
    with pytest.raises(Invalid) as refused, house.writing() as session:
        registration.attempt(session, PatientDetails("Lena Vogt", None, None, None), "192.0.2.1")
    assert refused.value.field == "email"


def test_a6_registrations_of_one_network_address_are_slowed_down(house: House, clock: time_machine.Traveller) -> None:
    for number in range(BUDGETS[Act.REGISTRATION].network or 0):
        with house.writing() as session:
            registration.attempt(session, replace(LENA, email=f"l{number}@mail.example"), "192.0.2.1")
    with pytest.raises(Throttled), house.writing() as session:
        registration.attempt(session, LENA, "192.0.2.1")
    with house.writing() as session:
        registration.attempt(session, LENA, "192.0.2.2")
    clock.shift(BUDGETS[Act.REGISTRATION].window)
    with house.writing() as session:
        registration.attempt(session, LENA, "192.0.2.1")
