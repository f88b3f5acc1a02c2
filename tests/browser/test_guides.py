"""The guides in docs/guides/ print on one page each, with pictures that are small and say what they show."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.guide_texts import GUIDES
from tests.browser.guides import PICTURES
from tests.browser.visitor import AXE

pytestmark = [pytest.mark.browser, pytest.mark.tour]


@pytest.mark.parametrize("role", ["patient", "doctor", "receptionist", "admin"])
def test_a_guide_is_one_printed_page_and_its_pictures_are_there(chromium: Browser, role: str, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.goto((GUIDES / f"{role}.html").as_uri())
    shown = page.evaluate(
        "[...document.images].map(i => [i.getAttribute('src'), i.alt.length > 9, i.naturalWidth > 0])"
    )
    assert shown == [[f"{name}.png", True, True] for name in PICTURES if name.startswith(f"{role}-")]
    page.evaluate(AXE)
    assert page.evaluate("async () => (await axe.run(document)).violations.map(rule => rule.id)") == []
    printed = page.pdf(path=tmp_path / "guide.pdf", prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    page.close()


def test_pictures_are_small() -> None:
    for name in PICTURES:
        assert (GUIDES / f"{name}.png").stat().st_size <= 120 * 1024, name
