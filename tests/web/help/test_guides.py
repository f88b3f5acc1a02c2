"""Everyone reads the guide of their role, in their language, and it names pages and buttons as they are."""

import re

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from sqlalchemy import update

from service.storage.models import User
from tests.browser import guide_texts
from tests.web.frozen_clinic import Clinic
from tests.web.reading import one, parsed, words
from texts.extraction import SERVICE, areas, extracted

QUOTED = re.compile(r"<strong>(.*?)</strong>")
OWN = {
    "patient": ("Export full history", "Ganze Krankengeschichte exportieren"),
    "doctor": ("Record treatment", "Behandlung erfassen"),
    "receptionist": ("Mark as called", "Als angerufen markieren"),
    "admin": ("Download problem report", "Problembericht herunterladen"),
}
"""Role -> a button that only its guide names, in English and German."""


@pytest.mark.parametrize("role", OWN)
def test_everyone_reads_the_guide_of_their_role_in_their_language(clinic: Clinic, role: str) -> None:
    browser = clinic.browser(role)
    for number, (code, name) in enumerate((("en", "Help"), ("de", "Hilfe"))):
        with clinic.house.writing() as session:
            session.execute(update(User).where(User.id == clinic.people[role].user_id).values(language=code))
        page = parsed(browser.get("/help"))
        quoted = {words(button) for button in page.select("main strong")}
        assert quoted & {button[number] for button in OWN.values()} == {OWN[role][number]}
        assert (words(one(page, "a[aria-current=page]")), words(one(page, "h1"))) == (name, name)


def test_a_visitor_is_asked_to_sign_in_first(clinic: Clinic) -> None:
    answer = clinic.house.browser().get("/help")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/help")


def test_guides_quote_the_words_of_pages_and_buttons() -> None:
    pages = {text for area in areas() if area != "help" for text in _texts(extracted(area))}
    quoted = {word for text in _texts(extracted("help")) for word in QUOTED.findall(text)}
    assert len(quoted) > len(OWN)
    assert quoted - pages == set()


def test_german_guides_quote_the_german_words_of_pages_and_buttons() -> None:
    german: dict[str, set[str]] = {}
    for file in (SERVICE / "locales" / "de").glob("*.po"):
        for text, translation in _translations(file.stem):
            german.setdefault(text, set()).add(translation)
    for text, translation in _translations("help"):
        expected, quoted = [german[word] for word in QUOTED.findall(text)], QUOTED.findall(translation)
        assert len(quoted) == len(expected)
        assert all(choices & set(quoted) for choices in expected), translation


@pytest.mark.parametrize("role", guide_texts.PRINTED)
def test_printed_guides_say_the_same(role: str) -> None:
    printed = (guide_texts.GUIDES / f"{role}.html").read_text("utf-8")
    assert printed == guide_texts.written(role), "run `make guides`"


def _texts(catalog: Catalog) -> set[str]:
    return {text for message in catalog for text in ([message.id] if isinstance(message.id, str) else message.id)}


def _translations(area: str) -> list[tuple[str, str]]:
    with (SERVICE / "locales" / "de" / f"{area}.po").open("rb") as file:
        return [(str(message.id), str(message.string)) for message in read_po(file) if message.id]
