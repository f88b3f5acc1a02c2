"""Forms, parameters and bodies: nothing forged, malformed or far too large changes or breaks anything (W2, W3, W8)."""

from urllib.parse import quote

import pytest

from service.http import access
from service.storage.models import Export, JobRun, Treatment, User
from tests.house import PASSWORD, Browser, House
from tests.web.frozen_clinic import NOBODY, VISITORS, Clinic, email
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.pages import pages_of
from tests.web.routes import ROUTES

GARBAGE = [
    "",
    ";'\"--",
    "' OR 1=1 --",
    "0",
    "-1",
    "1.5",
    "1e9",
    "9" * 19,
    "9" * 5000,
    str(2**63),
    "%00",
    "1%00",
    "%ed%a0%80",
    "%ff",
    "٣",
    "²",
    "2026-02-30",
    "0001-01-01",
    "9999-12-31",
    "2026-05-06T00:00",
    "2026-05-06%0a",
    "20260506T080000000000-1;DROP TABLE users",
    "00010101T000000000000-1",
    "99991231T235959999999-" + "9" * 30,
    "20260506T080000000000-" + "9" * 5000,
    "20260506T080000000000-٣",
    "<script>",
    "../../etc/passwd",
]
PARAMETERS = {
    "other patient": ["/who-looked?before=", "/who-looked?patient_id="],
    "patient": ["/appointments?before=", "/treatments?before=", "/treatments?patient_id=", "/today?date="],
    "doctor": ["/today?date=", "/today?doctor_id=", "/patients/{patient}?before=", "/reports?before="],
    "receptionist": [
        "/today?date=",
        "/today?doctor_id=",
        "/patients?q=",
        "/patients?q=a&after=",
        "/patients/{patient}?before=",
        "/patients/{patient}/merge?q=",
        "/patients/{patient}/merge?other_id=",
    ],
    "admin": [
        "/audit?from=",
        "/audit?until=",
        "/audit?person=",
        "/audit?patient=",
        "/audit?sort=",
        "/audit?order=",
        "/audit?page=",
        "/audit/file?from=",
        "/users?q=",
        "/users?of=",
        "/users?after=",
        "/today?doctor_id=",
        "/today?date=",
        "/jobs?before=",
        "/reports?before=",
    ],
    NOBODY: ["/sign-in?next=", "/?before=", "/invite/{invite}?next="],
}


@pytest.mark.parametrize("visitor", PARAMETERS)
def test_w2_no_value_of_a_parameter_is_an_error_of_ours(clinic: Clinic, visitor: str) -> None:
    browser, answers = clinic.browser(visitor), {}
    for path in PARAMETERS[visitor]:
        clinic.clock.shift(60)  # searches have a budget for each minute
        for value in GARBAGE:
            asked = path.format(**clinic.ids()) + quote(value, safe="%")
            answers[asked[:120]] = browser.get(asked).status_code
    assert {asked: status for asked, status in answers.items() if status not in (200, 303, 400, 403, 404)} == {}
    assert 404 in answers.values() or visitor == NOBODY


@pytest.mark.parametrize(
    "path", ["/appointments/{}", "/patients/{}", "/reports/{}", "/appointments/{}/treatment", "/reports/{}/file"]
)
def test_w8_an_id_that_no_row_can_have_is_no_page(clinic: Clinic, path: str) -> None:
    browser = clinic.browser("doctor")
    for value in ("0", "-1", str(2**63), "9" * 40, "9" * 5000, "1.0", "x", "%00", "1%00", "%ed%a0%80", "%ff"):
        assert browser.get(path.format(value)).status_code == 404, value[:50]


CHANGES = sorted(
    name for name, expected in ROUTES.items() if "POST" in expected.answers and name not in access.TOKEN_IN_ADDRESS
)


def who_may(endpoint: str) -> str:
    return min((ROUTES[endpoint].sees or ROUTES[endpoint].enter) - {NOBODY})


@pytest.mark.parametrize("endpoint", CHANGES)
def test_w3_a_form_without_the_right_token_changes_nothing(clinic: Clinic, endpoint: str) -> None:
    expected, visitor = ROUTES[endpoint], who_may(endpoint)
    browser, stranger = clinic.browser(visitor), clinic.browser("receptionist")
    clinic.clock.shift(60)
    before = state(clinic.house)
    mine = browser.token()
    wrong = {
        "none": None,
        "empty": "",
        "made up": "IjAi.aaaa.bbbb",
        "not text": "\x00",
        "of another visitor": stranger.token(),
        "of somebody signed out": clinic.browser(NOBODY).token(),
        "changed": mine[:-5] + ("A" if mine[-5] != "A" else "B") + mine[-4:],
    }
    for kind, token in wrong.items():
        data = {**expected.filled(clinic.ids()), **({} if token is None else {"csrf_token": token})}
        assert browser.client.post(expected.at(clinic.ids()), data=data).status_code == 400, kind
    data = expected.filled(clinic.ids())
    query = f"{expected.at(clinic.ids())}?csrf_token={quote(mine)}"
    assert browser.client.post(query, data=data).status_code == 400, "a token in the address"
    assert browser.client.post(expected.at(clinic.ids()), json={**data, "csrf_token": mine}).status_code == 400
    assert state(clinic.house) == before


def state(house: House) -> list[int]:
    """How many rows of each kind there are that forms make."""
    return [house.count(table) for table in (User, Treatment, Export, JobRun)]


