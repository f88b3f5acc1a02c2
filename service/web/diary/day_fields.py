"""Form fields for a day and for a time of day, as browsers send them; what was typed stays in the form."""

import re
from collections.abc import Sequence
from datetime import time

import wtforms

from service.language.translation import gettext as _
from service.web.local_times import day_of


class DayField(wtforms.DateField):
    """A day of this century or so, written `YYYY-MM-DD`."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read what was sent; ValueError (a sentence beside the field) for a day that does not exist."""
        self.data = None
        if valuelist and valuelist[0].strip():
            self.data = day_of(valuelist[0].strip())
            if self.data is None:
                raise ValueError(_("There is no such day: choose one like 2026-05-31."))


class TimeField(wtforms.TimeField):
    """A time of day, written `HH:MM`."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read what was sent; ValueError (a sentence beside the field) for a time that does not exist."""
        self.data = None
        if valuelist and valuelist[0].strip():
            if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", valuelist[0].strip(), re.ASCII):
                raise ValueError(_("There is no such time: write one like 08:30."))
            self.data = time.fromisoformat(valuelist[0].strip())
