"""Every page of each role in two made-up languages: no English is left, nothing is cut, and nothing is too wide.

`en_XA` makes every text longer, and puts it into brackets; `ar_XB` does the same from right to left.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from babel import Locale
from playwright.sync_api import Page

from tests.browser.conftest import MONDAY
from tests.browser.visitor import Visitor, name_of
from tests.house import PASSWORD
from tests.process.launching import Service, configure, rows, run, serving

pytestmark = [pytest.mark.browser, pytest.mark.tour]

DIRECTIONS = {"en_XA": "ltr", "ar_XB": "rtl"}
HOMES = {"admin": "/dashboard", "reception": "/today", "doctor1": "/today", "patient1": "/appointments"}
BARE = """() => {
    // What is not a text of ours: people's words, dates, numbers, and what is written for machines.
    const data = "bdi, time, data, code, kbd, pre, textarea, script, style, svg, noscript, [translate=no],"
        + "[name=country] option, [name=timezone] option, [name$=language] option";
    const found = [];
    let depth = 0;
    const read = (text, where) => {
        let outside = "";
        for (const letter of text) {
            if (letter === "[") depth++;
            else if (letter === "]") depth = Math.max(0, depth - 1);
            else if (depth === 0) outside += letter;
        }
        if (/[A-Za-z]{2}/.test(outside)) found.push(`${where}: ${outside.trim().replace(/\\s+/g, " ")}`);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement;
        if (!parent.closest(data)) read(walker.currentNode.data, parent.tagName.toLowerCase());
    }
    depth = 0;
    for (const name of ["placeholder", "title", "aria-label", "alt", "data-confirm"])
        for (const element of document.querySelectorAll(`[${name}]`))
            if (!element.closest("[translate=no]")) { depth = 0; read(element.getAttribute(name), name); }
    depth = 0;
    read(document.title, "title of the page");
    return [...new Set(found)];
}"""
CUT = """() => [...document.querySelectorAll("body *")].filter(element => {
    const style = getComputedStyle(element);
    return ["hidden", "clip"].includes(style.overflowX) && style.textOverflow !== "ellipsis"
        && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1 && element.innerText;
}).map(element => `cut: ${element.tagName.toLowerCase()} ${element.className}: ${element.innerText.slice(0, 60)}`)"""


PEOPLES_WORDS = """
    SELECT name FROM patients UNION SELECT name FROM users UNION SELECT name FROM doctors
    UNION SELECT department FROM doctors UNION SELECT name FROM visit_types UNION SELECT reason FROM appointments
    UNION SELECT visit_type FROM treatments UNION SELECT symptoms FROM treatments UNION SELECT diagnosis FROM treatments
    UNION SELECT treatment FROM treatments UNION SELECT prescription FROM treatments UNION SELECT notes FROM treatments
"""
NAMES = ("Rounds", "Praxis am Park", "Germany", "Europe/Berlin", *DIRECTIONS)

MACHINES_WORDS = (r"[\w.+-]+@[\w.-]+", r"https?://\S+", r"[a-z-]+/[\d-]+", r"\d GB", r"Linux-\S+", r"\b[0-9a-f]{12}\b")
"""Addresses, rows of the audit log, sizes, this computer, and the clinic's id."""


@dataclass(frozen=True)
class Abroad:
    """A demo clinic that speaks a made-up language."""

    language: str
    service: Service
    words: re.Pattern[str]
    """What people wrote there, and the names that are the same in all languages."""

    def bare(self, page: Page) -> list[str]:
        """The texts of a page that are in no catalog."""
        return [one for one in page.evaluate(BARE) if re.search("[A-Za-z]{2}", self._left_of(one))]

    def _left_of(self, found: str) -> str:
        return self.words.sub("", found.partition(": ")[2])


@pytest.fixture(scope="module", params=DIRECTIONS)
def abroad(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abroad]:
    """A demo clinic in one of the languages, at 10:31."""
    folder = tmp_path_factory.mktemp("abroad")
    configure(folder, f'[clinic]\nname = "Praxis am Park"\nphone = "+49 30 901820"\nlanguage = "{request.param}"\n')
    _filled(folder)
    with serving(folder, at=MONDAY) as service:
        yield Abroad(request.param, service, _words(folder))


def _filled(folder: Path) -> None:
    demo = ("demo", "--doctors", "3", "--patients", "60", "--appointments", "400", "--password", PASSWORD)
    assert run(folder, *demo, at=MONDAY).returncode == 0
    for job in ("reports", "reminders"):
        assert run(folder, "run-job", job, at=MONDAY).returncode == 0


def _words(folder: Path) -> re.Pattern[str]:
    english, said = Locale("en"), [" ".join(word.split()) for (word,) in rows(folder, PEOPLES_WORDS) if word]
    of_dates = [
        name
        for names in (english.days, english.months)
        for width in ("wide", "abbreviated")
        for name in names["format"][width].values()
    ]
    names = sorted((*NAMES, *said, *of_dates), key=len, reverse=True)
    return re.compile("|".join((*MACHINES_WORDS, *map(re.escape, names))))


@pytest.mark.parametrize("who", HOMES)
def test_every_page_fits_any_language(visit: Callable[..., Visitor], abroad: Abroad, who: str) -> None:
    language, visitor = abroad.language, visit(url=abroad.service.url)
    _sign_in(visitor, who)
    wrong: dict[str, str] = {}

    def look(path: str) -> None:
        page, found = visitor.page, list[str]()
        if page.locator("html").get_attribute("dir") != DIRECTIONS[language]:
            found.append("another direction")
        found += abroad.bare(page)
        visitor.picture(f"{language}-{who}-{name_of(path)}")
        for width, height in ((1360, 860), (360, 740)):
            page.set_viewport_size({"width": width, "height": height})
            found += [f"{width}: {one}" for one in page.evaluate(CUT)]
            found += [f"wider than {width}"] if visitor.too_wide() else []
        visitor.picture(f"{language}-{who}-{name_of(path)}-phone")
        page.set_viewport_size({"width": 1360, "height": 860})
        for one in found:
            wrong.setdefault(one, path)

    assert len(visitor.everywhere(HOMES[who], look=look)) > 5
    assert not wrong, "\n".join(f"{path}: {one}" for one, path in wrong.items())


def _sign_in(visitor: Visitor, who: str) -> None:
    """By the form, whatever its labels say."""
    visitor.open("/sign-in")
    visitor.page.locator("input[name=email]").fill(f"{who}@demo.example")
    visitor.page.locator("input[name=password]").fill(PASSWORD)
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(lambda url: "/sign-in" not in url)