OPENED = {expected.path for expected in ROUTES.values() if "GET" in expected.answers}


@pytest.mark.parametrize("endpoint", [name for name in CHANGES if ROUTES[name].path not in OPENED])
def test_w3_opening_the_address_of_an_act_does_nothing(clinic: Clinic, endpoint: str) -> None:
    path, visitor = ROUTES[endpoint].at(clinic.ids()), who_may(endpoint)
    browser, before = clinic.browser(visitor), state(clinic.house)
    answer = browser.get(path)
    assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, False)
    assert state(clinic.house) == before


def test_w3_no_page_changes_anything_when_it_is_only_opened(clinic: Clinic) -> None:
    before = state(clinic.house)
    for visitor in VISITORS:
        browser = clinic.browser(visitor)
        for path in pages_of(clinic, visitor):
            browser.get(path, buffered=True)
    assert state(clinic.house) == before


def test_w3_under_tls_a_form_of_another_site_is_refused(clinic: Clinic) -> None:
    client = clinic.house.app.test_client()
    page = client.get("/sign-in", base_url="https://localhost").get_data(as_text=True)
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    data = {"csrf_token": token, "email": email("doctor"), "password": PASSWORD}
    for referer in ({}, {"Referer": "https://evil.example/"}, {"Referer": "http://localhost/"}):
        answer = client.post("/sign-in", base_url="https://localhost", data=data, headers=referer)
        assert answer.status_code == 400


def long_form(browser: Browser, size: int) -> bytes:
    return f"csrf_token={quote(browser.token())}&notes=".encode() + b"x" * size


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
def test_w8_two_mebibytes_are_too_much(clinic: Clinic, kind: str) -> None:
    browser = clinic.browser("doctor")
    answer = browser.client.post(
        f"/appointments/{clinic.begun}/treatment", data=long_form(browser, 2 * 1024 * 1024), content_type=kind
    )
    assert answer.status_code == 413
    assert clinic.house.count(Treatment) == 2


def test_w8_two_mebibytes_in_parts_are_too_much(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    parts = {"csrf_token": browser.token().encode(), "notes": b"x" * 2 * 1024 * 1024}
    heads = {name: f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() for name in parts}
    body = b"\r\n".join([*(heads[name] + value for name, value in parts.items()), b"--x--"])
    answer = browser.client.post(
        f"/appointments/{clinic.begun}/treatment", data=body, content_type="multipart/form-data; boundary=x"
    )
    assert answer.status_code == 413


def test_w8_more_fields_than_any_form_has_are_refused(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    form = {"csrf_token": browser.token(), "notes": "x", **{f"field{number}": "1" for number in range(1000)}}
    for kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        answer = browser.client.post(f"/appointments/{clinic.begun}/treatment", data=form, content_type=kind)
        assert answer.status_code in (413, 422), kind
    assert clinic.house.count(Treatment) == 2


@pytest.mark.parametrize("field", ["visit_type", "symptoms", "notes", "next_visit", "version"])
def test_w8_nul_in_a_treatment_is_refused(clinic: Clinic, field: str) -> None:
    form = {"symptoms": "fine", field: "a\x00b"}
    assert clinic.browser("doctor").post(f"/appointments/{clinic.begun}/treatment", form).status_code == 422
    assert clinic.house.count(Treatment) == 2


@pytest.mark.parametrize("field", ["email", "password", "next"])
def test_w8_nul_in_a_sign_in_is_no_error_of_ours(clinic: Clinic, field: str) -> None:
    form = {"email": email("doctor"), "password": "wrong", field: "a\x00b"}
    assert clinic.browser(NOBODY).post("/sign-in", form).status_code == 422


@pytest.mark.parametrize("name", ["diagnosis", "next_visit", "version"])
def test_w8_bytes_that_are_no_text_are_never_an_error_of_ours(clinic: Clinic, name: str) -> None:
    browser, kind = clinic.browser("doctor"), "application/x-www-form-urlencoded"
    for raw in (b"\xed\xa0\x80", b"\xff\xfe", b"%ED%A0%80", b"%FF", b"\x00", b"%00"):
        body = long_form(browser, 1) + f"&{name}=".encode() + raw
        early = browser.client.post(f"/appointments/{clinic.later}/treatment", data=body, content_type=kind)
        assert 400 <= early.status_code < 500, raw
        answer = browser.client.post(f"/appointments/{clinic.begun}/treatment", data=body, content_type=kind)
        assert answer.status_code in (303, 400, 409, 422), raw
    with clinic.house.reading() as session:
        for treatment in session.query(Treatment).all():
            assert "\0" not in treatment.diagnosis.encode("utf-8").decode("utf-8")


@pytest.mark.parametrize("path", ["/sign-in", "/setup", "/exports", "/invite/x"])
def test_w8_broken_multipart_is_no_error_of_ours(clinic: Clinic, path: str) -> None:
    browser = clinic.browser("patient")
    for body in (b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n", b"\x00" * 100):
        answer = browser.client.post(path, data=body, content_type="multipart/form-data; boundary=x")
        assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("head", ["form-data", "form-data; name="])
def test_w8_a_part_without_a_name_is_no_error_of_ours(clinic: Clinic, head: str) -> None:
    body = f"--x\r\nContent-Disposition: {head}\r\n\r\nvalue\r\n--x--\r\n"
    browser = clinic.browser("patient")
    assert (
        browser.client.post("/appointments", data=body, content_type="multipart/form-data; boundary=x").status_code
        == 400
    )
