"""What was typed into a form, as fields that can be sent once more: with the labels and choices of the form it was."""

from collections.abc import Iterator
from dataclasses import dataclass

import wtforms
from flask import current_app
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from wtforms.fields.core import UnboundField
from wtforms.widgets import HiddenInput

from service.http import context
from service.http.unsent_forms import SECRETS, Fields, is_unseen
from service.web.date_fields import DayField
from service.web.forms import ROOM, Form, most_of

LINE = 60
IN_ALL = 100_000
"""Characters of all fields together that come back to a stranger."""


@dataclass(frozen=True)
class TypedField:
    """One field with what was typed into it."""

    name: str
    values: list[str]
    control: wtforms.Field | None
    """The field of its form; None where that shows such values in a way of its own."""

    @property
    def label(self) -> str:
        """The name as a person reads it."""
        written = str(self.control.label.text) if self.control is not None else ""
        return written or self.name.replace("_", " ").capitalize()

    @property
    def is_hidden(self) -> bool:
        """Whether the values go along unseen."""
        unseen = self.control is not None and isinstance(self.control.widget, HiddenInput)
        return unseen or is_unseen(self.name)

    @property
    def is_secret(self) -> bool:
        """Whether it is typed again."""
        return self.name in SECRETS

    @property
    def is_tick(self) -> bool:
        """Whether it is a box to tick."""
        return isinstance(self.control, wtforms.BooleanField)

    @property
    def is_choice(self) -> bool:
        """Whether it offers what was chosen beside what was not."""
        offered = {value for value, _words in self.choices}
        return bool(offered) and set(self.values) <= offered

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The values on offer with their words; none where it is no choice, or what is on offer is not known here."""
        if not isinstance(self.control, wtforms.SelectField) or self.control.choices is None:
            return []
        return [(str(value), str(words)) for value, words, *_more in self.control.iter_choices()]

    @property
    def is_for_several(self) -> bool:
        """Whether several may be chosen."""
        return isinstance(self.control, wtforms.SelectMultipleField)

    @property
    def is_day(self) -> bool:
        """Whether it is a date, which may be chosen from a calendar."""
        return isinstance(self.control, DayField)

    @staticmethod
    def is_long(value: str) -> bool:
        """Whether a text needs more than one line."""
        return "\n" in value or len(value) > LINE


def fields_of(path: str, fields: Fields) -> list[TypedField]:
    """The fields of a form that was sent to a path, with boxes no one ticked."""
    form = _form_of(path, fields)
    known = {field.name: field for field in form} if form is not None else {}
    if not context.is_found():
        fields = _bounded(fields, known)
    shown = [TypedField(name, list(values), known.get(name)) for name, values in fields.items()]
    ticks = [field for name, field in known.items() if name not in fields and isinstance(field, wtforms.BooleanField)]
    return [*shown, *(TypedField(field.name, [], field) for field in ticks)]


def _bounded(fields: Fields, known: dict[str, wtforms.Field]) -> Fields:
    """What comes back to a stranger: of each value as much as of its form's field, of all so much that no page holds
    more; what lies beyond is left out.
    """
    found, left = dict[str, list[str]](), IN_ALL
    for name, values in fields.items():
        most = most_of(known[name]) if name in known else ROOM
        for value in values:
            cut = value[: min(most, left)]
            left -= len(name) + len(cut)
            if left < 0:
                return found
            found.setdefault(name, []).append(cut)
    return found


def _form_of(path: str, fields: Fields) -> Form | None:
    """The smallest form of the module behind the path that has all these fields."""
    try:
        endpoint = current_app.url_map.bind("").match(path.partition("?")[0], "POST")[0]
    except HTTPException:
        return None
    place = current_app.view_functions[endpoint].__module__
    fitting = [kind for kind in forms() if fields.keys() <= unbound(kind).keys()]
    here = [kind for kind in fitting if kind.__module__ == place] or fitting
    kind = min(here, key=lambda kind: len(unbound(kind)), default=None)
    return kind(MultiDict({name: list(values) for name, values in fields.items()})) if kind else None


def forms(above: type[Form] = Form) -> Iterator[type[Form]]:
    """Every form there is."""
    for kind in above.__subclasses__():
        yield kind
        yield from forms(kind)


def unbound(kind: type[Form]) -> "dict[str, UnboundField[wtforms.Field]]":
    """The fields of a form by their names."""
    named = {name: getattr(kind, name) for name in dir(kind)}
    return {name: field for name, field in named.items() if isinstance(field, UnboundField)}
