"""What tests look for on a page."""

import re

import html5lib
from babel.numbers import format_decimal
from bs4 import BeautifulSoup, Tag
from werkzeug.test import TestResponse

from service.http.assets import STATIC


def parsed(answer: TestResponse | str) -> BeautifulSoup:
    """The page as a tree, by the quick parser: test_html.py reads every page strictly."""
    text = answer if isinstance(answer, str) else answer.get_data(as_text=True)
    return BeautifulSoup(text, "html.parser")


def words(element: BeautifulSoup | Tag | None) -> str:
    """The text of an element on one line."""
    assert element is not None
    return " ".join(element.get_text(" ").split())


def one(page: BeautifulSoup | Tag, selector: str) -> Tag:
    """The first element a CSS selector finds; there must be one."""
    found = page.select_one(selector)
    assert found is not None, selector
    return found


def attribute(page: BeautifulSoup | Tag, selector: str, name: str) -> str:
    """An attribute of the first element found."""
    return str(one(page, selector)[name])


def links(page: BeautifulSoup) -> list[str]:
    """Where the main part of a page leads."""
    main = page.find("main")
    assert isinstance(main, Tag)
    return [str(link["href"]) for link in main.find_all("a")]


def faults(text: str, *, stands_alone: bool = False) -> list[str]:
    """What is wrong with a page as HTML; empty when nothing is."""
    parser = html5lib.HTMLParser()
    parser.parse(text)
    found = [f"{code} at {place}: {data}" for place, code, data in parser.errors]
    page = BeautifulSoup(text, "html5lib")
    if not text.lower().startswith("<!doctype html>"):
        found.append("no doctype")
    root = page.find("html")
    if not isinstance(root, Tag) or not root.get("lang"):
        found.append("no language")
    title = page.find("title")
    if not isinstance(title, Tag) or not title.get_text(strip=True):
        found.append("no title")
    if len(page.find_all("h1")) != 1 or not page.find_all("h1")[0].get_text(strip=True):
        found.append(f"{len(page.find_all('h1'))} h1 elements")
    ids = [str(element["id"]) for element in page.find_all(id=True)]
    found += [f"id {name} twice" for name in {name for name in ids if ids.count(name) > 1}]
    for element in page.find_all(True):
        found += _faults_of(element, page, set(ids), stands_alone=stands_alone)
    return found


def _faults_of(element: Tag, page: BeautifulSoup, ids: set[str], *, stands_alone: bool) -> list[str]:
    found = [f"<{element.name} {name}>" for name in element.attrs if name.lower().startswith("on") or name == "style"]
    if element.name == "style" and not stands_alone:
        found.append("<style>")
    if element.name == "script" and (not element.get("src") or element.get_text(strip=True) or stands_alone):
        found.append("a script in the page")
    for name in ("src", "href", "action", "formaction", "data", "srcset"):
        target = str(element.get(name, ""))
        if target.split(":")[0].lower() in ("http", "https", "javascript", "data") or target.startswith("//"):
            found.append(f"{name}={target}")
        if name in ("src", "href") and target.startswith("/static/"):
            if stands_alone:
                found.append(f"needs {target}")
            elif not (STATIC / target.removeprefix("/static/").partition("?")[0]).is_file():
                found.append(f"no file {target}")
    for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls", "popovertarget"):
        found += [f"{name}={one} names nothing" for one in str(element.get(name, "")).split() if one not in ids]
    if element.name in ("input", "select", "textarea") and element.get("type") not in ("hidden", "submit"):
        labelled = page.find("label", attrs={"for": str(element.get("id"))})
        if labelled is None and not element.get("aria-label") and not element.get("aria-labelledby"):
            found.append(f"no label for {element.get('name')}")
    if element.name in ("button", "a") and not (element.get_text(strip=True) or element.get("aria-label")):
        found.append(f"<{element.name}> without words")
    if element.name == "img" and element.get("alt") is None:
        found.append("<img> without alt")
    return found


def tenths(number: float) -> str:
    """A number with one decimal place, as pages of the tests' clinic write it."""
    return format_decimal(round(number, 1), "#,##0.0", locale="en_DE")


def hours(minutes: float) -> str:
    """Minutes as hours, as they write them."""
    return format_decimal(round(minutes / 60, 1), locale="en_DE")


def visit_links(page: BeautifulSoup) -> list[str]:
    """Where a page leads to appointments, in order."""
    return [link for link in links(page) if re.fullmatch(r"/appointments/\d+", link)]
