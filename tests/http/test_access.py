"""The access matrix: every route, every method, every visitor, with rows of one's own, of others, and missing ones."""

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from service.api import access as api_access
from service.app import create_app
from service.http import access, unsent_forms
from service.web import pages
from tests.house import Browser, House
from tests.web.frozen_clinic import (
    MISSING,
    NOBODY,
    VISITORS,
    Clinic,
    minutes,
)
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.routes import REDIRECTED, ROUTES, Expected

VERBS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


def ask(browser: Browser, method: str, expected: Expected, ids: dict[str, object], token: str) -> TestResponse:
    data = {"csrf_token": token, **expected.filled(ids)} if method == "POST" else None
    return browser.client.open(expected.at(ids), method=method, data=data, buffered=True)


def signed(clinic: Clinic, visitor: str) -> tuple[Browser, str]:
    browser = clinic.browser(visitor)
    return browser, browser.token()


def test_every_route_has_an_expectation(house: House) -> None:
    assert {rule.endpoint for rule in house.app.url_map.iter_rules()} - api_access.ACCESS.keys() == ROUTES.keys()


def test_every_method_of_every_route_has_an_expectation(house: House) -> None:
    for rule in house.app.url_map.iter_rules():
        if rule.endpoint in api_access.ACCESS:
            continue  # tests/api/test_access.py
        assert (rule.methods or set()) - {"HEAD", "OPTIONS"} == ROUTES[rule.endpoint].answers.keys(), rule.endpoint


