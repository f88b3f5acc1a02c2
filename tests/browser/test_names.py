"""Names from right to left and names without an end: they keep their direction and stay in their place."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import ARABIC, LONG, UNBROKEN
from tests.browser.visitor import Visitor, name_of

pytestmark = [pytest.mark.browser, pytest.mark.tour]

SPILLED = """name => [...document.querySelectorAll("main bdi")].filter(node => {
  if (node.textContent !== name) return false;
  const range = document.createRange();
  range.selectNodeContents(node);
  const box = node.parentElement.closest("li, td, section, article, div, h1, p").getBoundingClientRect();
  return [...range.getClientRects()].some(line => line.left < box.left - 1 || line.right > box.right + 1);
}).length"""


@pytest.mark.parametrize("width", [360, 1360])
def test_hard_names_stay_in_their_place_on_every_page_of_a_visit(visit: Callable[..., Visitor], width: int) -> None:
    visitor = visit(viewport={"width": width, "height": 800})
    visitor.sign_in("doctor1")
    page = visitor.page
    for kind, name in {"arabic": ARABIC, "long": LONG, "unbroken": UNBROKEN}.items():
        visitor.open("/today")
        shown = page.locator("main bdi", has_text=name).first
        assert shown.evaluate("node => getComputedStyle(node).direction") == ("rtl" if name == ARABIC else "ltr")
        paths = ["/today", *links_beside(visitor, name)]
        assert len(paths) > 1
        for path in paths:
            visitor.open(path)
            assert page.locator("main bdi", has_text=name).count() > 0, path
            visitor.picture(f"name-{kind}-{name_of(path)}-{width}")
            assert not visitor.too_wide(), path
            assert page.evaluate(SPILLED, name) == 0, path


def links_beside(visitor: Visitor, name: str) -> list[str]:
    """The visit's page and the patient's record."""
    page = visitor.page
    page.locator("main a", has=page.locator("bdi", has_text=name)).first.click()
    paths = [page.url.removeprefix(visitor.url)]
    record = page.locator("main a[href^='/patients/']").first
    address = record.get_attribute("href")
    assert address is not None
    return [*paths, address]
