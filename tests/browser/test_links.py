"""The link of a message in a patient's hands: without signing in, with scripts blocked, readable by all."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from service.domain.messages import content_html
from tests.browser.conftest import MONDAY
from tests.browser.test_pages import look_at_all
from tests.browser.visitor import Visitor
from tests.house import PASSWORD
from tests.patience import until
from tests.process.launching import Service, configure, run, serving

pytestmark = [pytest.mark.browser, pytest.mark.tour]

PHONE = {"viewport": {"width": 360, "height": 740}}


@pytest.fixture(name="small", scope="module")
def a_small_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A demo clinic of its own, whose messages go to the console."""
    folder = tmp_path_factory.mktemp("links")
    configure(folder, '[clinic]\nname = "Practice at the Park"\nphone = "+49 30 901820"\n')
    demo = ("demo", "--doctors", "2", "--patients", "20", "--appointments", "60", "--password", PASSWORD)
    assert run(folder, *demo, at=MONDAY).returncode == 0
    with serving(folder, at=MONDAY) as service:
        yield service


def printed(small: Service, page: str) -> list[str]:
    """The paths of the links to a page that were printed so far, in order."""
    paths = re.findall(rf"http://[^/\s]+(/{page}/[\w-]{{43}})$", small.printed, re.MULTILINE)
    return list(dict.fromkeys(paths))


def next_link(small: Service, page: str, seen: int) -> str:
    """The path of the link that is printed after so many others."""
    return until(lambda: printed(small, page)[seen:])[0]


def book(window: Visitor, day: str, slot: int) -> None:
    window.open(f"/appointments/new?doctor_id=1&date={day}")
    window.page.locator("label.slot").nth(slot).click()
    window.page.get_by_role("button", name="Book this appointment").click()
    window.page.wait_for_url(re.compile(r"/appointments/\d+$"))


def test_a_link_confirms_reschedules_cancels_and_undoes_without_scripts(
    small: Service, visit: Callable[..., Visitor]
) -> None:
    account = visit(url=small.url, java_script_enabled=False)
    account.sign_in("patient12")
    seen = len(printed(small, "visit"))
    book(account, "2026-06-24", 3)
    path = next_link(small, "visit", seen)
    window = visit(url=small.url, java_script_enabled=False, **PHONE)
    page = window.page
    window.open(path)
    page.get_by_role("button", name="I'll be there").click()
    assert page.get_by_text("Thank you. We look forward to seeing you.").is_visible()
    page.get_by_role("link", name="Reschedule").click()
    page.locator("nav.week a.week-day").nth(1).click()
    page.locator("label.slot").nth(2).click()
    page.get_by_role("button", name="Choose this time").click()
    assert page.get_by_role("heading", level=1).text_content() != "Wed, 24 Jun, 10:00"
    page.get_by_role("button", name="Cancel appointment").click()
    assert page.get_by_text("If that was a mistake").is_visible()
    page.get_by_role("button", name="Undo cancellation").click()
    assert page.get_by_role("button", name="Cancel appointment").is_visible()


@pytest.fixture(name="letter", scope="module")
def a_letter(small: Service) -> tuple[str, str]:
    """The two links of a confirmation: to the visit, and to which messages are wanted."""
    seen = {page: len(printed(small, page)) for page in ("visit", "contact")}
    client = small.client("patient13@demo.example")
    form = {"doctor_id": "1", "starts_at": "2026-06-25T12:00", "reason": ""}
    assert client.post("/appointments", form).status == 303
    return next_link(small, "visit", seen["visit"]), next_link(small, "contact", seen["contact"])


@pytest.mark.parametrize("page", ["visit", "times", "contact"])
def test_the_pages_of_links_are_well_made(
    small: Service, letter: tuple[str, str], visit: Callable[..., Visitor], page: str
) -> None:
    path = {"visit": letter[0], "times": f"{letter[0]}/reschedule", "contact": letter[1]}[page]
    assert look_at_all(visit(url=small.url), "link", [path]) == {}


def test_the_page_of_a_canceled_appointment_is_well_formed(
    small: Service, letter: tuple[str, str], visit: Callable[..., Visitor]
) -> None:
    window = visit(url=small.url, **PHONE)
    window.open(letter[0])
    window.page.get_by_role("button", name="Cancel appointment").click()
    window.page.get_by_role("button", name="Undo cancellation").wait_for()
    assert window.violations() == []
    window.picture("link-cancelled")
    window.page.get_by_role("button", name="Undo cancellation").click()
    window.page.get_by_role("button", name="Cancel appointment").wait_for()


def test_what_patients_want_to_be_told_is_set_on_a_well_made_page(
    small: Service, visit: Callable[..., Visitor]
) -> None:
    window = visit(url=small.url)
    window.sign_in("patient13")
    assert look_at_all(window, "patient", ["/contact"]) == {}


def test_the_page_of_a_mail_is_readable_in_light_and_dark(chromium: Browser, tmp_path: Path) -> None:
    url = "https://rounds.example/visit/" + "A" * 43
    body = (
        "Hello Lena,\n\nYour appointment at Practice at the Park is booked:\n\n  Mon, 4 May, 14:00, Dr. Ada <Berg>\n\n"
        f"Confirm, reschedule, or cancel: {url}\n\nPractice at the Park\n"
    )
    file = tmp_path / "mail.html"
    file.write_text(content_html.of("Booked", body, [url]), encoding="utf-8")
    for scheme in ("light", "dark"):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": 400, "height": 500})
        page = context.new_page()
        page.goto(file.as_uri())
        assert page.get_by_role("link").all_text_contents() == ["Confirm, reschedule, or cancel"]
        assert page.get_by_role("link").get_attribute("href") == url
        assert page.get_by_text("Dr. Ada <Berg>").is_visible()
        Visitor(page, file.as_uri()).picture(f"mail-{scheme}")
        context.close()
