"""Every page each role can reach: no errors, nothing from elsewhere, readable by all, on a desk, a phone, paper."""

from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest

from tests.browser.visitor import Visitor, kind, name_of
from tests.house import PASSWORD
from tests.process.launching import configure, serving

pytestmark = [pytest.mark.browser, pytest.mark.tour]

HOMES = {
    "admin": (
        "/dashboard",
        {"/dashboard", "/today", "/reports", "/reports/N", "/clinic-reports/N", "/jobs", "/appointments/N"},
    ),
    "reception": (
        "/today",
        {
            "/today",
            "/appointments/N",
            "/figures",
            "/messages",
            "/messages/N",
            "/messages/morning",
            "/messages/tomorrow",
            "/messages/tomorrow/N/daily_reminder",
        },
    ),
    "doctor1": (
        "/today",
        {"/today", "/reports", "/reports/N", "/figures", "/appointments/N", "/appointments/N/treatment", "/patients/N"},
    ),
    "patient1": ("/appointments", {"/appointments", "/treatments", "/appointments/N"}),
}
"""User -> the first page, and kinds of pages that must be reachable from it."""
LOOKS = ("desk", "phone", "paper")
"""In light, in dark, and printed."""


def dealt(who: str, path: str) -> tuple[str, ...]:
    """Whether a role looks at a page on the desk or on the phone: the next role has the other, each run the same."""
    desk_or_phone = LOOKS[(crc32(kind(path).encode()) + list(HOMES).index(who)) % 2]
    return (desk_or_phone, "paper")


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param(dealt, id="dealt looks"),
        pytest.param(lambda _who, _path: LOOKS, id="every look", marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize("who", HOMES)
def test_w10_every_page_of_a_role_is_well_made(
    visit: Callable[..., Visitor], who: str, looks: Callable[[str, str], tuple[str, ...]]
) -> None:
    visitor = visit()
    visitor.sign_in(who)
    home, expected = HOMES[who]
    wrong: dict[str, list[str]] = {}

    def look(path: str) -> None:
        found = wrongs(visitor, f"{who}-{name_of(path)}", looks(who, path))
        wrong.update({path: found} if found else {})

    paths = visitor.everywhere(home, look=look)
    assert expected <= {kind(path) for path in paths}
    assert wrong == {}


def test_a_patient_follows_an_export_on_a_well_made_page(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.sign_in("patient3")
    visitor.open("/treatments")
    visitor.page.get_by_role("button", name="Export full history").click()
    visitor.page.get_by_role("link", name="Download the file").wait_for()
    path = visitor.page.url.removeprefix(visitor.url)
    assert look_at_all(visitor, "patient3", [path, "/treatments"]) == {}


def test_pages_before_signing_in_are_well_made(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    paths = ["/sign-in", "/invite/nothing-of-the-kind", "/no-such-page", "/api/docs"]
    assert look_at_all(visitor, "nobody", paths) == {}
    refused = ("404: ", "410: ", "console: Failed to load resource")  # as they should be
    visitor.trouble = [trouble for trouble in visitor.trouble if not trouble.startswith(refused)]


def test_the_first_day_of_a_new_clinic_is_well_made(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    configure(tmp_path)
    with serving(tmp_path) as service:
        visitor = visit(url=service.url)
        assert look_at_all(visitor, "first", ["/setup"]) == {}
        page = visitor.page
        admin = page.locator("form", has=page.get_by_label("Your name"))
        admin.get_by_label("Your name").fill("Ines")
        admin.get_by_label("E-mail").fill("ines@clinic.example")
        admin.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/sign-in")
        page.get_by_label("E-mail").fill("ines@clinic.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/dashboard")
        assert look_at_all(visitor, "first", ["/dashboard", "/today", "/reports"]) == {}


def look_at_all(visitor: Visitor, who: str, paths: list[str]) -> dict[str, list[str]]:
    """What is wrong with each page, in light on a desk, in dark on a phone, and on paper."""
    wrong = {}
    for path in paths:
        found = look_at(visitor, path, f"{who}-{name_of(path)}")
        if found:
            wrong[path] = found
    return wrong


def look_at(visitor: Visitor, path: str, name: str) -> list[str]:
    visitor.open(path)
    return wrongs(visitor, name)


def wrongs(visitor: Visitor, name: str, looks: tuple[str, ...] = LOOKS) -> list[str]:
    """What is wrong with the page that is open, which is left as on a desk."""
    page, wrong = visitor.page, list[str]()
    if "desk" in looks:
        wrong += [f"desk, light: {found}" for found in visitor.violations()]
        wrong += ["wider than the desk"] if visitor.too_wide() else []
        visitor.picture(f"{name}-desk")
    if "phone" in looks:
        page.emulate_media(color_scheme="dark")
        visitor.picture(f"{name}-desk-dark")
        page.set_viewport_size({"width": 360, "height": 740})
        wrong += [f"phone, dark: {found}" for found in visitor.violations()]
        wrong += ["wider than the phone"] if visitor.too_wide() else []
        page.emulate_media(color_scheme="light")
        visitor.picture(f"{name}-phone")
    if "paper" in looks:
        page.set_viewport_size({"width": 794, "height": 1123})
        page.emulate_media(media="print")
        wrong += ["wider than the paper"] if visitor.too_wide() else []
        visitor.picture(f"{name}-paper")
    page.emulate_media(media="screen", color_scheme="light")
    page.set_viewport_size({"width": 1360, "height": 860})
    return wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_starts_in_the_theme_of_the_system(visit: Callable[..., Visitor], scheme: str) -> None:
    visitor = visit(color_scheme=scheme)
    visitor.sign_in("reception")
    assert visitor.page.locator("html").get_attribute("data-bs-theme") == scheme
    paper = visitor.page.evaluate("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(paper[:3]) < 200) is (scheme == "dark")


def test_a_page_is_dark_by_the_system_without_scripts(visit: Callable[..., Visitor]) -> None:
    visitor = visit(color_scheme="dark", java_script_enabled=False)
    visitor.sign_in("patient1")
    visitor.picture("patient1-appointments-dark-without-scripts")
    colour = visitor.page.locator("body").evaluate("node => getComputedStyle(node).backgroundColor")
    assert colour != "rgb(255, 255, 255)"


def test_the_chosen_theme_is_kept_on_the_next_page(visit: Callable[..., Visitor]) -> None:
    visitor = visit(color_scheme="light")
    visitor.sign_in("doctor1")
    visitor.page.get_by_role("button", name="Switch between light and dark").click()
    visitor.open("/reports")
    assert visitor.page.locator("html").get_attribute("data-bs-theme") == "dark"