def test_the_app_does_not_start_with_a_route_that_does_not_say_who_may_enter(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(pages.ACCESS, "reports.file")
    with pytest.raises(RuntimeError, match=r"reports\.file"):
        create_app(house.wiring)


def test_the_app_does_not_start_with_an_entry_that_has_no_route(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pages.ACCESS, "reports.shred", access.STAFF)
    with pytest.raises(RuntimeError, match=r"reports\.shred"):
        create_app(house.wiring)


def test_a_new_page_without_an_entry_stops_the_start() -> None:
    app = Flask("somewhere")
    app.add_url_rule("/new", "new.page", lambda: "hello")
    with pytest.raises(RuntimeError, match=r"new\.page"):
        access.install(app, pages.ACCESS, api_access.ACCESS)


@pytest.mark.parametrize("endpoint", sorted(ROUTES))
def test_z1_each_method_answers_each_visitor_as_expected(clinic: Clinic, endpoint: str) -> None:
    expected, own = ROUTES[endpoint], clinic.ids()
    found, wanted = {}, {}
    for visitor in VISITORS:
        browser, token = signed(clinic, visitor)
        clinic.clock.shift(minutes(1.5))  # failed sign-ins count for five
        own["free"] = f"2026-06-01T{8 + VISITORS.index(visitor):02}:00"  # a time is booked once
        for method in sorted(expected.answers):
            if expected.once and method == "POST" and visitor in expected.sees - expected.refused - {"admin"}:
                continue
            found[visitor, method] = ask(browser, method, expected, own, token).status_code
            wanted[visitor, method] = status_for(expected, endpoint, visitor, method)
    assert found == wanted


def status_for(expected: Expected, endpoint: str, visitor: str, method: str) -> int:
    if visitor not in expected.enter:
        return signed_out(expected, method) if visitor == NOBODY else 403
    if expected.sees and visitor not in expected.sees:
        return expected.missing
    if visitor in expected.refused:
        return 403
    if method == "GET":
        return REDIRECTED.get((endpoint, visitor), expected.answers["GET"])
    return expected.otherwise.get(visitor, expected.answers[method])


def signed_out(expected: Expected, method: str) -> int:
    """To the sign-in page; a form with text in it is not thrown away, so it stands on a page that says so."""
    typed = {name: [value] for name, value in expected.form.items() if name not in unsent_forms.SECRETS}
    return 403 if method == "POST" and unsent_forms.has_text(typed) else 303


@pytest.mark.parametrize("visitor", VISITORS)
def test_z1_head_answers_like_get_without_a_body(clinic: Clinic, visitor: str) -> None:
    browser, token = signed(clinic, visitor)
    for endpoint, expected in ROUTES.items():
        if "GET" in expected.answers:
            page = ask(browser, "GET", expected, clinic.ids(), token)
            head = ask(browser, "HEAD", expected, clinic.ids(), token)
            assert (head.status_code, head.data) == (page.status_code, b""), endpoint


@pytest.mark.parametrize("visitor", VISITORS)
def test_z1_options_opens_nothing(clinic: Clinic, visitor: str) -> None:
    browser, token = signed(clinic, visitor)
    for endpoint, expected in ROUTES.items():
        answer = ask(browser, "OPTIONS", expected, clinic.ids(), token)
        if any(visitor in one.enter for one in ROUTES.values() if one.path == expected.path):
            assert (answer.status_code, answer.data) == (200, b""), endpoint
        else:
            assert answer.status_code == (303 if visitor == NOBODY else 403), endpoint


@pytest.mark.parametrize("visitor", VISITORS)
def test_z1_other_methods_are_refused(clinic: Clinic, visitor: str) -> None:
    browser, token = signed(clinic, visitor)
    known: dict[str, set[str]] = {}
    for expected in ROUTES.values():
        known.setdefault(expected.at(clinic.ids()), {"HEAD", "OPTIONS"}).update(expected.answers)
    for path, methods in known.items():
        for method in set(VERBS) - methods - ({"HEAD"} if "GET" not in methods else set()):
            answer = browser.client.open(path, method=method, data={"csrf_token": token})
            assert answer.status_code == 405, (method, path)


def test_z1_nobody_is_sent_to_sign_in_and_back_to_the_page_asked_for(clinic: Clinic) -> None:
    browser, token = signed(clinic, NOBODY)
    for endpoint, expected in ROUTES.items():
        if NOBODY in expected.enter:
            continue
        for method in expected.answers:
            answer = ask(browser, method, expected, clinic.ids(), token)
            if signed_out(expected, method) == 403:
                assert (answer.status_code, b'href="/sign-in"' in answer.data) == (403, True), endpoint
                continue
            target = urlsplit(answer.location)
            assert (answer.status_code, target.path) == (303, "/sign-in"), endpoint
            assert parse_qs(target.query) == {"next": [expected.at(clinic.ids())]}, endpoint


def test_z1_signed_out_changes_nothing_even_without_a_form_token(clinic: Clinic) -> None:
    answer = clinic.browser(NOBODY).client.post(f"/appointments/{clinic.begun}/treatment", data={"notes": "x"})
    assert answer.status_code == 303
    assert urlsplit(answer.location).path == "/sign-in"


@pytest.mark.parametrize("endpoint", sorted(name for name, route in ROUTES.items() if route.sees))
def test_z2_someone_elses_row_gets_the_same_bytes_as_a_missing_one(clinic: Clinic, endpoint: str) -> None:
    expected, tried = ROUTES[endpoint], 0
    for visitor in VISITORS:
        if visitor not in expected.enter:
            continue
        browser, token = signed(clinic, visitor)
        for method in (*expected.answers, *(["HEAD"] if "GET" in expected.answers else [])):
            missing = ask(browser, method, expected, MISSING, token)
            assert missing.status_code == expected.missing
            if visitor in expected.sees:
                continue
            foreign = ask(browser, method, expected, clinic.ids(), token)
            assert (foreign.status_code, foreign.data) == (missing.status_code, missing.data)
            assert comparable(foreign) == comparable(missing)
            tried += 1
    assert tried or expected.sees == expected.enter


def comparable(answer: TestResponse) -> list[tuple[str, str]]:
    """The headers without the number of the request."""
    assert "Content-Length" in answer.headers
    return sorted((name, value) for name, value in answer.headers if name not in ("X-Request-ID", "Date"))
