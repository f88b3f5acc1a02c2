"""Form fields for a date and for a time of day, in the clinic's own writing; what was typed stays in the form."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

import wtforms
from flask import Flask, g, request
from markupsafe import Markup
from wtforms.form import BaseForm
from wtforms.widgets import html_params

from service import clock
from service.clock import DayTime
from service.domain.foundation.contact_details import OLDEST
from service.domain.foundation.errors import NotFound
from service.http import context
from service.language.formats import Formats
from service.language.translation import gettext as _
from service.language.typed_dates import AmbiguousYear, Unreadable

FIRST, LAST = date(2000, 1, 1), date(2100, 12, 31)
"""The days that the calendar has."""
LONG_AGO = 1985
"""The year of the example for a birth date."""
NEAR = 20
"""A year of two digits is at most so many years away."""
_PARTS = re.compile(r"'([^']*)'|d+|M+|y+")
LONGEST = 40
"""Characters of what was typed that a refusal repeats."""


def install(app: Flask) -> None:
    """Give the app's templates the field for a date, and the calendar that scripts put beside it."""
    app.jinja_env.globals.update(date_input=date_input, date_picker=date_picker)


def write_as(formats: Formats) -> None:
    """Let the fields of this page be written as somewhere else: where the clinic will be."""
    g.formats_of_fields = formats


def _formats() -> Formats:
    return cast(Formats, g.get("formats_of_fields") or context.formats())


def typed_day(text: str) -> date:
    """A day of the calendar as someone typed it. Raises ValueError with a sentence for people."""
    year = _this_year()
    day = _read(text, date(year - NEAR, 1, 1), date(year + NEAR, 12, 31), _example(year))
    if not FIRST <= day <= LAST:
        places = {"first": _formats().typed_date(FIRST), "last": _formats().typed_date(LAST)}
        raise ValueError(_("Enter a date from %(first)s to %(last)s.") % places)
    return day


def typed_birth_date(text: str) -> date:
    """A birth date as someone typed it; two digits of a year mean the last such year that is not in the future.

    Raises ValueError with a sentence for people.
    """
    today = clock.today(context.wiring().settings.clinic.zone)
    return _read(text, _century_before(today), today, _example(LONG_AGO))


def _century_before(day: date) -> date:
    """The day after the same one a hundred years before."""
    return day.replace(year=day.year - 100, day=28) + timedelta(days=day.day - 27)


def _this_year() -> int:
    return clock.today(context.wiring().settings.clinic.zone).year


def _example(year: int) -> str:
    return _formats().typed_date(date(year, 5, 31))


def _read(text: str, first: date, last: date, example: str) -> date:
    shown = {"typed": text.strip()[:LONGEST], "example": example}
    try:
        return _formats().read_date(text, first, last)
    except AmbiguousYear:
        raise ValueError(_("Write the year of “%(typed)s” with four digits, like %(example)s.") % shown) from None
    except Unreadable:
        raise ValueError(_("“%(typed)s” isn't a date. Write it like %(example)s.") % shown) from None


@dataclass(frozen=True)
class AskedDay:
    """A day that the address of a page asks for, where people type it."""

    name: str
    day: date
    """The usual one where there is none, or it can't be read."""
    shown: str
    """What the field for it holds: what can't be read stays as it was typed."""
    error: str = ""


def asked_day(name: str, usual: date | None = None) -> AskedDay:
    """The day that `?name=` asks for, in the order of the clinic or as ISO; without one the usual day, or today."""
    text = _asked(name)
    usual = usual or clock.today(context.wiring().settings.clinic.zone)
    try:
        day = typed_day(text) if text else usual
    except ValueError as error:
        return AskedDay(name, usual, text[:LONGEST], str(error))
    return AskedDay(name, day, _formats().typed_date(day))


def day_of_address() -> date | None:
    """The day that `?date=` asks for on a page without a field for it; None without one. Raises NotFound for no day."""
    if "date" not in request.args:
        return None
    try:
        return typed_day(_asked("date"))
    except ValueError:
        raise NotFound from None


def _asked(name: str) -> str:
    return request.args.get(name, "").replace("\0", " ").strip()


