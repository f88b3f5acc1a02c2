"""What happens around signing in, in a browser: a board left alone, a form sent too late, a second factor."""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

import pyotp
import pytest

from service.config.settings import Security
from tests.browser.visitor import Visitor
from tests.house import PASSWORD
from tests.process.launching import Service, change

pytestmark = pytest.mark.browser

POLL = "01:01"


def leave_alone(clinic: Service, who: str) -> None:
    """Let the idle time of a user's sessions pass."""
    minutes = Security().idle_minutes + 1
    mine = f"user_id = (SELECT id FROM users WHERE email = '{who}@demo.example')"
    change(
        clinic.out.parent,
        f"UPDATE sessions SET last_seen_at = datetime(last_seen_at, '-{minutes} minutes') || '.0' WHERE {mine}",
    )


def clock_of(window: Visitor) -> datetime:
    """What time the service thinks it is."""
    return parsedate_to_datetime(window.page.request.get(f"{window.url}/livez").headers["date"])


def test_s3_a_board_left_alone_hides_what_is_private_and_goes_on_by_one_password(
    visit: Callable[..., Visitor], clinic: Service
) -> None:
    window = visit()
    window.page.clock.install()
    window.sign_in("reception")
    page = window.page
    assert page.locator("#board a[href^='tel:']").count() > 0
    cards = page.locator("#board .visit-card").count()
    leave_alone(clinic, "reception")
    page.clock.fast_forward(POLL)
    password = page.locator("#unlock-password")
    password.wait_for()
    assert page.get_by_text("Locked because no one used it for a while.").is_visible()
    assert page.locator("#board .visit-card").count() == cards
    assert page.locator("#board a[href^='tel:'], #board .visit-foot, #board .visit-name").count() == 0
    window.picture("reception-today-locked")
    assert window.violations() == []
    password.type(PASSWORD[:5])
    with page.expect_response("**/today"):
        page.clock.fast_forward(POLL)
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
    password.type(PASSWORD[5:])
    page.get_by_role("button", name="Unlock").click()
    page.locator("#board .visit-name").first.wait_for()
    assert page.locator("#unlock").count() == 0


def test_a_form_sent_too_late_comes_back_with_scripts_blocked(visit: Callable[..., Visitor], clinic: Service) -> None:
    window = visit(java_script_enabled=False)
    window.sign_in("doctor2")
    page = window.page
    page.goto(f"{window.url}/to-complete")
    page.get_by_role("link", name="Record treatment").first.click()
    page.get_by_label("Symptoms").fill("Itching since Monday.\n\nWorse at night.")
    leave_alone(clinic, "doctor2")
    page.get_by_role("button", name="Save treatment").click()
    page.get_by_label("E-mail").fill("doctor2@demo.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Not saved yet").wait_for()
    assert page.get_by_label("Symptoms").input_value() == "Itching since Monday.\n\nWorse at night."
    page.get_by_role("button", name="Save now").click()
    page.get_by_text("Treatment saved. The appointment is completed.").wait_for()


def test_a10_a_second_factor_is_set_up_and_asked_for(visit: Callable[..., Visitor], clinic: Service) -> None:
    window = visit()
    window.sign_in("patient31")
    page = window.page
    page.get_by_role("link", name="Account").click()
    page.get_by_role("link", name="Set up").click()
    page.get_by_role("button", name="Set up").click()
    page.locator(".secret").wait_for()
    app = pyotp.TOTP(page.locator(".secret").inner_text().replace(" ", ""))
    window.picture("patient-second-factor")
    assert window.violations() == []
    page.get_by_label("Code from the app").fill(app.at(clock_of(window)))
    page.get_by_role("button", name="Turn on").click()
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    recovery = page.locator(".codes code").all_inner_texts()
    assert len(recovery) == 10
    window.picture("patient-recovery-codes")
    assert window.violations() == []
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("E-mail").fill("patient31@demo.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="One more step").wait_for()
    assert window.violations() == []
    page.get_by_label("Code").fill(recovery[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/appointments")
