"""A month's report with names that are hard to lay out: on a phone, on a desk, on paper, and as a file of its own."""

from collections.abc import Callable, Iterator

import pytest

from tests.browser.conftest import ARABIC, LONG, UNBROKEN
from tests.browser.test_names import SPILLED
from tests.browser.visitor import Visitor
from tests.process.launching import Service, change, rows

pytestmark = [pytest.mark.browser, pytest.mark.tour]

OVERFLOWING = """() => [...document.querySelectorAll(".report table, .report dl, .report ul")].filter(
    node => node.scrollWidth > node.clientWidth + 1).map(node => node.className)"""


@pytest.fixture(scope="module", autouse=True)
def hard_names(clinic: Service) -> Iterator[None]:
    """April's report of the first doctor has the three names, while these tests run."""
    ((report, content),) = rows(clinic.out.parent, "SELECT id, content FROM reports WHERE doctor_id = 1")
    for turn, name in enumerate((ARABIC, LONG, UNBROKEN)):
        change(
            clinic.out.parent,
            f"UPDATE reports SET content = json_set(content, '$.visits[{turn}].patient_name', '{name}',"
            f" '$.treatments[{turn}].patient_name', '{name}', '$.treatments[{turn}].diagnosis', '{name}')"
            f" WHERE id = {report}",
        )
    yield
    change(clinic.out.parent, "UPDATE reports SET content = '" + content.replace("'", "''") + f"' WHERE id = {report}")


def opened(visit: Callable[..., Visitor], width: int) -> Visitor:
    """The doctor's own report of April."""
    visitor = visit(viewport={"width": width, "height": 800})
    visitor.sign_in("doctor1")
    visitor.open("/reports")
    visitor.page.locator("main tbody a").first.click()
    visitor.page.get_by_role("heading", name="Report of April 2026").wait_for()
    return visitor


@pytest.mark.parametrize("width", [360, 1360])
def test_hard_names_break_no_report(visit: Callable[..., Visitor], width: int) -> None:
    visitor = opened(visit, width)
    for name in (ARABIC, LONG, UNBROKEN):
        assert visitor.page.locator("main bdi", has_text=name).count() >= 2
        assert visitor.page.evaluate(SPILLED, name) == 0
    assert not visitor.too_wide()
    assert visitor.page.evaluate(OVERFLOWING) == []
    visitor.picture(f"report-hard-names-{width}")


@pytest.mark.parametrize("width", [360, 794])
def test_the_file_is_readable_without_the_service(visit: Callable[..., Visitor], width: int) -> None:
    visitor = opened(visit, width)
    address = visitor.page.get_by_role("link", name="Download").get_attribute("href")
    text = visitor.page.request.get(f"{visitor.url}{address}").text()
    visitor.page.goto("about:blank")
    visitor.page.set_content(text)
    if width == 794:
        visitor.page.emulate_media(media="print")
    assert visitor.page.locator("bdi", has_text=LONG).count() >= 2
    assert not visitor.too_wide()
    assert visitor.page.evaluate(OVERFLOWING) == []
    assert visitor.violations() == []
    visitor.picture(f"report-file-{width}")
