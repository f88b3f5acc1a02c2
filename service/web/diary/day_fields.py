"""Form fields for a day and for a time of day, as browsers send them; what was typed stays in the form."""

from collections.abc import Sequence
from typing import Any

import wtforms
from wtforms.form import BaseForm

from service.clock import DayTime
from service.language.translation import gettext as _
from service.web.local_times import day_of


class DayField(wtforms.DateField):
    """A day between 2000 and 2100, written `YYYY-MM-DD`."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read what was sent; ValueError (a sentence beside the field) for a day that does not exist."""
        self.data = None
        if valuelist and valuelist[0].strip():
            self.data = day_of(valuelist[0].strip())
            if self.data is None:
                raise ValueError(_("This isn't a valid date. Enter one such as 2026-05-31."))


class TimeField(wtforms.Field):
    """A time of day, written `HH:MM`."""

    widget = wtforms.widgets.TimeInput()
    data: DayTime | None
    _latest = "23:59"

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read what was sent; ValueError (a sentence beside the field) for a time that does not exist."""
        self.data = None
        text = valuelist[0].strip() if valuelist else ""
        if text:
            try:
                self.data = DayTime.read(text)
            except ValueError:
                raise ValueError(_("This isn't a valid time. Enter one such as 08:30.")) from None
            if text > self._latest:
                self.data = None
                raise ValueError(_("This isn't a valid time. Enter one such as 08:30."))

    def _value(self) -> str:
        """Return what was typed, or the initial time."""
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else self.data.shown


class EndField(TimeField):
    """The time at which hours end that begin in another field.

    It lies on the next day when the clock shows less then; 00:00 and 24:00 are both the end of the day.
    """

    _latest = "24:00"

    def __init__(self, label: str, validators: list[Any], *, starts: str, **more: Any) -> None:
        super().__init__(label, validators, **more)
        self._starts = starts

    def _value(self) -> str:
        """Return the time as a browser's time field accepts it, without 24:00."""
        text = super()._value()
        return "00:00" if text == "24:00" else text

    def post_validate(self, form: BaseForm, validation_stopped: bool) -> None:
        """Find the day, once the start is known."""
        starts = form[self._starts].data
        if starts is not None and self.data is not None:
            self.data = starts.until(self.data)
