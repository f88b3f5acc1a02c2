"""What a patient was promised is a time on the clinic's wall clock; the instant in UTC is derived from it.

The rules of a time zone change by law, and a clinic may correct its zone: then the promise stands and the instant
is derived again (domain/clinic/zone_changes.py).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, TypedDict
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from service.domain.foundation.zone_rules import ZoneRules
from service.storage.models import Appointment

FORMAT = "%Y-%m-%dT%H:%M"


class Columns(TypedDict):
    """The columns of an appointment that hold its promise."""

    local_start: str
    local_fold: int
    zone: str


@dataclass(frozen=True)
class Promise:
    """A time on the wall clock of a zone."""

    local_start: str
    """`YYYY-MM-DDTHH:MM`."""
    local_fold: int
    """1 for the second of two equal times, when clocks are set back; else 0."""
    zone: str

    @classmethod
    def of(cls, instant: datetime, zone: ZoneInfo) -> Self:
        """What the wall clock of `zone` shows at an instant."""
        wall = instant.astimezone(zone)
        return cls(f"{wall:{FORMAT}}", wall.fold, zone.key)

    def instant(self, zone: ZoneInfo) -> datetime | None:
        """The UTC instant of this time on the wall clock of `zone`; None where clocks skip it.

        Where only one of two equal times is left, it is that one.
        """
        wall = datetime.fromisoformat(self.local_start).replace(tzinfo=zone, fold=self.local_fold)
        found = wall.astimezone(UTC)
        return found if found.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None) else None

    def columns(self) -> Columns:
        """As it is stored."""
        return {"local_start": self.local_start, "local_fold": self.local_fold, "zone": self.zone}


def fill_in(session: Session, zone: ZoneInfo, scope: ColumnElement[bool]) -> None:
    """Write the promise of all appointments in `scope` anew, from their instants and the wall clock of `zone`.

    The database only adds what this program has found out about the zone, so that a million rows take seconds.
    """
    first, last = session.execute(
        select(func.min(Appointment.starts_at), func.max(Appointment.starts_at)).where(scope)
    ).one()
    if first is None:
        return
    read_by(session, ZoneRules.between(zone.key, zone, first, last + timedelta(seconds=1)), scope)


def read_by(session: Session, rules: ZoneRules, scope: ColumnElement[bool]) -> None:
    """The same by the rules that a zone had, as far as they reach."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    for start, end, ahead, fold in rules.stretches():
        local = _local_text(is_sqlite, ahead)
        session.execute(
            update(Appointment)
            .where(scope, Appointment.starts_at >= start, Appointment.starts_at < end)
            .values(local_start=local, local_fold=fold, zone=rules.zone)
            .execution_options(synchronize_session=False)
        )


def _local_text(is_sqlite: bool, ahead: timedelta) -> ColumnElement[str]:
    seconds = int(ahead.total_seconds())
    if is_sqlite:
        return func.strftime(FORMAT, Appointment.starts_at, f"{seconds:+} seconds")
    utc = func.timezone("UTC", Appointment.starts_at)
    return func.to_char(utc + timedelta(seconds=seconds), 'YYYY-MM-DD"T"HH24:MI')
