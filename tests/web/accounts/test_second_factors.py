"""The second factor: set up by its owner, asked for at sign-in, each code once, taken off by the admin (A10)."""

from collections.abc import Callable

import pytest

from service.storage.models import AuditEntry, Message, RecoveryCode, SecondFactor, SignIn, User
from tests.house import PASSWORD, Browser, House
from tests.web.accounts.authenticator import Telephone, secret_on, set_up
from tests.web.frozen_clinic import NOBODY, Clinic, email, mailed, minutes
from tests.web.reading import faults, one, parsed, words

NEW = "slow boats drift home"
SHORT = "kxjdrtmw"


def away(clinic: Clinic) -> Telephone:
    """The doctor's phone, half a minute after the second factor was set up with it."""
    telephone = set_up(clinic.browser("doctor"))
    clinic.clock.shift(30)
    return telephone


def with_password(clinic: Clinic, **more: str) -> Browser:
    """A browser in which the doctor's password was given."""
    browser = clinic.house.browser()
    answer = browser.sign_in(email("doctor"), **more)
    assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/sign-in")
    return browser


def give(browser: Browser, code: str, **more: str) -> int:
    """The status after a code was sent by the second page of signing in."""
    page = parsed(browser.get("/sign-in"))
    token = str(one(page, "input[name=csrf_token]")["value"])
    return browser.client.post("/sign-in", data={"csrf_token": token, "code": code, **more}).status_code


def test_a10_after_the_password_a_code_is_asked_for_and_nothing_is_open_before(clinic: Clinic) -> None:
    telephone = away(clinic)
    browser = with_password(clinic)
    assert browser.get("/today").status_code == 303
    assert words(parsed(browser.get("/sign-in")).find("h1")) == "One more step"
    assert give(browser, telephone.code()) == 303
    assert browser.get("/today").status_code == 200


def test_a10_the_code_may_come_with_the_password_in_one_form(clinic: Clinic) -> None:
    telephone = away(clinic)
    browser = clinic.house.browser()
    assert browser.sign_in(email("doctor"), code=telephone.code(), next="/reports").location == "/reports"
    assert browser.get("/reports").status_code == 200


def test_a10_the_same_code_twice_is_refused_the_second_time(clinic: Clinic) -> None:
    telephone = away(clinic)
    code = telephone.code()
    assert give(with_password(clinic), code) == 303
    assert give(with_password(clinic), code) == 422
    clinic.clock.shift(30)
    assert give(with_password(clinic), code) == 422
    assert give(with_password(clinic), telephone.code()) == 303


def test_a10_a_clock_half_a_minute_off_is_forgiven_and_no_more(clinic: Clinic) -> None:
    telephone = away(clinic)
    early = telephone.code()
    clinic.clock.shift(30)
    assert give(with_password(clinic), early) == 303
    stale = telephone.code()
    clinic.clock.shift(90)
    assert give(with_password(clinic), stale) == 422


def test_a10_guessing_codes_is_throttled_on_its_own(clinic: Clinic) -> None:
    telephone = away(clinic)
    browser = with_password(clinic)
    assert [give(browser, f"00000{number}") for number in range(7)] == [422] * 5 + [429] * 2
    assert give(with_password(clinic), telephone.code()) == 429
    clinic.clock.shift(minutes(5.1))
    assert give(with_password(clinic), telephone.code()) == 303


def test_a10_a_recovery_code_opens_once_in_the_place_of_the_phone(clinic: Clinic) -> None:
    telephone = away(clinic)
    assert len(set(telephone.recovery_codes)) == 10
    first, second = telephone.recovery_codes[:2]
    assert give(with_password(clinic), first.upper().replace("-", " ")) == 303
    assert give(with_password(clinic), first) == 422
    assert give(with_password(clinic), second) == 303
    assert clinic.house.count(RecoveryCode, RecoveryCode.used_at.is_(None)) == 8


def test_a10_neither_secret_nor_codes_rest_in_the_database(clinic: Clinic) -> None:
    telephone = away(clinic)
    with clinic.house.reading() as session:
        kept = repr([vars(row) for row in (*session.query(SecondFactor), *session.query(RecoveryCode))])
    assert telephone.secret not in kept
    for code in telephone.recovery_codes:
        assert code not in kept
        assert code.replace("-", "") not in kept


