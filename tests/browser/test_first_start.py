"""The first start as a person sees it: five pages on a phone and on a desktop, with nothing but clicks."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.browser.visitor import Visitor, visitor_in
from tests.house import PASSWORD
from tests.process.launching import Service, configure, rows, serving

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1360, "height": 860}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Service]:
    """A service that nobody has set up."""
    configure(tmp_path)
    with serving(tmp_path) as service:
        yield service


def looked_at(window: Visitor, name: str) -> None:
    """Keep a picture of the page, which must fit the window and pass the checks for access."""
    window.picture(name)
    assert not window.too_wide(), name
    assert window.violations() == [], name


@pytest.mark.tour
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("phone", {"viewport": PHONE, "has_touch": True}),
        ("desk", {"viewport": DESK}),
        ("dark", {"viewport": DESK, "color_scheme": "dark"}),
    ],
)
def test_five_pages_make_a_clinic(
    chromium: Browser, empty: Service, tmp_path: Path, name: str, how: dict[str, Any]
) -> None:
    context = chromium.new_context(reduced_motion="reduce", **how)
    window = visitor_in(context, empty.url)
    page = window.page
    window.open("/")
    looked_at(window, f"setup-welcome-{name}")
    page.get_by_role("link", name="Start setup").click()
    page.get_by_label("Clinic name").fill("Practice at the Park")
    page.get_by_label("Country").select_option("AT")
    page.wait_for_selector("#timezone option[value='Europe/Vienna'][selected]", state="attached")
    page.get_by_label("Phone").fill("01 90 18 20")
    looked_at(window, f"setup-clinic-{name}")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Patients, over the internet").check()
    looked_at(window, f"setup-reach-{name}")
    page.get_by_label("Only this computer").check()
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Name").fill("Dr Ada Lind")
    page.get_by_label("E-mail").fill("ada@clinic.example")
    page.get_by_label("Saturday").check()
    looked_at(window, f"setup-doctor-{name}")
    page.get_by_role("button", name="Save and continue").click()
    looked_at(window, f"setup-mail-{name}")
    page.get_by_role("button", name="Set up later").click()
    looked_at(window, f"setup-account-{name}")
    page.get_by_label("Your name").fill("Ines Albrecht")
    page.get_by_label("E-mail").fill("ines@clinic.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click(click_count=2, delay=60)
    page.wait_for_url("**/sign-in")
    assert "Practice at the Park" in (page.text_content("body") or "")
    page.get_by_label("E-mail").fill("ines@clinic.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard")
    looked_at(window, f"setup-dashboard-{name}")
    for path in ("/settings", "/settings/clinic", "/settings/reach", "/settings/mail", "/system"):
        window.open(path)
        looked_at(window, f"admin{path.replace('/', '-')}-{name}")
    window.open("/settings/clinic")
    page.get_by_label("Clinic name").fill("Practice by the River")
    page.get_by_role("button", name="Save", exact=True).click(click_count=2, delay=60)
    page.wait_for_url("**/settings")
    assert "Practice by the River" in (page.text_content("main") or "")
    assert [trouble for trouble in window.trouble if "404" not in trouble] == []
    context.close()
    assert rows(tmp_path, "SELECT count(*) FROM doctor_hours") == [(12,)]


def test_the_page_leads_to_another_port_by_itself_and_a_demo_clinic_is_wiped(
    chromium: Browser, empty: Service, tmp_path: Path
) -> None:
    context = chromium.new_context(viewport=DESK, reduced_motion="reduce", java_script_enabled=False)
    window = visitor_in(context, empty.url)
    page = window.page
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    window.open("/setup")
    page.get_by_label("Time zone").select_option("America/Chicago")
    page.get_by_label("Password for all demo accounts").fill(PASSWORD)
    page.get_by_role("button", name="Create demo clinic").click()
    window.sign_in("admin")
    window.open("/settings/reach")
    page.get_by_label("Port").fill(str(port))
    page.get_by_role("button", name="Save", exact=True).click()
    window.picture("settings-moved-desk")
    page.wait_for_url(f"http://127.0.0.1:{port}/settings")
    page.goto(f"http://127.0.0.1:{port}/dashboard")
    page.get_by_role("link", name="Delete the demo clinic and set up your own").click()
    page.get_by_label("Delete all made-up people").check()
    window.picture("system-demo-desk")
    page.get_by_role("button", name="Delete the demo clinic").click()
    page.wait_for_url(f"http://127.0.0.1:{port}/setup")
    assert "Demo clinic wiped" in (page.text_content("[role=status]") or "")
    assert rows(tmp_path, "SELECT count(*) FROM users") == [(0,)]
    context.close()
