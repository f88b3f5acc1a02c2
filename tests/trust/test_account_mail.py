"""Mail of accounts is bound to the address and state it was asked for; an unproven address gets its proof alone."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from service.storage.models import Appointment, Message, User
from tests.house import PASSWORD, House
from tests.web.frozen_clinic import Clinic, email, minutes
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.mail import letter, letters, letters_of, link, rows
from tests.web.reading import parsed, words

NEW = "pia.new@mail.example"
LENA = {"name": "Lena Vogt", "email": "lena@mail.example", "password": "slow boats drift home"}


@pytest.fixture(autouse=True)
def an_empty_outbox(clinic: Clinic) -> None:
    """What the clinic has to tell today has left."""
    letters(clinic)


@pytest.fixture
def open_house(clinic: Clinic, make_house: Callable[..., House]) -> House:
    """The clinic, where strangers may register and patients may sign in by link."""
    return make_house(booking={"self_registration": True}, security={"sign_in_links": True})


def change_address(clinic: Clinic) -> None:
    """The patient asks for a new address and proves it."""
    browser = clinic.browser("patient")
    assert browser.post("/account/email", {"email": NEW}).status_code == 303
    proof = next(one for one in letters(clinic) if one.recipient == NEW)
    assert browser.post(link(proof, "account/email")).status_code == 303


@pytest.mark.parametrize("door", ["/password-reset", "/sign-in/link"])
def test_h1_mail_that_waited_while_the_address_changed_never_leaves(
    open_house: House, clinic: Clinic, door: str
) -> None:
    with open_house.writing() as session:
        user = session.scalars(select(User).where(User.email == email("patient"))).one()
        user_id = user.id
    open_house.browser().post(door, {"email": email("patient")})
    with open_house.writing() as session:  # the queue stands still, and the admin corrects the address
        session.get_one(User, user_id).email = NEW
    assert letters_of(open_house) == []
    with open_house.reading() as session:
        (waiting,) = session.scalars(
            select(Message).where(Message.user_id == user_id).order_by(Message.id.desc()).limit(1)
        )
    assert (waiting.status, waiting.skip_reason) == ("skipped", "cancelled")


def test_h1_a_link_that_was_mailed_before_the_address_changed_is_dead(clinic: Clinic) -> None:
    clinic.browser("nobody").post("/password-reset", {"email": email("patient")})
    path = link(letter(clinic, "password_reset"), "password-reset")
    change_address(clinic)
    assert clinic.browser("nobody").get(path).status_code == 410


def test_h1_a_reset_that_waited_while_another_password_was_chosen_never_leaves(clinic: Clinic) -> None:
    clinic.browser("nobody").post("/password-reset", {"email": email("patient")})
    clinic.clock.shift(minutes(1))
    form = {"current_password": PASSWORD, "password": "slow boats drift home"}
    assert clinic.browser("patient").post("/account/password", form).status_code == 303
    assert [one.recipient for one in letters(clinic)] == [email("patient")]  # that the password was changed
    assert [row.skip_reason for row in rows(clinic, "password_reset")] == ["cancelled"]


def test_h1_the_link_to_a_new_address_is_dead_once_another_one_is_wanted(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    browser.post("/account/email", {"email": NEW})
    first = link(letter(clinic, "email_proof"), "account/email")
    browser.post("/account/email", {"email": "pia.newer@mail.example"})
    assert clinic.browser("nobody").get(first).status_code == 410
    assert clinic.browser("nobody").post(first).status_code == 410


def test_h1_the_link_to_a_new_address_dies_with_a_new_password(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    browser.post("/account/email", {"email": NEW})
    proof = link(letter(clinic, "email_proof"), "account/email")
    clinic.clock.shift(minutes(1))
    browser.post("/account/password", {"current_password": PASSWORD, "password": "slow boats drift home"})
    assert clinic.browser("nobody").get(proof).status_code == 410


def test_h4_a_new_address_gets_one_proof_and_no_word_that_the_account_chose(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    assert browser.post("/account/name", {"name": "Ring 0900 123 now"}).status_code == 303
    assert browser.post("/account/email", {"email": NEW}).status_code == 303
    (only,) = letters(clinic)
    assert only.recipient == NEW
    assert "0900" not in f"{only.subject} {only.body} {only.html}"
    assert browser.get("/appointments").status_code == 200
    assert clinic.house.browser().sign_in(NEW).status_code == 422


@pytest.mark.parametrize(
    "name", ["http://evil.example", "Pia www.evil.example", "evil.com/win", "a@evil.example", "x\u2028y", "hxxp://e.io"]
)
def test_h4_a_name_is_no_address_to_click_on(clinic: Clinic, name: str) -> None:
    assert clinic.browser("patient").post("/account/name", {"name": name}).status_code == 422
    assert clinic.browser("receptionist").post("/patients/new", {"name": name}).status_code == 422


PEOPLE = ["Dr. Anna Schmidt", "J.R.R. Tolkien", "St. John-Smith Jr.", "Dr.Anna Schmidt", "Müller/Meier"]


@pytest.mark.parametrize("name", PEOPLE)
def test_h4_names_with_full_stops_stay_names(clinic: Clinic, name: str) -> None:
    assert clinic.browser("patient").post("/account/name", {"name": name}).status_code == 303


@pytest.mark.parametrize("visitor", ["patient", "doctor", "receptionist"])
def test_h8_the_page_that_follows_says_the_same_of_a_free_and_of_a_taken_address(clinic: Clinic, visitor: str) -> None:
    pages = []
    for address in ("free.one@clinic.example", "other.doctor@clinic.example"):
        browser = clinic.browser(visitor)
        answer = browser.post("/account/email", {"email": address})
        page = browser.get(answer.location or "")
        told = " ".join(words(note) for note in parsed(page).select("[role=status]"))
        pages.append((answer.status_code, answer.location, told, address in page.get_data(as_text=True)))
    assert pages[0] == pages[1]
    assert clinic.house.count(User, User.email == "other.doctor@clinic.example") == 1


def test_h8_every_kind_of_address_is_answered_alike(clinic: Clinic) -> None:
    browser, answers = clinic.browser("patient"), []
    for address in ("free@mail.example", email("admin"), email("doctor"), "Other@Mail.example"):
        answer = browser.post("/account/email", {"email": address})
        page = browser.get("/account").get_data(as_text=True)
        answers.append((answer.status_code, answer.location, address in page))
    assert len(set(answers)) == 1
    assert len(letters(clinic)) == 1 + 2  # the owners hear of it; of the free ones only the last is still meant


def test_h9_nothing_is_booked_before_the_address_is_proven(open_house: House) -> None:
    browser = open_house.browser()
    assert browser.post("/register", LENA).status_code == 303
    assert browser.sign_in(LENA["email"], LENA["password"]).status_code == 422
    before = open_house.count(Appointment)
    assert browser.post("/appointments", {"doctor_id": "any", "starts_at": "2026-05-08T10:00"}).status_code == 303
    assert open_house.count(Appointment) == before
    assert [one.recipient for one in letters_of(open_house)] == [LENA["email"]]


def test_h9_the_owner_of_a_mailbox_does_not_get_an_account_with_someone_elses_password(open_house: House) -> None:
    open_house.browser().post("/register", LENA)  # not the owner
    path = link(letters_of(open_house)[-1], "register")
    owner = open_house.browser()
    assert owner.get(path).status_code == 200
    assert owner.post(path, {"password": "a guess of the owner"}).status_code == 422
    assert open_house.browser().sign_in(LENA["email"], LENA["password"]).status_code == 422


def test_h9_a_new_password_by_mail_proves_the_address_too(open_house: House) -> None:
    open_house.browser().post("/register", LENA)
    open_house.browser().post("/password-reset", {"email": LENA["email"]})
    reset = link(letters_of(open_house)[-1], "password-reset")
    assert open_house.browser().post(reset, {"password": "other boats drift home"}).status_code == 303
    assert open_house.browser().sign_in(LENA["email"], "other boats drift home").status_code == 303


def test_h9_registering_again_mails_another_link_and_the_first_one_dies(open_house: House, clinic: Clinic) -> None:
    open_house.browser().post("/register", LENA)
    first = link(letters_of(open_house)[-1], "register")
    clinic.clock.shift(minutes(1))
    open_house.browser().post("/register", {**LENA, "password": "other boats drift home"})
    second = link(letters_of(open_house)[-1], "register")
    assert open_house.browser().get(first).status_code == 410
    assert open_house.browser().post(second, {"password": "other boats drift home"}).location == "/"
    assert open_house.count(User, User.email == LENA["email"]) == 1


def test_h9_users_are_told_that_someone_registered_with_their_address(open_house: House) -> None:
    open_house.browser().post("/register", {**LENA, "email": email("patient")})
    (only,) = letters_of(open_house)
    assert (only.recipient, LENA["name"] in only.body) == (email("patient"), False)
    assert open_house.browser().sign_in(email("patient"), LENA["password"]).status_code == 422


def test_a6_mail_to_one_address_is_capped_at_every_door(open_house: House, clinic: Clinic) -> None:
    address = {"email": LENA["email"]}
    doors: list[tuple[str, dict[str, Any]]] = [
        ("/register", LENA),
        ("/password-reset", address),
        ("/sign-in/link", address),
    ]
    for door, form in doors:
        statuses = [open_house.browser().post(door, form).status_code for _turn in range(6)]
        assert statuses == [303] * 5 + [429], door


def test_h4_the_mails_of_one_account_are_capped_whatever_it_changes(clinic: Clinic) -> None:
    patient, desk = clinic.browser("patient"), clinic.browser("receptionist")
    numbers = [patient.post("/account/phone", {"phone": f"030 76543{turn}"}).status_code for turn in range(10, 21)]
    assert numbers == [303] * 10 + [429]
    invited = [
        desk.post(f"/patients/{clinic.guest}/guardians", {"email": f"g{turn}@mail.example"}).status_code
        for turn in range(61)
    ]
    assert invited == [303] * 60 + [429]
