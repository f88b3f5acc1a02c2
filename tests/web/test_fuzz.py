"""Whatever is sent, the answer is one of ours: never a 5xx, from no role, on no route."""

import os
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import patience
from tests.house import Browser, House
from tests.web.frozen_clinic import NOBODY, PEOPLE, VISITORS, Clinic, minutes
from tests.web.routes import ROUTES, Expected

pytestmark = pytest.mark.flood

EXAMPLES = int(os.environ.get("ROUNDS_TEST_EXAMPLES", "30"))
"""For each route; `make soak` tries many more."""

patient_enough = settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)
fewer = settings(patient_enough, max_examples=EXAMPLES // 2)

FIELDS = [
    "name", "email", "password", "setup_code", "next", "patient_id", "doctor_id", "visit_type", "symptoms",
    "diagnosis", "treatment", "prescription", "notes", "next_visit", "version", "csrf_token", "role", "before",
    "date", "q", "after", "of", "other_id", "phone", "birth_date", "confirm", "allergies", "alerts", "department",
    "from", "until", "person", "patient", "sort", "order", "page", "reason", "sure", "cover_doctor_id",
    "cover_first_day", "cover_last_day",
    "code", "current_password",
]  # fmt: skip
TRICKY = [
    "", " ", "0", "-1", "1", "2", "99999999999999999999", str(2**63), "9" * 5000, "1e5", "٣", "²", "\0", "a\0b", "\r\n",
    "2026-05-06", "2026-05-06T10:00", "0001-01-01", "9999-12-31", "2026-02-30", "20260506T080000000000-3",
    "20260506T080000000000-99999999999999999999", "00010101T000000000000-1", "patient@clinic.example", "a@b", "@",
    "x@" + "y" * 300, "<script>", "{{1}}", "%s%n", "'; DROP TABLE users; --", "\u202e", "\ufeff", "\U0001f600" * 100,
    "x" * 21_000, "//evil.example", "http://[", "quiet rivers run deep",
]  # fmt: skip

texts = st.sampled_from(TRICKY) | st.text(max_size=60)
raw = texts.map(str.encode) | st.binary(max_size=40)
names = st.sampled_from(FIELDS) | st.text(max_size=15)
pairs = st.lists(st.tuples(names.map(str.encode) | st.binary(max_size=10), raw), max_size=9)
addresses = st.sampled_from(["127.0.0.1", "192.0.2.7", "2001:db8::1"])
encodings = st.sampled_from(["urlencoded", "plus", "multipart", "raw"])


def body(fields: list[tuple[bytes, bytes]], encoding: str) -> tuple[bytes, str]:
    """Fields as bytes on the wire, and their content type."""
    if encoding == "multipart":
        parts = [
            b'--x\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"
            for name, value in fields
        ]
        return b"".join([*parts, b"--x--\r\n"]), "multipart/form-data; boundary=x"
    joined = b"&".join(
        name + b"=" + value if encoding == "raw" else quoted(name) + b"=" + quoted(value) for name, value in fields
    )
    return joined, "application/x-www-form-urlencoded" + ("; charset=utf-16" if encoding == "plus" else "")


def quoted(value: bytes) -> bytes:
    return quote_from_bytes(value).encode()


def known_fields(expected: Expected, ids: dict[str, object]) -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    """A valid form with some of its fields damaged, missing, or repeated."""
    good = [(name.encode(), value.encode()) for name, value in expected.filled(ids).items()]
    extra = st.lists(st.tuples(st.sampled_from(FIELDS).map(str.encode), raw), max_size=4)
    return st.tuples(st.permutations(good), extra, st.booleans()).map(
        lambda drawn: [*(drawn[0] if drawn[2] else drawn[0][1:]), *drawn[1]]
    )


POSTS = sorted(name for name, expected in ROUTES.items() if "POST" in expected.answers)


def visitors_of(expected: Expected) -> list[str]:
    return sorted(expected.enter)[:3] if NOBODY not in expected.enter else [NOBODY]


@pytest.mark.parametrize("endpoint", [name for name in POSTS if not name.startswith("setup.")])
def test_no_form_of_a_working_clinic_ends_in_an_error_of_ours(clinic: Clinic, endpoint: str) -> None:
    expected, ids = ROUTES[endpoint], clinic.ids()
    clinic.house.wiring.queue.stop(patience.SECONDS)
    browsers = {visitor: clinic.browser(visitor) for visitor in visitors_of(expected)}
    tokens = {visitor: browser.token().encode() for visitor, browser in browsers.items()}

    @(patient_enough if expected.form else fewer)
    @given(
        visitor=st.sampled_from(sorted(browsers)),
        fields=known_fields(expected, ids) | pairs,
        encoding=encodings,
        address=addresses,
        with_token=st.integers(0, 9).map(bool),
    )
    def send(visitor: str, fields: list[tuple[bytes, bytes]], encoding: str, address: str, with_token: bool) -> None:
        clinic.clock.shift(minutes(0.01))
        token = [(b"csrf_token", tokens[visitor])] if with_token else []
        assert status(browsers[visitor], expected.at(ids), [*token, *fields], encoding, address) < 500

    send()


def status(browser: Browser, path: str, fields: list[tuple[bytes, bytes]], encoding: str, address: str) -> int:
    data, kind = body(fields, encoding)
    answer = browser.client.post(
        path, data=data, content_type=kind, environ_base={"REMOTE_ADDR": address}, buffered=True
    )
    return answer.status_code


@pytest.mark.parametrize("path", ["/setup", "/setup/demo"])
def test_no_form_of_an_empty_clinic_ends_in_an_error_of_ours(house: House, path: str) -> None:
    browser = house.browser()
    token = browser.token().encode()
    good = Expected(path, ROUTES["setup.setup"].enter, {}, {"name": "Ada", "password": "short", "setup_code": "x"})

    @patient_enough
    @given(fields=known_fields(good, {}) | pairs, encoding=encodings)
    def send(fields: list[tuple[bytes, bytes]], encoding: str) -> None:
        assert status(browser, path, [(b"csrf_token", token), *fields], encoding, "192.0.2.7") < 500

    send()


GETS = sorted(name for name, expected in ROUTES.items() if "GET" in expected.answers and name != "static")


@pytest.mark.parametrize("visitor", VISITORS)
def test_no_query_ends_in_an_error_of_ours(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser(visitor)
    paths = [ROUTES[name].at(clinic.ids()).partition("?")[0] for name in GETS if visitor in ROUTES[name].enter]

    @fewer
    @given(path=st.sampled_from(paths), fields=pairs, plain=st.booleans())
    def ask(path: str, fields: list[tuple[bytes, bytes]], plain: bool) -> None:
        query = b"&".join(quoted(name) + b"=" + quoted(value) for name, value in fields).decode()
        if plain:
            query = "&".join(f"{name.decode('latin-1')}={value.decode('latin-1')}" for name, value in fields)
        answer = browser.client.get(path, query_string=query, buffered=True)
        assert answer.status_code < 500

    ask()


@pytest.mark.parametrize("visitor", [NOBODY, *PEOPLE])
def test_no_address_ends_in_an_error_of_ours(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser(visitor)
    stems = ["", "/appointments", "/patients", "/reports", "/exports", "/invite", "/jobs", "/static", "/treatments"]
    tails = ["", "/file", "/treatment", "/runs"]

    @fewer
    @given(stem=st.sampled_from(stems), part=raw, tail=st.sampled_from(tails), method=st.sampled_from(["GET", "POST"]))
    def ask(stem: str, part: bytes, tail: str, method: str) -> None:
        answer = browser.client.open(f"{stem}/{quote_from_bytes(part)}{tail}", method=method, buffered=True)
        assert answer.status_code < 500

    ask()


HEADERS = ["Cookie", "Referer", "Range", "If-Range", "If-None-Match", "If-Modified-Since", "Host", "Content-Type",
           "HX-Request", "Accept-Language", "X-Forwarded-For"]  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/sign-in", "/static/css/rounds.css", "/exports/{export}/file"])
def test_no_header_ends_in_an_error_of_ours(clinic: Clinic, path: str) -> None:
    browser = clinic.browser("patient")
    values = st.sampled_from(["bytes=-1", "bytes=5-2", "rounds=x", "rounds=;;=", "Thu, 99 Foo", "[", "*/*", "W/"])
    printable = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)

    @fewer
    @given(headers=st.dictionaries(st.sampled_from(HEADERS), values | printable, max_size=3))
    def ask(headers: dict[str, str]) -> None:
        answer = browser.client.get(path.format(**clinic.ids()), headers=headers, buffered=True)
        assert answer.status_code < 500

    ask()
