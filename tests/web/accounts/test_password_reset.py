"""Forgotten passwords, and signing in by a mailed link: one answer for all who ask, one use, not for long (A8, A11)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from service.storage.models import Message, SignIn, User, UserToken
from tests.house import PASSWORD, House
from tests.web.frozen_clinic import NOBODY, NOW, Clinic, email, mailed, minutes
from tests.web.mailing import Mailing
from tests.web.reading import faults, one, parsed, words

NEW = "slow boats drift home"
QUARTER = timedelta(minutes=15)


def told(house: House, rule: str) -> list[str | None]:
    """The recipients of a rule's messages."""
    with house.reading() as session:
        return [row.recipient for row in session.query(Message).filter(Message.rule == rule).order_by(Message.id)]


def test_who_forgot_the_password_asks_for_a_link(mailing: Mailing) -> None:
    clinic = mailing.clinic
    browser = clinic.browser(NOBODY)
    assert 'href="/password-reset"' in browser.get("/sign-in").get_data(as_text=True)
    answer = browser.post("/password-reset", {"email": f" {email('doctor').upper()} "})
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert "a link is on its way" in words(one(parsed(browser.get("/sign-in")), "[role=status]"))
    assert told(clinic.house, "password_reset") == [email("doctor")]


def test_a8_an_unknown_or_closed_account_gets_the_same_answer_and_no_mail(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.query(User).filter(User.email == email("other patient")).one().disabled_at = NOW
    answers = []
    for address in (email("doctor"), "ghost@clinic.example", email("other patient")):
        browser = clinic.house.browser()
        answer = browser.post("/password-reset", {"email": address})
        answers.append((answer.status_code, answer.location, answer.data, browser.get("/sign-in").status_code))
    assert len(set(answers)) == 1
    assert told(clinic.house, "password_reset") == [email("doctor")]


def test_a8_asking_is_throttled_alike_for_known_and_unknown_addresses(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    for address in (email("doctor"), "ghost@clinic.example"):
        statuses = [browser.post("/password-reset", {"email": address}).status_code for _try in range(7)]
        assert statuses == [303] * 5 + [429] * 2
    statuses = [browser.post("/password-reset", {"email": f"g{n}@clinic.example"}).status_code for n in range(12)]
    assert statuses == [303] * 10 + [429] * 2


def test_a11_the_link_shows_by_get_and_acts_by_post_once(clinic: Clinic) -> None:
    path = f"/password-reset/{mailed(clinic.house, email('doctor'), 'password_reset')}"
    there, browser = clinic.browser("doctor"), clinic.house.browser()
    for _look in range(3):
        assert browser.get(path).status_code == 200
    assert there.get("/today").status_code == 200
    short = browser.post(path, {"password": "x" * 14})
    assert (short.status_code, faults(short.get_data(as_text=True))) == (422, [])
    assert browser.post(path, {"password": NEW}).location == "/sign-in"
    assert there.get("/today").status_code == 303
    again = browser.post(path, {"password": "other boats drift home"})
    assert (again.status_code, faults(again.get_data(as_text=True))) == (410, [])
    assert browser.get(path).status_code == 410
    assert browser.sign_in(email("doctor")).status_code == 422
    assert browser.sign_in(email("doctor"), NEW).status_code == 303
    assert told(clinic.house, "account_changed") == [email("doctor")]


def test_a11_the_link_works_for_an_hour(clinic: Clinic) -> None:
    path = f"/password-reset/{mailed(clinic.house, email('doctor'), 'password_reset')}"
    clinic.clock.shift(minutes(59))
    assert clinic.browser(NOBODY).get(path).status_code == 200
    clinic.clock.shift(minutes(1))
    assert clinic.browser(NOBODY).get(path).status_code == 410


def test_a11_a_new_password_makes_all_other_links_worthless(clinic: Clinic) -> None:
    first, second = (mailed(clinic.house, email("doctor"), "password_reset") for _turn in range(2))
    browser = clinic.browser(NOBODY)
    assert browser.post(f"/password-reset/{second}", {"password": NEW}).status_code == 303
    assert browser.get(f"/password-reset/{first}").status_code == 410


def test_a11_a_link_for_one_thing_does_not_do_another(clinic: Clinic) -> None:
    token = mailed(clinic.house, email("doctor"), "password_reset")
    assert clinic.browser(NOBODY).get(f"/invite/{token}").status_code == 410
    assert clinic.browser(NOBODY).get(f"/password-reset/{clinic.invite}").status_code == 410


def test_a11_a_closed_account_is_not_opened_by_a_link(clinic: Clinic) -> None:
    token = mailed(clinic.house, email("doctor"), "password_reset")
    number = clinic.people["doctor"].user_id
    clinic.browser("admin").post(f"/users/{number}/disabling")
    assert clinic.browser(NOBODY).post(f"/password-reset/{token}", {"password": NEW}).status_code == 410


def test_a11_the_token_is_nowhere_in_the_database(clinic: Clinic) -> None:
    token = mailed(clinic.house, email("doctor"), "password_reset")
    clinic.browser(NOBODY).post(f"/password-reset/{token}", {"password": NEW})
    stored = clinic.house.stored()
    assert email("doctor").encode() in stored
    assert token.encode() not in stored
    assert clinic.house.count(UserToken, UserToken.used_at.is_not(None)) == 1


def test_a6_the_throttled_owner_gets_in_by_a_reset_at_once(clinic: Clinic) -> None:
    for number in range(6):
        clinic.house.browser().sign_in(email("doctor"), f"wrong {number}")
    token = mailed(clinic.house, email("doctor"), "password_reset")
    browser = clinic.browser(NOBODY)
    assert browser.sign_in(email("doctor"), PASSWORD).status_code == 429
    assert browser.post(f"/password-reset/{token}", {"password": NEW}).status_code == 303
    assert browser.sign_in(email("doctor"), NEW).status_code == 303


def test_a4_the_reason_stands_at_the_field_wherever_a_password_is_chosen(clinic: Clinic) -> None:
    browser = clinic.house.browser()
    reset = mailed(clinic.house, email("doctor"), "password_reset")
    answers = [
        browser.post(f"/password-reset/{reset}", {"password": "Our clinic 2026"}),
        browser.post(f"/invite/{clinic.invite}", {"password": "Our clinic 2026"}),
        clinic.browser("doctor").post(
            "/account/password", {"current_password": PASSWORD, "password": "Our clinic 2026"}
        ),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert "made of the clinic" in words(one(parsed(answer), "#password-error"))


# Signing in by a mailed link


@pytest.fixture
def inviting(make_house: Callable[..., House], clinic: Clinic) -> House:
    """The clinic, where patients may sign in by a link."""
    return make_house(security={"sign_in_links": True})


def test_without_the_setting_there_are_no_sign_in_links(clinic: Clinic) -> None:
    token = mailed(clinic.house, email("patient"), "sign_in", QUARTER)
    browser = clinic.browser(NOBODY)
    assert "/sign-in/link" not in browser.get("/sign-in").get_data(as_text=True)
    assert browser.get("/sign-in/link").status_code == 404
    assert browser.post(f"/sign-in/{token}").status_code == 404
    assert clinic.house.count(UserToken, UserToken.used_at.is_not(None)) == 0


def test_a8_only_patients_get_a_sign_in_link_and_nobody_sees_who_did(inviting: House) -> None:
    answers = []
    for address in (email("patient"), email("doctor"), email("admin"), "ghost@clinic.example"):
        answer = inviting.browser().post("/sign-in/link", {"email": address})
        answers.append((answer.status_code, answer.location, answer.data))
    assert set(answers) == {(303, "/sign-in", answers[0][2])}
    assert told(inviting, "sign_in_link") == [email("patient")]


def test_a11_a_sign_in_link_shows_a_button_by_get_and_signs_in_by_post_once(inviting: House) -> None:
    path = f"/sign-in/{mailed(inviting, email('patient'), 'sign_in', QUARTER)}"
    scanner, browser = inviting.browser(), inviting.browser()
    before = inviting.count(SignIn)
    for _look in range(3):
        page = scanner.get(path)
        assert (page.status_code, faults(page.get_data(as_text=True))) == (200, [])
    assert scanner.get("/appointments").status_code == 303
    assert inviting.count(SignIn) == before
    assert browser.post(path).status_code == 303
    assert browser.get("/appointments").status_code == 200
    again = inviting.browser().post(path)
    assert (again.status_code, faults(again.get_data(as_text=True))) == (410, [])


def test_a11_a_sign_in_link_works_for_a_quarter_of_an_hour(inviting: House, clinic: Clinic) -> None:
    path = f"/sign-in/{mailed(inviting, email('patient'), 'sign_in', QUARTER)}"
    clinic.clock.shift(QUARTER)
    assert inviting.browser().post(path).status_code == 410
