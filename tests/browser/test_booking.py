"""Booking as people do it: by keyboard alone, on a small screen, without scripts, two at once; and a text not lost."""

from collections.abc import Callable

import pytest

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 740}}
TIMES = "input[name=starts_at]"


def test_a_visit_is_booked_by_keyboard_alone(visit: Callable[..., Visitor]) -> None:
    window = visit()
    window.sign_in("patient21")
    window.open("/appointments/new?doctor_id=1")
    page = window.page
    page.locator(TIMES).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.type("Keyboard only")
    page.keyboard.press("Enter")
    page.get_by_text("Appointment booked.").wait_for()
    page.get_by_text("Keyboard only").wait_for()


def test_booking_rescheduling_and_canceling_work_without_scripts_on_a_phone(visit: Callable[..., Visitor]) -> None:
    window = visit(java_script_enabled=False, **PHONE)
    window.sign_in("patient22")
    page = window.page
    page.get_by_role("link", name="Book", exact=True).click()
    page.get_by_role("link", name="Any doctor").click()
    page.locator("nav.week a.week-day").nth(2).click()
    page.locator("label.slot").nth(2).click()
    page.get_by_role("button", name="Book this appointment").click()
    page.get_by_text("Appointment booked.").wait_for()
    page.get_by_role("link", name="Reschedule").click()
    page.locator("nav.week a.week-day").nth(4).click()
    page.locator("label.slot").nth(5).click()
    page.get_by_role("button", name="Reschedule appointment").click()
    page.get_by_text("Appointment rescheduled.").wait_for()
    page.get_by_text("Cancel this appointment").click()
    page.get_by_label("Reason").fill("Better again")
    page.get_by_role("button", name="Cancel appointment").click()
    page.get_by_text("Appointment canceled.").wait_for()


def test_a_treatment_is_recorded_with_scripts_blocked(visit: Callable[..., Visitor]) -> None:
    window = visit(java_script_enabled=False)
    window.sign_in("doctor2")
    page = window.page
    page.goto(f"{window.url}/to-complete")
    page.get_by_role("link", name="Record treatment").first.click()
    page.get_by_label("Diagnosis").fill("Hay fever")
    page.get_by_role("button", name="Save treatment").click()
    page.get_by_text("Treatment saved. The appointment is completed.").wait_for()


def test_of_two_browsers_one_gets_the_time_and_the_other_sees_what_is_near(visit: Callable[..., Visitor]) -> None:
    first, second = visit(), visit(**PHONE)
    for window, who in ((first, "patient23"), (second, "patient24")):
        window.sign_in(who)
        window.open("/appointments/new?doctor_id=3&date=2026-06-24")
        window.page.locator("label.slot").nth(9).click()
        window.page.get_by_label("Reason").fill(f"I am {who}")
    first.page.get_by_role("button", name="Book this appointment").click()
    first.page.get_by_text("Appointment booked.").wait_for()
    second.page.get_by_role("button", name="Book this appointment").click()
    second.page.get_by_text("That slot was just taken").wait_for()
    assert second.page.locator("label.slot").count() == 3
    assert second.page.get_by_label("Reason").input_value() == "I am patient24"
    assert [trouble[:3] for trouble in second.trouble] == ["409", "con"]
    second.trouble.clear()
    second.page.locator("label.slot").first.click()
    second.page.get_by_role("button", name="Book this appointment").click()
    second.page.get_by_text("Appointment booked.").wait_for()


def test_the_desk_marks_an_arrival_with_one_tap_and_takes_it_back(visit: Callable[..., Visitor]) -> None:
    window = visit()
    window.sign_in("reception")
    page = window.page
    name = page.locator("[aria-labelledby=column-booked] .visit-name").last.inner_text()
    page.locator("[aria-labelledby=column-booked] .visit-card").last.get_by_role("button", name="Check in").click()
    arrived = page.locator("[aria-labelledby=column-arrived] .visit-card", has_text=name).last
    arrived.get_by_role("button", name="Undo").click()
    assert page.locator("[aria-labelledby=column-booked]", has_text=name).is_visible()


def test_a_treatments_text_outlives_a_session_that_ended(visit: Callable[..., Visitor]) -> None:
    window = visit()
    window.sign_in("doctor3")
    page = window.page
    page.goto(f"{window.url}/to-complete")
    page.get_by_role("link", name="Record treatment").first.click()
    page.get_by_label("Symptoms").fill("Typed before the session ended")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save treatment").click()
    page.get_by_label("E-mail").fill("doctor3@demo.example")
    page.get_by_label("Password").fill("quiet rivers run deep")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("What you typed earlier is back in the form.").wait_for()
    assert page.get_by_label("Symptoms").input_value() == "Typed before the session ended"
    page.get_by_role("button", name="Save treatment").click()
    page.get_by_text("Treatment saved. The appointment is completed.").wait_for()
    page.wait_for_load_state()
    kept = page.evaluate("() => Object.keys(sessionStorage)")
    assert [key for key in kept if "treatment" in key] == []