def date_input(name: str, value: str, *, first: date = FIRST, last: date = LAST, **attributes: Any) -> Markup:
    """A text field for a date; a browser with scripts puts a calendar beside it. `first` and `last` bound that one."""
    g.has_date_input = True
    usual = {
        "type": "text",
        "name": name,
        "id": name,
        "value": value,
        "placeholder": _("like %(example)s") % {"example": _example(LONG_AGO if last < LAST else _this_year())},
        "autocomplete": "off",
        "class": "form-control",
        "data_date": True,
        "data_first": first.isoformat(),
        "data_last": last.isoformat(),
    }
    field = Markup("<input %s>") % Markup(html_params(**{**usual, **attributes}))  # noqa: S704 - it escapes
    return Markup('<span class="date-field">%s</span>') % field


@dataclass(frozen=True)
class DatePicker:
    """What the calendar of a page needs to know."""

    order: str
    pattern: str
    """How it writes a date: `{MM}/{d}/{y}`."""
    today: date
    months: Sequence[str]
    weekdays: Sequence[tuple[str, str]]
    """Short and whole names, from the first day of the week on."""
    first_weekday: int
    """0 is Monday."""


def date_picker() -> DatePicker | None:
    """The calendar for the fields of this page; None where it has none."""
    if "has_date_input" not in g:
        return None
    formats = _formats()
    return DatePicker(
        order=formats.order,
        pattern=_PARTS.sub(lambda part: part[1] or f"{{{part[0]}}}", formats.typed_pattern),
        today=clock.today(context.wiring().settings.clinic.zone),
        months=formats.months,
        weekdays=[(formats.weekday(day, short=True), formats.weekday(day)) for day in formats.week],
        first_weekday=formats.week[0],
    )


class DayField(wtforms.Field):
    """A day of the calendar."""

    data: date | None

    def __call__(self, **attributes: Any) -> Markup:
        """The text field; `first` and `last` may bound its calendar."""
        usual = {"id": self.id, "required": bool(self.flags.required)}
        return date_input(self.name, self._value(), **{**usual, **attributes})

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read what was sent; ValueError (a sentence beside the field) for what is no day."""
        self.data = None
        if valuelist and valuelist[0].strip():
            self.data = self.read(valuelist[0])

    def read(self, text: str) -> date:
        """The day that was typed. Raises ValueError with a sentence for people."""
        return typed_day(text)

    def _value(self) -> str:
        """What was typed, or the day to begin with."""
        if self.raw_data:
            return str(self.raw_data[0])
        return _formats().typed_date(self.data) if self.data else ""


class BirthDateField(DayField):
    """The day on which someone living was born."""

    def __call__(self, **attributes: Any) -> Markup:
        """The text field; its calendar ends today."""
        today = clock.today(context.wiring().settings.clinic.zone)
        return super().__call__(**{"first": date(today.year - OLDEST, 1, 1), "last": today, **attributes})

    def read(self, text: str) -> date:
        """The day that was typed. Raises ValueError with a sentence for people."""
        return typed_birth_date(text)


class TimeField(wtforms.Field):
    """A time of day, typed on either clock."""

    widget = wtforms.widgets.TextInput()
    data: DayTime | None
    _may_be_24 = False

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read what was sent; ValueError (a sentence beside the field) for what is no time."""
        self.data = None
        text = valuelist[0].strip() if valuelist else ""
        if not text:
            return
        formats = _formats()
        shown = {"typed": text[:LONGEST], "example": formats.typed_time(DayTime.at(14, 30))}
        try:
            found = formats.read_time(text)
        except Unreadable:
            raise ValueError(_("“%(typed)s” isn't a time. Write it like %(example)s.") % shown) from None
        if found == DayTime.at(24) and not self._may_be_24:
            raise ValueError(_("“%(typed)s” isn't a time. Write it like %(example)s.") % shown)
        self.data = found

    def __call__(self, **attributes: Any) -> Markup:
        """The text field."""
        example = _formats().typed_time(DayTime.at(8, 30))
        hint = _("like %(example)s") % {"example": example}
        usual = {"placeholder": hint, "autocomplete": "off"}
        return super().__call__(**{**usual, **attributes})

    def _value(self) -> str:
        """What was typed, or the time to begin with."""
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else _formats().typed_time(self.data)


class EndField(TimeField):
    """The time at which hours end that begin in another field.

    It lies on the next day when the clock shows less then; 00:00 and 24:00 are both the end of the day.
    """

    _may_be_24 = True

    def __init__(self, label: str, validators: list[Any], *, starts: str, **more: Any) -> None:
        super().__init__(label, validators, **more)
        self._starts = starts

    def post_validate(self, form: BaseForm, validation_stopped: bool) -> None:
        """Find the day, once the start is known."""
        starts = form[self._starts].data
        if starts is not None and self.data is not None:
            self.data = starts.until(self.data)
