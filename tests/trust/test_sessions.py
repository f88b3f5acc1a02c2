"""Sign-in sessions as the trust checklist promises: renewed, ended on the server, limited in time (S1-S7)."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.http import parse_cookie
from werkzeug.test import TestResponse

from service.domain.accounts import user_tokens
from service.storage.models import AuditEntry, Installation, Message, Patient, SignIn, TokenPurpose
from tests.house import PASSWORD, Browser, House, build
from tests.web.frozen_clinic import Clinic, email, minutes
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.mail import letter, letters, link
from tests.web.reading import attribute, faults, one, parsed, words


def cookie(browser: Browser) -> str:
    found = browser.client.get_cookie(browser.cookie_name)
    assert found is not None
    return str(found.value)


def replay(house: House, token: str, path: str) -> TestResponse:
    """Ask for a page with nothing but a cookie someone kept."""
    client = house.app.test_client()
    client.set_cookie(house.cookie_name, token)
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
    browser.client.set_cookie(browser.cookie_name, planted)
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


def test_f18_a_session_of_a_clock_that_was_ahead_is_over(clinic: Clinic) -> None:
    clinic.clock.shift(timedelta(days=60))
    browser = clinic.house.browser(email("doctor"))
    clinic.clock.shift(timedelta(minutes=-50))
    assert browser.get("/today").status_code == 200, "an hour back at the most"
    clinic.clock.shift(timedelta(days=-59))
    assert browser.get("/today").status_code == 303


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


POLL = {"HX-Request": "true"}


def test_s3_a_board_on_the_wall_goes_on_with_less_on_it(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    busy = browser.get("/today").get_data(as_text=True)
    assert "030 1234567" in busy or "+49 30 1234567" in busy
    assert "Control of the eyes" in busy
    clinic.clock.shift(minutes(16))
    for _poll in range(3):
        clinic.clock.shift(minutes(60))
        answer = browser.get("/today", headers=POLL)
        locked = answer.get_data(as_text=True)
        assert (answer.status_code, faults(locked)) == (200, [])
        assert "Pia Ahorn" in locked
        for hidden in ("1234567", "tel:", "Control of the eyes", "New glasses", "/appointments/", "/patients/"):
            assert hidden not in locked
    clinic.clock.shift(minutes(60 * 9))
    assert browser.get("/today", headers=POLL).status_code == 303


def test_s3_a_locked_board_opens_nothing_else_and_does_not_leaf(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    token = browser.token()
    clinic.clock.shift(minutes(16))
    assert browser.get("/today", headers=POLL).status_code == 200
    for path in ("/today", "/patients", f"/appointments/{clinic.begun}", "/account", "/unsent-forms"):
        assert browser.get(path).status_code == 303
    for path in ("/patients", f"/patients/{clinic.pia}", "/calendar", "/today/sheet", "/account"):
        assert browser.get(path, headers=POLL).status_code == 303
    assert "Ringing" not in browser.get("/today?date=2026-04-15", headers=POLL).get_data(as_text=True)
    assert "Wednesday, 6 May" in browser.get("/today?date=2026-04-15", headers=POLL).get_data(as_text=True)
    act = browser.client.post(f"/appointments/{clinic.begun}/arrival", data={"csrf_token": token}, headers=POLL)
    assert act.status_code == 303
    assert clinic.house.browser().get("/today", headers=POLL).status_code == 303


def test_s3_one_password_goes_on_at_a_locked_board(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    browser.get("/today")
    clinic.clock.shift(minutes(16))
    form = one(parsed(browser.get("/today?doctor_id=1", headers=POLL)), "#unlock")
    fields = {str(field["name"]): str(field.get("value", "")) for field in form.select("input")}
    assert set(fields) == {"csrf_token", "next", "password"}
    wrong = browser.client.post("/unlock", data={**fields, "password": "wrong"})
    assert (wrong.status_code, faults(wrong.get_data(as_text=True))) == (422, [])
    assert browser.get("/today").status_code == 303
    right = browser.client.post("/unlock", data={**fields, "password": PASSWORD})
    assert (right.status_code, right.location) == (303, "/today?doctor_id=1")
    assert browser.get("/today").status_code == 200


def test_a6_unlocking_is_throttled_like_signing_in(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    token = browser.token()
    clinic.clock.shift(minutes(16))
    data = {"csrf_token": token, "next": "/today"}
    statuses = [browser.client.post("/unlock", data={**data, "password": f"wrong {n}"}).status_code for n in range(7)]
    assert statuses == [422] * 5 + [429] * 2
    assert browser.client.post("/unlock", data={**data, "password": PASSWORD}).status_code == 429


@pytest.mark.parametrize("path", ["/appointments", "/today"])
def test_s3_a_patient_has_no_board_to_watch(clinic: Clinic, path: str) -> None:
    browser = clinic.browser("patient")
    clinic.clock.shift(minutes(16))
    assert browser.get(path, headers=POLL).status_code == 303


def test_s3_the_limits_go_by_role(make_house: Callable[..., House], clinic: Clinic) -> None:
    limits = {"idle_minutes": 5, "session_hours": 1, "patient_idle_minutes": 30, "patient_session_hours": 2}
    house = make_house(security=limits)
    staff, patient = house.browser(email("doctor")), house.browser(email("patient"))
    clinic.clock.shift(minutes(6))
    assert staff.get("/today").status_code == 303
    assert patient.get("/appointments").status_code == 200
    staff = house.browser(email("doctor"))
    for _click in range(29):
        clinic.clock.shift(minutes(4))
        last = staff.get("/today").status_code, patient.get("/appointments").status_code
    assert last == (303, 303)
    assert staff.get("/today").status_code == 303


# Ended from elsewhere


@pytest.mark.parametrize("act", ["disabling", "role", "sessions/removal"])
def test_s4_what_the_admin_does_holds_at_the_next_click(clinic: Clinic, act: str) -> None:
    browser, number = clinic.browser("receptionist"), clinic.people["receptionist"].user_id
    assert browser.get("/today").status_code == 200
    form = {"role": "doctor"} if act == "role" else {}
    assert clinic.browser("admin").post(f"/users/{number}/{act}", form).status_code == 303
    assert browser.get("/today").status_code == 303
    assert browser.get("/today", headers=POLL).status_code == 303


def test_s4_a_new_role_opens_and_closes_doors(clinic: Clinic) -> None:
    number, house = clinic.people["receptionist"].user_id, clinic.house
    admin = clinic.browser("admin")
    assert admin.post(f"/users/{number}/role", {"role": "doctor"}).location == f"/users/{number}"
    assert house.actor(email("receptionist")).doctor_id is not None
    assert house.browser(email("receptionist")).get("/patients/new").status_code == 403
    admin.post(f"/users/{number}/role", {"role": "admin"})
    assert house.browser(email("receptionist")).get("/users").status_code == 200
    assert house.count(AuditEntry, AuditEntry.act == "user.role") == 2


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [
        ("admin", "receptionist", 409),
        ("patient", "admin", 409),
        ("doctor", "patient", 422),
        ("doctor", "system", 422),
        ("doctor", "", 422),
    ],
)
def test_s4_roles_that_are_not_given(clinic: Clinic, who: str, role: str, status: int) -> None:
    number, before = clinic.people[who].user_id, clinic.people[who].role
    assert clinic.browser("admin").post(f"/users/{number}/role", {"role": role}).status_code == status
    assert clinic.house.actor(email(who)).role == before


def test_s4_a5_a_new_password_ends_every_session(clinic: Clinic) -> None:
    here, there = clinic.browser("doctor"), clinic.browser("doctor")
    change = {"current_password": PASSWORD, "password": "slow boats drift home"}
    assert here.post("/account/password", {**change, "current_password": "wrong"}).status_code == 422
    assert there.get("/today").status_code == 200
    assert here.post("/account/password", change).location == "/sign-in"
    assert (here.get("/today").status_code, there.get("/today").status_code) == (303, 303)
    assert here.sign_in(email("doctor")).status_code == 422
    assert here.sign_in(email("doctor"), "slow boats drift home").status_code == 303


# Seen and ended


def test_s6_one_sees_where_one_is_signed_in_and_ends_one(clinic: Clinic) -> None:
    here = clinic.browser("doctor")
    there = clinic.house.browser()
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
    data = {"csrf_token": there.token(), "email": email("doctor"), "password": PASSWORD}
    there.client.post("/sign-in", data=data, headers={"User-Agent": firefox})
    page = parsed(here.get("/account"))
    assert "Firefox on Windows" in words(page.find("main"))
    assert "This browser" in words(page.find("main"))
    action = attribute(page, "form[action*='/account/sessions/'][action$='/removal']", "action")
    assert here.post(action).status_code == 303
    assert (here.get("/today").status_code, there.get("/today").status_code) == (200, 303)


def test_s6_all_others_end_at_once(clinic: Clinic) -> None:
    here, others = clinic.browser("doctor"), [clinic.browser("doctor") for _browser in range(3)]
    assert here.post("/account/sessions/removal").status_code == 303
    assert here.get("/today").status_code == 200
    assert [one.get("/today").status_code for one in others] == [303] * 3


def test_s6_only_administrators_end_other_users_sessions(clinic: Clinic) -> None:
    victim, number = clinic.browser("doctor"), clinic.session("doctor")
    assert clinic.browser("other doctor").post(f"/account/sessions/{number}/removal").status_code == 404
    assert clinic.browser("admin").post(f"/account/sessions/{number}/removal").status_code == 404
    assert victim.get("/today").status_code == 200
    page = clinic.browser("admin").get(f"/users/{clinic.people['doctor'].user_id}")
    assert "from 127.0.0.1" in words(parsed(page).find("main"))


# The password again


@pytest.mark.parametrize(
    ("visitor", "path", "form"),
    [
        ("doctor", "/account/email", {"email": "new@clinic.example"}),
        ("patient", "/account/phone", {"phone": "030 7654321"}),
        ("doctor", "/account/second-factor", {}),
        ("doctor", "/account/second-factor/confirmation", {"code": "123456"}),
        ("doctor", "/account/second-factor/codes", {}),
        ("doctor", "/account/second-factor/removal", {}),
    ],
)
def test_s7_a_session_left_open_is_not_enough_for_private_changes(
    clinic: Clinic, visitor: str, path: str, form: dict[str, str]
) -> None:
    browser = clinic.browser(visitor)
    for _click in range(2):
        clinic.clock.shift(minutes(8))
        browser.get("/account")
    asked = browser.post(path, form)
    assert (asked.status_code, asked.location) == (303, f"/account/proof?next={path}")
    assert clinic.house.count(Message, Message.rule == "account_changed") == 0
    wrong = browser.post("/account/proof", {"password": "wrong", "next": path})
    assert (wrong.status_code, faults(wrong.get_data(as_text=True))) == (422, [])
    assert browser.post(path, form).location == f"/account/proof?next={path}"
    assert browser.post("/account/proof", {"password": PASSWORD, "next": path}).status_code == 303
    assert "/account/proof" not in (browser.post(path, form).location or "")


def test_s7_the_old_address_is_told_of_the_new_one(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    assert browser.post("/account/email", {"email": "Pia.New@Mail.example"}).location == "/account"
    prove(clinic)
    with clinic.house.reading() as session:
        (note,) = session.query(Message).filter(Message.rule == "account_changed").all()
        assert (note.recipient, note.event) == (email("patient"), "user.email")
        assert session.get_one(Patient, clinic.pia).email == "Pia.New@Mail.example"
    assert clinic.house.browser().sign_in(email("patient")).status_code == 422
    assert clinic.house.browser().sign_in("pia.new@mail.example").status_code == 303


def test_s7_a_new_phone_number_is_reported_by_mail(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    assert browser.post("/account/phone", {"phone": "12"}).status_code == 422
    assert browser.post("/account/phone", {"phone": "030 7654321"}).location == "/account"
    with clinic.house.reading() as session:
        assert session.get_one(Patient, clinic.pia).phone == "+49307654321"
        assert [row.event for row in session.query(Message).filter(Message.rule == "account_changed")] == ["user.phone"]


def prove(clinic: Clinic) -> None:
    """Open the link that was mailed to a new address, and press its button: the record bears it too."""
    path = link(letter(clinic, "email_proof"), "account/email")
    assert clinic.browser("nobody").post(path).location == f"/account?changed={clinic.pia}"


def test_h8_an_address_of_another_account_is_answered_like_a_free_one_and_changes_nothing(clinic: Clinic) -> None:
    letters(clinic)
    free = clinic.browser("doctor").post("/account/email", {"email": "free@clinic.example"})
    taken = clinic.browser("doctor").post("/account/email", {"email": email("admin")})
    assert (taken.status_code, taken.location) == (free.status_code, free.location) == (303, "/account")
    assert [one.recipient for one in letters(clinic)] == [email("admin")]
    assert clinic.house.count(Message, Message.rule == "account_changed") == 0
    assert clinic.house.browser(email("doctor")).get("/today").status_code == 200


@pytest.mark.parametrize("field", ["role", "disabled_at", "password_hash", "user_id", "version"])
def test_z4_the_account_forms_take_only_their_own_fields(clinic: Clinic, field: str) -> None:
    browser = clinic.browser("patient")
    for path, form in (("name", {"name": "Pia"}), ("email", {"email": "a@b.example"}), ("phone", {"phone": ""})):
        assert browser.post(f"/account/{path}", {**form, field: "admin"}).status_code == 422
    assert clinic.house.actor(email("patient")).role == "patient"


def flags(answer: TestResponse, name: str) -> set[str]:
    """The attributes of a cookie that an answer sets."""
    (header,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith(f"{name}=")]
    return {part.strip().lower() for part in header.split(";")[1:]}


@pytest.mark.parametrize(
    ("base_url", "prefix", "wanted"),
    [
        ("http://localhost", "", {"httponly", "path=/", "samesite=lax"}),
        ("https://localhost", "__Host-", {"httponly", "path=/", "samesite=lax", "secure"}),
    ],
)
def test_s5_the_cookie_is_closed_to_scripts_and_other_sites(
    clinic: Clinic, base_url: str, prefix: str, wanted: set[str]
) -> None:
    name = prefix + clinic.house.cookie_name
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
    headers = {"Cookie": f"{clinic.house.cookie_name}={token}"}
    assert client.get("/today", base_url="https://localhost", headers=headers).status_code == 303


def test_p5_two_clinics_on_one_computer_keep_both_sessions(clinic: Clinic, other_house: House) -> None:
    jar = clinic.browser("admin")
    other = Browser(other_house.app.test_client(), other_house)
    other.client._cookies = jar.client._cookies  # one browser: hosts count, ports do not
    assert other.sign_in("desk@other.example").status_code == 303
    assert other.get("/today").status_code == 200
    assert jar.get("/dashboard").status_code == 200
    assert jar.post("/dashboard").status_code == 303
    assert b"Statistics updated" not in other.get("/today").data
    assert b"Statistics updated" in jar.get("/dashboard").data
    assert other.post("/sign-out").status_code == 303
    assert jar.get("/dashboard").status_code == 200


def test_p5_sessions_with_the_old_cookie_name_continue_with_the_new_one(clinic: Clinic) -> None:
    token = cookie(clinic.browser("doctor"))
    client = clinic.house.app.test_client()
    client.set_cookie("rounds", token)
    assert client.get("/today").status_code == 200
    client.delete_cookie("rounds")
    assert client.get("/today").status_code == 200
    kept = client.get_cookie(clinic.house.cookie_name)
    assert kept is not None
    assert kept.value == token


def test_p5_the_clinic_s_name_wins_over_the_name_before(clinic: Clinic) -> None:
    client = clinic.house.app.test_client()
    client.set_cookie("rounds", cookie(clinic.browser("patient")))
    client.set_cookie(clinic.house.cookie_name, cookie(clinic.browser("doctor")))
    assert client.get("/today").status_code == 200


@pytest.fixture(name="other_house")
def another_clinic(migrated: Path, tmp_path: Path) -> Iterator[House]:
    """A second clinic on this computer, with an id of its own."""
    folder = tmp_path / "other"
    folder.mkdir()
    shutil.copy(migrated, folder / "rounds.db")
    made = build(folder)
    with made.writing() as session:
        session.get_one(Installation, 1).clinic_id = "f" * 32
    made.user("receptionist", "desk@other.example", "Olga Other")
    yield made
    made.wiring.database.close()


def test_s5_the_notice_after_an_act_is_closed_to_scripts_and_holds_no_text(clinic: Clinic) -> None:
    name = f"{clinic.house.cookie_name}-notice"
    answer = clinic.browser("admin").post("/dashboard")
    assert {"httponly", "samesite=lax"} <= flags(answer, name)
    (header,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith(f"{name}=")]
    assert parse_cookie(header)[name] == "refreshed"


def test_s7_links_in_the_old_mailbox_die_with_the_old_address(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        token = user_tokens.issue(session, clinic.people["patient"].user_id or 0, TokenPurpose.PASSWORD_RESET)
    assert clinic.browser("patient").post("/account/email", {"email": "pia.new@mail.example"}).status_code == 303
    prove(clinic)
    assert clinic.browser("nobody").get(f"/password-reset/{token}").status_code == 410


def test_a10_a_live_page_does_not_refresh_while_the_second_factor_is_missing(
    make_house: Callable[..., House], clinic: Clinic
) -> None:
    strict = make_house(security={"require_second_factor": True})
    browser = strict.browser(email("receptionist"))
    clinic.clock.shift(minutes(16))
    assert browser.get("/today", headers=POLL).status_code == 303
