"""Whether the time of an answer tells an account that exists from one that does not, wherever an address is typed."""

import logging
import re
from collections.abc import Iterator
from statistics import median
from time import perf_counter

import structlog
import time_machine
from flask.testing import FlaskClient

from bench.data.clinics import PASSWORD, Bench
from bench.table import Row, in_ms
from service.app import create_app
from service.config.settings import load
from service.wiring import connect

SECTIONS = "[server]\nport = 0\n[security]\nsign_in_links = true\n[booking]\nself_registration = true\n"
KNOWN = "patient1@demo.example"
FORMS: dict[str, dict[str, str]] = {
    "/sign-in": {"password": "rapid rivers run deep"},
    "/password-reset": {},
    "/sign-in/link": {},
    "/register": {"name": "Somebody New", "password": "slow boats drift home"},
    "/account/email": {},
}
OWNER = "patient2@demo.example"
"""The signed-in user, for routes that need one."""
GOAL = 1.2
ROUNDS = 3
"""On a busy computer a round may be off; one that tells known from unknown always is."""


def rows(bench: Bench) -> Iterator[Row]:
    """Known and unknown in turn, in this process, an hour apart so that no one is throttled."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    clinic = bench.usual.copied(bench.folder / "signing-in")
    clinic.config.write_text(SECTIONS, encoding="utf-8")
    wiring = connect(load(clinic.config), "bench")
    with time_machine.travel("2036-05-06 08:00", tick=True) as clock:
        browser = create_app(wiring).test_client()
        for path, more in FORMS.items():
            yield _row(browser, clock, path, more, bench.size(60, 8))
    wiring.queue.stop(5)
    wiring.database.close()


def _row(browser: FlaskClient, clock: time_machine.Traveller, path: str, more: dict[str, str], pairs: int) -> Row:
    def asked(address: str) -> float:
        clock.shift(3700)
        if path.startswith("/account"):
            browser.post("/sign-in", data={"csrf_token": _token(browser), "email": OWNER, "password": PASSWORD})
        form = {"csrf_token": _token(browser), "email": address, **more}
        began = perf_counter()
        answer = browser.post(path, data=form, buffered=True)
        seconds = perf_counter() - began
        assert answer.status_code in (200, 303, 422), answer.status_code
        return seconds

    rounds = []
    for turn in range(ROUNDS):
        strangers = [f"ghost{turn}-{number:02}@clinic.example" for number in range(pairs)]
        times = [(asked(KNOWN), asked(stranger)) for stranger in strangers]
        known, unknown = (median(column) for column in zip(*times, strict=True))
        rounds.append((max(known, unknown) / min(known, unknown), known, unknown))
    ratio, known, unknown = min(rounds)
    return Row(
        f"{path}, a known address",
        in_ms(known),
        f"{in_ms(unknown)}, an unknown one",
        ratio,
        f"<= {GOAL}",
        ratio <= GOAL,
    )


def _token(browser: FlaskClient) -> str:
    """The form token of the page this browser is led to."""
    page = browser.get("/", follow_redirects=True).get_data(as_text=True)
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]