def test_a10_new_recovery_codes_make_the_earlier_ones_worthless(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    telephone = set_up(browser)
    page = browser.post("/account/second-factor/codes")
    assert faults(page.get_data(as_text=True)) == []
    fresh = [words(code) for code in parsed(page).select(".codes code")]
    assert not set(fresh) & set(telephone.recovery_codes)
    assert give(with_password(clinic), telephone.recovery_codes[0]) == 422
    assert give(with_password(clinic), fresh[0]) == 303


def test_a10_it_is_on_only_after_a_first_code_has_proved_the_app(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    browser.post("/account/second-factor")
    page = browser.post("/account/second-factor/confirmation", {"code": "000000"})
    assert (page.status_code, faults(page.get_data(as_text=True))) == (422, [])
    assert one(parsed(page), ".slip-code svg")
    assert clinic.house.browser(email("doctor")).get("/today").status_code == 200
    secret = secret_on(browser)
    clinic.clock.shift(minutes(14))
    browser.get("/today")
    clinic.clock.shift(minutes(2))
    browser.post("/account/proof", {"password": PASSWORD})
    late = browser.post("/account/second-factor/confirmation", {"code": Telephone(secret, []).code()})
    assert late.status_code == 409


def test_a10_the_password_step_waits_ten_minutes_for_its_code(clinic: Clinic) -> None:
    telephone = away(clinic)
    browser = with_password(clinic)
    clinic.clock.shift(minutes(11))
    assert browser.post("/sign-in", {"code": telephone.code()}).status_code == 422
    assert browser.get("/today").status_code == 303


def test_s1_the_token_changes_at_each_step(clinic: Clinic) -> None:
    telephone = away(clinic)
    browser = with_password(clinic)
    waiting = browser.client.get_cookie(browser.cookie_name)
    give(browser, telephone.code())
    opened = browser.client.get_cookie(browser.cookie_name)
    assert waiting is not None
    assert opened is not None
    assert waiting.value != opened.value
    assert clinic.house.count(SignIn, SignIn.awaits_code, SignIn.ended_at.is_(None)) == 0


def test_a10_it_may_be_turned_off_and_the_person_is_told_each_time(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    set_up(browser)
    assert browser.post("/account/second-factor/removal").location == "/account"
    assert clinic.house.browser(email("doctor")).get("/today").status_code == 200
    with clinic.house.reading() as session:
        told = session.query(Message).filter(Message.rule == "account_changed").order_by(Message.id).all()
        acts = [
            row.act
            for row in session.query(AuditEntry)
            .filter(AuditEntry.act.startswith("second_factor"))
            .order_by(AuditEntry.id)
        ]
    assert [(row.event, row.recipient) for row in told] == [
        ("second_factor.on", email("doctor")),
        ("second_factor.off", email("doctor")),
    ]
    assert acts == ["second_factor.on", "second_factor.off"]


def test_a10_the_admin_takes_it_off_a_lost_phone(clinic: Clinic) -> None:
    browser, number = clinic.browser("doctor"), clinic.people["doctor"].user_id
    set_up(browser)
    admin = clinic.browser("admin")
    assert "The second factor is on" in admin.get(f"/users/{number}").get_data(as_text=True)
    assert admin.post(f"/users/{number}/second-factor/removal").status_code == 303
    assert browser.get("/today").status_code == 303
    assert clinic.house.browser(email("doctor")).get("/today").status_code == 200
    assert clinic.house.count(AuditEntry, AuditEntry.act == "second_factor.reset") == 1
    assert clinic.house.count(Message, Message.event == "second_factor.reset") == 1


def test_a10_the_admin_does_not_take_off_their_own_that_way(clinic: Clinic) -> None:
    admin = clinic.browser("admin")
    set_up(admin)
    assert admin.post(f"/users/{clinic.people['admin'].user_id}/second-factor/removal").status_code == 409


def test_a11_a_reset_keeps_the_second_factor(clinic: Clinic) -> None:
    telephone = away(clinic)
    token = mailed(clinic.house, email("doctor"), "password_reset")
    assert clinic.browser(NOBODY).post(f"/password-reset/{token}", {"password": NEW}).status_code == 303
    browser = clinic.house.browser()
    browser.sign_in(email("doctor"), NEW)
    assert browser.get("/today").status_code == 303
    assert give(browser, telephone.code()) == 303
    assert browser.get("/today").status_code == 200


def test_a1_a_short_password_stands_only_beside_the_second_factor(clinic: Clinic) -> None:
    browser, number = clinic.browser("doctor"), clinic.people["doctor"].user_id
    change = {"current_password": PASSWORD, "password": SHORT}
    assert browser.post("/account/password", change).status_code == 422
    telephone = set_up(browser)
    assert browser.post("/account/password", change).status_code == 303
    clinic.clock.shift(30)
    browser.sign_in(email("doctor"), SHORT, code=telephone.code())
    assert browser.post("/account/second-factor/removal").status_code == 409
    clinic.browser("admin").post(f"/users/{number}/second-factor/removal")
    assert clinic.house.browser().sign_in(email("doctor"), SHORT).status_code == 422
    with clinic.house.reading() as session:
        assert session.get_one(User, number).password_hash is None


# Where the clinic asks for it


@pytest.fixture
def strict(make_house: Callable[..., House], clinic: Clinic) -> House:
    """The clinic, with a second factor for everyone who works there."""
    return make_house(security={"require_second_factor": True})


@pytest.mark.parametrize("visitor", ["doctor", "receptionist", "admin"])
def test_a10_who_works_here_is_led_to_set_it_up_and_can_do_nothing_else(strict: House, visitor: str) -> None:
    browser = strict.browser(email(visitor))
    for path in ("/today", "/account", "/patients", "/account/email"):
        answer = browser.get(path)
        assert answer.status_code in (303, 403)
        assert answer.status_code == 403 or answer.location == "/account/second-factor"
    assert browser.post("/account/name", {"name": "Eve"}).location == "/account/second-factor"
    assert "This clinic requires a second factor" in browser.get("/account/second-factor").get_data(as_text=True)
    set_up(browser)
    assert browser.get("/today").status_code == 200
    assert browser.post("/account/second-factor/removal").status_code == 409
    assert browser.post("/sign-out").status_code == 303


def test_a10_patients_are_not_asked(strict: House) -> None:
    assert strict.browser(email("patient")).get("/appointments").status_code == 200
