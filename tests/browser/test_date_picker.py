"""The calendar beside a field for a date, with a keyboard, a mouse, and a phone; and the field without scripts."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import MONDAY
from tests.browser.visitor import Visitor
from tests.house import PASSWORD
from tests.process.launching import Service, configure, run, serving

pytestmark = [pytest.mark.browser, pytest.mark.tour]


@pytest.fixture(scope="module")
def chicago(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A small demo clinic where the month comes first and the week begins on Sunday."""
    folder = tmp_path_factory.mktemp("chicago")
    configure(folder, '[clinic]\ncountry = "US"\ntimezone = "America/Chicago"\n')
    demo = ("demo", "--doctors", "1", "--patients", "5", "--appointments", "10", "--password", PASSWORD)
    assert run(folder, *demo, at=MONDAY).returncode == 0
    with serving(folder, at=MONDAY) as service:
        yield service


@pytest.fixture
def desk(visit: Callable[..., Visitor], chicago: Service) -> Visitor:
    visitor = visit(chicago.url)
    visitor.sign_in("reception")
    visitor.open("/patients/new")
    return visitor


def focused(page: Page) -> str:
    """The day that has the focus."""
    return str(page.evaluate("() => document.activeElement.dataset.day"))


def opened(page: Page, typed: str = "") -> Locator:
    """The calendar of the birth date, opened with Tab and Enter behind what was typed."""
    page.get_by_label("Birth date", exact=True).fill(typed)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Birth date")
    expect(dialog).to_be_visible()
    return dialog


def test_the_calendar_is_used_with_a_keyboard(desk: Visitor) -> None:
    page, field = desk.page, desk.page.get_by_label("Birth date", exact=True)
    dialog = opened(page, "3/4/1985")
    assert focused(page) == "1985-03-04"
    expect(dialog.get_by_role("grid", name="March 1985")).to_be_visible()
    expect(dialog.get_by_role("gridcell", name="4", exact=True)).to_have_attribute("aria-selected", "true")
    for key, day in (
        ("ArrowRight", "1985-03-05"),
        ("ArrowDown", "1985-03-12"),
        ("Home", "1985-03-10"),
        ("End", "1985-03-16"),
        ("ArrowLeft", "1985-03-15"),
        ("ArrowUp", "1985-03-08"),
        ("PageDown", "1985-04-08"),
        ("Shift+PageUp", "1984-04-08"),
        ("Shift+PageDown", "1985-04-08"),
        ("PageUp", "1985-03-08"),
    ):
        page.keyboard.press(key)
        assert focused(page) == day, key
    assert desk.violations() == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Choose from a calendar: Birth date")).to_be_focused()
    expect(field).to_have_value("3/4/1985")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(field).to_have_value("3/5/1985")


def test_the_last_day_of_a_month_stays_in_a_shorter_one(desk: Visitor) -> None:
    opened(desk.page, "2024-01-31")
    desk.page.keyboard.press("PageDown")
    assert focused(desk.page) == "2024-02-29"
    desk.page.keyboard.press("Shift+PageUp")
    assert focused(desk.page) == "2023-02-28"


def test_the_calendar_is_used_with_a_mouse(desk: Visitor) -> None:
    page, field = desk.page, desk.page.get_by_label("Birth date", exact=True)
    page.get_by_role("button", name="Choose from a calendar: Birth date").click()
    dialog = page.get_by_role("dialog", name="Birth date")
    assert focused(page) == "2026-05-04"
    assert dialog.get_by_role("columnheader").all_text_contents()[0] == "Sun"
    expect(dialog.locator("[aria-current=date]")).to_have_text("4")
    dialog.get_by_label("Month", exact=True).select_option("November")
    dialog.get_by_label("Year").fill("1950")
    dialog.get_by_role("button", name="Previous month").click()
    expect(dialog.get_by_role("grid", name="October 1950")).to_be_visible()
    dialog.get_by_role("button", name="Next month").click()
    dialog.get_by_role("button", name="30", exact=True).click()
    expect(field).to_have_value("11/30/1950")
    page.get_by_role("button", name="Choose from a calendar: Birth date").click()
    dialog.get_by_role("button", name="Today").click()
    page.keyboard.press("Enter")
    expect(field).to_have_value("5/4/2026")


def test_no_day_beyond_the_last_one_is_chosen(desk: Visitor) -> None:
    page, field = desk.page, desk.page.get_by_label("Birth date", exact=True)
    dialog = opened(page)
    page.keyboard.press("ArrowDown")
    assert focused(page) == "2026-05-11"
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    later = dialog.get_by_role("button", name="5", exact=True)
    expect(later).to_have_attribute("aria-disabled", "true")
    later.click(force=True)
    expect(field).to_have_value("")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_the_calendar_fits_a_phone(visit: Callable[..., Visitor], chicago: Service) -> None:
    visitor = visit(chicago.url, viewport={"width": 360, "height": 640})
    visitor.sign_in("reception")
    visitor.open("/patients/new")
    dialog = opened(visitor.page)
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 640
    assert not visitor.too_wide()
    visitor.picture("date-picker-phone")


def test_without_scripts_the_date_is_typed(visit: Callable[..., Visitor], chicago: Service) -> None:
    visitor = visit(chicago.url, java_script_enabled=False)
    visitor.sign_in("reception")
    visitor.open("/patients/new")
    page = visitor.page
    assert page.get_by_role("button", name="Choose from a calendar").count() == 0
    page.get_by_label("Name", exact=True).fill("Nora Neu")
    page.get_by_label("Birth date", exact=True).fill("03/04/1985")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(lambda url: not url.endswith("/new"))
    expect(page.locator("main")).to_contain_text("March 4, 1985")
