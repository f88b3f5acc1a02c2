"""Sign-in sessions as the trust checklist promises: renewed, ended on the server, limited in time (S1-S3, S5)."""

import pytest
from werkzeug.http import parse_cookie
from werkzeug.test import TestResponse

from service.models import SignIn
from tests.house import PASSWORD, Browser, House
from tests.web.clinic import Clinic, email, minutes
from tests.web.clinic import a_clinic as a_clinic
from tests.web.clinic import a_furnished_folder as a_furnished_folder
from tests.web.clinic import a_moved_clock as a_moved_clock


def cookie(browser: Browser, name: str = "rounds") -> str:
    found = browser.client.get_cookie(name)
    assert found is not None
    return str(found.value)


def replay(house: House, token: str, path: str) -> TestResponse:
    """Ask for a page with nothing but a cookie somebody kept."""
    client = house.app.test_client()
    client.set_cookie("rounds", token)
    return client.get(path)


def test_s1_signing_in_makes_a_new_token_and_the_one_before_opens_nothing(clinic: Clinic) -> None:
    browser = clinic.browser("nobody")
    browser.token()
    before = cookie(browser)
    assert browser.sign_in(email("doctor")).status_code == 303
    after = cookie(browser)
    assert after != before
    assert replay(clinic.house, after, "/today").status_code == 200
    assert replay(clinic.house, before, "/today").status_code == 303


def test_s1_a_token_planted_before_signing_in_is_not_taken_over(clinic: Clinic) -> None:
    planted = "P" * 43
    browser = clinic.browser("nobody")
    browser.client.set_cookie("rounds", planted)
    assert browser.sign_in(email("doctor")).status_code == 303
    assert cookie(browser) != planted
    assert replay(clinic.house, planted, "/today").status_code == 303


def test_s1_signing_in_again_ends_the_session_it_replaces(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    first = cookie(browser)
    assert browser.sign_in(email("doctor")).status_code == 303
    assert replay(clinic.house, first, "/today").status_code == 303
    assert replay(clinic.house, cookie(browser), "/today").status_code == 200


def test_s2_signing_out_ends_the_session_on_the_server(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    kept = cookie(browser)
    assert browser.post("/sign-out").status_code == 303
    assert replay(clinic.house, kept, "/today").status_code == 303
    assert browser.get("/today").status_code == 303
    assert clinic.house.count(SignIn, SignIn.ended_at.is_not(None)) == 1


def test_s2_signing_out_leaves_the_persons_other_browsers_alone(clinic: Clinic) -> None:
    here, there = clinic.browser("doctor"), clinic.browser("doctor")
    here.post("/sign-out")
    assert there.get("/today").status_code == 200


def test_s2_the_database_does_not_hold_the_token(clinic: Clinic) -> None:
    token = cookie(clinic.browser("doctor"))
    with clinic.house.reading() as session:
        kept = [row.token_hash for row in session.query(SignIn).all()]
    assert kept
    assert token not in kept


@pytest.mark.parametrize("visitor", ["patient", "doctor", "receptionist", "admin"])
def test_s3_an_idle_session_ends(clinic: Clinic, visitor: str) -> None:
    browser, idle = clinic.browser(visitor), clinic.house.settings.security.idle_minutes
    clinic.clock.shift(minutes(idle - 1))
    assert browser.get("/appointments", follow_redirects=True).status_code == 200
    clinic.clock.shift(minutes(idle + 1))
    answer = browser.get("/appointments")
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/appointments")


def test_s3_a_click_keeps_a_session_alive(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    for _click in range(5):
        clinic.clock.shift(minutes(10))
        assert browser.get("/today").status_code == 200


def test_s3_a_page_that_polls_does_not(clinic: Clinic) -> None:
    browser, page = clinic.browser("doctor"), f"/exports/{clinic.export}"
    for _poll in range(14):
        clinic.clock.shift(minutes(1))
        assert browser.get(page, headers={"HX-Request": "true"}).status_code == 200
    clinic.clock.shift(minutes(1.1))
    assert browser.get(page, headers={"HX-Request": "true"}).status_code == 303


@pytest.mark.parametrize(
    "extra",
    ["?skip_timeout_reset=1", "?HX-Request=true", "?keep_alive=1", "?idle_minutes=9999", "?now=2026-05-06T08:00"],
)
def test_s3_no_parameter_skips_the_limit(clinic: Clinic, extra: str) -> None:
    browser = clinic.browser("doctor")
    clinic.clock.shift(minutes(16))
    assert browser.get(f"/today{extra}").status_code == 303
    assert browser.get(f"/patients{extra}", headers={"X-Skip-Timeout": "1", "HX-Request": "true"}).status_code == 303


def test_s3_a_session_that_ended_stays_ended_when_the_clock_goes_back(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    browser.post("/sign-out")
    clinic.clock.shift(minutes(-60))
    assert browser.get("/today").status_code == 303


def test_s3_even_a_busy_session_ends_after_twelve_hours(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    for _click in range(71):
        clinic.clock.shift(minutes(10))
        assert browser.get("/today?date=2026-01-01").status_code == 200
    clinic.clock.shift(minutes(10))
    assert browser.get("/today?date=2026-01-01").status_code == 303


def flags(answer: TestResponse, name: str) -> set[str]:
    """The attributes of a cookie that an answer sets."""
    (header,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith(f"{name}=")]
    return {part.strip().lower() for part in header.split(";")[1:]}


@pytest.mark.parametrize(
    ("base_url", "name", "wanted"),
    [
        ("http://localhost", "rounds", {"httponly", "path=/", "samesite=lax"}),
        ("https://localhost", "__Host-rounds", {"httponly", "path=/", "samesite=lax", "secure"}),
    ],
)
def test_s5_the_cookie_is_closed_to_scripts_and_other_sites(
    clinic: Clinic, base_url: str, name: str, wanted: set[str]
) -> None:
    client = clinic.house.app.test_client()
    page = client.get("/sign-in", base_url=base_url)
    assert flags(page, name) == wanted
    token = page.get_data(as_text=True).partition('name="csrf_token" value="')[2].partition('"')[0]
    data = {"csrf_token": token, "email": email("doctor"), "password": PASSWORD}
    answer = client.post("/sign-in", base_url=base_url, data=data, headers={"Referer": f"{base_url}/sign-in"})
    assert answer.status_code == 303
    assert flags(answer, name) == wanted
    assert client.get("/today", base_url=base_url).status_code == 200


def test_s5_under_tls_the_plain_cookie_is_not_accepted(clinic: Clinic) -> None:
    token = cookie(clinic.browser("doctor"))
    client = clinic.house.app.test_client()
    headers = {"Cookie": f"rounds={token}"}
    assert client.get("/today", base_url="https://localhost", headers=headers).status_code == 303


def test_s5_the_notice_after_an_act_is_closed_to_scripts_and_holds_no_text(clinic: Clinic) -> None:
    answer = clinic.browser("admin").post("/dashboard")
    assert {"httponly", "samesite=lax"} <= flags(answer, "rounds_notice")
    (header,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("rounds_notice=")]
    assert parse_cookie(header)["rounds_notice"] == "refreshed"
