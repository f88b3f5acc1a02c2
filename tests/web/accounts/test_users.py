"""The invite link: opening it changes nothing, using it sets the password, and then it is used up."""

import pytest
from sqlalchemy import inspect, text

from service.storage.models import UserToken
from tests.web.frozen_clinic import NOBODY, Clinic, minutes
from tests.web.reading import parsed, words

PASSWORD = "slow boats drift home"
NINA = "nina@clinic.example"


def test_opening_the_link_greets_by_name_and_changes_nothing(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    for _look in range(3):
        answer = browser.get(f"/invite/{clinic.invite}")
        assert answer.status_code == 200
        assert words(parsed(answer).find("h1")) == "Welcome, Nina Neu"
    assert clinic.house.count(UserToken, UserToken.used_at.is_not(None)) == 0
    assert browser.sign_in(NINA, PASSWORD).status_code == 422


def test_using_the_link_sets_the_password_once(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    answer = browser.post(f"/invite/{clinic.invite}", {"password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    again = browser.post(f"/invite/{clinic.invite}", {"password": "another one of mine"})
    assert again.status_code == 410
    assert browser.get(f"/invite/{clinic.invite}").status_code == 410
    assert browser.sign_in(NINA, "another one of mine").status_code == 422
    assert browser.sign_in(NINA, PASSWORD).status_code == 303


def test_a_dead_link_names_nobody(clinic: Clinic) -> None:
    clinic.browser(NOBODY).post(f"/invite/{clinic.invite}", {"password": PASSWORD})
    browser = clinic.browser(NOBODY)
    used, unknown = browser.get(f"/invite/{clinic.invite}"), browser.get(f"/invite/{'x' * 43}")
    assert "Nina" not in used.get_data(as_text=True)
    assert words(parsed(used)) == words(parsed(unknown))


def test_a_link_is_too_old_after_seven_days(clinic: Clinic) -> None:
    clinic.clock.shift(minutes(7 * 24 * 60 - 1))
    assert clinic.browser(NOBODY).get(f"/invite/{clinic.invite}").status_code == 200
    clinic.clock.shift(minutes(1))
    assert clinic.browser(NOBODY).get(f"/invite/{clinic.invite}").status_code == 410
    assert clinic.browser(NOBODY).post(f"/invite/{clinic.invite}", {"password": PASSWORD}).status_code == 410


@pytest.mark.parametrize("password", ["", "fourteen chars", "a" * 30, "x" * 1001])
def test_a_weak_password_is_refused_and_the_link_stays_good(clinic: Clinic, password: str) -> None:
    browser = clinic.browser(NOBODY)
    assert browser.post(f"/invite/{clinic.invite}", {"password": password}).status_code == 422
    assert browser.post(f"/invite/{clinic.invite}", {"password": PASSWORD}).status_code == 303


def test_a11_the_token_is_nowhere_in_the_database(clinic: Clinic) -> None:
    assert len(clinic.invite) >= 22
    with clinic.house.reading() as session:
        for table in inspect(session.get_bind()).get_table_names():
            rows = session.execute(text(f"SELECT * FROM {table}")).all()
            assert clinic.invite not in repr(rows), table


def test_the_link_works_while_someone_else_is_signed_in(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    assert browser.post(f"/invite/{clinic.invite}", {"password": PASSWORD}).status_code == 303
    assert clinic.browser(NOBODY).sign_in(NINA, PASSWORD).status_code == 303
