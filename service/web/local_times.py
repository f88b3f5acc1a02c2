"""Days and times as forms and URLs write them: the clinic's wall clock."""

import re
from datetime import date, datetime

from service.domain.appointments import free_times
from service.domain.foundation.errors import Invalid, NotFound
from service.http.context import wiring
from service.language.translation import gettext as _


def day_of(text: str) -> date | None:
    """The day behind `YYYY-MM-DD` in this century or so; None for anything else."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None


def instant_of(text: str) -> datetime:
    """The UTC instant of `YYYY-MM-DDTHH:MM` on the clinic's wall clock.

    Raises Invalid for another form, and for a time that does not exist; of a time that comes twice it is the first.
    """
    day = day_of(text[:10])
    time = re.fullmatch(r"T([01]\d|2[0-3]):[0-5]\d", text[10:], re.ASCII)
    if day is None or time is None:
        raise Invalid(_("Choose a date and a time."), "starts_at")
    zone, at = wiring().settings.clinic.zone, datetime.fromisoformat(text)
    instant = free_times.local_instant(day, at.time(), zone)
    if instant is None:
        raise Invalid(_("This time doesn't exist: the clocks go forward at that hour."), "starts_at")
    return instant


def written(at: datetime) -> str:
    """An instant as a form carries it: `YYYY-MM-DDTHH:MM` on the clinic's wall clock."""
    return f"{at.astimezone(wiring().settings.clinic.zone):%Y-%m-%dT%H:%M}"


def row_id_of(text: str | None) -> int | None:
    """The id in a form or a URL; None for anything that cannot be one."""
    if text is None or not re.fullmatch(r"\d{1,19}", text, re.ASCII):
        return None
    number = int(text)
    return number if 0 < number < 2**63 else None


def valid_row_id(text: str | None) -> int:
    """The id in a form or a URL. Raises NotFound for anything that cannot be one."""
    found = row_id_of(text)
    if found is None:
        raise NotFound
    return found
