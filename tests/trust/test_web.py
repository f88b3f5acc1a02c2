"""The web face: headers, where a sign-in leads, foreign hosts, and what errors tell (W4-W7)."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from service.domain.appointments import appointments
from tests.house import PASSWORD
from tests.web.frozen_clinic import (
    NOBODY,
    VISITORS,
    Clinic,
    email,
)
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.frozen_clinic import the_log as the_log
from tests.web.pages import pages_of


def dressed(answer: TestResponse) -> None:
    """Every header that a page of ours carries."""
    directives = {part.split()[0]: part.split()[1:] for part in answer.headers["Content-Security-Policy"].split(";")}
    assert directives == {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "Server" not in answer.headers
    assert "X-Powered-By" not in answer.headers


@pytest.mark.parametrize("visitor", VISITORS)
def test_w4_every_answer_wears_the_headers(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser(visitor)
    files = ["/static/css/rounds.css", "/static/nothing.css", "/livez", f"/exports/{clinic.export}/file"]
    for path in [*pages_of(clinic, visitor), *files, f"/reports/{clinic.report}/file", "/"]:
        answer = browser.get(path, buffered=True)
        dressed(answer)
        assert "Strict-Transport-Security" not in answer.headers
    dressed(browser.client.post("/sign-in", data={}))
    dressed(browser.client.post("/dashboard", data=b"x" * 2_000_000, content_type="application/x-www-form-urlencoded"))
    dressed(browser.client.delete("/today"))


def test_w4_strict_transport_only_under_tls(clinic: Clinic) -> None:
    answer = clinic.house.app.test_client().get("/sign-in", base_url="https://localhost")
    dressed(answer)
    assert int(re.findall(r"max-age=(\d+)", answer.headers["Strict-Transport-Security"])[0]) >= 31_536_000


ASTRAY = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "///evil.example",
    "////evil.example/today",
    "http:evil.example",
    "http://evil.example/today",
    "https:/evil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/today\r\nX-Evil: 1",
    "/..//evil.example",
    "/today/../..//evil.example",
    "/.//evil.example",
    "/today\\@evil.example",
    "@evil.example",
    "evil.example",
    "/sign-out",
    "/exports",
    "/setup/demo",
    "/nowhere",
    "/töday",
    "/invite/x\r\nX-Evil: 1",
    "/invite/\tx",
    "/exports/\\evil.example",
    "/exports/a b",
    "/static/\\..\\evil.example",
    "/static/ü",
]


def test_w5_after_signing_in_nobody_is_led_astray(clinic: Clinic) -> None:
    for target in ASTRAY:
        answer = clinic.browser(NOBODY).sign_in(email("doctor"), PASSWORD, next=target)
        assert (answer.status_code, answer.location) == (303, "/"), target
        assert "X-Evil" not in answer.headers


def test_w5_neither_is_a_visitor_who_is_signed_in_already(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    for target in ASTRAY:
        answer = browser.get(f"/sign-in?next={quote(target, safe='')}")
        assert (answer.status_code, answer.location) == (303, "/"), target


def test_w5_pages_of_ours_are_come_back_to(clinic: Clinic) -> None:
    for target in ("/today", "/today?date=2026-05-06&doctor_id=", "/appointments/1", "/reports?x=//a"):
        assert clinic.browser(NOBODY).sign_in(email("doctor"), PASSWORD, next=target).location == target


FOREIGN = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "10.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "evil.example@localhost",
    "evil.example#localhost",
    "evil.example/localhost",
    "localhost:x",
    "[",
    "[::1",
    "a b",
]


@pytest.mark.parametrize("path", ["/", "/sign-in", "/livez", "/static/css/rounds.css", "/nowhere"])
def test_w6_a_foreign_host_name_is_refused(clinic: Clinic, path: str) -> None:
    browser = clinic.browser(NOBODY)
    for host in FOREIGN:
        answer = browser.get(path, headers={"Host": host}, buffered=True)
        assert answer.status_code == 400, host
        assert "evil" not in answer.get_data(as_text=True)
        assert "Location" not in answer.headers


def test_w6_names_of_this_computer_are_fine(clinic: Clinic) -> None:
    browser = clinic.browser(NOBODY)
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "192.168.1.20:8000"):
        assert browser.get("/livez", headers={"Host": host}).status_code == 200, host


def test_w7_an_unexpected_error_shows_a_reference_that_the_log_knows_and_nothing_else(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise KeyError("Pia Ahorn's secret")

    browser = clinic.browser("doctor")
    monkeypatch.setattr(appointments, "day", broken)
    answer = browser.get("/today")
    page, log = answer.get_data(as_text=True), logged()
    assert answer.status_code == 500
    reference = answer.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{12}", reference)
    assert reference in page
    (line,) = [line for line in log.splitlines() if "unexpected error" in line]
    assert reference in line
    assert "KeyError" in line
    for word in ("Traceback", "KeyError", "secret", "Pia", ".py", "line "):
        assert word not in page, word
    assert "secret" not in log
    assert "Pia" not in log


def test_w7_debug_is_off(clinic: Clinic) -> None:
    assert clinic.house.app.debug is False
    assert clinic.browser("admin").get("/console").status_code == 404
