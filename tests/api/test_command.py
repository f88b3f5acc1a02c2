"""`run.py token` and the pages of tokens: how someone comes by one."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from service.storage.models import ApiToken
from tests.api.program import Program
from tests.house import PASSWORD
from tests.process.launching import configure, run, sentence
from tests.web.frozen_clinic import Clinic, minutes

ADA = ("--email", "ada@clinic.example")


@pytest.fixture(name="folder", scope="module")
def a_folder_with_an_admin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    configure(folder)
    made = run(folder, "add-user", "--role", "admin", *ADA, "--name", "Ada", "--password-stdin", given=PASSWORD)
    assert made.returncode == 0, made.stderr
    return folder


def test_the_token_stands_alone_on_the_last_line(folder: Path) -> None:
    for more in ((), ("--scope", "read", "--scope", "book", "--days", "7")):
        done = run(folder, "token", *ADA, "--name", "Web site", *more)
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(r"rounds_[A-Za-z0-9_-]{43}", done.stdout.splitlines()[-1])


def test_what_cannot_be_is_one_line(folder: Path) -> None:
    assert "nobody@clinic.example" in sentence(run(folder, "token", "--email", "nobody@clinic.example", "--name", "x"))
    assert run(folder, "token", *ADA, "--name", "x", "--scope", "all").returncode == 2


def test_a_token_of_a_page_works_and_is_revoked_there(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    page = browser.post("/account/tokens", {"label": "Web site", "scopes": ["read", "book"], "days": "30"})
    token = re.search(r'id="token"[^>]*>([^<]+)<', page.text)
    assert token is not None
    caller = Program(clinic.house.app, token[1])
    assert caller.get("/doctors").status_code == 200
    assert caller.get("/reports").status_code == 403
    listed = browser.get("/account/tokens").text
    assert "Web site" in listed
    assert token[1] not in listed
    clinic.clock.shift(timedelta(minutes=1))
    action = re.search(r'action="(/account/tokens/\d+/removal)"', listed)
    assert action is not None
    assert browser.post(action[1]).status_code == 303
    assert caller.get("/doctors").status_code == 401
    assert "Web site" not in browser.get("/account/tokens").text


def test_the_admin_sees_and_revokes_everybody_s(clinic: Clinic) -> None:
    listed = clinic.browser("admin")
    assert "Calendar" in listed.get("/tokens").text
    assert listed.post(f"/tokens/{clinic.token}/removal").status_code == 303
    assert "Calendar" not in listed.get("/tokens").text


@pytest.mark.parametrize(
    "fields",
    [{"label": "", "scopes": "read"}, {"label": "x"}, {"label": "x", "scopes": "all"}, {"label": "x", "days": "1"}],
)
def test_a_form_that_is_not_fit_is_kept(clinic: Clinic, fields: dict[str, str]) -> None:
    before = clinic.house.count(ApiToken)
    page = clinic.browser("doctor").post("/account/tokens", fields)
    assert page.status_code == 422
    assert 'class="invalid-feedback"' in page.text
    assert clinic.house.count(ApiToken) == before


def test_s7_making_one_asks_for_the_password_again(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    token = browser.token()
    clinic.clock.shift(minutes(14))
    browser.get("/today")
    clinic.clock.shift(minutes(2))
    answer = browser.client.post("/account/tokens", data={"csrf_token": token, "label": "x", "scopes": "read"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/proof?next=/account/tokens")


def test_so_many_tokens_are_enough(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    wish = {"label": "x", "scopes": "read", "days": ""}
    found = [browser.post("/account/tokens", wish).status_code for _ in range(21)]
    assert found == [200] * 20 + [409]
