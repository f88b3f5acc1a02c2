"""The errors of forms are in our words and in the reader's language, including those that WTForms raises itself."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import wtforms
from flask import request
from wtforms import validators
from wtforms.fields import choices, datetime, numeric

from service.language import catalogs
from service.language.translation import speaking
from service.web.form_errors import WORDS, FormErrors
from service.web.forms import Form
from tests.house import House
from texts.extraction import area_of

TYPED = ("", "no such thing", "-1", "0", "99999999999999999999", "x" * 20_000)
"""What is entered into every field of a form: nothing, words, numbers out of range, and far too much."""
GERMAN = {file.stem for file in (Path(catalogs.__file__).parents[1] / "locales" / "de").glob("*.po")}
"""The areas that are translated into German."""


def forms(house: House) -> Iterator[type[Form]]:
    """Yield every form of the service."""
    assert house.app.blueprints  # it imports the pages, and they their forms
    waiting: list[type[Form]] = [Form]
    while waiting:
        found = [one for one in waiting.pop().__subclasses__() if one.__module__.startswith("service.")]
        waiting += found
        yield from found


def errors(house: House, form: type[Form], typed: str, language: str) -> list[tuple[str, str]]:
    """Return the field and the text of each error when every field holds this."""
    with house.app.test_request_context():
        posted = dict.fromkeys(form()._fields, typed)
    with house.app.test_request_context(method="POST", data=posted), speaking(language):
        one = form(request.form)
        for field in one:
            if isinstance(field, wtforms.SelectField) and field.choices is None:
                field.choices = []  # the page gives them
        one.validate()
        return [(name, str(error)) for name, field in one._fields.items() for error in field.errors]


def wtforms_texts() -> set[str]:
    """Return every error that WTForms can raise, as it stands in its source."""
    found = set[str]()
    for module in (validators, choices, datetime, numeric):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "gettext" in node.func.attr:
                found |= {str(one.value) for one in node.args if isinstance(one, ast.Constant)}
    return found


def test_no_error_of_a_form_is_wtforms_own_text(house: House) -> None:
    own = [re.compile(re.sub(r"%\\\(\w+\\\)[sd]", ".*", re.escape(text))) for text in wtforms_texts()]
    assert len(own) > 20
    wrong, said = set(), 0
    for form in forms(house):
        for typed in TYPED:
            for name, error in errors(house, form, typed, "en"):
                said += 1
                if any(one.fullmatch(error) for one in own):
                    wrong.add((form.__qualname__, name, error))
    assert said > 100
    assert wrong == set()


def test_no_error_of_a_form_is_english_for_a_german_reader(house: House) -> None:
    walked, english = set(), set()
    for form in forms(house):
        area = area_of(Path(inspect.getfile(form)))
        if area not in GERMAN:
            continue
        walked.add(area)
        for typed in TYPED:
            both = zip(errors(house, form, typed, "en"), errors(house, form, typed, "de"), strict=True)
            english |= {(form.__qualname__, *said) for said, german in both if said == german}
    assert {"accounts", "exports", "imports"} <= walked
    assert english == set()


def test_each_text_that_we_replace_is_one_that_wtforms_has() -> None:
    assert set(WORDS) <= wtforms_texts()


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        (wtforms.IntegerField(validators=[validators.NumberRange(1, 5)]), "7"),
        (wtforms.IntegerField(validators=[validators.NumberRange(min=9)]), "7"),
        (wtforms.IntegerField(validators=[validators.NumberRange(max=5)]), "7"),
        (wtforms.DecimalField(), "much"),
        (wtforms.DateField(), "today"),
        (wtforms.TimeField(), "noon"),
        (wtforms.SelectField(), "b"),
        (wtforms.SelectMultipleField(), "b"),
        (wtforms.SelectMultipleField(coerce=int), "b"),
        (wtforms.StringField(validators=[validators.DataRequired()]), ""),
        (wtforms.StringField(validators=[validators.AnyOf(["a"])]), "b"),
        (wtforms.StringField(validators=[validators.Regexp("a")]), "b"),
    ],
)
def test_a_field_of_any_kind_has_its_errors_in_german(house: House, field: wtforms.Field, typed: str) -> None:
    form = type("OneField", (Form,), {"one": field})
    (_name, english), (_same, german) = errors(house, form, typed, "en")[0], errors(house, form, typed, "de")[0]
    assert german != english
    assert "%(" not in german


def test_a_text_without_words_of_ours_stays_as_it_is() -> None:
    with speaking("de"):
        assert FormErrors().gettext("Other id") == "Other id"
