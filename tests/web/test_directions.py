"""Pages that run from right to left say so, and names, phone numbers, and addresses on them keep their direction."""

from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from sqlalchemy import select

from service.storage.models import Doctor, Patient, User
from tests.house import House
from tests.web.frozen_clinic import NOBODY, VISITORS, Clinic, email
from tests.web.pages import pages_of
from tests.web.reading import parsed
from tests.web.test_languages import in_language

TEXT_ONLY = {"title", "option", "textarea", "script", "style"}
"""Elements that can't hold other elements."""
PHONE = "030 1234567"
ENGLISH = {"/api/docs"}


@pytest.mark.tour
@pytest.mark.parametrize("visitor", VISITORS)
def test_every_page_runs_from_right_to_left_and_isolates_names_numbers_and_addresses(
    clinic: Clinic, visitor: str
) -> None:
    house = in_language(clinic, "ar_XB")
    browser = house.browser(None if visitor == NOBODY else email(visitor))
    values, directions, exposed = personal(house), {}, {}
    for path in pages_of(clinic, visitor):
        page = parsed(browser.get(path, follow_redirects=True))
        assert page.html is not None
        directions[path] = str(page.html["dir"])
        exposed[path] = [text.strip() for text in texts_with(page, values) if not is_isolated(text)]
    assert {path for path, direction in directions.items() if direction != "rtl"} <= ENGLISH
    assert {path: texts for path, texts in exposed.items() if texts} == {}


def test_a_page_from_right_to_left_mirrors_what_bootstrap_sets(clinic: Clinic) -> None:
    assert "/right-to-left.css" not in str(parsed(clinic.browser(NOBODY).get("/sign-in")))
    assert "/right-to-left.css" in str(parsed(in_language(clinic, "ar_XB").browser().get("/sign-in")))


def personal(house: House) -> set[str]:
    """The names, phone numbers, and e-mail addresses in the clinic."""
    with house.reading() as session:
        names = [*session.scalars(select(Patient.name)), *session.scalars(select(Doctor.name))]
        users = session.execute(select(User.name, User.email)).all()
        addresses = [address for address in session.scalars(select(Patient.email)) if address]
    return {*names, *addresses, *(value for user in users for value in user), PHONE}


def texts_with(page: BeautifulSoup, values: set[str]) -> Iterator[NavigableString]:
    """The texts of a page that hold one of these values."""
    for text in page.find_all(string=True):
        if any(value in text for value in values):
            yield text


def is_isolated(text: NavigableString) -> bool:
    """Whether an element keeps the direction of a text apart from the text around it, or no one sees it."""
    above = [element for element in text.parents if isinstance(element, Tag) and element.name != "html"]
    return any(
        one.name in TEXT_ONLY
        or one.name == "bdi"
        or "dir" in one.attrs
        or "visually-hidden" in one.get_attribute_list("class")
        for one in above
    )
